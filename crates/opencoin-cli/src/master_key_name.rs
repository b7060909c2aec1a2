//! The name of a master key on the command line.

use std::str::FromStr;

/// The most hex digits of an id, which is a SHA-1 without leading zeros.
const ID_DIGITS_MAX: usize = 40;
/// The hex digits of a fingerprint, which is a SHA-256.
const FINGERPRINT_DIGITS: usize = 64;

/// An id or a fingerprint, in lower-case hex.
#[derive(Debug, Clone)]
pub(crate) struct MasterKeyName(String);

impl MasterKeyName {
    pub(crate) fn is_of(&self, id: &str, fingerprint: &str) -> bool {
        self.0 == id || self.0 == fingerprint
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MasterKeyName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hex = text.to_ascii_lowercase();
        let is_hex = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        let has_length = (1..=ID_DIGITS_MAX).contains(&hex.len()) || hex.len() == FINGERPRINT_DIGITS;
        if is_hex && has_length {
            Ok(Self(hex))
        } else {
            Err(format!(
                "an id has at most {ID_DIGITS_MAX} hex digits, a fingerprint {FINGERPRINT_DIGITS}"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_key_is_named_by_id_or_fingerprint() {
        let (id, fingerprint) = ("ab".repeat(20), "0f".repeat(32));
        for name in ["Ab".repeat(20), "0f".repeat(32)] {
            assert!(name.parse::<MasterKeyName>().unwrap().is_of(&id, &fingerprint));
        }
        assert!(!"ab".parse::<MasterKeyName>().unwrap().is_of(&id, &fingerprint));
        for bad in ["", "xy", &"0g".repeat(20), &"ab".repeat(21)] {
            assert!(bad.parse::<MasterKeyName>().is_err(), "{bad}");
        }
    }
}
