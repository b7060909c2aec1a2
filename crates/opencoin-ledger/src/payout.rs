//! The number of a payout and its settlement.

use crate::Reference;

/// The number of a payout: ascending from 1, without a gap except where a new history begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PayoutNo(i64);

impl PayoutNo {
    /// A number below that of every payout, to read from the beginning.
    pub const BEFORE_ALL: Self = Self(0);

    /// The payout with this number.
    #[must_use]
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number, as it is stored.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

/// How the operator settled a payout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// The money was paid, with the reference of the payment.
    Paid(Reference),
    /// The payout failed, with the reason. The money goes back to the account.
    Failed(Reference),
}
