//! The store of statements and their lines.

use async_trait::async_trait;
use opencoin_bank::BankLineId;

use crate::{
    Action, Amount, Consent, IdempotencyKey, LedgerError, LedgerTime, PayoutNo, ProposalNo, Reference,
    Refusal,
};

use super::export::{ExportEnd, ExportNo, ExportOutcome, NewExport, PayoutExport};
use super::line::{
    BankLineNo, BankLineState, BankLineStateKind, ClaimedLine, KeptLine, LineAccount, LineCount, StatementNo,
};
use super::preview::{BankStatement, NewStatement, Preview, PreviewDigest, PreviewLine};

/// The store of statements and their lines. Any number of processes may use one store.
///
/// Every method fails with a [`LedgerError`] if the store cannot be read or written. An action that a method takes is
/// recorded in the transaction of the change, and not if nothing changes.
#[async_trait]
pub trait BankStore: Send + Sync {
    /// Stores a statement, unless the same one is there. Returns it, and whether it is new. Nothing is kept or booked.
    async fn add_statement(
        &self,
        statement: NewStatement,
        action: Action,
    ) -> Result<(BankStatement, bool), LedgerError>;

    /// Up to `limit` statements with numbers below `before`, or all, the newest first.
    async fn statements(
        &self,
        before: Option<StatementNo>,
        limit: u32,
    ) -> Result<Vec<BankStatement>, LedgerError>;

    /// The statement with this number.
    async fn statement(&self, no: StatementNo) -> Result<Option<BankStatement>, LedgerError>;

    /// The columns that were typed for the newest booked table; `None` if they were those of the settings. A table that
    /// nobody has booked may have been read in a wrong way.
    async fn typed_columns(&self) -> Result<Option<String>, LedgerError>;

    /// What booking this statement would do now; `None` if there is no such statement.
    async fn preview(&self, no: StatementNo) -> Result<Option<Preview>, LedgerError>;

    /// What booking this statement would do now with these lines of it, in the order of their places. Lines that it does not
    /// have are left out.
    async fn preview_lines(
        &self,
        no: StatementNo,
        lines: Vec<BankLineId>,
    ) -> Result<Vec<PreviewLine>, LedgerError>;

    /// Claims the new lines of a statement and keeps those that match no account, if booking it would do exactly what this
    /// digest says. The action gets the sum of the claimed lines. If a new line is `above` this amount, somebody else
    /// must have uploaded the statement.
    async fn claim_statement(
        &self,
        no: StatementNo,
        preview: PreviewDigest,
        action: Action,
        above: Option<Amount>,
    ) -> Result<StatementClaim, LedgerError>;

    /// Up to `limit` kept lines with numbers above `after`, ascending; all of them or those in one state.
    async fn lines(
        &self,
        state: Option<BankLineStateKind>,
        after: BankLineNo,
        limit: u32,
    ) -> Result<Vec<KeptLine>, LedgerError>;

    /// How many kept lines are in this state.
    async fn count_lines(&self, state: BankLineStateKind) -> Result<LineCount, LedgerError>;

    /// The numbers of the kept lines among these, in no order.
    async fn line_numbers(
        &self,
        lines: Vec<BankLineId>,
    ) -> Result<Vec<(BankLineId, BankLineNo)>, LedgerError>;

    /// The kept line with this identity.
    async fn line(&self, id: BankLineId) -> Result<Option<KeptLine>, LedgerError>;

    /// Claims an unmatched line for an account, or proposes to. The proposal of another operator is carried out if it
    /// proposes the same.
    async fn claim_line(
        &self,
        id: BankLineId,
        account: LineAccount,
        action: Action,
        consent: Consent,
    ) -> Result<LineOutcome, LedgerError>;

    /// Sets an unmatched line aside.
    async fn set_aside(
        &self,
        id: BankLineId,
        reason: Reference,
        action: Action,
    ) -> Result<LineOutcome, LedgerError>;

    /// Up to `limit` claimed lines with numbers above `after`, ascending.
    async fn claimed(&self, after: BankLineNo, limit: u32) -> Result<Vec<ClaimedLine>, LedgerError>;

    /// Ends claims: the line is booked, or unmatched again. A line that is no longer claimed for this account stays as it
    /// is.
    async fn end_claims(
        &self,
        claims: Vec<(ClaimedLine, ClaimOutcome)>,
        at: LedgerTime,
    ) -> Result<(), LedgerError>;

    /// Stores a file of payouts, if all of them are open and in no other file that was not withdrawn.
    async fn add_export(&self, export: NewExport, action: Action) -> Result<ExportOutcome, LedgerError>;

    /// The file that was stored with this idempotency key.
    async fn export_of(&self, key: &IdempotencyKey) -> Result<Option<PayoutExport>, LedgerError>;

    /// Up to `limit` files with numbers below `before`, or all, the newest first.
    async fn exports(&self, before: Option<ExportNo>, limit: u32) -> Result<Vec<PayoutExport>, LedgerError>;

    /// A file with its bytes.
    async fn export_file(&self, no: ExportNo) -> Result<Option<(PayoutExport, Vec<u8>)>, LedgerError>;

    /// The payouts of a file, ascending, also of one that was withdrawn.
    async fn payouts_of_export(&self, no: ExportNo) -> Result<Vec<PayoutNo>, LedgerError>;

    /// Withdraws a file of which no payout is paid: its payouts can be in another file from now on. The action gets its
    /// sum.
    async fn withdraw_export(&self, no: ExportNo, action: Action) -> Result<ExportEnd, LedgerError>;

    /// Records that the bank has paid a file, but for payouts of it that have failed. The payouts themselves stay as they
    /// are: they are settled next, and [`Self::finish_export`] follows. The action gets its sum.
    async fn pay_export(&self, no: ExportNo, action: Action) -> Result<ExportEnd, LedgerError>;

    /// Records that the payouts of a file that the bank has paid are settled.
    async fn finish_export(&self, no: ExportNo) -> Result<ExportEnd, LedgerError>;

    /// Up to `limit` files whose payouts are being settled, ascending.
    async fn settling_exports(&self, limit: u32) -> Result<Vec<PayoutExport>, LedgerError>;

    /// The first payout of a file that has failed.
    async fn failed_of_export(&self, no: ExportNo) -> Result<Option<PayoutNo>, LedgerError>;

    /// Which of these payouts are in a file that was not withdrawn, ascending, each with the file.
    async fn exported(&self, payouts: Vec<PayoutNo>) -> Result<Vec<(PayoutNo, ExportNo)>, LedgerError>;
}

/// What became of [`BankStore::claim_statement`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatementClaim {
    /// The lines are claimed.
    Claimed(BankStatement),
    /// They were claimed before, with this digest, or there is nothing left to do.
    Repeated(BankStatement),
    /// Booking would do something else now. Nothing was changed.
    Changed,
    /// The same operator uploaded the statement, and so many new lines are above the limit. Nothing was changed.
    NeedsAnother(u32),
    /// There is no such statement.
    Unknown,
}

/// What became of a change of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineOutcome {
    /// The line was changed.
    Changed,
    /// It was changed in the same way before.
    Repeated,
    /// It was decided before in another way. Nothing was changed.
    Decided(BankLineState),
    /// It waits for a second operator, as this proposal, new or made before.
    Proposed(ProposalNo),
    /// A second operator cannot carry it out, or something else is proposed for the line. Nothing was changed.
    Refused(Refusal),
    /// No such line is kept.
    Unknown,
}

/// What the ledger said to the credit of a claimed line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// The account was credited, now or before.
    Credited,
    /// It is refused for good.
    Refused,
}
