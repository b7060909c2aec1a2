//! Blinds that wait for a key, and signatures that take their place.

use std::collections::HashSet;

use opencoin_ledger::stored::{self, StoredUnsigned};
use opencoin_ledger::{KeptSignatures, LedgerError, MintKeyStatus, TransactionNo, UnsignedPage};
use sqlx::PgConnection;

use crate::fault::{Fault, ledger_error};
use crate::save::{column, statements};

/// By the primary key, from number to number; the blinds of rows outside the key's window are not read.
pub(crate) async fn unsigned(
    connection: &mut PgConnection,
    key: &MintKeyStatus,
    after: TransactionNo,
    transactions_max: usize,
) -> Result<UnsignedPage, LedgerError> {
    assert!(transactions_max > 0, "a page has room for something");
    let sql = "SELECT id, reference, blinds FROM transactions
        WHERE id > $1 AND kind IN (8, 9, 13) AND applied_at BETWEEN $2 AND $3 ORDER BY id LIMIT $4";
    let query = sqlx::query_as(sql)
        .bind(after.get())
        .bind(key.terms.sign_not_before().unix_micros())
        .bind(key.terms.sign_not_after().unix_micros())
        .bind(i64::try_from(transactions_max).unwrap_or(i64::MAX));
    let rows: Vec<(i64, Vec<u8>, Option<Vec<u8>>)> = query
        .fetch_all(connection)
        .await
        .map_err(|error| ledger_error(&error))?;
    let rows = rows.into_iter().map(|(id, reference, blinds)| StoredUnsigned {
        id,
        reference,
        blinds,
    });
    stored::unsigned(key.id, transactions_max, rows.collect())
}

/// Rows are locked in the order of their numbers, whatever the order of
/// `kept`.
pub(crate) async fn keep(connection: &mut PgConnection, kept: &[KeptSignatures]) -> Result<Vec<bool>, Fault> {
    let mut sorted: Vec<&KeptSignatures> = kept.iter().collect();
    sorted.sort_unstable_by_key(|kept| kept.transaction());
    let done = replace(connection, &sorted).await?;
    Ok(kept
        .iter()
        .map(|kept| done.contains(&kept.transaction().get()))
        .collect())
}

/// The numbers of those that held what was expected.
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
