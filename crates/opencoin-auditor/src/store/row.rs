//! Values of columns.

use opencoin_log::hash::Hash;

use super::error::StoreError;

pub(super) fn number(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| corrupt("it has a negative number"))
}

pub(super) fn hash(bytes: Vec<u8>) -> Result<Hash, StoreError> {
    let bytes = bytes
        .try_into()
        .map_err(|_| corrupt("it has a hash of another length"))?;
    Ok(Hash::new(bytes))
}

/// A number for a column.
pub(super) fn column(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Database(format!("{number} is too large for it")))
}

pub(super) fn corrupt(reason: impl ToString) -> StoreError {
    StoreError::Corrupt(reason.to_string())
}
