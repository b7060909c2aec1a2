//! Reads of the books whose SQL differs between the engines.

use opencoin_ledger::journal::ReferenceKey;
use opencoin_ledger::stored;
use opencoin_ledger::{LedgerError, LedgerTime, Moments, Transaction, TransactionReference};
use sqlx::SqliteConnection;

use crate::fault::ledger_error;

pub(crate) async fn transaction(
    connection: &mut SqliteConnection,
    reference: &TransactionReference,
) -> Result<Option<Transaction>, LedgerError> {
    type Columns = (i64, i16, i64, Option<Vec<u8>>, bool);
    let key = ReferenceKey::of_transaction(reference);
    let sql = "SELECT id, kind, applied_at, blinds, (SELECT paused FROM signing WHERE id = 1)
        FROM transactions WHERE reference = ?";
    let query = sqlx::query_as(sql)
        .bind(key.as_bytes())
        .fetch_optional(&mut *connection)
        .await;
    let Some((id, kind, at, blinds, paused)): Option<Columns> =
        query.map_err(|error| ledger_error(&error))?
    else {
        return Ok(None);
    };
    // Read after the transaction, so that a key that is stopped between the two queries counts as stopped.
    let query = sqlx::query_scalar("SELECT id FROM mint_keys WHERE stopped_reason IS NOT NULL")
        .fetch_all(&mut *connection)
        .await;
    let stopped: Vec<Vec<u8>> = query.map_err(|error| ledger_error(&error))?;
    stored::transaction(id, kind, at, blinds.as_deref(), paused, &stopped).map(Some)
}

/// The database has no clock of its own.
pub(crate) async fn moments(connection: &mut SqliteConnection) -> Result<Moments, LedgerError> {
    let query = sqlx::query_scalar("SELECT applied_at FROM transactions ORDER BY id DESC LIMIT 1")
        .fetch_optional(&mut *connection)
        .await;
    let last: Option<i64> = query.map_err(|error| ledger_error(&error))?;
    Ok(Moments {
        last_applied: last.map(LedgerTime::from_unix_micros),
        database_now: None,
    })
}
