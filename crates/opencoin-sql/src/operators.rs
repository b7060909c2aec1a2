//! The interface [`Operators`], for every store, and the rows of `operator_actions`.

use async_trait::async_trait;
use opencoin_ledger::stored::{self, StoredAction};
use opencoin_ledger::{
    Action, ActionFilter, ActionNo, ActionSubject, DeclineOutcome, LedgerError, OperatorName, Operators,
    Proposal, ProposalFilter, ProposalNo, RecordedAction, WaitingProposals,
};

use crate::actions::{self, COLUMNS};
use crate::proposals;
use crate::{Executor, Row, Runner, SqlError};

/// Implements [`Operators`] on the reads and transactions of a store.
#[derive(Debug, Clone)]
pub struct SqlOperators<R>(pub R);

#[async_trait]
impl<R: Runner> Operators for SqlOperators<R> {
    async fn record(&self, action: &Action) -> Result<(), LedgerError> {
        let change = self.0.change("record an action", action.clone(), |sql, action| {
            Box::pin(actions::record(sql, action))
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

    async fn proposals(
        &self,
        filter: ProposalFilter,
        after: ProposalNo,
        limit: u32,
    ) -> Result<Vec<Proposal>, LedgerError> {
        let arguments = (filter, after, limit);
        let read = self
            .0
            .read("proposals", arguments, |sql, (filter, after, limit)| {
                Box::pin(proposals::page(sql, *filter, *after, *limit))
            });
        read.await
    }

    async fn proposal(&self, no: ProposalNo) -> Result<Option<Proposal>, LedgerError> {
        let read = self
            .0
            .read("proposal", no, |sql, no| Box::pin(proposals::by_no(sql, *no)));
        read.await
    }

    async fn proposals_for(&self, operator: &OperatorName) -> Result<WaitingProposals, LedgerError> {
        let read = self
            .0
            .read("waiting proposals", operator.clone(), |sql, operator| {
                Box::pin(proposals::count_for(sql, operator))
            });
        read.await
    }

    async fn decline(&self, no: ProposalNo, action: &Action) -> Result<DeclineOutcome, LedgerError> {
        let arguments = (no, action.clone());
        let change = self
            .0
            .change("decline a proposal", arguments, |sql, (no, action)| {
                Box::pin(proposals::decline(sql, *no, action))
            });
        change.await
    }
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
