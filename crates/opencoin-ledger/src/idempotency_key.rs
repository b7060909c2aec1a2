//! The key that makes a transfer or payout happen only once.

/// A holder's value that identifies a transfer or payout: 1 to 64 visible ASCII characters, unique within the
/// account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The maximum length, in characters.
    pub const CHARS_MAX: usize = 64;

    /// The key with this text.
    ///
    /// # Errors
    /// The text is empty, too long, or has characters other than visible ASCII.
    pub fn new(text: impl Into<String>) -> Result<Self, IdempotencyKeyError> {
        let text = text.into();
        let fits = (1..=Self::CHARS_MAX).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text))
        } else {
            Err(IdempotencyKeyError)
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is not an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an idempotency key has 1 to {} visible ASCII characters",
    IdempotencyKey::CHARS_MAX
)]
pub struct IdempotencyKeyError;
