//! Replaces stored blinds by their signatures.

use std::collections::HashSet;

use opencoin_ledger::KeptSignatures;
use sqlx::PgConnection;

use crate::columns::column;
use crate::fault::Fault;
use crate::save::statements;

/// Locks rows in the order of their references, whatever the order of `kept`, to avoid deadlocks.
pub(crate) async fn keep(connection: &mut PgConnection, kept: &[KeptSignatures]) -> Result<Vec<bool>, Fault> {
    let mut sorted: Vec<&KeptSignatures> = kept.iter().collect();
    sorted.sort_unstable_by_key(|kept| kept.reference());
    let done = replace(connection, &sorted).await?;
    Ok(kept
        .iter()
        .map(|kept| done.contains(kept.reference().as_bytes()))
        .collect())
}

/// Returns the references of the rows that held the expected blinds and were replaced.
async fn replace(connection: &mut PgConnection, kept: &[&KeptSignatures]) -> Result<HashSet<Vec<u8>>, Fault> {
    let sql = "UPDATE blinds SET blinds = new.after
        FROM unnest($1::bytea[], $2::bytea[], $3::bytea[]) AS new (reference, before, after)
        WHERE blinds.reference = new.reference AND blinds.blinds = new.before
        RETURNING blinds.reference";
    let mut done = HashSet::with_capacity(kept.len());
    for kept in statements(kept, |kept| kept.before().len().max(kept.after().len())) {
        let query = sqlx::query_scalar(sql)
            .bind(column(kept, |kept| kept.reference().as_bytes()))
            .bind(column(kept, |kept| kept.before()))
            .bind(column(kept, |kept| kept.after()));
        let references: Vec<Vec<u8>> = query.fetch_all(&mut *connection).await?;
        done.extend(references);
    }
    Ok(done)
}
