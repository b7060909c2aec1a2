//! The identity of a line: the same for the same movement at the bank, whatever file brings it.
//!
//! If the bank gives a movement a reference of its own, the identity is a digest of it, with account, day and amount.
//! Otherwise it is a digest of everything that the line says. Some banks give the same reference to several movements,
//! and people do pay the same amount twice on a day with the same text. So equal lines are counted: a file that has two
//! of them brings two, and a second file with the same two brings none.
//!
//! References of less than [`REFERENCE_CHARS_MIN`] characters are not trusted: they are often counters that begin again
//! in each statement.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::content::BankLineContent;

/// The fewest characters of a bank's reference that identifies a movement.
const REFERENCE_CHARS_MIN: usize = 8;
/// What banks write where they have no reference.
const NO_REFERENCES: [&str; 4] = ["NOTPROVIDED", "NOTAVAILABLE", "NOREFERENCE", "NONREFERENCE"];
const ID_BYTES: usize = 16;

/// The identity of a line: 128 bits of a digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BankLineId([u8; ID_BYTES]);

/// The text is not the identity of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the id of a bank line has 32 digits of 0-9 and a-f")]
pub struct BankLineIdError;

/// What the identity of a line was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdentityKind {
    /// The bank's own reference.
    Reference,
    /// Everything that the line says, as CAMT.053 says it.
    CamtContent,
    /// Everything that the line says, as the columns of a table say it.
    TableContent,
}

impl BankLineId {
    /// The identity with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; ID_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; ID_BYTES] {
        &self.0
    }
}

impl fmt::Display for BankLineId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for BankLineId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "bank line {self}")
    }
}

impl FromStr for BankLineId {
    type Err = BankLineIdError;

    fn from_str(text: &str) -> Result<Self, BankLineIdError> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 2 * ID_BYTES || !text.bytes().all(is_digit) {
            return Err(BankLineIdError);
        }
        let mut id = [0; ID_BYTES];
        for (at, byte) in id.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| BankLineIdError)?;
        }
        Ok(Self(id))
    }
}

/// Identifies the lines of one file.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    seen: HashMap<[u8; 32], u64>,
}

impl Identities {
    /// The identity of the next line of the file, and of what it was made. `content` is the kind without a reference.
    pub(crate) fn next(
        &mut self,
        line: &BankLineContent,
        content: IdentityKind,
    ) -> (BankLineId, IdentityKind) {
        let reference = own_reference(&line.bank_reference);
        let kind = reference.as_ref().map_or(content, |_| IdentityKind::Reference);
        let day = line.day.to_string();
        let mut parts = vec![
            line.account.as_str().to_owned(),
            day,
            line.direction.code().to_owned(),
            line.currency.clone(),
            canonical(&line.amount).to_owned(),
        ];
        match reference {
            Some(reference) => parts.push(reference),
            None => parts.extend(
                [&line.end_to_end_id, &line.party, &line.party_account, &line.text].map(|text| bare(text)),
            ),
        }
        let base = digest(kind, &parts, 0);
        let ordinal = self.seen.entry(base).or_default();
        let digest = digest(kind, &parts, *ordinal + 1);
        *ordinal += 1;
        let id = digest.first_chunk().expect("a digest is longer than an id");
        (BankLineId(*id), kind)
    }
}

/// The text without what banks and programs change: spaces and case. Texts that are the same so are the same movement's.
#[must_use]
pub fn bare(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_whitespace())
        .flat_map(char::to_uppercase)
        .collect()
}

/// The amount without zeros that say nothing.
fn canonical(amount: &str) -> &str {
    let amount = amount.trim_start_matches('0');
    if amount.contains('.') {
        amount.trim_end_matches('0').trim_end_matches('.')
    } else {
        amount
    }
}

fn own_reference(reference: &str) -> Option<String> {
    let reference = bare(reference);
    let letters: String = reference
        .chars()
        .filter(|character| character.is_alphanumeric())
        .collect();
    let says_nothing = NO_REFERENCES.contains(&letters.as_str()) || letters.bytes().all(|byte| byte == b'0');
    (letters.chars().count() >= REFERENCE_CHARS_MIN && !says_nothing).then_some(reference)
}

fn digest(kind: IdentityKind, parts: &[String], ordinal: u64) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(match kind {
        IdentityKind::Reference => &b"opencoin bank line by reference"[..],
        IdentityKind::CamtContent | IdentityKind::TableContent => b"opencoin bank line by content",
    });
    hash.update(ordinal.to_be_bytes());
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Direction;

    fn line() -> BankLineContent {
        BankLineContent {
            account: "DE89370400440532013000".into(),
            day: "2026-05-04".parse().unwrap(),
            direction: Direction::Credit,
            currency: "EUR".into(),
            amount: "12.50".into(),
            party: "Alice Meyer".into(),
            party_account: "GB29NWBK60161331926819".into(),
            text: "Rent for May OC-ALICE-OA".into(),
            bank_reference: String::new(),
            end_to_end_id: "NOTPROVIDED".into(),
        }
    }

    fn ids(lines: &[BankLineContent]) -> Vec<BankLineId> {
        let mut identities = Identities::default();
        let id = |line| identities.next(line, IdentityKind::CamtContent).0;
        lines.iter().map(id).collect()
    }

    #[test]
    fn equal_lines_of_one_file_are_two_and_those_of_two_files_are_the_same() {
        let first = ids(&[line(), line()]);
        assert_ne!(first[0], first[1]);
        assert_eq!(ids(&[line(), line()]), first);
        assert_eq!(ids(&[line()]), first[..1]);
    }

    #[test]
    fn whatever_a_line_says_is_in_its_identity() {
        let changes: [fn(&mut BankLineContent); 9] = [
            |line| line.account = "GB29NWBK60161331926819".into(),
            |line| line.day = "2026-05-05".parse().unwrap(),
            |line| line.direction = Direction::Debit,
            |line| line.currency = "USD".into(),
            |line| line.amount = "12.51".into(),
            |line| line.party = "Bob".into(),
            |line| line.party_account = String::new(),
            |line| line.text.push('!'),
            |line| line.end_to_end_id = "1".into(),
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut other = line();
            change(&mut other);
            assert_ne!(ids(&[other]), ids(&[line()]), "change {number}");
        }
        let mut spaced = line();
        spaced.text = "rent for\nMay  OC-ALICE-OA".into();
        assert_eq!(ids(&[spaced]), ids(&[line()]), "banks change spaces and case");
    }

    #[test]
    fn a_reference_of_the_bank_identifies_alone() {
        let with = |reference: &str, text: &str| BankLineContent {
            bank_reference: reference.into(),
            text: text.into(),
            ..line()
        };
        assert_eq!(
            ids(&[with("2026050400017", "a")]),
            ids(&[with("2026 0504 00017", "b")])
        );
        assert_ne!(
            ids(&[with("2026050400017", "a")]),
            ids(&[with("2026050400018", "a")])
        );
        for reference in [
            "",
            "17",
            "NONREF",
            "NOTPROVIDED",
            "NOT PROVIDED",
            "0000000000",
            "----------",
        ] {
            let (one, other) = (with(reference, "a"), with(reference, "b"));
            assert_ne!(ids(&[one]), ids(&[other]), "{reference:?} is no reference");
        }
    }

    #[test]
    fn ids_are_written_and_read() {
        let id = ids(&[line()])[0];
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "0", &"g".repeat(32), &"A".repeat(32), &"ä".repeat(16)] {
            assert_eq!(text.parse::<BankLineId>(), Err(BankLineIdError), "{text}");
        }
    }

    /// Identities are in the books of operators: another way to make them would book old statements again.
    #[test]
    fn identities_stay_as_they_are() {
        let by_reference = BankLineContent {
            bank_reference: "2026050400017".into(),
            ..line()
        };
        let shown: Vec<_> = ids(&[line(), line(), by_reference])
            .iter()
            .map(ToString::to_string)
            .collect();
        let expected = [
            "0921ac0ae3ba15b7e2c30c268bd58f64",
            "a92d028abe73dfcffd75e1f0b9a36b5b",
            "062ee1c33871686d547a1fc3163a5d96",
        ];
        assert_eq!(shown, expected);
    }
}
