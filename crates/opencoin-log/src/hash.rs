//! The hashes of the tree: SHA-256 with one prefix for leaves and another for inner nodes.
//!
//! The prefixes keep an inner node from being presented as a leaf. Source: RFC 6962 section 2.1.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::encoding::{from_base64, from_hex, to_base64};

/// The length of a hash in bytes.
pub const HASH_BYTES: usize = 32;

const LEAF_PREFIX: [u8; 1] = [0];
const NODE_PREFIX: u8 = 1;

/// A SHA-256: of a leaf, of a node, or of anything else that this crate hashes.
///
/// `Display`, `FromStr` and JSON use lower-case hex. Notes and proofs use base64 instead.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; HASH_BYTES]);

/// The text is not a hash of 32 bytes in hex or base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a hash of {HASH_BYTES} bytes")]
pub struct HashError;

impl Hash {
    /// The root of the tree without leaves: the hash of no bytes.
    pub const EMPTY_TREE: Self = Self([
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
        0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
    ]);

    /// The hash with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; HASH_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; HASH_BYTES] {
        &self.0
    }

    /// Base64, as notes and proofs write it: 44 characters.
    #[must_use]
    pub fn to_base64(&self) -> String {
        to_base64(&self.0)
    }

    /// Reads base64 strictly.
    ///
    /// # Errors
    /// The text is not the base64 of 32 bytes.
    pub fn from_base64(text: &str) -> Result<Self, HashError> {
        let bytes = from_base64(text).ok_or(HashError)?;
        bytes.try_into().map(Self).map_err(|_| HashError)
    }
}

/// The hash of an entry: H(0x00 || entry).
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Hash(
        Sha256::new()
            .chain_update(LEAF_PREFIX)
            .chain_update(entry)
            .finalize()
            .into(),
    )
}

/// The hash of an inner node: H(0x01 || left || right).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    // In one piece it is hashed faster than in three.
    let mut node = [NODE_PREFIX; 1 + 2 * HASH_BYTES];
    node[1..=HASH_BYTES].copy_from_slice(&left.0);
    node[1 + HASH_BYTES..].copy_from_slice(&right.0);
    Hash(Sha256::digest(node).into())
}

impl FromStr for Hash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        from_hex(text).map(Self).ok_or(HashError)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&const_hex::encode(self.0))
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Hash({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_hash_of_no_bytes_is_the_empty_tree() {
        assert_eq!(Hash(Sha256::digest([]).into()), Hash::EMPTY_TREE);
    }

    proptest! {
        #[test]
        fn a_hash_is_the_same_after_writing_and_reading(bytes: [u8; HASH_BYTES]) {
            let hash = Hash::new(bytes);
            prop_assert_eq!(hash.to_string().parse(), Ok(hash));
            prop_assert_eq!(Hash::from_base64(&hash.to_base64()), Ok(hash));
        }
    }
}
