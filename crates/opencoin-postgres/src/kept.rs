//! Replaces stored blinds by their signatures.

use std::collections::HashSet;

use opencoin_ledger::KeptSignatures;
use sqlx::PgConnection;

use crate::fault::Fault;
use crate::save::{column, statements};

/// Locks rows in the order of their numbers, whatever the order of `kept`, to avoid deadlocks.
pub(crate) async fn keep(connection: &mut PgConnection, kept: &[KeptSignatures]) -> Result<Vec<bool>, Fault> {
    let mut sorted: Vec<&KeptSignatures> = kept.iter().collect();
    sorted.sort_unstable_by_key(|kept| kept.transaction());
    let done = replace(connection, &sorted).await?;
    Ok(kept
        .iter()
        .map(|kept| done.contains(&kept.transaction().get()))
        .collect())
}

/// Returns the numbers of the rows that held the expected blinds and were replaced.
async fn replace(connection: &mut PgConnection, kept: &[&KeptSignatures]) -> Result<HashSet<i64>, Fault> {
    let sql = "UPDATE transactions SET blinds = new.after
        FROM unnest($1::int8[], $2::bytea[], $3::bytea[]) AS new (id, before, after)
        WHERE transactions.id = new.id AND transactions.blinds = new.before
        RETURNING transactions.id";
    let mut done = HashSet::with_capacity(kept.len());
    for kept in statements(kept, |kept| kept.before().len().max(kept.after().len())) {
        let query = sqlx::query_scalar(sql)
            .bind(column(kept, |kept| kept.transaction().get()))
            .bind(column(kept, |kept| kept.before()))
            .bind(column(kept, |kept| kept.after()));
        let ids: Vec<i64> = query.fetch_all(&mut *connection).await?;
        done.extend(ids);
    }
    Ok(done)
}
