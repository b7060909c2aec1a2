//! Why there is no file of payouts.

use chrono::NaiveDate;
use opencoin_bank::pain::TransfersError;
use opencoin_bank::{BankAmountError, DestinationError};
use opencoin_ledger::bank::ExportNo;
use opencoin_ledger::{LedgerError, PayoutNo};
use thiserror::Error;

use super::EXPORT_PAYOUTS_MAX;

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
        "payout {} of export {} has failed and its money was returned; do not give this file to the bank. Pay the others \
        by hand",
        .0.get(), .1.get()
    )]
    Failed(PayoutNo, ExportNo),
    /// The day of execution is past or far ahead.
    #[error("the day of execution must be from {0} to a year ahead")]
    Execution(NaiveDate),
    /// The destination of a payout is no account at a bank.
    #[error("payout {}: {reason}", .no.get())]
    Destination {
        /// The payout.
        no: PayoutNo,
        /// The reason.
        reason: DestinationError,
    },
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
    /// The key was used for another request.
    #[error("the idempotency key was used before for another export")]
    OtherRequest,
    /// No file has this number.
    #[error("there is no export {}", .0.get())]
    UnknownExport(ExportNo),
}
