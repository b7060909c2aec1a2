//! Statements of the operator's bank, and what becomes of their lines.
//!
//! A statement is uploaded, previewed and booked. Booking has two steps. One transaction *claims* the lines: it compares
//! the preview with the one that the operator has seen, and writes for each line the account that gets the money. Then
//! each claimed line is credited under a reference that only this line has ([`credit_reference`]), and marked as
//! booked. After a crash between the two the credits are made again, and those that were made before are repetitions.
//!
//! Payouts go out in files ([`NewExport`]), each payout in one at most.
//!
//! A line that is booked or set aside stays so. A claim is released only if the ledger refuses its credit for good.

mod export;
mod line;
mod preview;
mod store;

pub use export::{ExportEnd, ExportFormat, ExportNo, ExportOutcome, ExportState, NewExport, PayoutExport};
pub use line::{
    BankLineNo, BankLineState, BankLineStateKind, ClaimedLine, IgnoredLine, IncomingLine, KeptLine,
    LineAccount, LineCount, LineMeaning, StatementLine, StatementNo, credit_reference,
    line_with_credit_reference,
};
pub use preview::{
    BankStatement, BookedStatement, NewStatement, Preview, PreviewDigest, PreviewDigestError, PreviewLine,
    StatementDigest, TableColumns, Unmatched, Verdict, VerdictOn, is_other_content, verdict, verdicts,
};
pub use store::{BankStore, ClaimOutcome, LineOutcome, StatementClaim};
