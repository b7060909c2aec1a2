//! Amounts of money: whole numbers of the currency's smallest unit.
//!
//! An amount fits a signed 64-bit database column. Every operation is checked: a sum that is too large gives
//! `None`, never a wrong balance.

use std::fmt;

/// An amount of money in the currency's smallest unit, from 0 to [`Amount::MAX`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(u64);

/// The number is not an amount: it is above [`Amount::MAX`] or negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an amount must be between 0 and {}", Amount::MAX.0)]
pub struct AmountError;

impl Amount {
    /// The amount of zero units.
    pub const ZERO: Self = Self(0);
    /// The largest amount: the maximum of a `BIGINT` column.
    pub const MAX: Self = Self(i64::MAX as u64);

    /// The amount of `units` smallest units.
    ///
    /// # Errors
    /// `units` is above [`Amount::MAX`].
    pub const fn new(units: u64) -> Result<Self, AmountError> {
        if units > Self::MAX.0 {
            Err(AmountError)
        } else {
            Ok(Self(units))
        }
    }

    /// The number of smallest units.
    #[must_use]
    pub const fn units(self) -> u64 {
        self.0
    }

    /// The number of smallest units, in the type of a database column.
    #[must_use]
    pub const fn as_i64(self) -> i64 {
        self.0 as i64 // at most `i64::MAX` by construction
    }

    /// Whether the amount is zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, or `None` if it is above [`Amount::MAX`].
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(|sum| Self::new(sum).ok())
    }

    /// The difference, or `None` if it is negative.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The product, or `None` if it is above [`Amount::MAX`].
    #[must_use]
    pub fn checked_mul(self, factor: u64) -> Option<Self> {
        self.0
            .checked_mul(factor)
            .and_then(|product| Self::new(product).ok())
    }
}

impl TryFrom<u64> for Amount {
    type Error = AmountError;

    fn try_from(units: u64) -> Result<Self, AmountError> {
        Self::new(units)
    }
}

impl TryFrom<i64> for Amount {
    type Error = AmountError;

    fn try_from(units: i64) -> Result<Self, AmountError> {
        u64::try_from(units).map(Self).map_err(|_| AmountError)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_fits_a_database_column() {
        assert_eq!(Amount::new(i64::MAX as u64).unwrap().as_i64(), i64::MAX);
        assert!(Amount::new(i64::MAX as u64 + 1).is_err());
        assert!(Amount::try_from(-1_i64).is_err());
    }

    #[test]
    fn operations_whose_result_does_not_fit_give_none() {
        let one = Amount::new(1).unwrap();
        assert_eq!(Amount::MAX.checked_add(one), None);
        assert_eq!(Amount::ZERO.checked_sub(one), None);
        assert_eq!(Amount::MAX.checked_mul(2), None);
        assert_eq!(Amount::MAX.checked_mul(u64::MAX), None);
    }
}
