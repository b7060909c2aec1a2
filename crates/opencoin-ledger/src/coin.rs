//! Coins that come back, as the books know them: a mint key and a payload hash, nothing else.
//!
//! A coin is known by its payload hash and not by its serial: two spellings of one serial are one coin, and
//! whatever verifies as the same signed message counts once.

use std::fmt;

use crate::MintKeyId;

/// The longest payload hash in bytes: a SHA-384.
pub const PAYLOAD_HASH_BYTES_MAX: usize = 48;

/// The hash that a coin's signature covers, in the one canonical width of its cipher suite.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PayloadHash {
    bytes: [u8; PAYLOAD_HASH_BYTES_MAX], // zero after `len`, so that the derived order and equality hold
    len: u8,
}

/// The hash has no bytes or too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a payload hash has 1 to {PAYLOAD_HASH_BYTES_MAX} bytes")]
pub struct PayloadHashError;

impl PayloadHash {
    /// The hash with these bytes, kept as they are: the caller passes the full digest of the coin's cipher
    /// suite.
    ///
    /// # Errors
    /// There are no bytes, or more than [`PAYLOAD_HASH_BYTES_MAX`].
    pub fn new(hash: &[u8]) -> Result<Self, PayloadHashError> {
        if hash.is_empty() || hash.len() > PAYLOAD_HASH_BYTES_MAX {
            return Err(PayloadHashError);
        }
        let mut bytes = [0; PAYLOAD_HASH_BYTES_MAX];
        bytes[..hash.len()].copy_from_slice(hash);
        let len = hash.len() as u8; // at most PAYLOAD_HASH_BYTES_MAX
        Ok(Self { bytes, len })
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Debug for PayloadHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PayloadHash(..)")
    }
}

/// A coin that its owner hands in. The caller has verified its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CoinIn {
    /// The key that signed it, and so its value.
    pub mint_key: MintKeyId,
    /// What the signature covers.
    pub payload_hash: PayloadHash,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_of_different_width_differ() {
        let short = PayloadHash::new(&[7]).unwrap();
        let long = PayloadHash::new(&[7, 0]).unwrap();
        assert_ne!(short, long);
        assert_eq!(short.as_bytes(), [7]);
        assert_eq!(long.as_bytes(), [7, 0]);
    }

    #[test]
    fn a_hash_has_bounds_and_is_not_printed() {
        assert!(PayloadHash::new(&[1; PAYLOAD_HASH_BYTES_MAX]).is_ok());
        assert_eq!(PayloadHash::new(&[]), Err(PayloadHashError));
        assert_eq!(
            PayloadHash::new(&[1; PAYLOAD_HASH_BYTES_MAX + 1]),
            Err(PayloadHashError)
        );
        assert_eq!(
            format!("{:?}", PayloadHash::new(&[1]).unwrap()),
            "PayloadHash(..)"
        );
    }
}
