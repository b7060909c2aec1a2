//! Deletes the rows of pruned mint keys, in portions so that other work is not held up.

use opencoin_ledger::{MintKeyId, stored};

use crate::{Dialect, Executor, Row, SqlError};

/// Compares the stored rows of a key's coins with the key's counters. One statement is one snapshot. On distributed
/// tables there is none: coins that come back during the check can look like a difference.
///
/// # Errors
/// They differ, or the database cannot be read.
pub async fn check_coins(sql: &mut dyn Executor, id: MintKeyId) -> Result<(), SqlError> {
    let Dialect {
        returned,
        is_distributed,
        ..
    } = sql.dialect();
    let values = [id.as_bytes()[..].into()];
    let key = "FROM mint_keys WHERE id = $1 AND NOT pruned";
    let counts = if *is_distributed {
        let query = format!("SELECT no, {returned}, recouped {key}");
        let counted = |row: &mut Row| Ok((row.take()?, [row.take()?, row.take()?]));
        let Some((no, counted)) = sql.optional::<(i64, [i64; 2])>(&query, &values, counted).await? else {
            return Ok(());
        };
        sql.wait_for_commits().await?;
        let mut rows = [0; 2];
        for (table, rows) in ["spent", "recouped"].into_iter().zip(&mut rows) {
            let query = format!("SELECT count(*) FROM {table} WHERE mint_key_no = $1");
            *rows = sql.count(&query, &[no.into()]).await?;
        }
        Some((counted, rows))
    } else {
        let query = format!(
            "SELECT {returned}, recouped, (SELECT count(*) FROM spent WHERE mint_key_no = no),
                (SELECT count(*) FROM recouped WHERE mint_key_no = no) {key}"
        );
        let counts = |row: &mut Row| Ok(([row.take()?, row.take()?], [row.take()?, row.take()?]));
        sql.optional(&query, &values, counts).await?
    };
    Ok(counts.map_or(Ok(()), |(counted, rows)| stored::check_coins(id, counted, rows))?)
}

/// Deletes at most `rows_max` rows of a pruned key, to which no new rows are added. Returns how many it
/// deleted; 0 if none are left or the key is not pruned.
///
/// # Errors
/// The database refuses the statement or does not answer.
pub async fn forget_rows(sql: &mut dyn Executor, id: MintKeyId, rows_max: u32) -> Result<u64, SqlError> {
    // A key that is pruned stays pruned.
    let query = "SELECT no FROM mint_keys WHERE id = $1 AND pruned";
    let no = sql
        .optional(query, &[id.as_bytes()[..].into()], Row::take::<i64>)
        .await?;
    let Some(no) = no else {
        return Ok(0);
    };
    let statements = [
        "DELETE FROM spent WHERE mint_key_no = $1
            AND spent_digest IN (SELECT spent_digest FROM spent WHERE mint_key_no = $1 LIMIT $2)",
        "DELETE FROM blinds WHERE reference IN (SELECT reference FROM blinds WHERE expires_with = $1 LIMIT $2)",
        "DELETE FROM recouped WHERE mint_key_no = $1
            AND issued_digest IN (SELECT issued_digest FROM recouped WHERE mint_key_no = $1 LIMIT $2)",
        "DELETE FROM recovered_blinds WHERE mint_key_no = $1
            AND issued_digest IN (SELECT issued_digest FROM recovered_blinds WHERE mint_key_no = $1 LIMIT $2)",
    ];
    for statement in statements {
        let forgotten = sql
            .execute(statement, &[no.into(), i64::from(rows_max).into()])
            .await?;
        if forgotten > 0 {
            return Ok(forgotten);
        }
    }
    Ok(0)
}
