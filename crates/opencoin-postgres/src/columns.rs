//! Parameters that are arrays: one for each column of the rows.

use opencoin_ledger::LedgerError;

/// The values of one column, for a parameter that is an array.
pub(crate) fn column<'a, T, C>(rows: &'a [T], value: impl Fn(&'a T) -> C) -> Vec<C> {
    rows.iter().map(value).collect()
}

pub(crate) fn counters<T>(rows: &[T], value: impl Fn(&T) -> u64) -> Result<Vec<i64>, LedgerError> {
    rows.iter().map(|row| counter(value(row))).collect()
}

/// A counter, as it is stored.
pub(crate) fn counter(value: u64) -> Result<i64, LedgerError> {
    i64::try_from(value).map_err(|error| LedgerError::corrupt("counter", error))
}
