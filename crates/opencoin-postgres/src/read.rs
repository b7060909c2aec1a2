//! Reads of the books whose SQL differs between the engines.

use opencoin_ledger::journal::ReferenceKey;
use opencoin_ledger::stored::{self, StoredTransaction};
use opencoin_ledger::{LedgerError, LedgerTime, Moments, Transaction, TransactionReference};
use sqlx::PgConnection;

use crate::fault::ledger_error;
use crate::layout::Layout;

pub(crate) async fn transaction(
    connection: &mut PgConnection,
    reference: &TransactionReference,
    layout: Layout,
) -> Result<Option<Transaction>, LedgerError> {
    if layout.is_distributed() {
        return distributed_transaction(connection, reference).await;
    }
    type Columns = (
        i64,
        i16,
        i64,
        Option<Vec<u8>>,
        Option<i32>,
        Option<Vec<u8>>,
        bool,
        Vec<Vec<u8>>,
        Vec<i32>,
    );
    let key = ReferenceKey::of_transaction(reference);
    let sql = "SELECT id, kind, applied_at, issued, log_batch, blinds.blinds, (SELECT paused FROM signing WHERE id = 1),
            ARRAY(SELECT id FROM mint_keys WHERE stopped_reason IS NOT NULL), ARRAY(SELECT no FROM mint_keys WHERE pruned)
        FROM transactions LEFT JOIN blinds ON blinds.reference = transactions.reference WHERE transactions.reference = $1";
    let query = sqlx::query_as(sql)
        .bind(key.as_bytes())
        .fetch_optional(connection)
        .await;
    let row: Option<Columns> = query.map_err(|error| ledger_error(&error))?;
    row.map(
        |(id, kind, applied_at, issued, log_batch, blinds, signing_paused, stopped, pruned)| {
            stored::transaction(&StoredTransaction {
                id,
                kind,
                applied_at,
                issued,
                log_batch,
                blinds,
                signing_paused,
                stopped,
                pruned,
            })
        },
    )
    .transpose()
}

/// As [`transaction`], with one statement for the distributed tables and one for the others. The second comes
/// later, so that a key that is stopped or pruned between the two counts as such.
async fn distributed_transaction(
    connection: &mut PgConnection,
    reference: &TransactionReference,
) -> Result<Option<Transaction>, LedgerError> {
    type Columns = (i64, i16, i64, Option<Vec<u8>>, Option<i32>, Option<Vec<u8>>);
    let key = ReferenceKey::of_transaction(reference);
    let sql = "SELECT id, kind, applied_at, issued, log_batch, blinds.blinds
        FROM transactions LEFT JOIN blinds ON blinds.reference = transactions.reference WHERE transactions.reference = $1";
    let query = sqlx::query_as(sql)
        .bind(key.as_bytes())
        .fetch_optional(&mut *connection);
    let row: Option<Columns> = query.await.map_err(|error| ledger_error(&error))?;
    let Some((id, kind, applied_at, issued, log_batch, blinds)) = row else {
        return Ok(None);
    };
    let sql = "SELECT paused, ARRAY(SELECT id FROM mint_keys WHERE stopped_reason IS NOT NULL),
            ARRAY(SELECT no FROM mint_keys WHERE pruned)
        FROM signing WHERE id = 1";
    let query = sqlx::query_as(sql).fetch_one(connection).await;
    let (signing_paused, stopped, pruned) = query.map_err(|error| ledger_error(&error))?;
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

pub(crate) async fn moments(connection: &mut PgConnection) -> Result<Moments, LedgerError> {
    let sql = "SELECT (SELECT applied_at FROM transactions ORDER BY id DESC LIMIT 1),
            (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::int8";
    let (last, now): (Option<i64>, i64) = sqlx::query_as(sql)
        .fetch_one(connection)
        .await
        .map_err(|error| ledger_error(&error))?;
    let time = LedgerTime::from_unix_micros;
    Ok(Moments {
        last_applied: last.map(time),
        database_now: Some(time(now)),
    })
}

/// Checks that batches can be written. A standby, or a server that is read-only because its disk is full,
/// answers reads only.
pub(crate) async fn ready(connection: &mut PgConnection) -> Result<(), LedgerError> {
    let query =
        sqlx::query_scalar("SELECT current_setting('transaction_read_only') FROM signing WHERE id = 1");
    let read_only: String = query
        .fetch_one(connection)
        .await
        .map_err(|error| ledger_error(&error))?;
    if read_only == "off" {
        Ok(())
    } else {
        Err(LedgerError::Unavailable(
            "it is read-only: check whether it is a standby or its disk is full".to_owned(),
        ))
    }
}
