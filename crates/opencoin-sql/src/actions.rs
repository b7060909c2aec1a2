//! Appends rows to `operator_actions`.

use opencoin_ledger::{Action, ActionDetail, Amount};

use crate::{Executor, SqlError};

/// The columns of an action.
pub(crate) const COLUMNS: &str = "no, at, operator, kind, subject, amount, detail";

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
