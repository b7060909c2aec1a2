//! All mint keys of the log at the end of a batch.
//!
//! The batch leaf has the tree hash over their fingerprints. A list that gives this hash is the right one, and its length
//! is the number of keys, which are numbered 1, 2, 3 ...

use opencoin_log::digest::{DIGEST_BYTES, KeyFingerprint};
use opencoin_log::hash::{Hash, leaf_hash};
use opencoin_log::tree;
use serde::{Deserialize, Serialize};

use crate::base64_bytes::Base64Bytes;
use crate::error::{EvidenceError, fails};

/// The fingerprints, in ascending order, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct KeyList(Base64Bytes);

impl KeyList {
    pub(crate) fn new(mut fingerprints: Vec<KeyFingerprint>) -> Self {
        fingerprints.sort_unstable();
        let bytes = fingerprints
            .iter()
            .flat_map(|fingerprint| *fingerprint.as_bytes());
        Self(Base64Bytes(bytes.collect()))
    }

    /// Returns the fingerprints, if these are all that are under the root.
    pub(crate) fn verify(&self, keys_root: &Hash) -> Result<Vec<KeyFingerprint>, EvidenceError> {
        let (fingerprints, []) = self.0.0.as_chunks::<DIGEST_BYTES>() else {
            return Err(fails("the list of mint keys cannot be read"));
        };
        let fingerprints: Vec<_> = fingerprints.iter().copied().map(KeyFingerprint::new).collect();
        if keys_root_of(&fingerprints) == *keys_root {
            Ok(fingerprints)
        } else {
            Err(fails("the mint keys are not those of the batch leaf"))
        }
    }
}

/// The tree hash over fingerprints.
pub(crate) fn keys_root_of(fingerprints: &[KeyFingerprint]) -> Hash {
    let hashes = fingerprints
        .iter()
        .map(|fingerprint| leaf_hash(fingerprint.as_bytes()));
    tree::root(&hashes.collect::<Vec<_>>())
}
