//! The numbers of journal records.

/// The number of a record in the journal, by which programs read it in pieces. Numbers ascend roughly in the
/// order of time: a record can become visible after records with higher numbers. The entries of an account
/// have numbers of their own, in an exact order: [`EntryNo`](crate::EntryNo).
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
