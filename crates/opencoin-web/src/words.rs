//! What happened on an account, in words.

use opencoin_api::{Entry, EntryKind};
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

/// What an entry is, as a sentence.
pub(crate) fn what(entry: &Entry, t: Messages) -> Message {
    let label = printable(&entry.label);
    let has_label = !label.is_empty();
    let other = entry.counterparty.as_deref().map(printable).unwrap_or_default();
    match entry.kind {
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
}
