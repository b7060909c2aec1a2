//! Where the money of a payout goes: the account at a bank that is in the text that the holder wrote.

use thiserror::Error;

use crate::iban::{Iban, IbanError};

/// An account at a bank, read from free text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The account.
    pub iban: Iban,
    /// What else the text says: the name of the payee, unless it says something else. `None` if it has the number alone.
    pub name: Option<String>,
}

/// Why a text does not name one account at a bank.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DestinationError {
    /// The text has nothing that looks like an IBAN.
    #[error("the destination has no IBAN")]
    NoIban,
    /// The text has something like an IBAN that is wrong.
    #[error("the destination has a wrong IBAN: {0}")]
    Wrong(IbanError),
    /// The text has several accounts.
    #[error("the destination has more than one IBAN")]
    Several,
}

/// A candidate: where it begins and ends in the text, and what it is.
struct Candidate {
    begin: usize,
    end: usize,
    iban: Result<Iban, IbanError>,
}

impl Destination {
    /// Reads `DE89 3704 0044 0532 0130 00`, alone or with a name before or after it.
    ///
    /// # Errors
    /// The text names no account, more than one, or one whose check is wrong.
    pub fn read(text: &str) -> Result<Self, DestinationError> {
        let candidates = candidates(text);
        let mut right = candidates.iter().filter(|candidate| candidate.iban.is_ok());
        match (right.next(), right.next()) {
            (Some(_), Some(_)) => Err(DestinationError::Several),
            (Some(Candidate { begin, end, iban }), None) => Ok(Self {
                iban: iban.clone().map_err(DestinationError::Wrong)?,
                name: name_of(&text[..*begin], &text[*end..]),
            }),
            (None, _) => Err(candidates
                .into_iter()
                .find_map(|candidate| candidate.iban.err())
                .map_or(DestinationError::NoIban, DestinationError::Wrong)),
        }
    }
}

/// Everything that begins like an IBAN at the beginning of a word: two letters of a country and two digits.
fn candidates(text: &str) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut before = None;
    for (begin, character) in text.char_indices() {
        let is_word_begin = before.is_none_or(|before: char| !before.is_alphanumeric());
        before = Some(character);
        let is_inside = candidates
            .last()
            .is_some_and(|last| last.iban.is_ok() && begin < last.end);
        if is_word_begin && !is_inside {
            candidates.extend(candidate_at(text, begin));
        }
    }
    candidates
}

fn candidate_at(text: &str, begin: usize) -> Option<Candidate> {
    let rest = text.as_bytes().get(begin..begin + 4)?;
    let looks_right =
        rest[..2].iter().all(u8::is_ascii_alphabetic) && rest[2..].iter().all(u8::is_ascii_digit);
    let country = text.get(begin..begin + 2)?.to_ascii_uppercase();
    let wanted = Iban::length_in(&country).filter(|_| looks_right)?;
    let (mut number, mut end) = (String::new(), begin);
    for (at, character) in text[begin..].char_indices() {
        if character.is_ascii_alphanumeric() && number.len() < wanted {
            number.push(character);
            end = begin + at + 1;
        } else if number.len() == wanted || !matches!(character, ' ' | '\u{a0}' | '-') {
            break;
        }
    }
    let goes_on = text[end..].chars().next().is_some_and(char::is_alphanumeric);
    let iban = if goes_on {
        Err(IbanError::Length {
            country,
            wanted,
            found: wanted + 1,
        })
    } else {
        number.parse()
    };
    Some(Candidate { begin, end, iban })
}

/// What stands around the number, without the word `IBAN` and without punctuation at its ends.
fn name_of(before: &str, after: &str) -> Option<String> {
    let words = before.split_whitespace().chain(after.split_whitespace());
    let words: Vec<&str> = words
        .filter(|word| {
            let bare = word.trim_matches(|character: char| !character.is_alphanumeric());
            !bare.is_empty() && !bare.eq_ignore_ascii_case("IBAN")
        })
        .collect();
    let name = words.join(" ");
    let is_edge = |character: char| !character.is_alphanumeric() && !matches!(character, '.' | ')' | '(');
    let name = name.trim_matches(is_edge);
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_is_found_with_a_name_and_without() {
        for (text, name) in [
            ("DE89370400440532013000", None),
            ("de89 3704 0044 0532 0130 00", None),
            ("IBAN: DE89 3704 0044 0532 0130 00", None),
            ("Alice Meyer, DE89 3704 0044 0532 0130 00", Some("Alice Meyer")),
            ("DE89 3704 0044 0532 0130 00 (Alice Meyer)", Some("(Alice Meyer)")),
            (
                "Alice Meyer - IBAN DE89-3704-0044-0532-0130-00",
                Some("Alice Meyer"),
            ),
            ("AB12 Shop DE89370400440532013000;", Some("AB12 Shop")),
            ("Café Ümlaut DE89370400440532013000", Some("Café Ümlaut")),
        ] {
            let destination = Destination::read(text).unwrap();
            assert_eq!(destination.iban.as_str(), "DE89370400440532013000", "{text}");
            assert_eq!(destination.name.as_deref(), name, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(
            Destination::read("the bank around the corner"),
            Err(DestinationError::NoIban)
        );
        assert_eq!(Destination::read(""), Err(DestinationError::NoIban));
        assert_eq!(
            Destination::read("Alice DE88 3704 0044 0532 0130 00"),
            Err(DestinationError::Wrong(IbanError::Check))
        );
        let error = |text: &str| Destination::read(text).unwrap_err().to_string();
        assert!(error("DE89 3704 0044").contains("has 22 characters, but this one has 12"));
        assert!(error("DE893704004405320130001").contains("has 22 characters, but this one has 23"));
        assert_eq!(
            Destination::read("DE89370400440532013000 or GB29NWBK60161331926819"),
            Err(DestinationError::Several)
        );
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in any::<String>()) {
            let _ = Destination::read(&text);
        }

        #[test]
        fn a_name_does_not_hide_the_number(name in "[A-Za-zäöü ]{0,30}") {
            let destination = Destination::read(&format!("{name}, DE89370400440532013000"));
            let iban = destination.unwrap().iban;
            prop_assert_eq!(iban.as_str(), "DE89370400440532013000");
        }
    }
}
