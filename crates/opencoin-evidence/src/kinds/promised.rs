//! A leaf of a request, and the promise that it would be in the log.

use opencoin_log::hash::leaf_hash;
use opencoin_log::leaf::Leaf;
use opencoin_log::promise::{LeafPath, Promise};
use opencoin_schema::Cddc;
use serde::{Deserialize, Serialize};

use crate::base64_bytes::Base64Bytes;
use crate::error::{EvidenceError, fails};
use crate::keys::LogKeys;

/// One leaf of a promise, and nothing of the request's other leaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShownPromise {
    /// As in the header of the answer.
    promise: String,
    leaf: Base64Bytes,
    /// The place of the leaf in its request.
    index: u32,
    /// The number of leaves in the request.
    count: u32,
    /// From the leaf to the root of the request.
    path: Vec<Base64Bytes>,
    /// The description that names the promise key, if it is another one than that of the log's keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cdd: Option<Box<Cddc>>,
}

/// A promise that was verified for a leaf.
pub(super) struct VerifiedPromise<'claim> {
    pub(super) promise: Promise,
    pub(super) leaf: &'claim [u8],
    /// The last batch that may have the leaf.
    pub(super) last_batch: u64,
    /// What the leaf says, for people.
    pub(super) what: &'static str,
}

impl ShownPromise {
    /// `path` leads from the leaf to the root of its request. `cdd` is the description that names the promise key, if the
    /// evidence has another one.
    #[must_use]
    pub fn new(promise: &Promise, leaf: Vec<u8>, path: &LeafPath, cdd: Option<Cddc>) -> Self {
        Self {
            promise: promise.to_string(),
            leaf: Base64Bytes(leaf),
            index: path.index,
            count: path.count,
            path: Base64Bytes::of_hashes(&path.path),
            cdd: cdd.map(Box::new),
        }
    }

    /// Verifies that the leaf was promised.
    pub(super) fn verify(&self, keys: &LogKeys) -> Result<VerifiedPromise<'_>, EvidenceError> {
        let of_promise = self.cdd.as_deref().map(LogKeys::of).transpose()?;
        if let Some(other) = &of_promise
            && (other.cddc.master_key() != keys.cddc.master_key()
                || other.block.origin() != keys.block.origin())
        {
            return Err(fails("the promise is of another currency or log"));
        }
        let block = of_promise.as_ref().map_or(&keys.block, |keys| &keys.block);
        let promise: Promise = self
            .promise
            .parse()
            .map_err(|_| fails("the promise cannot be read"))?;
        let what = match Leaf::decode(&self.leaf.0) {
            Ok(Leaf::Issued { .. }) => "a blinded coin that was accepted for signing",
            Ok(Leaf::Spent { .. }) => "a coin that came back",
            Ok(Leaf::KeyIntroduced(_)) => "the introduction of a key account",
            Ok(Leaf::KeyPaid(_)) => "a payment by a key",
            Ok(_) | Err(_) => return Err(fails("the leaf is not one that is promised")),
        };
        let path = LeafPath {
            index: self.index,
            count: self.count,
            path: Base64Bytes::hashes(&self.path).ok_or_else(|| fails("the path is not of hashes"))?,
        };
        let (origin, hash) = (block.origin().as_str(), leaf_hash(&self.leaf.0));
        promise
            .verify_leaf(block.promise_key(), origin, &hash, &path)
            .map_err(|error| fails(error.to_string()))?;
        Ok(VerifiedPromise {
            last_batch: *promise.batches(block.batches()).end(),
            promise,
            leaf: &self.leaf.0,
            what,
        })
    }
}
