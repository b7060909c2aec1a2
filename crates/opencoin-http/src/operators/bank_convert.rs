//! Conversions of statements and their lines to the types of the API.

use opencoin_api::{
    BankLine, BankStatement, BookedStatement, DecidedBankLine, Ignored, IgnoredBankLine, KeptBankLine,
    NewBankLine, StatementPreview, TableColumns, Unmatched, UnmatchedBankLine,
};
use opencoin_bank::Direction;
use opencoin_config::BankCsvConfig;
use opencoin_issuer::{BankDeskError, Refusal, StatementBookingError, StatementUploadError};
use opencoin_ledger::Amount;
use opencoin_ledger::bank::{self, BankLineState, IgnoredLine, KeptLine, Preview, StatementLine, Verdict};

use crate::accounts::convert::moment;
use crate::json::Problem;

/// A statement.
#[must_use]
pub fn bank_statement(statement: bank::BankStatement) -> BankStatement {
    BankStatement {
        id: statement.no.get().unsigned_abs(), // numbers begin at 1
        name: statement.name.as_str().to_owned(),
        uploaded_at: moment(statement.at),
        operator: statement.operator.as_str().to_owned(),
        lines: statement.lines,
        booked: statement.booked.map(|booked| BookedStatement {
            preview: booked.preview.to_string(),
            lines: booked.lines,
            amount: booked.amount.units(),
            at: moment(booked.at),
        }),
    }
}

/// The columns of a table.
#[must_use]
pub fn table_columns(columns: BankCsvConfig) -> TableColumns {
    TableColumns {
        delimiter: columns.delimiter,
        encoding: columns.encoding,
        decimal: columns.decimal,
        date_format: columns.date_format,
        day: columns.day,
        amount: columns.amount,
        text: columns.text,
        currency: columns.currency,
        direction: columns.direction,
        party: columns.party,
        party_account: columns.party_account,
        account: columns.account,
        bank_reference: columns.bank_reference,
    }
}

/// What booking a statement would do, and how many lines are above the limit for one operator.
#[must_use]
pub fn statement_preview(preview: Preview, lines_above_limit: u32) -> StatementPreview {
    let mut shown = StatementPreview {
        preview: preview.digest().to_string(),
        amount: preview.new_amount().units(),
        lines_above_limit,
        statement: bank_statement(preview.statement),
        new: Vec::new(),
        decided: Vec::new(),
        unmatched: Vec::new(),
        taken_back: Vec::new(),
        ignored: Vec::new(),
    };
    for bank::PreviewLine { line, verdict } in preview.lines {
        let line = bank_line(line);
        match verdict {
            Verdict::New(account) => shown.new.push(NewBankLine {
                line,
                account: account.name.as_str().to_owned(),
            }),
            Verdict::Decided(decided) => {
                let (state, account, reason) = state(decided);
                shown.decided.push(DecidedBankLine {
                    line,
                    state,
                    account,
                    reason,
                });
            }
            Verdict::Unmatched { why, .. } => {
                let why = unmatched(why);
                shown.unmatched.push(UnmatchedBankLine { line, why });
            }
            Verdict::Ignored(why) => match ignored(why) {
                Some(why) => shown.ignored.push(IgnoredBankLine { line, why }),
                None => shown.taken_back.push(line),
            },
        }
    }
    shown
}

/// A line of a booked statement.
#[must_use]
pub fn kept_bank_line(kept: KeptLine) -> KeptBankLine {
    let (state, account, reason) = state(kept.state);
    KeptBankLine {
        no: kept.no.get().unsigned_abs(),
        statement: kept.statement.get().unsigned_abs(),
        line: bank_line(kept.line),
        state,
        account,
        reason,
        operator: kept.operator.as_str().to_owned(),
        at: moment(kept.at),
    }
}

fn bank_line(line: StatementLine) -> BankLine {
    let id = line.id().map(|id| id.to_string());
    let amount = line.amount().map(Amount::units);
    let content = line.content;
    BankLine {
        place: line.place,
        id,
        amount,
        day: content.day,
        is_credit: content.direction == Direction::Credit,
        bank_amount: content.amount,
        currency: content.currency,
        party: content.party,
        party_account: content.party_account,
        text: content.text,
        bank_reference: content.bank_reference,
        end_to_end_id: content.end_to_end_id,
    }
}

/// The state, the name of the account, and the reason.
fn state(state: BankLineState) -> (opencoin_api::BankLineState, Option<String>, Option<String>) {
    use opencoin_api::BankLineState as Shown;
    match state {
        BankLineState::Unmatched => (Shown::Unmatched, None, None),
        BankLineState::Claimed(account) => (Shown::Claimed, Some(account.name.as_str().to_owned()), None),
        BankLineState::Booked(account) => (Shown::Booked, Some(account.name.as_str().to_owned()), None),
        BankLineState::SetAside(reason) => (Shown::SetAside, None, Some(reason.as_str().to_owned())),
    }
}

fn unmatched(why: bank::Unmatched) -> Unmatched {
    match why {
        bank::Unmatched::NoCode => Unmatched::NoCode,
        bank::Unmatched::SeveralCodes => Unmatched::SeveralCodes,
        bank::Unmatched::Return => Unmatched::Return,
        bank::Unmatched::Gathered => Unmatched::Gathered,
        bank::Unmatched::UnknownAccount => Unmatched::UnknownAccount,
        bank::Unmatched::ClosedAccount => Unmatched::ClosedAccount,
        bank::Unmatched::OtherContent => Unmatched::OtherContent,
        bank::Unmatched::MayBeBooked => Unmatched::MayBeBooked,
    }
}

/// Why a line is of no interest; `None` for money that was taken back, which a person must see.
fn ignored(why: IgnoredLine) -> Option<Ignored> {
    Some(match why {
        IgnoredLine::TakenBack => return None,
        IgnoredLine::Outgoing => Ignored::Outgoing,
        IgnoredLine::NotBooked => Ignored::NotBooked,
        IgnoredLine::OtherAccount => Ignored::OtherAccount,
        IgnoredLine::OtherCurrency => Ignored::OtherCurrency,
        IgnoredLine::Amount => Ignored::Amount,
    })
}

impl From<StatementUploadError> for Problem {
    fn from(error: StatementUploadError) -> Self {
        Refusal::from(error).into()
    }
}

impl From<StatementBookingError> for Problem {
    fn from(error: StatementBookingError) -> Self {
        Refusal::from(error).into()
    }
}

impl From<BankDeskError> for Problem {
    fn from(error: BankDeskError) -> Self {
        Refusal::from(error).into()
    }
}
