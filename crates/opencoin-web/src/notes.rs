//! What a form of the console has done, as the next page says it.

use opencoin_ledger::AccountStatus;

use crate::format::Money;
use crate::messages::{Message, Messages};

/// The direction of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Money came in.
    Credit,
    /// Money went out.
    Debit,
}

/// What a form has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Note {
    /// A start code was issued, which its own page shows.
    CodeIssued,
    /// The start code of this account was handed over.
    CodeHandedOver(String),
    /// A credit or debit.
    Booked {
        way: Way,
        account: String,
        units: u64,
        /// Whether its reference had been booked before.
        repeated: bool,
    },
    /// The account of this name has this status now.
    Status(String, AccountStatus),
    /// The program of this name was removed.
    ProgramRemoved(String),
    /// The payout with this number is paid.
    Paid(i64),
    /// The payout with this number has failed.
    Failed(i64),
    /// A statement was uploaded, or was there before.
    StatementUploaded { no: i64, is_new: bool },
    /// A statement was booked.
    StatementBooked {
        lines: u32,
        units: u64,
        /// Whether it had been booked before, with the same preview.
        repeated: bool,
        /// How many lines of any statement the books have refused to credit since.
        refused: usize,
    },
    /// A line of a statement was credited to this account.
    LineAssigned(String),
    /// A line of a statement is reserved for this account, and is not credited yet.
    LineReserved(String),
    /// A line of a statement was set aside.
    LineSetAside,
    /// A check of the books has begun, or runs already.
    AuditStarted,
    /// Signing is paused, or goes on.
    Signing { is_paused: bool },
    /// Nothing was due.
    NothingDue,
    /// New keys wait for the master key.
    KeysRequested,
    /// A request for the master key was given up.
    RequestGivenUp {
        /// Whether it still waited.
        waited: bool,
    },
    /// So many new keys were taken.
    KeysMade {
        count: u64,
        /// How many came too late and were left out.
        late: u64,
        /// Whether a new description of the currency came with them.
        has_description: bool,
        /// Whether they were not there before.
        is_new: bool,
    },
    /// The key for coins of this value is stopped.
    KeyStopped {
        denomination: u64,
        /// Whether it had been stopped before.
        before: bool,
    },
    /// A file of payouts was made, or was there before.
    FileMade { no: i64 },
    /// A file of payouts was withdrawn.
    FileWithdrawn,
    /// The bank has paid all of a file.
    FilePaid {
        /// How many of its payouts are paid.
        paid: usize,
        /// How many have failed meanwhile.
        failed: usize,
    },
    /// It waits for a second person, as the proposal with this number.
    Waits(i64),
    /// The proposal with this number was carried out.
    CarriedOut(i64),
    /// The proposal with this number was declined.
    Declined(i64),
    /// The operator has withdrawn their proposal with this number.
    Withdrawn(i64),
}

impl Note {
    /// The class of the sentence. What somebody must still do something about is not shown as done well.
    pub(crate) const fn class(&self) -> &'static str {
        match self {
            Self::Signing { is_paused: true }
            | Self::KeysMade { late: 1.., .. }
            | Self::StatementBooked { refused: 1.., .. }
            | Self::LineReserved(_)
            | Self::FilePaid { failed: 1.., .. } => "warn",
            _ => "good",
        }
    }

    /// The sentence; `None` if the next page shows it anyway.
    pub(crate) fn said(self, t: Messages, money: &Money) -> Option<Message> {
        let said = match self {
            Self::CodeIssued => return None,
            Self::CodeHandedOver(name) => t.console_done_handed_over(name),
            Self::Booked {
                way: Way::Credit,
                account,
                units,
                repeated: false,
            } => t.console_done_credit(money.amount(units), account),
            Self::Booked {
                way: Way::Debit,
                account,
                units,
                repeated: false,
            } => t.console_done_debit(money.amount(units), account),
            Self::Booked { account, .. } => t.console_done_repeated(account),
            Self::Status(name, AccountStatus::Frozen) => t.console_done_frozen(name),
            Self::Status(name, AccountStatus::Open) => t.console_done_thawed(name),
            Self::Status(name, AccountStatus::Closed) => t.console_done_closed(name),
            Self::ProgramRemoved(name) => t.console_done_program_removed(name),
            Self::Paid(no) => t.console_done_paid(no),
            Self::Failed(no) => t.console_done_failed(no),
            Self::StatementUploaded { is_new: true, .. } => t.bank_done_uploaded().into(),
            Self::StatementUploaded { is_new: false, .. } => t.bank_done_uploaded_before().into(),
            Self::StatementBooked {
                lines,
                units,
                refused,
                ..
            } if refused > 0 => {
                let lines = t.language.number(u64::from(lines));
                t.bank_done_booked_in_part(refused as u64, lines, money.amount(units))
            }
            Self::StatementBooked { repeated: true, .. } => t.bank_done_booked_before().into(),
            Self::StatementBooked { lines: 0, .. } => t.bank_done_kept().into(),
            Self::StatementBooked { lines, units, .. } => {
                t.bank_done_booked(u64::from(lines), money.amount(units))
            }
            Self::LineAssigned(name) => t.bank_done_assigned(name),
            Self::LineReserved(name) => t.bank_done_reserved(name),
            Self::LineSetAside => t.bank_done_set_aside().into(),
            Self::AuditStarted => t.audit_started().into(),
            Self::Signing { is_paused: true } => t.keys_paused().into(),
            Self::Signing { is_paused: false } => t.keys_resumed().into(),
            Self::NothingDue => t.keys_nothing_due().into(),
            Self::KeysRequested => t.keys_requested().into(),
            Self::RequestGivenUp { waited: true } => t.keys_given_up().into(),
            Self::RequestGivenUp { waited: false } => t.keys_given_up_before().into(),
            Self::KeysMade { is_new: false, .. } => t.keys_made_before().into(),
            Self::KeysMade { count, late, .. } if late > 0 => t.keys_made_late(late, count),
            Self::KeysMade {
                count: 0,
                has_description: true,
                ..
            } => t.keys_made_description().into(),
            Self::KeysMade {
                count,
                has_description: true,
                ..
            } => t.keys_made_described(count),
            Self::KeysMade { count, .. } => t.keys_made(count),
            Self::KeyStopped {
                denomination,
                before: false,
            } => t.keys_stopped(money.amount(denomination)),
            Self::KeyStopped { denomination, .. } => t.keys_stopped_before(money.amount(denomination)),
            Self::FileMade { .. } => t.files_done_made().into(),
            Self::FileWithdrawn => t.files_done_withdrawn().into(),
            Self::FilePaid { failed, .. } if failed > 0 => t.files_done_paid_in_part(failed as u64),
            Self::FilePaid { paid, .. } => t.files_done_paid(paid as u64),
            Self::Waits(no) => t.proposals_done_waits(no),
            Self::CarriedOut(no) => t.proposals_done_carried_out(no),
            Self::Declined(no) => t.proposals_done_declined(no),
            Self::Withdrawn(no) => t.proposals_done_withdrawn(no),
        };
        Some(said)
    }
}
