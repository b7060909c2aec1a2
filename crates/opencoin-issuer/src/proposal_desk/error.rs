//! Why a proposal was not decided.

use opencoin_ledger::{LedgerError, ProposalNo, Refusal};
use thiserror::Error;

use crate::bank_desk::BankDeskError;
use crate::refusal::{Reason, Refusal as RequestRefusal, unavailable};

/// Why a proposal was not decided.
#[derive(Debug, Error)]
pub enum ProposalError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The books refuse it. If it was not declined, it waits on.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A line of the bank is not assigned.
    #[error(transparent)]
    Bank(#[from] BankDeskError),
    /// No proposal has this number.
    #[error("there is no proposal {}", .0.get())]
    Unknown(ProposalNo),
    /// The proposal was carried out.
    #[error("proposal {} was carried out already", .0.get())]
    CarriedOut(ProposalNo),
}

impl From<ProposalError> for RequestRefusal {
    fn from(error: ProposalError) -> Self {
        let text = error.to_string();
        match error {
            ProposalError::Ledger(error) => unavailable(error),
            ProposalError::Refused(Refusal::AccountClosed | Refusal::UnknownAccount) => {
                Self::new(Reason::Invalid, text)
            }
            ProposalError::Refused(refusal) => refusal.into(),
            ProposalError::Bank(error) => error.into(),
            ProposalError::Unknown(_) => Self::new(Reason::NotFound, text),
            ProposalError::CarriedOut(_) => Self::new(Reason::Decided, text),
        }
    }
}
