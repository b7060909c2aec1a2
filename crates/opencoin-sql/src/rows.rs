//! Column lists that several queries share, and the functions that read rows of them.

use opencoin_ledger::stored::{StoredAccount, StoredMintKey, StoredPayout, StoredWaiting};

use crate::{Dialect, Row, SqlError};

/// Columns of `accounts` that [`account`] reads.
pub const ACCOUNT_COLUMNS: &str = "id, name, token_hash, balance, last_entry, seq, credits, status";

/// Columns of `mint_keys` that [`mint_key`] reads.
#[must_use]
pub fn mint_key_columns(dialect: &Dialect) -> String {
    format!(
        "no, id, fingerprint, modulus_bytes, denomination, sign_not_before, sign_not_after, coins_expiry, {}, {}, \
         recouped, stopped_reason, retired, pruned, awaits_log",
        dialect.issued, dialect.returned
    )
}

/// Columns of `payouts` that [`payout`] reads.
pub const PAYOUT_COLUMNS: &str =
    "no, account, amount, destination, reference, requested_at, paid, settlement, settled_at";

/// Columns of `waiting_mints` that [`waiting`] reads: all except the blinds.
pub const WAITING_COLUMNS: &str = "reference, account, content, amount, asked_at, expires_at";

/// Reads a row of [`WAITING_COLUMNS`].
///
/// # Errors
/// A column has an unexpected type.
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

/// Reads a row of [`ACCOUNT_COLUMNS`].
///
/// # Errors
/// A column has an unexpected type.
pub fn account(row: &mut Row) -> Result<StoredAccount, SqlError> {
    Ok(StoredAccount {
        id: row.take()?,
        name: row.take()?,
        token_hash: row.take()?,
        balance: row.take()?,
        last_entry: row.take()?,
        counts: [row.take()?, row.take()?],
        status: row.take()?,
    })
}

/// Reads a row of [`mint_key_columns`].
///
/// # Errors
/// A column has an unexpected type.
pub fn mint_key(row: &mut Row) -> Result<StoredMintKey, SqlError> {
    Ok(StoredMintKey {
        no: row.take()?,
        id: row.take()?,
        fingerprint: row.take()?,
        modulus_bytes: row.take()?,
        denomination: row.take()?,
        dates: [row.take()?, row.take()?, row.take()?],
        issued: row.take()?,
        returned: row.take()?,
        recouped: row.take()?,
        stopped_reason: row.take()?,
        retired: row.take()?,
        pruned: row.take()?,
        awaits_log: row.take()?,
    })
}

/// Reads a row of [`PAYOUT_COLUMNS`].
///
/// # Errors
/// A column has an unexpected type.
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
