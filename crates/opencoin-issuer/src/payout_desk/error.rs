//! Why there is no file of payouts.

use chrono::NaiveDate;
use opencoin_bank::pain::TransfersError;
use opencoin_bank::{BankAmountError, DestinationError};
use opencoin_ledger::bank::ExportNo;
use opencoin_ledger::{LedgerError, PayoutNo};
use thiserror::Error;

use super::EXPORT_PAYOUTS_MAX;
use crate::refusal::{Reason, Refusal, unavailable};

/// Why there is no file of payouts.
#[derive(Debug, Error)]
pub enum PayoutDeskError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The settings lack the operator's account.
    #[error(
        "set the operator's account at a bank, `name` and `iban` in [bank] of issuer.toml, to export payouts"
    )]
    NoAccount,
    /// A setting of the bank is wrong.
    #[error("bank.{key}: {reason}")]
    Setting {
        /// Its key.
        key: &'static str,
        /// The reason.
        reason: String,
    },
    /// There are no payouts, or too many for one file.
    #[error("a file has 1 to {EXPORT_PAYOUTS_MAX} payouts")]
    Number,
    /// The payouts are worth too much together.
    #[error("the payouts are worth more together than a file can say")]
    Sum,
    /// A payout does not exist, or is settled.
    #[error("payout {} does not wait to be paid", .0.get())]
    NotOpen(PayoutNo),
    /// A payout is in another file.
    #[error("payout {} is in export {} already", .0.get(), .1.get())]
    Exported(PayoutNo, ExportNo),
    /// A payout of a file that was made before has failed.
    #[error(
        "payout {} of export {} has failed and its money was returned, so the file is not given out. If the bank never got \
        it, withdraw it and make another file; if the bank has paid the others, record it as paid",
        .0.get(), .1.get()
    )]
    Failed(PayoutNo, ExportNo),
    /// The file was withdrawn.
    #[error("export {} was withdrawn; it is not given to the bank", .0.get())]
    Withdrawn(ExportNo),
    /// The bank has paid all of the file, so it is not withdrawn.
    #[error("export {} is recorded as paid", .0.get())]
    PaidExport(ExportNo),
    /// A payout of the file is paid, so the file is not withdrawn.
    #[error("payout {} of export {} is recorded as paid, so the file is not withdrawn", .0.get(), .1.get())]
    Paid(PayoutNo, ExportNo),
    /// The ledger refuses to settle a payout of a file that is recorded as paid. The same call tries again.
    #[error("payout {} is not settled: {}", .0.get(), .1)]
    Unsettled(PayoutNo, opencoin_ledger::Refusal),
    /// The payouts of a file that is recorded as paid are not all settled. The same call tries again.
    #[error("not all payouts of export {} are settled yet", .0.get())]
    Unfinished(ExportNo),
    /// The day of execution is past or far ahead.
    #[error("the day of execution must be from {0} to a year ahead")]
    Execution(NaiveDate),
    /// The destinations of these payouts are no accounts at a bank.
    #[error("{}", destinations(.0))]
    Destinations(Vec<(PayoutNo, DestinationError)>),
    /// The amount of a payout cannot be written in the bank's currency.
    #[error("payout {}: {reason}", .no.get())]
    Amount {
        /// The payout.
        no: PayoutNo,
        /// The reason.
        reason: BankAmountError,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Transfers(#[from] TransfersError),
    /// The operator who has made a file with a large payout does not record it as paid.
    #[error(
        "payout {} of export {} is above the limit for one person: another operator than the one who made the file must \
        record it as paid. Nothing was changed",
        .0.get(), .1.get()
    )]
    NeedsAnother(PayoutNo, ExportNo),
    /// The key was used for another request.
    #[error("the idempotency key was used before for another export")]
    OtherRequest,
    /// No file has this number.
    #[error("there is no export {}", .0.get())]
    UnknownExport(ExportNo),
}

/// How many wrong destinations a description names.
const DESTINATIONS_NAMED_MAX: usize = 20;

fn destinations(wrong: &[(PayoutNo, DestinationError)]) -> String {
    let named = wrong.iter().take(DESTINATIONS_NAMED_MAX);
    let named = named.map(|(no, reason)| format!("payout {}: {reason}", no.get()));
    let text = named.collect::<Vec<_>>().join("; ");
    match wrong.len().checked_sub(DESTINATIONS_NAMED_MAX) {
        None | Some(0) => text,
        Some(more) => format!("{text}; and {more} more"),
    }
}

impl From<PayoutDeskError> for Refusal {
    fn from(error: PayoutDeskError) -> Self {
        let text = error.to_string();
        let reason = match error {
            PayoutDeskError::Ledger(error) => return unavailable(error),
            PayoutDeskError::NoAccount
            | PayoutDeskError::Setting { .. }
            | PayoutDeskError::Number
            | PayoutDeskError::Execution(_)
            | PayoutDeskError::Sum
            | PayoutDeskError::Destinations(_)
            | PayoutDeskError::Amount { .. }
            | PayoutDeskError::Transfers(_) => Reason::Invalid,
            PayoutDeskError::Unsettled(..) | PayoutDeskError::Unfinished(_) => Reason::Unavailable,
            PayoutDeskError::NotOpen(_)
            | PayoutDeskError::Exported(..)
            | PayoutDeskError::Failed(..)
            | PayoutDeskError::Withdrawn(_)
            | PayoutDeskError::PaidExport(_)
            | PayoutDeskError::Paid(..) => Reason::Decided,
            PayoutDeskError::NeedsAnother(..) => Reason::SecondPerson,
            PayoutDeskError::OtherRequest => Reason::ReferenceConflict,
            PayoutDeskError::UnknownExport(_) => Reason::NotFound,
        };
        Self::new(reason, text)
    }
}
