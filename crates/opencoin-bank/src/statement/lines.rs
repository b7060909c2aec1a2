//! From what a file says about a movement to a line: identity, payment codes, and what it means.

use opencoin_text::{is_invisible, is_misleading};

use super::error::StatementError;
use super::{LINES_MAX, StatementReading};
use crate::content::{BankLineContent, Direction};
use crate::currency::BankAmountError;
use crate::line::{BankLine, Ignored, Incoming, LineKind};
use crate::line_id::{Identities, IdentityKind};
use crate::payment_code;

/// The longest text of a line that is kept, in characters. Payment codes are found in all of it.
const TEXT_CHARS_MAX: usize = 1_000;
/// The longest of the other fields that is kept, in characters.
const FIELD_CHARS_MAX: usize = 140;

/// What a file says about one movement.
#[derive(Debug)]
pub(super) struct Movement {
    pub(super) content: BankLineContent,
    /// What else may have a payment code besides the text.
    pub(super) other_texts: Vec<String>,
    pub(super) is_booked: bool,
    /// Whether it is several transactions that the file does not tell apart.
    pub(super) is_gathered: bool,
    pub(super) is_return: bool,
}

/// The lines of one file.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    reading: &'a StatementReading,
    kind: IdentityKind,
    identities: Identities,
    lines: Vec<BankLine>,
}

impl<'a> Lines<'a> {
    /// No lines yet. `kind` is that of lines to which the bank gives no reference.
    pub(super) fn new(reading: &'a StatementReading, kind: IdentityKind) -> Self {
        Self {
            reading,
            kind,
            identities: Identities::default(),
            lines: Vec::new(),
        }
    }

    /// Adds the next movement of the file. Fails with a reason if its amount is not one.
    pub(super) fn add(&mut self, movement: Movement) -> Result<(), LineFault> {
        if self.lines.len() >= LINES_MAX {
            return Err(LineFault::TooMany);
        }
        let kind = self.kind_of(&movement).map_err(LineFault::Reason)?;
        let mut content = movement.content;
        for field in [
            &mut content.account,
            &mut content.currency,
            &mut content.party,
            &mut content.party_account,
            &mut content.bank_reference,
            &mut content.end_to_end_id,
        ] {
            *field = shown(field, FIELD_CHARS_MAX);
        }
        content.text = shown(&content.text, TEXT_CHARS_MAX);
        let place = u32::try_from(self.lines.len() + 1).expect("a file has few lines");
        self.lines.push(BankLine { place, content, kind });
        Ok(())
    }

    pub(super) fn finish(self) -> Vec<BankLine> {
        self.lines
    }

    /// The identity is made before texts are shortened. Lines that are not booked have none: a later file has the same
    /// movement again, with what is not known yet.
    fn kind_of(&mut self, movement: &Movement) -> Result<LineKind, String> {
        let StatementReading {
            account, currency, ..
        } = self.reading;
        let content = &movement.content;
        let units = match currency.units(&content.amount) {
            Err(BankAmountError::Form(text)) => {
                return Err(format!("{:?} is not an amount", opencoin_text::printable(&text)));
            }
            units => units,
        };
        if content.account != account.as_str() {
            return Ok(LineKind::Ignored(Ignored::OtherAccount));
        }
        if !movement.is_booked {
            return Ok(LineKind::Ignored(Ignored::NotBooked));
        }
        if content.direction == Direction::Debit && movement.is_return {
            return Ok(LineKind::Ignored(Ignored::TakenBack));
        }
        if content.direction == Direction::Debit {
            return Ok(LineKind::Ignored(Ignored::Outgoing));
        }
        if content.currency != currency.code.as_str() {
            return Ok(LineKind::Ignored(Ignored::OtherCurrency));
        }
        let units = match units {
            Ok(units) => units,
            Err(error) => return Ok(LineKind::Ignored(Ignored::Amount(error))),
        };
        let (id, identity) = self.identities.next(content, self.kind);
        let texts = [&content.text, &content.end_to_end_id];
        let texts = texts.into_iter().chain(&movement.other_texts);
        let mut codes: Vec<String> = texts.flat_map(|text| payment_code::find(text)).collect();
        codes.sort_unstable();
        codes.dedup();
        Ok(LineKind::Incoming(Incoming {
            id,
            identity,
            units,
            codes,
            is_gathered: movement.is_gathered,
            is_return: movement.is_return,
        }))
    }
}

/// Why a movement is not a line.
#[derive(Debug)]
pub(super) enum LineFault {
    TooMany,
    Reason(String),
}

impl LineFault {
    /// The error of the file; `at` names the place of the movement.
    pub(super) fn of_file(self, at: impl FnOnce(String) -> StatementError) -> StatementError {
        match self {
            Self::TooMany => StatementError::TooManyLines,
            Self::Reason(reason) => at(reason),
        }
    }
}

/// The text on one line, without characters that mislead, cut at a length.
fn shown(text: &str, chars_max: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut shown: String = words
        .join(" ")
        .chars()
        .map(|character| match character {
            _ if is_misleading(character) || is_invisible(character) => char::REPLACEMENT_CHARACTER,
            _ => character,
        })
        .collect();
    if let Some((end, _)) = shown.char_indices().nth(chars_max) {
        shown.truncate(end);
        shown.push('…');
    }
    shown
}
