//! Short text written by people: payment references, and why a mint key was stopped.

use opencoin_text::is_misleading;

/// The maximum length of a payment reference or stop reason, in characters.
pub const TEXT_CHARS_MAX: usize = 200;

/// The text is empty, longer than [`TEXT_CHARS_MAX`] characters, or has a character that controls a terminal
/// or the direction of text ([`is_misleading`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {TEXT_CHARS_MAX} characters, without control characters and changes of direction")]
pub struct TextError;

macro_rules! short_text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks the text and keeps it unchanged.
            ///
            /// # Errors
            /// The text is empty, too long, or has a misleading character.
            pub fn new(text: impl Into<String>) -> Result<Self, TextError> {
                let text = text.into();
                let chars = text.chars().count();
                if chars == 0 || chars > TEXT_CHARS_MAX || text.chars().any(is_misleading) {
                    return Err(TextError);
                }
                Ok(Self(text))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = TextError;

            fn from_str(text: &str) -> Result<Self, TextError> {
                Self::new(text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

short_text! {
    /// The operator's reference of a payment in or out, for example the number of a bank statement. One
    /// reference moves money once. The type also holds the label of a transfer, and the destination and
    /// settlement of a payout.
    Reference
}

short_text! {
    /// Why a mint key was stopped. Operators and auditors read it.
    StopReason
}

impl StopReason {
    /// The reason when the ledger itself stops a key: a coin was forged or the key was stolen.
    #[must_use]
    pub fn over_redemption() -> Self {
        Self("more coins came back than were signed".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_short_and_printable() {
        assert!(Reference::new("statement 7/2026, line 3").is_ok());
        assert!(Reference::new("x".repeat(TEXT_CHARS_MAX)).is_ok());
        assert!(Reference::new("").is_err());
        assert!(Reference::new("x".repeat(TEXT_CHARS_MAX + 1)).is_err());
        assert!(Reference::new("two\nlines").is_err());
        assert!(
            Reference::new("invoice \u{202e}fdp.exe").is_err(),
            "a direction override hides the real text"
        );
        assert!(
            Reference::new("نامه\u{200c}ها").is_ok(),
            "some scripts need a joiner"
        );
        assert!(StopReason::new(StopReason::over_redemption().as_str()).is_ok());
    }
}
