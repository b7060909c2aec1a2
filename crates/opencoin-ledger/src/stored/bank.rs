//! Conversion of rows about the bank's statements.

use opencoin_bank::{BankLineContent, BankLineId, Direction};

use crate::bank::{
    BankLineNo, BankLineState, BankLineStateKind, BankStatement, BookedStatement, ClaimedLine, ExportFormat,
    ExportNo, ExportState, IgnoredLine, IncomingLine, KeptLine, LineAccount, LineMeaning, PayoutExport,
    PreviewDigest, StatementLine, StatementNo,
};
use crate::{AccountId, Amount, LedgerError, LedgerTime, Reference};

/// A row of `bank_statements`.
#[derive(Debug)]
pub struct StoredStatement {
    /// `no`
    pub no: i64,
    /// `name`
    pub name: String,
    /// `at`
    pub at: i64,
    /// `operator`
    pub operator: String,
    /// `line_count`
    pub line_count: i64,
    /// `booked`
    pub booked: Option<Vec<u8>>,
    /// `booked_lines`, `booked_amount`, `booked_at`
    pub booked_figures: [Option<i64>; 3],
}

/// A row of `bank_statement_lines`.
#[derive(Debug)]
pub struct StoredStatementLine {
    /// `place`
    pub place: i64,
    /// `line`
    pub line: Option<Vec<u8>>,
    /// `ignored`
    pub ignored: Option<i16>,
    /// `amount`
    pub amount: Option<i64>,
    /// `is_gathered`
    pub is_gathered: bool,
    /// `is_return`
    pub is_return: bool,
    /// `codes`
    pub codes: String,
    /// `bank_account`
    pub bank_account: String,
    /// `day`
    pub day: String,
    /// `is_credit`
    pub is_credit: bool,
    /// `currency`
    pub currency: String,
    /// `bank_amount`
    pub bank_amount: String,
    /// `party`
    pub party: String,
    /// `party_account`
    pub party_account: String,
    /// `remittance`
    pub remittance: String,
    /// `bank_reference`
    pub bank_reference: String,
    /// `end_to_end_id`
    pub end_to_end_id: String,
}

/// A row of `bank_lines`, with the name of its account.
#[derive(Debug)]
pub struct StoredKeptLine {
    /// `no`
    pub no: i64,
    /// `statement`
    pub statement: i64,
    /// `state`
    pub state: i16,
    /// `account`
    pub account: Option<i64>,
    /// The name of the account.
    pub name: Option<String>,
    /// `reason`
    pub reason: Option<String>,
    /// `operator`
    pub operator: String,
    /// `at`
    pub at: i64,
}

/// A row of `payout_exports`, without the file.
#[derive(Debug)]
pub struct StoredExport {
    /// `no`
    pub no: i64,
    /// `request`
    pub request: Vec<u8>,
    /// `format`
    pub format: i16,
    /// `message_id`
    pub message_id: String,
    /// `payouts`
    pub payouts: i64,
    /// `amount`
    pub amount: i64,
    /// `operator`
    pub operator: String,
    /// `at`
    pub at: i64,
    /// `state`
    pub state: i16,
    /// `ended_at`
    pub ended_at: Option<i64>,
}

/// Converts a row of `payout_exports`.
///
/// # Errors
/// A column makes no sense.
pub fn payout_export(row: StoredExport) -> Result<PayoutExport, LedgerError> {
    let place = format!("payout export {}", row.no);
    let corrupt = |reason: &dyn ToString| wrong(&place, reason.to_string());
    let request = row.request.try_into();
    Ok(PayoutExport {
        no: ExportNo::new(row.no),
        request: request.map_err(|_| corrupt(&"the digest of the request does not have 32 bytes"))?,
        format: ExportFormat::from_code(row.format).ok_or_else(|| corrupt(&"the format is unknown"))?,
        message_id: row.message_id,
        payouts: u32::try_from(row.payouts).map_err(|error| corrupt(&error))?,
        amount: Amount::try_from(row.amount).map_err(|error| corrupt(&error))?,
        operator: row.operator.parse().map_err(|error| corrupt(&error))?,
        at: LedgerTime::from_unix_micros(row.at),
        state: ExportState::from_code(row.state).ok_or_else(|| corrupt(&"the state is unknown"))?,
        ended_at: row.ended_at.map(LedgerTime::from_unix_micros),
    })
}

fn wrong(place: &str, reason: impl ToString) -> LedgerError {
    LedgerError::corrupt(place, reason.to_string())
}

/// Converts a row of `bank_statements`.
///
/// # Errors
/// A column makes no sense.
pub fn statement(row: StoredStatement) -> Result<BankStatement, LedgerError> {
    let place = format!("bank statement {}", row.no);
    let corrupt = |reason: &dyn ToString| wrong(&place, reason.to_string());
    let count = |number: i64| u32::try_from(number).map_err(|error| corrupt(&error));
    let booked = match (row.booked, row.booked_figures) {
        (None, [None, None, None]) => None,
        (Some(preview), [Some(lines), Some(amount), Some(at)]) => {
            let preview = preview
                .try_into()
                .map_err(|_| corrupt(&"the digest of the preview does not have 32 bytes"))?;
            Some(BookedStatement {
                preview: PreviewDigest::new(preview),
                lines: count(lines)?,
                amount: Amount::try_from(amount).map_err(|error| corrupt(&error))?,
                at: LedgerTime::from_unix_micros(at),
            })
        }
        _ => return Err(corrupt(&"it is half booked")),
    };
    Ok(BankStatement {
        no: StatementNo::new(row.no),
        name: Reference::new(row.name).map_err(|error| corrupt(&error))?,
        at: LedgerTime::from_unix_micros(row.at),
        operator: row.operator.parse().map_err(|error| corrupt(&error))?,
        lines: count(row.line_count)?,
        booked,
    })
}

/// Converts a row of `bank_statement_lines`.
///
/// # Errors
/// A column makes no sense.
pub fn statement_line(row: StoredStatementLine) -> Result<StatementLine, LedgerError> {
    let place = format!("line {} of a bank statement", row.place);
    let corrupt = |reason: &dyn ToString| wrong(&place, reason.to_string());
    let meaning = match (row.line, row.ignored, row.amount) {
        (Some(id), None, Some(amount)) => LineMeaning::Incoming(IncomingLine {
            id: line_id(&place, &id)?,
            amount: Amount::try_from(amount).map_err(|error| corrupt(&error))?,
            codes: row.codes.split_whitespace().map(str::to_owned).collect(),
            is_gathered: row.is_gathered,
            is_return: row.is_return,
        }),
        (None, Some(reason), None) => {
            let reason = IgnoredLine::from_code(reason);
            LineMeaning::Ignored(reason.ok_or_else(|| corrupt(&"the reason is unknown"))?)
        }
        _ => return Err(corrupt(&"it is neither booked nor ignored")),
    };
    Ok(StatementLine {
        place: u32::try_from(row.place).map_err(|error| corrupt(&error))?,
        content: BankLineContent {
            account: row.bank_account,
            day: row.day.parse().map_err(|error| corrupt(&error))?,
            direction: if row.is_credit {
                Direction::Credit
            } else {
                Direction::Debit
            },
            currency: row.currency,
            amount: row.bank_amount,
            party: row.party,
            party_account: row.party_account,
            text: row.remittance,
            bank_reference: row.bank_reference,
            end_to_end_id: row.end_to_end_id,
        },
        meaning,
    })
}

/// Converts the identity of a line.
///
/// # Errors
/// It makes no sense.
pub fn bank_line_id(bytes: &[u8]) -> Result<BankLineId, LedgerError> {
    line_id("bank line", bytes)
}

fn line_id(place: &str, bytes: &[u8]) -> Result<BankLineId, LedgerError> {
    let bytes = bytes.try_into();
    bytes
        .map(BankLineId::new)
        .map_err(|_| wrong(place, "the id does not have 16 bytes"))
}

/// Converts the columns of a state.
///
/// # Errors
/// A column makes no sense.
pub fn line_state(
    state: i16,
    account: Option<i64>,
    name: Option<String>,
    reason: Option<String>,
) -> Result<BankLineState, LedgerError> {
    let corrupt = |reason: &dyn ToString| wrong("bank line", reason.to_string());
    let account = match (account, name) {
        (Some(id), Some(name)) => Some(LineAccount {
            id: AccountId::new(id),
            name: name.parse().map_err(|error| corrupt(&error))?,
        }),
        (None, None) => None,
        _ => return Err(corrupt(&"its account does not exist")),
    };
    let kind = |kind: BankLineStateKind| kind.code() == state;
    match (account, reason) {
        (None, None) if kind(BankLineStateKind::Unmatched) => Ok(BankLineState::Unmatched),
        (Some(account), None) if kind(BankLineStateKind::Claimed) => Ok(BankLineState::Claimed(account)),
        (Some(account), None) if kind(BankLineStateKind::Booked) => Ok(BankLineState::Booked(account)),
        (None, Some(reason)) if kind(BankLineStateKind::SetAside) => {
            let reason = Reference::new(reason).map_err(|error| corrupt(&error))?;
            Ok(BankLineState::SetAside(reason))
        }
        _ => Err(corrupt(&"its state makes no sense")),
    }
}

/// Converts a row of `bank_lines`.
///
/// # Errors
/// A column makes no sense.
pub fn kept_line(row: StoredKeptLine, line: StatementLine) -> Result<KeptLine, LedgerError> {
    let state = line_state(row.state, row.account, row.name, row.reason)?;
    Ok(KeptLine {
        no: BankLineNo::new(row.no),
        statement: StatementNo::new(row.statement),
        line,
        state,
        operator: row.operator.parse().map_err(|error| wrong("bank line", error))?,
        at: LedgerTime::from_unix_micros(row.at),
    })
}

/// Converts the columns of a claim: number, id, account, name, amount, operator.
///
/// # Errors
/// A column makes no sense.
pub fn claimed_line(
    [no, account, amount]: [i64; 3],
    id: &[u8],
    [name, operator]: [String; 2],
) -> Result<ClaimedLine, LedgerError> {
    let place = format!("bank line {no}");
    let corrupt = |reason: &dyn ToString| wrong(&place, reason.to_string());
    Ok(ClaimedLine {
        no: BankLineNo::new(no),
        id: line_id(&place, id)?,
        account: LineAccount {
            id: AccountId::new(account),
            name: name.parse().map_err(|error| corrupt(&error))?,
        },
        amount: Amount::try_from(amount).map_err(|error| corrupt(&error))?,
        operator: operator.parse().map_err(|error| corrupt(&error))?,
    })
}
