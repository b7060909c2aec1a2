//! Forgetting the spent and recouped coins of pruned mint keys, portion by portion.

use opencoin_ledger::{LedgerError, MintKeyId, stored};
use sqlx::SqliteConnection;

use crate::fault::{Fault, ledger_error};

/// Counts what is stored of a key. One statement is one snapshot.
pub(crate) async fn check_coins(connection: &mut SqliteConnection, id: MintKeyId) -> Result<(), LedgerError> {
    let sql = "SELECT returned, recouped, (SELECT count(*) FROM spent WHERE mint_key_no = no),
            (SELECT count(*) FROM recouped WHERE mint_key_no = no)
        FROM mint_keys WHERE id = $1 AND NOT pruned";
    let query = sqlx::query_as(sql).bind(&id.as_bytes()[..]);
    let row: Option<(i64, i64, i64, i64)> = query
        .fetch_optional(connection)
        .await
        .map_err(|error| ledger_error(&error))?;
    row.map_or(Ok(()), |(returned, recouped, spent_rows, recouped_rows)| {
        stored::check_coins(id, [returned, recouped], [spent_rows, recouped_rows])
    })
}

/// Deletes a portion. Only rows of a key that is pruned are found, and nobody adds rows to those.
pub(crate) async fn forget_coins(
    connection: &mut SqliteConnection,
    id: MintKeyId,
    coins_max: u32,
) -> Result<u64, Fault> {
    let statements = [
        "DELETE FROM spent WHERE (mint_key_no, payload_hash) IN (
            SELECT mint_key_no, payload_hash FROM spent
            WHERE mint_key_no = (SELECT no FROM mint_keys WHERE id = $1 AND pruned) LIMIT $2)",
        "DELETE FROM recouped WHERE (mint_key_no, blind_digest) IN (
            SELECT mint_key_no, blind_digest FROM recouped
            WHERE mint_key_no = (SELECT no FROM mint_keys WHERE id = $1 AND pruned) LIMIT $2)",
    ];
    for sql in statements {
        let query = sqlx::query(sql)
            .bind(&id.as_bytes()[..])
            .bind(i64::from(coins_max));
        let forgotten = query.execute(&mut *connection).await?.rows_affected();
        if forgotten > 0 {
            return Ok(forgotten);
        }
    }
    Ok(0)
}
