//! Forgetting the spent and recouped coins of pruned mint keys, portion by portion.

use opencoin_ledger::{MintKeyId, stored};

use crate::{Executor, Row, SqlError};

/// Compares what is stored of a key's coins with what the key counts. One statement is one snapshot.
///
/// # Errors
/// They differ, or the database cannot be read.
pub async fn check_coins(sql: &mut dyn Executor, id: MintKeyId) -> Result<(), SqlError> {
    let query = "SELECT returned, recouped, (SELECT count(*) FROM spent WHERE mint_key_no = no),
            (SELECT count(*) FROM recouped WHERE mint_key_no = no)
        FROM mint_keys WHERE id = $1 AND NOT pruned";
    let counts = |row: &mut Row| Ok(([row.take()?, row.take()?], [row.take()?, row.take()?]));
    let counts = sql.optional(query, &[id.as_bytes()[..].into()], counts).await?;
    Ok(counts.map_or(Ok(()), |(counted, rows)| stored::check_coins(id, counted, rows))?)
}

/// Deletes at most `coins_max` coins of a key. Only those of a pruned key are found, and nobody adds to those.
///
/// # Errors
/// The database refuses it or does not answer.
pub async fn forget_coins(sql: &mut dyn Executor, id: MintKeyId, coins_max: u32) -> Result<u64, SqlError> {
    let statements = [
        "DELETE FROM spent WHERE (mint_key_no, payload_hash) IN (
            SELECT mint_key_no, payload_hash FROM spent
            WHERE mint_key_no = (SELECT no FROM mint_keys WHERE id = $1 AND pruned) LIMIT $2)",
        "DELETE FROM recouped WHERE (mint_key_no, blind_digest) IN (
            SELECT mint_key_no, blind_digest FROM recouped
            WHERE mint_key_no = (SELECT no FROM mint_keys WHERE id = $1 AND pruned) LIMIT $2)",
    ];
    for statement in statements {
        let values = [id.as_bytes()[..].into(), i64::from(coins_max).into()];
        let forgotten = sql.execute(statement, &values).await?;
        if forgotten > 0 {
            return Ok(forgotten);
        }
    }
    Ok(0)
}
