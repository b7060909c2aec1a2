//! Columns that are read in several places, and how rows of them are read.

use opencoin_ledger::stored::{StoredAccount, StoredMintKey, StoredPayout, StoredWaiting};

use crate::{Row, SqlError};

/// Columns of `accounts`.
pub const ACCOUNT_COLUMNS: &str = "id, name, token_hash, balance";

/// Columns of `mint_keys`.
pub const MINT_KEY_COLUMNS: &str = "no, id, denomination, sign_not_before, sign_not_after, coins_expiry, issued, \
    returned, recouped, stopped_reason, retired, pruned";

/// Columns of `payouts`.
pub const PAYOUT_COLUMNS: &str =
    "no, account, amount, destination, reference, requested_at, paid, settlement, settled_at";

/// Columns of `waiting_mints`, without the blinds.
pub const WAITING_COLUMNS: &str = "reference, account, content, amount, asked_at, expires_at";

/// Reads [`WAITING_COLUMNS`].
///
/// # Errors
/// A column is of another type.
pub fn waiting(row: &mut Row) -> Result<StoredWaiting, SqlError> {
    Ok(StoredWaiting {
        reference: row.take()?,
        account: row.take()?,
        content: row.take()?,
        amount: row.take()?,
        asked_at: row.take()?,
        expires_at: row.take()?,
    })
}

/// Reads [`ACCOUNT_COLUMNS`].
///
/// # Errors
/// A column is of another type.
pub fn account(row: &mut Row) -> Result<StoredAccount, SqlError> {
    Ok(StoredAccount {
        id: row.take()?,
        name: row.take()?,
        token_hash: row.take()?,
        balance: row.take()?,
    })
}

/// Reads [`MINT_KEY_COLUMNS`].
///
/// # Errors
/// A column is of another type.
pub fn mint_key(row: &mut Row) -> Result<StoredMintKey, SqlError> {
    Ok(StoredMintKey {
        no: row.take()?,
        id: row.take()?,
        denomination: row.take()?,
        dates: [row.take()?, row.take()?, row.take()?],
        issued: row.take()?,
        returned: row.take()?,
        recouped: row.take()?,
        stopped_reason: row.take()?,
        retired: row.take()?,
        pruned: row.take()?,
    })
}

/// Reads [`PAYOUT_COLUMNS`].
///
/// # Errors
/// A column is of another type.
pub fn payout(row: &mut Row) -> Result<StoredPayout, SqlError> {
    Ok(StoredPayout {
        no: row.take()?,
        account: row.take()?,
        amount: row.take()?,
        destination: row.take()?,
        reference: row.take()?,
        requested_at: row.take()?,
        settled: (row.take()?, row.take()?, row.take()?),
    })
}
