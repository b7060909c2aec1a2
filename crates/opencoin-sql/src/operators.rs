//! The interface [`Operators`], for every store, and the rows of `operator_actions`.

use async_trait::async_trait;
use opencoin_ledger::stored::{self, StoredAction};
use opencoin_ledger::{
    Action, ActionDetail, ActionFilter, ActionNo, ActionSubject, Amount, LedgerError, Operators,
    RecordedAction,
};

use crate::{Executor, Row, Runner, SqlError};

const COLUMNS: &str = "no, at, operator, kind, subject, amount, detail";

/// Implements [`Operators`] on the reads and transactions of a store.
#[derive(Debug, Clone)]
pub struct SqlOperators<R>(pub R);

#[async_trait]
impl<R: Runner> Operators for SqlOperators<R> {
    async fn record(&self, action: &Action) -> Result<(), LedgerError> {
        let change = self.0.change("record an action", action.clone(), |sql, action| {
            Box::pin(record(sql, action))
        });
        change.await
    }

    async fn actions(
        &self,
        filter: ActionFilter,
        before: Option<ActionNo>,
        limit: u32,
    ) -> Result<Vec<RecordedAction>, LedgerError> {
        let arguments = (filter, before, limit);
        let read = self.0.read("actions", arguments, |sql, (filter, before, limit)| {
            Box::pin(page(sql, filter, *before, *limit))
        });
        read.await
    }
}

/// Appends an action in the caller's transaction. If another process appends one at the same time, this violates the
/// primary key, and the transaction is tried again.
///
/// # Errors
/// The database refuses the row or does not answer.
pub async fn record(sql: &mut dyn Executor, action: &Action) -> Result<(), SqlError> {
    let query = format!(
        "INSERT INTO operator_actions ({COLUMNS})
        SELECT coalesce(max(no), 0) + 1, $1, $2, $3, $4, $5, $6 FROM operator_actions"
    );
    let values = [
        action.at.unix_micros().into(),
        action.operator.as_str().into(),
        action.kind.word().into(),
        action.subject.as_str().into(),
        action.amount.map(Amount::as_i64).into(),
        action.detail.as_ref().map(ActionDetail::as_str).into(),
    ];
    sql.execute(&query, &values).await?;
    Ok(())
}

async fn page(
    sql: &mut dyn Executor,
    filter: &ActionFilter,
    before: Option<ActionNo>,
    limit: u32,
) -> Result<Vec<RecordedAction>, SqlError> {
    let before = before.map_or(i64::MAX, ActionNo::get).into();
    let limit = i64::from(limit).into();
    match filter {
        ActionFilter::All => {
            let query =
                format!("SELECT {COLUMNS} FROM operator_actions WHERE no < $1 ORDER BY no DESC LIMIT $2");
            sql.all(&query, &[before, limit], action).await
        }
        ActionFilter::Of(subject) => {
            let query = format!(
                "SELECT {COLUMNS} FROM operator_actions WHERE no < $1 AND subject = $3 ORDER BY no DESC LIMIT $2"
            );
            sql.all(
                &query,
                &[before, limit, ActionSubject::as_str(subject).into()],
                action,
            )
            .await
        }
    }
}

fn action(row: &mut Row) -> Result<RecordedAction, SqlError> {
    Ok(stored::action(StoredAction {
        no: row.take()?,
        at: row.take()?,
        operator: row.take()?,
        kind: row.take()?,
        subject: row.take()?,
        amount: row.take()?,
        detail: row.take()?,
    })?)
}
