//! The key of an account.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use curve25519_dalek::edwards::CompressedEdwardsY;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use crate::encoding::from_hex;
use crate::key::{ED25519_KEY_BYTES, ED25519_SIGNATURE_BYTES};

/// An Ed25519 public key that an account can have. As text, it has 64 lower-case hex digits.
///
/// Its point is in the subgroup of prime order and is encoded as RFC 8032 section 5.1.2 says. Libraries disagree about
/// signatures of all other keys, and some keys accept one signature for every message. [`new`](Self::new), `FromStr` and
/// an introduction check this. JSON does not, because only an introduced key has an account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountKey([u8; ED25519_KEY_BYTES]);

/// The bytes or the text are no key of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AccountKeyError {
    /// The text is not hex, or has another length.
    #[error("not {} lower-case hex digits", 2 * ED25519_KEY_BYTES)]
    Hex,
    /// The bytes are not a point, or have another spelling.
    #[error("not a canonical Ed25519 public key")]
    NotCanonical,
    /// The point is not in the subgroup of prime order.
    #[error("a weak Ed25519 public key")]
    Weak,
}

impl AccountKey {
    /// The key with these bytes.
    ///
    /// # Errors
    /// They are not a canonical public key, or the key is weak.
    pub fn new(bytes: [u8; ED25519_KEY_BYTES]) -> Result<Self, AccountKeyError> {
        let compressed = CompressedEdwardsY(bytes);
        let point = compressed.decompress().ok_or(AccountKeyError::NotCanonical)?;
        if point.compress() != compressed {
            return Err(AccountKeyError::NotCanonical);
        }
        if point.is_small_order() || !point.is_torsion_free() {
            return Err(AccountKeyError::Weak);
        }
        Ok(Self(bytes))
    }

    /// The key with these bytes, which [`new`](Self::new) has accepted before. For stored keys: the check takes as long as
    /// a signature.
    #[must_use]
    pub const fn of_stored(bytes: [u8; ED25519_KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// As [`of_stored`](Self::of_stored), from 64 lower-case hex digits; `None` for any other text.
    #[must_use]
    pub fn of_stored_text(text: &str) -> Option<Self> {
        from_hex(text).map(Self)
    }

    /// The bytes of the key.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; ED25519_KEY_BYTES] {
        &self.0
    }

    /// Whether this is the key's signature of the message: RFC 8032 section 5.1.7, without the cofactor, with a
    /// canonical signature.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8; ED25519_SIGNATURE_BYTES]) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, self.0);
        key.verify(message, signature).is_ok()
    }
}

impl FromStr for AccountKey {
    type Err = AccountKeyError;

    fn from_str(text: &str) -> Result<Self, AccountKeyError> {
        Self::new(from_hex(text).ok_or(AccountKeyError::Hex)?)
    }
}

impl fmt::Display for AccountKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&const_hex::encode(self.0))
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "AccountKey({self})")
    }
}

impl Serialize for AccountKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AccountKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        from_hex(&text)
            .map(Self)
            .ok_or_else(|| de::Error::custom(AccountKeyError::Hex))
    }
}
