//! The numbers of the journal.

/// The number of a transaction in the journal. It names a row; among those of one account the numbers ascend
/// as its balance changed, and the order of any other two says nothing about time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionNo(i64);

impl TransactionNo {
    /// Below the number of every transaction: where reading begins.
    pub const BEFORE_ALL: Self = Self(0);

    /// The transaction with this number.
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
