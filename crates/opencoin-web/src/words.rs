//! What happened on an account, in words.

use opencoin_api::{Entry, EntryKind};
use opencoin_ledger::Reference;
use opencoin_ledger::bank::line_with_credit_reference;
use opencoin_text::printable;

use crate::format::{Moment, Money};
use crate::language::Language;
use crate::messages::{Message, Messages};

/// An entry as a line of a list.
pub(crate) struct EntryLine {
    pub(crate) at: Moment,
    pub(crate) what: Message,
    /// The amount with its sign.
    pub(crate) amount: String,
}

pub(crate) fn line(entry: &Entry, money: &Money, language: Language) -> EntryLine {
    EntryLine {
        at: Moment::minute(language, entry.at),
        what: what(entry, Messages::new(language)),
        amount: money.signed(entry.amount),
    }
}

/// The entries of a day in UTC. A script groups them by the days of the visitor's time zone.
pub(crate) struct DayOfEntries {
    pub(crate) day: Moment,
    pub(crate) entries: Vec<EntryLine>,
}

/// Entries in the order of their numbers, by day. After a clock was set back, a day may have two groups.
pub(crate) fn by_day(entries: &[Entry], money: &Money, language: Language) -> Vec<DayOfEntries> {
    let days = entries.chunk_by(|one, next| one.at.date_naive() == next.at.date_naive());
    let day = |entries: &[Entry]| DayOfEntries {
        day: Moment::day(language, entries[0].at),
        entries: entries
            .iter()
            .map(|entry| EntryLine {
                at: Moment::clock(language, entry.at),
                ..line(entry, money, language)
            })
            .collect(),
    };
    days.map(day).collect()
}

/// What an entry is, as a sentence.
pub(crate) fn what(entry: &Entry, t: Messages) -> Message {
    let label = printable(&entry.label);
    let has_label = !label.is_empty();
    let other = entry.counterparty.as_deref().map(printable).unwrap_or_default();
    match entry.kind {
        EntryKind::Credit if is_of_bank_line(&entry.label) => t.account_entry_bank_transfer().into(),
        EntryKind::Credit => t.account_entry_credit(label),
        EntryKind::Debit => t.account_entry_debit(label),
        EntryKind::Transfer if entry.amount < 0 && has_label => t.account_entry_paid_for(other, label),
        EntryKind::Transfer if entry.amount < 0 => t.account_entry_paid(other),
        EntryKind::Transfer if has_label => t.account_entry_received_for(other, label),
        EntryKind::Transfer => t.account_entry_received(other),
        EntryKind::Mint => t.account_entry_mint().into(),
        EntryKind::Redeem => t.account_entry_redeem().into(),
        EntryKind::Payout => t.account_entry_payout().into(),
        EntryKind::PayoutFailed => t.account_entry_payout_failed().into(),
        EntryKind::Recovered => t.account_entry_recovered().into(),
    }
}

/// Whether a text is the reference of a line of a bank statement, which is an id and not for people.
pub(crate) fn is_of_bank_line(text: &str) -> bool {
    Reference::new(text).is_ok_and(|reference| line_with_credit_reference(&reference).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_cannot_change_the_order_of_words() {
        let entry = Entry {
            id: 1,
            at: "2026-01-01T00:00:00Z".parse().unwrap(),
            kind: EntryKind::Transfer,
            amount: -100,
            counterparty: Some("bob".to_owned()),
            label: "gpj\u{202e}exe\u{200b}".to_owned(),
        };
        let said = what(&entry, Messages::new(Language::En)).plain();
        assert_eq!(said, "Payment to bob: gpj\\u{202e}exe\\u{200b}");
    }
    #[test]
    fn the_id_of_a_line_of_a_bank_is_no_word() {
        let entry = |label: &str| Entry {
            id: 1,
            at: "2026-01-01T00:00:00Z".parse().unwrap(),
            kind: EntryKind::Credit,
            amount: 100,
            counterparty: None,
            label: label.to_owned(),
        };
        let said = |label| what(&entry(label), Messages::new(Language::En)).plain();
        let of_line = format!("bank line {}", "5a".repeat(16));
        assert_eq!(said(&of_line), "Paid in by bank transfer");
        assert_eq!(said("bank line 5"), "Paid in: bank line 5");
    }
}
