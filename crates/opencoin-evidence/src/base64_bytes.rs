//! Leaves and hashes in files of evidence.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opencoin_log::hash::{HASH_BYTES, Hash};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Bytes that are written as base64, with padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base64Bytes(pub(crate) Vec<u8>);

impl Base64Bytes {
    /// Returns the hash; `None` if the bytes are of another length.
    pub(crate) fn hash(&self) -> Option<Hash> {
        let bytes: [u8; HASH_BYTES] = self.0.as_slice().try_into().ok()?;
        Some(Hash::new(bytes))
    }

    pub(crate) fn of_hashes(hashes: &[Hash]) -> Vec<Self> {
        hashes.iter().copied().map(Self::from).collect()
    }

    /// Returns the hashes; `None` if one of them has another length.
    pub(crate) fn hashes(list: &[Self]) -> Option<Vec<Hash>> {
        list.iter().map(Self::hash).collect()
    }
}

impl From<Hash> for Base64Bytes {
    fn from(hash: Hash) -> Self {
        Self(hash.as_bytes().to_vec())
    }
}

impl Serialize for Base64Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(de::Error::custom)
    }
}
