//! Reads of the books that do not belong to a batch.

use opencoin_ledger::stored::{self, StoredUnsigned};
use opencoin_ledger::view::MintKeyState;
use opencoin_ledger::{LedgerError, MintKeyStatus, TransactionNo, UnsignedPage};

use crate::rows::{mint_key, mint_key_columns};
use crate::{Executor, Row, SqlError};

/// Every mint key, in the order of registration.
///
/// # Errors
/// The database cannot be read, or a row is invalid.
pub async fn mint_keys(sql: &mut dyn Executor) -> Result<Vec<MintKeyStatus>, SqlError> {
    let columns = mint_key_columns(sql.dialect());
    let query = format!("SELECT {columns} FROM mint_keys ORDER BY no");
    let keys = sql.all(&query, &[], mint_key).await?;
    let state = |row| MintKeyState::try_from(row).map(MintKeyStatus::from);
    Ok(keys.into_iter().map(state).collect::<Result<_, LedgerError>>()?)
}

/// Whether an operator has paused signing.
///
/// # Errors
/// The database cannot be read.
pub async fn signing_paused(sql: &mut dyn Executor) -> Result<bool, SqlError> {
    sql.one("SELECT paused FROM signing WHERE id = 1", &[], Row::take)
        .await
}

/// A page of accepted blinds that a mint key has not signed yet, after transaction `after`. The query follows
/// the order of the numbers, and reads blinds only of transactions in the key's signing window.
///
/// # Errors
/// The database cannot be read, or a row is invalid.
pub async fn unsigned(
    sql: &mut dyn Executor,
    key: &MintKeyStatus,
    after: TransactionNo,
    transactions_max: usize,
) -> Result<UnsignedPage, SqlError> {
    assert!(transactions_max > 0, "a page holds at least one transaction");
    sql.wait_for_commits().await?;
    let query = "SELECT id, transactions.reference, blinds.blinds
        FROM transactions JOIN blinds ON blinds.reference = transactions.reference
        WHERE id > $1 AND applied_at BETWEEN $2 AND $3 ORDER BY id LIMIT $4";
    let values = [
        after.get().into(),
        key.terms.sign_not_before().unix_micros().into(),
        key.terms.sign_not_after().unix_micros().into(),
        i64::try_from(transactions_max).unwrap_or(i64::MAX).into(),
    ];
    let row = |row: &mut Row| {
        Ok(StoredUnsigned {
            id: row.take()?,
            reference: row.take()?,
            blinds: row.take()?,
        })
    };
    let rows = sql.all(query, &values, row).await?;
    Ok(stored::unsigned(key.id, transactions_max, rows)?)
}
