//! Lines of statements in words.

use opencoin_ledger::bank::{BankLineState, IgnoredLine, KeptLine, LineMeaning, StatementLine, Unmatched};
use opencoin_text::printable;

use crate::format::{Moment, Money};
use crate::language::Language;
use crate::messages::{Message, Messages};

/// How much of a text a list shows, in characters. A page of lines stays small.
const TEXT_CHARS_SHOWN: usize = 140;

/// A line of a statement as a line of a list.
pub(super) struct LineSaid {
    pub(super) place: u32,
    /// As the bank has it: a day, wherever whoever reads it is.
    pub(super) day: String,
    /// Who paid, or was paid.
    pub(super) party: String,
    pub(super) text: String,
    /// The amount in the currency, or as the bank has written it.
    pub(super) amount: String,
    /// What becomes of it, or why nothing does.
    pub(super) verdict: Option<Message>,
    /// Its number among the kept lines.
    pub(super) no: Option<i64>,
}

/// The line, with what becomes of it.
pub(super) fn line(
    line: &StatementLine,
    verdict: Option<Message>,
    money: &Money,
    language: Language,
) -> LineSaid {
    let content = &line.content;
    let amount = match line.amount() {
        Some(amount) => money.number(amount.units()),
        None => printable(&format!("{} {}", content.amount, content.currency)),
    };
    let day = content.day.and_time(chrono::NaiveTime::MIN).and_utc();
    LineSaid {
        place: line.place,
        day: Moment::day(language, day).plain(),
        party: shortened(&content.party),
        text: shortened(&content.text),
        amount,
        verdict,
        no: None,
    }
}

fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().take(TEXT_CHARS_SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    printable(&shown)
}

/// Why a line matches no account.
pub(super) fn unmatched(why: Unmatched, line: &StatementLine, t: Messages) -> Message {
    match why {
        Unmatched::NoCode => t.bank_why_no_code().into(),
        Unmatched::SeveralCodes => t.bank_why_several_codes().into(),
        Unmatched::Return => t.bank_why_return().into(),
        Unmatched::Gathered => t.bank_why_gathered().into(),
        Unmatched::UnknownAccount => t.bank_why_unknown(code(line)),
        Unmatched::ClosedAccount => t.bank_why_closed(code(line)),
        Unmatched::OtherContent => t.bank_why_other_content().into(),
        Unmatched::MayBeBooked => t.bank_why_may_be_booked().into(),
    }
}

/// The account that the payment code of a line names.
fn code(line: &StatementLine) -> String {
    match &line.meaning {
        LineMeaning::Incoming(incoming) => printable(&incoming.codes.join(", ")),
        LineMeaning::Ignored(_) => String::new(),
    }
}

/// What a kept line says about why it matches no account.
pub(super) fn kept(kept: &KeptLine, t: Messages) -> Message {
    let LineMeaning::Incoming(incoming) = &kept.line.meaning else {
        return t.bank_why_no_code().into();
    };
    match incoming.codes.len() {
        _ if incoming.is_return => t.bank_why_return().into(),
        _ if incoming.is_gathered => t.bank_why_gathered().into(),
        0 => t.bank_why_no_code().into(),
        1 => t.bank_names_account(code(&kept.line)),
        _ => t.bank_why_several_codes().into(),
    }
}

/// Whether somebody must look twice before the line is credited: the same money may be in the books already.
pub(super) fn is_doubtful(why: Unmatched) -> bool {
    match why {
        Unmatched::OtherContent | Unmatched::MayBeBooked => true,
        Unmatched::NoCode
        | Unmatched::SeveralCodes
        | Unmatched::Return
        | Unmatched::Gathered
        | Unmatched::UnknownAccount
        | Unmatched::ClosedAccount => false,
    }
}

/// What the last booking of a statement has credited.
pub(super) fn booked(booked: &opencoin_api::BookedStatement, money: &Money, t: Messages) -> Message {
    match booked.lines {
        0 => t.bank_is_booked_without_credit().into(),
        lines => t.bank_is_booked(u64::from(lines), money.amount(booked.amount)),
    }
}

/// What became of a line.
pub(super) fn state(state: &BankLineState, t: Messages) -> Message {
    match state {
        BankLineState::Unmatched => t.bank_state_unmatched().into(),
        BankLineState::Claimed(account) => t.bank_state_claimed(&account.name),
        BankLineState::Booked(account) => t.bank_state_booked(&account.name),
        BankLineState::SetAside(reason) => t.bank_state_set_aside(printable(reason.as_str())),
    }
}

/// Why a line is of no interest.
pub(super) fn ignored(why: IgnoredLine, t: Messages) -> Message {
    match why {
        IgnoredLine::Outgoing => t.bank_ignored_outgoing(),
        IgnoredLine::NotBooked => t.bank_ignored_not_booked(),
        IgnoredLine::OtherAccount => t.bank_ignored_other_account(),
        IgnoredLine::OtherCurrency => t.bank_ignored_other_currency(),
        IgnoredLine::Amount => t.bank_ignored_amount(),
        IgnoredLine::TakenBack => t.bank_taken_back_explained(),
    }
    .into()
}
