//! Why the work with a statement or a line failed.

use opencoin_bank::BankLineId;
use opencoin_bank::statement::StatementError;
use opencoin_ledger::bank::{BankLineState, StatementNo};
use opencoin_ledger::{AccountName, LedgerError, Refusal as LedgerRefusal};
use thiserror::Error;

use crate::refusal::{Reason, Refusal, unavailable};

/// Why a statement was not stored.
#[derive(Debug, Error)]
pub enum StatementUploadError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The file is not read.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The settings lack the operator's account.
    #[error("set the operator's account at a bank, `iban` in [bank] of issuer.toml, to read statements")]
    NoAccount,
    /// A setting or parameter of the bank is wrong.
    #[error("{key}: {reason}")]
    Setting {
        /// Its key.
        key: &'static str,
        /// The reason.
        reason: String,
    },
}

/// Why a statement was not booked, or not all of it yet.
#[derive(Debug, Error)]
pub enum StatementBookingError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// No statement has this number.
    #[error("there is no bank statement {}", .0.get())]
    UnknownStatement(StatementNo),
    /// Booking would do something else than the preview that the operator has seen.
    #[error("booking would do something else now; look at the preview again. Nothing was booked")]
    PreviewChanged,
    /// The operator who has uploaded the statement does not book it, because of so many lines.
    #[error(
        "{0} lines of the statement are above the limit for one person: another operator than the one who uploaded it \
        must book it. Nothing was booked"
    )]
    NeedsAnother(u32),
    /// Accounts cannot be credited at the moment. The lines stay claimed for them.
    #[error(
        "the statement is booked, but {} of its lines are not credited yet, the first of them {}; a server tries again \
        every minute, and so does the same call",
        .0.len(), .0.first().map(ToString::to_string).unwrap_or_default()
    )]
    Waiting(Vec<BankLineId>),
}

/// Why a statement or a line was not read, or a line was not decided.
#[derive(Debug, Error)]
pub enum BankDeskError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// No statement has this number.
    #[error("there is no bank statement {}", .0.get())]
    UnknownStatement(StatementNo),
    /// No such line was kept.
    #[error("there is no kept bank line {0}")]
    UnknownLine(BankLineId),
    /// No account has this name.
    #[error("there is no account {0}")]
    UnknownAccount(AccountName),
    /// The account is closed.
    #[error("the account {0} is closed for good")]
    ClosedAccount(AccountName),
    /// The books refuse the credit for good. The line is unmatched.
    #[error(
        "the account {0} cannot be credited with this line: it was closed meanwhile, or its reference is in the books already for something else"
    )]
    Refused(AccountName),
    /// The account cannot be credited at the moment. The line stays claimed for it.
    #[error(
        "the account {0} could not be credited yet; the line is reserved for it, and the next booking tries again"
    )]
    NotYet(AccountName),
    /// Another operator must consent, or consents to something else.
    #[error(transparent)]
    Consent(#[from] LedgerRefusal),
    /// The line was decided before, in another way.
    #[error("the line was decided before: {}", decided(.0))]
    Decided(BankLineState),
}

fn decided(state: &BankLineState) -> String {
    match state {
        BankLineState::Unmatched => "it is unmatched".to_owned(),
        BankLineState::Claimed(account) => format!("it is being booked to {}", account.name),
        BankLineState::Booked(account) => format!("it is booked to {}", account.name),
        BankLineState::SetAside(reason) => format!("it is set aside ({reason})"),
    }
}

impl From<StatementUploadError> for Refusal {
    fn from(error: StatementUploadError) -> Self {
        let text = error.to_string();
        match error {
            StatementUploadError::Ledger(error) => unavailable(error),
            StatementUploadError::Statement(_)
            | StatementUploadError::NoAccount
            | StatementUploadError::Setting { .. } => Self::new(Reason::Invalid, text),
        }
    }
}

impl From<StatementBookingError> for Refusal {
    fn from(error: StatementBookingError) -> Self {
        let text = error.to_string();
        let reason = match error {
            StatementBookingError::Ledger(error) => return unavailable(error),
            StatementBookingError::UnknownStatement(_) => Reason::NotFound,
            StatementBookingError::PreviewChanged => Reason::PreviewChanged,
            StatementBookingError::NeedsAnother(_) => Reason::SecondPerson,
            StatementBookingError::Waiting(_) => Reason::Unavailable,
        };
        Self::new(reason, text)
    }
}

impl From<BankDeskError> for Refusal {
    fn from(error: BankDeskError) -> Self {
        let text = error.to_string();
        let reason = match error {
            BankDeskError::Ledger(error) => return unavailable(error),
            BankDeskError::Consent(LedgerRefusal::OtherProposal { .. }) => Reason::Decided,
            BankDeskError::Consent(refusal) => return refusal.into(),
            BankDeskError::ClosedAccount(_) | BankDeskError::Refused(_) => Reason::Invalid,
            BankDeskError::UnknownStatement(_)
            | BankDeskError::UnknownLine(_)
            | BankDeskError::UnknownAccount(_) => Reason::NotFound,
            BankDeskError::Decided(_) => Reason::Decided,
            BankDeskError::NotYet(_) => Reason::Unavailable,
        };
        Self::new(reason, text)
    }
}
