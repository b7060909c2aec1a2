//! The numbers of an account's entries.

/// The number of an entry in one account. Entries of an account are numbered 1, 2, 3, ... in the order in
/// which its balance changed. Numbers are left out only where an operator has accepted an older state of the
/// books ([`History::accept`](crate::History::accept)), so that numbers of the lost state are not used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryNo(i64);

impl EntryNo {
    /// A number below that of every entry, to read from the beginning.
    pub const BEFORE_ALL: Self = Self(0);

    /// The entry with this number.
    #[must_use]
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number, as it is stored.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The number of the next entry.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}
