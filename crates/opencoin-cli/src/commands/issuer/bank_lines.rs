//! Lines of the bank in words.

use opencoin_ledger::bank::{BankLineState, KeptLine, LineMeaning, StatementLine};
use opencoin_text::printable;

use crate::currency_unit::CurrencyUnit;

/// A line of a booked statement, and what became of it.
pub(super) fn kept_line(kept: &KeptLine, unit: &CurrencyUnit) -> String {
    let id = kept.line.id().map(|id| id.to_string()).unwrap_or_default();
    format!("{id}: {}: {}", described(&kept.line, unit), decided(&kept.state))
}

/// Place, day, amount, payer and text of a line.
pub(super) fn described(line: &StatementLine, unit: &CurrencyUnit) -> String {
    let content = &line.content;
    let amount = match &line.meaning {
        LineMeaning::Incoming(incoming) => unit.show(incoming.amount.units()),
        LineMeaning::Ignored(_) => format!("{} {}", content.amount, content.currency),
    };
    let (party, text) = (printable(&content.party), printable(&content.text));
    format!("{} {} {amount} from {party:?}, {text:?}", line.place, content.day)
}

/// What became of a line.
pub(super) fn decided(state: &BankLineState) -> String {
    match state {
        BankLineState::Unmatched => "unmatched".to_owned(),
        BankLineState::Claimed(account) => format!("claimed for {}", account.name),
        BankLineState::Booked(account) => format!("booked to {}", account.name),
        BankLineState::SetAside(reason) => format!("set aside ({reason})"),
    }
}
