//! Files of payouts for the bank.

use crate::{Amount, IdempotencyKey, LedgerTime, OperatorName, PayoutNo};

/// The number of an export: ascending from 1, without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExportNo(i64);

impl ExportNo {
    /// The export with this number.
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

/// The form of a file. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum ExportFormat {
    /// ISO 20022, pain.001.
    Pain001 = 0,
    /// A table.
    Csv = 1,
}

impl ExportFormat {
    /// The stored number.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// The form with this stored number; `None` if there is none.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        [Self::Pain001, Self::Csv]
            .into_iter()
            .find(|format| format.code() == code)
    }
}

/// The state of a file. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum ExportState {
    /// It was made.
    Made = 0,
    /// An operator has said that the bank has paid all of it, and its payouts are settled.
    Paid = 1,
    /// It was never sent. Its payouts can be in another file, and it is not given out again.
    Withdrawn = 2,
    /// An operator has said that the bank has paid all of it, and its payouts are being settled. If this was interrupted,
    /// the same is said again.
    Settling = 3,
}

impl ExportState {
    /// The stored number.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// The state with this stored number; `None` if there is none.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        [Self::Made, Self::Paid, Self::Withdrawn, Self::Settling]
            .into_iter()
            .find(|state| state.code() == code)
    }

    /// Whether a file in this state has come to `end` before: [`Self::Settling`] or [`Self::Withdrawn`].
    #[must_use]
    pub fn has_come_to(self, end: Self) -> bool {
        self == end || (self, end) == (Self::Paid, Self::Settling)
    }
}

/// A file of payouts to store.
#[derive(Clone, PartialEq, Eq)]
pub struct NewExport {
    /// The operator's idempotency key.
    pub key: IdempotencyKey,
    /// A digest of what the operator has asked for.
    pub request: [u8; 32],
    /// The form of the file.
    pub format: ExportFormat,
    /// The id of the message, by which a bank recognises a file that it gets twice.
    pub message_id: String,
    /// The payouts in the file, each once, ascending.
    pub payouts: Vec<PayoutNo>,
    /// Their sum.
    pub amount: Amount,
    /// The file.
    pub file: Vec<u8>,
}

/// A file of payouts that was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutExport {
    /// Its number.
    pub no: ExportNo,
    /// A digest of what the operator has asked for.
    pub request: [u8; 32],
    /// The form of the file.
    pub format: ExportFormat,
    /// The id of the message.
    pub message_id: String,
    /// The number of payouts in it.
    pub payouts: u32,
    /// Their sum.
    pub amount: Amount,
    /// Who made it.
    pub operator: OperatorName,
    /// When. The issuer's time.
    pub at: LedgerTime,
    /// What became of it.
    pub state: ExportState,
    /// When it was withdrawn or an operator said that it is paid; `None` while it is [`ExportState::Made`]. The issuer's
    /// time.
    pub ended_at: Option<LedgerTime>,
}

/// What became of [`BankStore::withdraw_export`](super::BankStore::withdraw_export),
/// [`BankStore::pay_export`](super::BankStore::pay_export) or
/// [`BankStore::finish_export`](super::BankStore::finish_export).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportEnd {
    /// The file is in the state.
    Ended(PayoutExport),
    /// It was in the state before. Nothing was changed.
    Repeated(PayoutExport),
    /// It is in another state. Nothing was changed.
    Other(ExportState),
    /// This payout of a file that should be withdrawn is paid. Nothing was changed.
    PayoutPaid(PayoutNo),
    /// This payout of a file that should be finished is not settled. Nothing was changed.
    PayoutOpen(PayoutNo),
    /// There is no such file.
    Unknown,
}

/// What became of [`BankStore::add_export`](super::BankStore::add_export).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportOutcome {
    /// The file is stored, and its payouts are in no other.
    Added(PayoutExport),
    /// A file with this idempotency key was stored before. Nothing was changed.
    Repeated(PayoutExport),
    /// This payout does not exist, or is settled. Nothing was changed.
    NotOpen(PayoutNo),
    /// This payout is in that file already. Nothing was changed.
    Exported(PayoutNo, ExportNo),
}
