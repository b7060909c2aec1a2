//! The numbers of journal records.

/// The number of a record in the journal. For one account the numbers ascend in the order in which its
/// balance changed. Between other records the order says nothing about time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionNo(i64);

impl TransactionNo {
    /// A number below that of every record, to read from the beginning.
    pub const BEFORE_ALL: Self = Self(0);

    /// The transaction with this number.
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
