//! Payouts as lines of a list, for holders and operators.

use opencoin_api::{Payout, PayoutState};
use opencoin_bank::Destination;
use opencoin_text::printable;

use crate::format::{Moment, Money};
use crate::language::Language;
use crate::messages::{Message, Messages};

/// A payout as a line of a list.
pub(crate) struct PayoutLine {
    pub(crate) at: Moment,
    /// The amount without the currency.
    pub(crate) amount: String,
    pub(crate) destination: String,
    pub(crate) state: PayoutState,
    /// The bank's reference, or why it failed.
    pub(crate) note: Option<Message>,
}

pub(crate) fn line(payout: &Payout, money: &Money, t: Messages, language: Language) -> PayoutLine {
    let note = payout.note.as_deref().map(printable);
    PayoutLine {
        at: Moment::minute(language, payout.requested_at),
        amount: money.number(payout.amount),
        destination: destination(&payout.destination),
        state: payout.state,
        note: note.map(|note| match payout.state {
            PayoutState::Failed => t.account_payout_reason(note),
            PayoutState::Paid | PayoutState::Requested => t.account_payout_reference(note),
        }),
    }
}

/// A destination: an IBAN in groups of four with the name of its holder, or the text as the holder wrote it.
pub(crate) fn destination(text: &str) -> String {
    let Ok(Destination { iban, name }) = Destination::read(text) else {
        return printable(text);
    };
    match name {
        Some(name) => format!("{}, {}", iban.grouped(), printable(&name)),
        None => iban.grouped(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ibans_are_grouped_and_everything_else_stays_as_it_was_written() {
        for (text, shown) in [
            ("DE89370400440532013000", "DE89 3704 0044 0532 0130 00"),
            (
                "Erika Muster de89 3704 0044 0532 0130 00",
                "DE89 3704 0044 0532 0130 00, Erika Muster",
            ),
            ("DE88370400440532013000", "DE88370400440532013000"),
            ("=1+1 \u{202e}x", "=1+1 \\u{202e}x"),
        ] {
            assert_eq!(destination(text), shown);
        }
    }
}
