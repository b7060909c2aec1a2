//! Statements of the operator's bank, and what becomes of their lines.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

/// A statement that was uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BankStatement {
    /// Ascending from 1, without a gap.
    pub id: u64,
    /// The name of the file.
    pub name: String,
    /// When it was uploaded.
    pub uploaded_at: DateTime<Utc>,
    /// Who uploaded it.
    pub operator: String,
    /// The number of its lines.
    pub lines: u32,
    /// How it was booked last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub booked: Option<BookedStatement>,
}

/// How a statement was booked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BookedStatement {
    /// The digest of the preview.
    pub preview: String,
    /// The number of lines that accounts got.
    pub lines: u32,
    /// Their sum in the smallest unit.
    pub amount: u64,
    /// When.
    pub at: DateTime<Utc>,
}

/// `GET /v1/admin/statements?before=&limit=`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BankStatements {
    /// The newest first.
    pub statements: Vec<BankStatement>,
    /// The cursor for `?before=`; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// The columns that an operator said for the newest booked table, which `?columns=remembered` of an upload means. Absent
    /// if they are those of the settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remembered_columns: Option<TableColumns>,
}

/// The columns of a table and how it is written, under the names of the parameters of an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TableColumns {
    /// The character between two cells, or `\t`.
    pub delimiter: String,
    /// `utf-8` or `windows-1252`.
    pub encoding: String,
    /// The character before the decimals of an amount.
    pub decimal: String,
    /// How days are written: `DD.MM.YYYY`.
    pub date_format: String,
    /// The column with the day of the booking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    /// The column with the amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// The columns with the text, in this order.
    pub text: Vec<String>,
    /// The column with the currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// The column that says whether money came or went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
    /// The column with the name of the other side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<String>,
    /// The column with the account of the other side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party_account: Option<String>,
    /// The column with the operator's own account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The column with the bank's own reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bank_reference: Option<String>,
}

/// A line as the statement has it. What strangers have written is shown with misleading characters replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BankLine {
    /// Its place in the file, from 1.
    pub place: u32,
    /// The identity of incoming money: the same in whatever file it comes. Absent if there is nothing to book.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The amount in the smallest unit. Absent if there is nothing to book.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<u64>,
    /// The day on which the bank booked it.
    pub day: NaiveDate,
    /// Whether money came in. Otherwise it went out.
    pub is_credit: bool,
    /// The amount as a decimal number, as the bank has it.
    pub bank_amount: String,
    /// The currency of that amount.
    pub currency: String,
    /// The name of the other side.
    pub party: String,
    /// The account of the other side.
    pub party_account: String,
    /// The text of the transfer.
    pub text: String,
    /// The bank's own reference.
    pub bank_reference: String,
    /// The reference that the payer gave.
    pub end_to_end_id: String,
}

/// `GET /v1/admin/statements/{id}`: what booking the statement would do now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StatementPreview {
    /// The statement.
    pub statement: BankStatement,
    /// The digest of what would be done. `POST .../book` wants it.
    pub preview: String,
    /// The sum of the new lines in the smallest unit.
    pub amount: u64,
    /// How many of the new lines are above the limit for one operator. If there are any, another operator than the one who
    /// has uploaded the statement must book it.
    pub lines_above_limit: u32,
    /// Lines that are credited to an account.
    pub new: Vec<NewBankLine>,
    /// Lines that were decided before, by this or another statement.
    pub decided: Vec<DecidedBankLine>,
    /// Lines that match no account. They are kept.
    pub unmatched: Vec<UnmatchedBankLine>,
    /// Money that the bank took back. Nothing is booked: a person must look whose it was.
    pub taken_back: Vec<BankLine>,
    /// Lines with nothing to book.
    pub ignored: Vec<IgnoredBankLine>,
}

/// A line that is credited to an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewBankLine {
    /// The line.
    pub line: BankLine,
    /// The account whose payment code it has.
    pub account: String,
}

/// A line that was decided before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DecidedBankLine {
    /// The line.
    pub line: BankLine,
    /// Its state.
    pub state: BankLineState,
    /// The account that gets or got it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Why it was set aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A line that matches no account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UnmatchedBankLine {
    /// The line.
    pub line: BankLine,
    /// Why.
    pub why: Unmatched,
}

/// Why a line matches no account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Unmatched {
    /// It has no payment code.
    NoCode,
    /// It has the payment codes of several accounts.
    SeveralCodes,
    /// The bank takes back or returns an earlier movement.
    Return,
    /// It is several transactions that the file does not tell apart.
    Gathered,
    /// No account has the name in its payment code.
    UnknownAccount,
    /// The account is closed.
    ClosedAccount,
    /// A line with the same identity, or with the same reference of the bank, says something else.
    OtherContent,
    /// A line that is kept has the same day and amount, and was read in another way. It may be the same movement.
    MayBeBooked,
}

/// A line with nothing to book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IgnoredBankLine {
    /// The line.
    pub line: BankLine,
    /// Why.
    pub why: Ignored,
}

/// Why there is nothing to book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Ignored {
    /// Money went out.
    Outgoing,
    /// The bank has not booked it yet.
    NotBooked,
    /// It is of another account of the same bank.
    OtherAccount,
    /// It is in another currency.
    OtherCurrency,
    /// The amount is zero, too large, or finer than the smallest unit.
    Amount,
}

/// The state of a kept line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum BankLineState {
    /// Nobody knows whose money it is.
    Unmatched,
    /// The account is decided. It is credited at once, or within a minute if that was interrupted.
    Claimed,
    /// The account was credited.
    Booked,
    /// It is not credited.
    SetAside,
}

/// `POST /v1/admin/statements/{id}/book`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct BookStatement {
    /// The digest of the preview that the operator has seen.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Digest))]
    pub preview: String,
}

/// The answer to [`BookStatement`]: 201, or 200 if it was booked before with the same preview.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StatementBooking {
    /// The statement.
    pub statement: BankStatement,
    /// The number of lines that accounts got.
    pub lines: u32,
    /// Their sum in the smallest unit.
    pub amount: u64,
    /// The ids of lines whose accounts could not be credited after all, because they were closed meanwhile. They are
    /// unmatched.
    pub refused: Vec<String>,
}

/// `GET /v1/admin/bank-lines?state=&after=&limit=`: lines of booked statements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeptBankLines {
    /// In the order in which they were kept.
    pub lines: Vec<KeptBankLine>,
    /// The cursor for `?after=`. Present on the last page too: later lines come after it.
    pub after: u64,
}

/// A line of a booked statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeptBankLine {
    /// Its number: ascending from 1, without a gap.
    pub no: u64,
    /// The statement that brought it first.
    pub statement: u64,
    /// The line.
    pub line: BankLine,
    /// Its state.
    pub state: BankLineState,
    /// The account that gets or got it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Why it was set aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who brought it into this state.
    pub operator: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// `POST /v1/admin/bank-lines/{id}/assign`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AssignBankLine {
    /// The name of the account that gets the money.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Name))]
    pub account: String,
}

/// `POST /v1/admin/bank-lines/{id}/set-aside`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SetBankLineAside {
    /// Why it is not the money of an account.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::shapes::Text))]
    pub reason: String,
}
