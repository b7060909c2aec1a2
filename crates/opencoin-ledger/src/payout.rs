//! How a payout is named, and what comes of it.

use crate::Reference;

/// The number of a payout: ascending without a gap, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PayoutNo(i64);

impl PayoutNo {
    /// Below the number of every payout: where reading begins.
    pub const BEFORE_ALL: Self = Self(0);

    /// The payout with this number.
    #[must_use]
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

/// What came of a payout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// The bank has paid; its reference.
    Paid(Reference),
    /// It could not be paid; why.
    Failed(Reference),
}
