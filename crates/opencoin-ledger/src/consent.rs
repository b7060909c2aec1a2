//! Whether an operation of an operator needs a second one: see [`Proposal`](crate::Proposal).

/// The number of a proposal: ascending from 1, without a gap except where a new history begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProposalNo(i64);

impl ProposalNo {
    /// A number below that of every proposal, to read from the beginning.
    pub const BEFORE_ALL: Self = Self(0);

    /// The proposal with this number.
    #[must_use]
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number, as it is stored.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The number after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Whether an operation of an operator needs a second one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Consent {
    /// No. It is carried out.
    #[default]
    NotNeeded,
    /// Yes. It is checked as if it were carried out, and stored as a proposal.
    Needed,
    /// The operator consents to this proposal of another operator. It is carried out.
    Given(ProposalNo),
}
