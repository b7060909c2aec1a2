//! Blinds that wait for a key, and signatures that take their place.

use opencoin_ledger::stored::{self, StoredUnsigned};
use opencoin_ledger::{KeptSignatures, LedgerError, MintKeyStatus, TransactionNo, UnsignedPage};
use sqlx::SqliteConnection;

use crate::fault::{Fault, ledger_error};

/// By the primary key, from number to number; the blinds of rows outside the key's window are not read.
pub(crate) async fn unsigned(
    connection: &mut SqliteConnection,
    key: &MintKeyStatus,
    after: TransactionNo,
    transactions_max: usize,
) -> Result<UnsignedPage, LedgerError> {
    assert!(transactions_max > 0, "a page has room for something");
    let sql = "SELECT id, reference, blinds FROM transactions
        WHERE id > ? AND kind IN (8, 9, 13) AND applied_at BETWEEN ? AND ? ORDER BY id LIMIT ?";
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

pub(crate) async fn keep(
    connection: &mut SqliteConnection,
    kept: &[KeptSignatures],
) -> Result<Vec<bool>, Fault> {
    let mut answers = Vec::with_capacity(kept.len());
    for kept in kept {
        let query = sqlx::query("UPDATE transactions SET blinds = ? WHERE id = ? AND blinds = ?")
            .bind(kept.after())
            .bind(kept.transaction().get())
            .bind(kept.before());
        answers.push(query.execute(&mut *connection).await?.rows_affected() == 1);
    }
    Ok(answers)
}
