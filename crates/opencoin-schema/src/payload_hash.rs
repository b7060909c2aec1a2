//! The hash that identifies a coin among those of its mint key.

use std::fmt;

use thiserror::Error;

/// The longest payload hash, in bytes: a SHA-384.
pub const PAYLOAD_HASH_BYTES_MAX: usize = 48;

/// The hash of a coin's payload, which identifies the coin among those of its mint key: 20 or 48 bytes, depending on
/// the cipher suite. All spellings of one payload (`"00AB"` and `"ab"` as its serial) have the same hash.
///
/// `Debug` hides the bytes, because in a log they would tie a coin to a request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PayloadHash {
    /// Zero after `length_bytes`, so that the derived order and equality are right.
    bytes: [u8; PAYLOAD_HASH_BYTES_MAX],
    length_bytes: u8,
}

/// The hash has no bytes or too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a payload hash has 1 to {PAYLOAD_HASH_BYTES_MAX} bytes")]
pub struct PayloadHashError;

impl PayloadHash {
    /// The hash with these bytes, in the width of the coin's cipher suite.
    ///
    /// # Errors
    /// There are no bytes, or more than [`PAYLOAD_HASH_BYTES_MAX`].
    pub fn new(hash: &[u8]) -> Result<Self, PayloadHashError> {
        if hash.is_empty() || hash.len() > PAYLOAD_HASH_BYTES_MAX {
            return Err(PayloadHashError);
        }
        let mut bytes = [0; PAYLOAD_HASH_BYTES_MAX];
        bytes[..hash.len()].copy_from_slice(hash);
        let length_bytes = hash.len() as u8; // at most PAYLOAD_HASH_BYTES_MAX
        Ok(Self { bytes, length_bytes })
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length_bytes)]
    }
}

impl fmt::Debug for PayloadHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PayloadHash(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_keeps_its_width_has_bounds_and_is_not_printed() {
        let [short, long] = [&[7][..], &[7, 0]].map(|bytes| PayloadHash::new(bytes).unwrap());
        assert_ne!(short, long);
        assert_eq!((short.as_bytes(), long.as_bytes()), (&[7][..], &[7, 0][..]));
        assert_eq!(format!("{short:?}"), "PayloadHash(..)");
        assert!(PayloadHash::new(&[1; PAYLOAD_HASH_BYTES_MAX]).is_ok());
        for refused in [&[][..], &[1; PAYLOAD_HASH_BYTES_MAX + 1]] {
            assert_eq!(PayloadHash::new(refused), Err(PayloadHashError));
        }
    }
}
