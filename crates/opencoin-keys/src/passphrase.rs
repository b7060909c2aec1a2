//! The passphrase that private keys are encrypted with.

use std::fmt;

use zeroize::Zeroizing;

/// A passphrase. Erased from memory when dropped, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(Zeroizing<String>);

/// There is nothing in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the passphrase is empty")]
pub struct EmptyPassphrase;

impl Passphrase {
    /// The text without the line's end that an editor or `echo` puts after it.
    ///
    /// # Errors
    /// When nothing is left.
    pub fn new(text: Zeroizing<String>) -> Result<Self, EmptyPassphrase> {
        let trimmed = text.trim_end_matches(['\r', '\n']);
        if trimmed.is_empty() {
            Err(EmptyPassphrase)
        } else {
            Ok(Self(Zeroizing::new(trimmed.to_owned())))
        }
    }

    /// The text, for those that want it so.
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
