//! Deletes the rows of pruned mint keys, in portions so that other work is not held up.

use opencoin_ledger::{MintKeyId, stored};

use crate::{Executor, Row, SqlError};

/// Compares the stored rows of a key's coins with the key's counters. One statement is one snapshot.
///
/// # Errors
/// They differ, or the database cannot be read.
pub async fn check_coins(sql: &mut dyn Executor, id: MintKeyId) -> Result<(), SqlError> {
    let query = format!(
        "SELECT {}, recouped, (SELECT count(*) FROM spent WHERE mint_key_no = no),
            (SELECT count(*) FROM recouped WHERE mint_key_no = no)
        FROM mint_keys WHERE id = $1 AND NOT pruned",
        sql.dialect().returned
    );
    let counts = |row: &mut Row| Ok(([row.take()?, row.take()?], [row.take()?, row.take()?]));
    let counts = sql.optional(&query, &[id.as_bytes()[..].into()], counts).await?;
    Ok(counts.map_or(Ok(()), |(counted, rows)| stored::check_coins(id, counted, rows))?)
}

/// Deletes at most `rows_max` rows of a pruned key, to which no new rows are added. Returns how many it
/// deleted; 0 if none are left or the key is not pruned.
///
/// # Errors
/// The database refuses the statement or does not answer.
pub async fn forget_rows(sql: &mut dyn Executor, id: MintKeyId, rows_max: u32) -> Result<u64, SqlError> {
    let statements = [
        "DELETE FROM spent WHERE (mint_key_no, spent_digest) IN (
            SELECT mint_key_no, spent_digest FROM spent
            WHERE mint_key_no = (SELECT no FROM mint_keys WHERE id = $1 AND pruned) LIMIT $2)",
        "DELETE FROM blinds WHERE reference IN (
            SELECT reference FROM blinds
            WHERE expires_with = (SELECT no FROM mint_keys WHERE id = $1 AND pruned) LIMIT $2)",
        "DELETE FROM recouped WHERE (mint_key_no, blind_digest) IN (
            SELECT mint_key_no, blind_digest FROM recouped
            WHERE mint_key_no = (SELECT no FROM mint_keys WHERE id = $1 AND pruned) LIMIT $2)",
    ];
    for statement in statements {
        let values = [id.as_bytes()[..].into(), i64::from(rows_max).into()];
        let forgotten = sql.execute(statement, &values).await?;
        if forgotten > 0 {
            return Ok(forgotten);
        }
    }
    Ok(0)
}
