//! International bank account numbers (ISO 13616) and identifiers of banks (ISO 9362).

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The length of an IBAN in each country of the registry that uses them, in characters.
const LENGTHS: [(&str, usize); 82] = [
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NL", 18),
    ("NO", 15),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("SA", 24),
    ("SC", 31),
    ("SD", 18),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("VG", 24),
    ("XK", 20),
    ("BI", 27),
    ("DJ", 27),
    ("SO", 23),
];

/// The number of an account at a bank, with a right check.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Iban(String);

/// Why a text is not an IBAN.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IbanError {
    /// It has another form.
    #[error(
        "an IBAN has two letters, two digits, and then letters and digits, such as DE89 3704 0044 0532 0130 00"
    )]
    Form,
    /// No country has these letters.
    #[error("no country with IBANs has the letters {0}")]
    Country(String),
    /// It is too short or too long for its country.
    #[error("an IBAN of {country} has {wanted} characters, but this one has {found}")]
    Length {
        /// The country's letters.
        country: String,
        /// The length in that country.
        wanted: usize,
        /// The length of the text, without spaces.
        found: usize,
    },
    /// The two check digits are not those of the rest.
    #[error("the check digits of the IBAN are wrong, so a character is wrong or two are swapped")]
    Check,
}

impl Iban {
    /// The number without spaces.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number in groups of four, as people read it.
    #[must_use]
    pub fn grouped(&self) -> String {
        let characters: Vec<char> = self.0.chars().collect();
        let groups: Vec<String> = characters.chunks(4).map(|group| group.iter().collect()).collect();
        groups.join(" ")
    }

    /// The length of an IBAN that begins with these two letters.
    pub(crate) fn length_in(country: &str) -> Option<usize> {
        LENGTHS
            .iter()
            .find(|(letters, _)| *letters == country)
            .map(|(_, length)| *length)
    }
}

impl FromStr for Iban {
    type Err = IbanError;

    fn from_str(text: &str) -> Result<Self, IbanError> {
        let number: String = text
            .chars()
            .filter(|character| !character.is_whitespace())
            .map(|character| character.to_ascii_uppercase())
            .collect();
        let bytes = number.as_bytes();
        let is_form = bytes.len() > 4
            && bytes.iter().all(u8::is_ascii_alphanumeric)
            && bytes[..2].iter().all(u8::is_ascii_uppercase)
            && bytes[2..4].iter().all(u8::is_ascii_digit);
        if !is_form {
            return Err(IbanError::Form);
        }
        let country = &number[..2];
        let wanted = Self::length_in(country).ok_or_else(|| IbanError::Country(country.to_owned()))?;
        if bytes.len() != wanted {
            return Err(IbanError::Length {
                country: country.to_owned(),
                wanted,
                found: bytes.len(),
            });
        }
        let rest = number[4..]
            .chars()
            .chain(number[..4].chars())
            .fold(0, |rest, character| {
                let value = character
                    .to_digit(36)
                    .expect("every character is a letter or digit");
                (rest * if value < 10 { 10 } else { 100 } + value) % 97
            });
        if rest != 1 || !("02".."99").contains(&&number[2..4]) {
            return Err(IbanError::Check);
        }
        Ok(Self(number))
    }
}

/// In groups of four.
impl fmt::Display for Iban {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.grouped())
    }
}

/// The identifier of a bank: `COBADEFFXXX`. It has no check.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bic(String);

/// The text is not a BIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a BIC has 8 or 11 capital letters and digits, of which the fifth and sixth are the letters of a country"
)]
pub struct BicError;

impl Bic {
    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Bic {
    type Err = BicError;

    fn from_str(text: &str) -> Result<Self, BicError> {
        let bytes = text.as_bytes();
        let is_digit = |byte: &u8| byte.is_ascii_digit() || byte.is_ascii_uppercase();
        let fits = matches!(bytes.len(), 8 | 11)
            && bytes.iter().all(is_digit)
            && bytes[4..6].iter().all(u8::is_ascii_uppercase);
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(BicError)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn examples_of_the_registry_are_accepted() {
        for text in [
            "DE89370400440532013000",
            "GB29 NWBK 6016 1331 9268 19",
            "fr14 2004 1010 0505 0001 3m02 606",
            "NL91 ABNA 0417 1643 00",
            "NO93 8601 1117 947",
            "MT84MALT011000012345MTLCAST001S",
            "CH93 0076 2011 6238 5295 7",
        ] {
            let iban: Iban = text.parse().unwrap();
            assert_eq!(iban.grouped().parse(), Ok(iban));
        }
        assert_eq!(
            "DE89370400440532013000".parse::<Iban>().unwrap().to_string(),
            "DE89 3704 0044 0532 0130 00"
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = |text: &str| text.parse::<Iban>().unwrap_err();
        assert_eq!(error(""), IbanError::Form);
        assert_eq!(error("alice at the bank"), IbanError::Form);
        assert_eq!(error("DE8937040044053201300Ä"), IbanError::Form);
        assert_eq!(error("ZZ89370400440532013000"), IbanError::Country("ZZ".into()));
        assert_eq!(
            error("DE8937040044053201300").to_string(),
            "an IBAN of DE has 22 characters, but this one has 21"
        );
        assert_eq!(error("DE88370400440532013000"), IbanError::Check);
        assert_eq!(error("DE98370400440532013000"), IbanError::Check);
        // Numbers whose check digits would be 00, 01 or 99 have another, right one.
        assert_eq!(error("DE00370400440532013000"), IbanError::Check);
    }

    #[test]
    fn each_country_is_named_once() {
        let mut letters: Vec<_> = LENGTHS.iter().map(|(letters, _)| letters).collect();
        letters.sort_unstable();
        letters.dedup();
        assert_eq!(letters.len(), LENGTHS.len());
    }

    #[test]
    fn bics_have_their_form() {
        for text in ["COBADEFF", "COBADEFFXXX", "1234DE5F"] {
            assert_eq!(text.parse::<Bic>().unwrap().as_str(), text);
        }
        for text in ["", "COBADEF", "COBADEFFX", "cobadeff", "COBA12FF", "COBADEFFXXÄ"] {
            assert_eq!(text.parse::<Bic>(), Err(BicError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn one_wrong_digit_is_found(at in 2_usize..22, digit in 0_u8..10) {
            let right = "DE89370400440532013000";
            let mut wrong = right.to_owned();
            wrong.replace_range(at..=at, &digit.to_string());
            prop_assert_eq!(wrong.parse::<Iban>().is_ok(), wrong == right);
        }

        #[test]
        fn any_text_is_an_iban_or_not(text in any::<String>()) {
            let _ = text.parse::<Iban>();
            let _ = text.parse::<Bic>();
        }
    }
}
