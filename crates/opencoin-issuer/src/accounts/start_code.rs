//! Start codes: with one, a holder sets the first password without help.
//!
//! A code has twelve characters of Crockford's base 32, which are easy to read aloud and to type: 60 random bits. It is
//! stored like a password and guesses of it are counted like those of passwords.

use std::fmt;

use zeroize::Zeroizing;

use opencoin_api::START_CODE_CHARS;

use super::password::NewPassword;
use super::random::Random;

/// How many days a start code can be used.
pub const START_CODE_DAYS: i64 = 14;

/// Crockford's base 32: without I, L, O and U.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// The characters between two hyphens.
const GROUP: usize = 4;

/// A code with which a holder sets the first password.
#[derive(Clone)]
pub struct StartCode(Zeroizing<String>);

impl StartCode {
    pub(crate) fn generate(random: &Random) -> Self {
        // A byte modulo 32 is even, because 256 is a multiple of 32.
        let bytes = Zeroizing::new(random.bytes::<START_CODE_CHARS>());
        let digit = |byte: &u8| char::from(DIGITS[usize::from(byte % 32)]);
        Self(Zeroizing::new(bytes.iter().map(digit).collect()))
    }

    /// The code that a holder has typed: in any case, with hyphens and spaces, and with the letters that look like
    /// digits. `None` if it cannot be a code.
    #[must_use]
    pub fn read(typed: &str) -> Option<Self> {
        let mut code = Zeroizing::new(String::with_capacity(START_CODE_CHARS));
        for character in typed.chars().filter(|character| !matches!(character, '-' | ' ')) {
            let digit = match character.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            if code.len() == START_CODE_CHARS || !digit.is_ascii() || !DIGITS.contains(&(digit as u8)) {
                return None;
            }
            code.push(digit);
        }
        (code.len() == START_CODE_CHARS).then_some(Self(code))
    }

    /// The code for people, in groups of four, to be shown once and not stored.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        let groups: Vec<&str> = (0..START_CODE_CHARS)
            .step_by(GROUP)
            .map(|at| &self.0[at..at + GROUP])
            .collect();
        Zeroizing::new(groups.join("-"))
    }

    /// What is hashed and verified.
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    pub(crate) fn as_password(&self) -> NewPassword {
        NewPassword::new(&self.0).expect("a code is as long as a password")
    }
}

impl fmt::Debug for StartCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("StartCode(..)")
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let read = |text: &str| StartCode::read(text).map(|code| code.expose().to_string());
        let shown = Some("7K3M-Q9TW-X2RD".to_owned());
        for typed in ["7K3M-Q9TW-X2RD", "7k3mq9twx2rd", " 7K3M Q9TW X2RD "] {
            assert_eq!(read(typed), shown, "{typed}");
        }
        assert_eq!(read("oO0iIlL1-2222").as_deref(), Some("0001-1111-2222"));
        for wrong in [
            "",
            "7K3M-Q9TW-X2R",
            "7K3M-Q9TW-X2RDA",
            "7K3M-Q9TW-X2RU",
            "7K3M-Q9TW-X2R\u{e9}",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_new_code_can_be_read_and_debug_hides_it() {
        let random = Random::new(Box::new(StdRng::seed_from_u64(7)));
        let (code, other) = (StartCode::generate(&random), StartCode::generate(&random));
        let shown = code.expose();
        assert_eq!(shown.len(), START_CODE_CHARS + 2);
        assert_eq!(StartCode::read(&shown).unwrap().text(), code.text());
        assert_ne!(code.text(), other.text());
        assert_eq!(format!("{code:?}"), "StartCode(..)");
    }
}
