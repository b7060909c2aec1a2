//! Names of keys.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The longest name in bytes: ML-DSA cosignatures write its length in one byte.
pub const KEY_NAME_BYTES_MAX: usize = 255;

/// The name of a key: a URL without scheme, by convention. A log's key has the log's origin as its name.
///
/// It is not empty and has no white space, no control character and no `+`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

/// The text is not the name of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a key name: 1 to {KEY_NAME_BYTES_MAX} bytes without white space, control characters and `+`")]
pub struct KeyNameError;

impl KeyName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = KeyNameError;

    fn from_str(text: &str) -> Result<Self, KeyNameError> {
        let is_refused =
            |character: char| character.is_whitespace() || character.is_control() || character == '+';
        if text.is_empty() || text.len() > KEY_NAME_BYTES_MAX || text.contains(is_refused) {
            return Err(KeyNameError);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
