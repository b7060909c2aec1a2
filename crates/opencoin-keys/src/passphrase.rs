//! The passphrase that encrypts private keys.

use std::fmt;

use zeroize::Zeroizing;

/// A passphrase. Erased from memory when dropped and hidden in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(Zeroizing<String>);

/// The passphrase is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the passphrase is empty")]
pub struct EmptyPassphrase;

impl Passphrase {
    /// The text without the newline that an editor or `echo` adds.
    ///
    /// # Errors
    /// When the text is otherwise empty.
    pub fn new(text: Zeroizing<String>) -> Result<Self, EmptyPassphrase> {
        let trimmed = text.trim_end_matches(['\r', '\n']);
        if trimmed.is_empty() {
            Err(EmptyPassphrase)
        } else {
            Ok(Self(Zeroizing::new(trimmed.to_owned())))
        }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &Zeroizing<String> {
        &self.0
    }

    /// The bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Passphrase(..)")
    }
}
