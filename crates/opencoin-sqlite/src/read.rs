//! Reads of the books whose SQL differs between the engines.

use opencoin_ledger::journal::ReferenceKey;
use opencoin_ledger::stored::{self, StoredTransaction};
use opencoin_ledger::{LedgerError, LedgerTime, Moments, Transaction, TransactionReference};
use sqlx::SqliteConnection;

use crate::fault::ledger_error;

pub(crate) async fn transaction(
    connection: &mut SqliteConnection,
    reference: &TransactionReference,
) -> Result<Option<Transaction>, LedgerError> {
    type Columns = (i64, i16, i64, Option<Vec<u8>>, Option<i32>, Option<Vec<u8>>, bool);
    let key = ReferenceKey::of_transaction(reference);
    let sql = "SELECT id, kind, applied_at, issued, log_batch, blinds.blinds, (SELECT paused FROM signing WHERE id = 1)
        FROM transactions LEFT JOIN blinds ON blinds.reference = transactions.reference WHERE transactions.reference = ?";
    let query = sqlx::query_as(sql)
        .bind(key.as_bytes())
        .fetch_optional(&mut *connection)
        .await;
    let Some((id, kind, applied_at, issued, log_batch, blinds, signing_paused)): Option<Columns> =
        query.map_err(|error| ledger_error(&error))?
    else {
        return Ok(None);
    };
    // Read after the transaction, so that a key that is stopped or pruned between the two queries counts as such.
    let query = sqlx::query_as("SELECT no, id, stopped_reason IS NOT NULL, pruned FROM mint_keys")
        .fetch_all(connection)
        .await;
    let keys: Vec<(i32, Vec<u8>, bool, bool)> = query.map_err(|error| ledger_error(&error))?;
    let pruned = keys.iter().filter(|key| key.3).map(|key| key.0).collect();
    let stopped = keys.into_iter().filter(|key| key.2).map(|key| key.1).collect();
    let row = StoredTransaction {
        id,
        kind,
        applied_at,
        issued,
        log_batch,
        blinds,
        signing_paused,
        stopped,
        pruned,
    };
    stored::transaction(&row).map(Some)
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
