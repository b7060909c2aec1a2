//! Promises: the issuer's signed word that a request's leaves will be in the log soon.
//!
//! Only a promise makes an omission provable, so every answer to an accepted request carries one. One signature serves
//! all requests of a database commit: the leaf hashes of a request form a tree, whose root is one entry of the commit's
//! tree, and the root of that is signed. A holder shows one leaf of a request, with its path, and nothing of the
//! others.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use thiserror::Error;

use crate::encoding::{Reader, from_base64, to_base64};
use crate::hash::{HASH_BYTES, Hash, leaf_hash};
use crate::key::{ED25519_SIGNATURE_BYTES, KeyType, SigningKey, SigningKeyError, VerifierKey};
use crate::tree::{Layers, inclusion_spans, root, root_of_inclusion};

/// The HTTP header that carries a promise.
pub const PROMISE_HEADER: &str = "OpenCoin-Log-Promise";

/// The longest path: a commit has fewer than 2^32 requests.
const PATH_HASHES_MAX: usize = 32;

/// The bytes before the path.
const FIXED_BYTES: usize = 2 * size_of::<u64>() + 3 * size_of::<u32>();

/// The longest promise as text, in bytes.
pub const PROMISE_TEXT_BYTES_MAX: usize =
    (FIXED_BYTES + PATH_HASHES_MAX * HASH_BYTES + ED25519_SIGNATURE_BYTES).div_ceil(3) * 4;

/// The prefix of the signed message.
const DOMAIN: &str = "opencoin.org/log-promise/v1";

/// The promise for one request. As text, it is base64 of its fields in their order, integers big-endian.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Promise {
    /// When it was made, in seconds since 1970.
    pub time: u64,
    /// The earliest batch that the leaves can be in.
    pub batch: u64,
    /// In how many seconds after `time` the last possible batch is published.
    pub within: u32,
    /// The place of the request in its commit.
    pub index: u32,
    /// The number of requests in the commit.
    pub count: u32,
    /// Leads from the request to the root of the commit.
    pub path: Vec<Hash>,
    /// Ed25519 over origin, time, batch, `within` and the root of the commit.
    pub signature: [u8; ED25519_SIGNATURE_BYTES],
}

/// Leads from one leaf of a request to the request's root.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LeafPath {
    /// The place of the leaf in its request.
    pub index: u32,
    /// The number of leaves in the request.
    pub count: u32,
    /// The inclusion proof, the leaf's sibling first.
    pub path: Vec<Hash>,
}

/// A promise cannot be made, is malformed, or promises something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PromiseError {
    /// The text is not a promise, or its path has the wrong length.
    #[error("not a promise")]
    Form,
    /// A commit has 1 to 2^32 - 1 requests.
    #[error("a commit without requests, or with too many")]
    Requests,
    /// The key is not one for promises.
    #[error("not a key for promises")]
    KeyType,
    /// The path of the leaf has the wrong length.
    #[error("not the path of a leaf")]
    LeafPath,
    /// The signature is not the key's signature of this promise.
    #[error("the promise is not signed by the key")]
    Signature,
    /// The library does not sign.
    #[error(transparent)]
    Key(#[from] SigningKeyError),
}

/// The root of a request: the tree hash over its leaf hashes, issued ones first, in the order of blinds and coins.
#[must_use]
pub fn request_root(leaf_hashes: &[Hash]) -> Hash {
    root(leaf_hashes)
}

/// The root of a commit: the tree whose entries are the roots of its requests.
#[must_use]
pub fn commit_root(request_roots: &[Hash]) -> Hash {
    commit_tree(request_roots).root()
}

fn commit_tree(request_roots: &[Hash]) -> Layers {
    Layers::new(
        request_roots
            .iter()
            .map(|root| leaf_hash(root.as_bytes()))
            .collect(),
    )
}

fn message(origin: &str, time: u64, batch: u64, within: u32, commit_root: &Hash) -> Vec<u8> {
    let mut message = format!("{DOMAIN}\n{origin}\n").into_bytes();
    message.extend_from_slice(&time.to_be_bytes());
    message.extend_from_slice(&batch.to_be_bytes());
    message.extend_from_slice(&within.to_be_bytes());
    message.extend_from_slice(commit_root.as_bytes());
    message
}

/// Signs the requests of one commit with one signature, and gives each its promise, in their order.
///
/// `time` is in seconds since 1970, `within` in seconds.
///
/// # Errors
/// There are no requests or too many, the key is not one for promises, or the library fails.
pub fn sign_commit(
    key: &SigningKey,
    origin: &str,
    time: u64,
    batch: u64,
    within: u32,
    request_roots: &[Hash],
) -> Result<Vec<Promise>, PromiseError> {
    let count = u32::try_from(request_roots.len()).map_err(|_| PromiseError::Requests)?;
    if count == 0 {
        return Err(PromiseError::Requests);
    }
    if key.verifier().key_type() != KeyType::Ed25519Promise {
        return Err(PromiseError::KeyType);
    }
    let tree = commit_tree(request_roots);
    let signature = key.sign(&message(origin, time, batch, within, &tree.root()))?;
    let signature = signature.try_into().map_err(|_| SigningKeyError::Signing)?;
    let promise = |index: u32| Promise {
        time,
        batch,
        within,
        index,
        count,
        path: tree.inclusion_proof(index as usize).unwrap_or_default(),
        signature,
    };
    Ok((0..count).map(promise).collect())
}

impl Promise {
    /// The batches of which one has each leaf, when the currency allows `batches` more after the first.
    #[must_use]
    pub const fn batches(&self, batches: u32) -> RangeInclusive<u64> {
        self.batch..=self.batch.saturating_add(batches as u64)
    }

    /// When the last of them is published at the latest, in seconds since 1970.
    #[must_use]
    pub const fn deadline(&self) -> u64 {
        self.time.saturating_add(self.within as u64)
    }

    /// Checks that the promise is for the request with this root, in the log `origin`.
    ///
    /// # Errors
    /// The key is not one for promises, or did not sign this.
    pub fn verify(&self, key: &VerifierKey, origin: &str, request_root: &Hash) -> Result<(), PromiseError> {
        if key.key_type() != KeyType::Ed25519Promise {
            return Err(PromiseError::KeyType);
        }
        let (index, count) = (u64::from(self.index), u64::from(self.count));
        let request = leaf_hash(request_root.as_bytes());
        let commit_root =
            root_of_inclusion(index, count, &request, &self.path).map_err(|_| PromiseError::Form)?;
        let message = message(origin, self.time, self.batch, self.within, &commit_root);
        if key.verifies(&message, &self.signature) {
            Ok(())
        } else {
            Err(PromiseError::Signature)
        }
    }

    /// Checks that the promise is for a request with this leaf, without the request's other leaves.
    ///
    /// # Errors
    /// The path has the wrong length, the key is not one for promises, or did not sign this.
    pub fn verify_leaf(
        &self,
        key: &VerifierKey,
        origin: &str,
        leaf_hash: &Hash,
        path: &LeafPath,
    ) -> Result<(), PromiseError> {
        let (index, count) = (u64::from(path.index), u64::from(path.count));
        let request_root = root_of_inclusion(index, count, leaf_hash, &path.path);
        self.verify(key, origin, &request_root.map_err(|_| PromiseError::LeafPath)?)
    }
}

impl LeafPath {
    /// The path of a leaf of a request; `None` when the request does not have it.
    #[must_use]
    pub fn of(leaf_hashes: &[Hash], index: u32) -> Option<Self> {
        let path = Layers::new(leaf_hashes.to_vec()).inclusion_proof(index as usize)?;
        let count = u32::try_from(leaf_hashes.len()).ok()?;
        Some(Self { index, count, path })
    }
}

impl FromStr for Promise {
    type Err = PromiseError;

    fn from_str(text: &str) -> Result<Self, PromiseError> {
        parse(text).ok_or(PromiseError::Form)
    }
}

fn parse(text: &str) -> Option<Promise> {
    if text.len() > PROMISE_TEXT_BYTES_MAX {
        return None;
    }
    let bytes = from_base64(text)?;
    let mut reader = Reader::new(&bytes);
    let (time, batch) = (reader.u64()?, reader.u64()?);
    let (within, index, count) = (reader.u32()?, reader.u32()?, reader.u32()?);
    let path = inclusion_spans(u64::from(index), u64::from(count))?
        .iter()
        .map(|_| reader.array().map(Hash::new))
        .collect::<Option<Vec<Hash>>>()?;
    let signature = reader.rest().try_into().ok()?;
    Some(Promise {
        time,
        batch,
        within,
        index,
        count,
        path,
        signature,
    })
}

impl fmt::Display for Promise {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes =
            Vec::with_capacity(FIXED_BYTES + self.path.len() * HASH_BYTES + ED25519_SIGNATURE_BYTES);
        bytes.extend_from_slice(&self.time.to_be_bytes());
        bytes.extend_from_slice(&self.batch.to_be_bytes());
        for number in [self.within, self.index, self.count] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        for hash in &self.path {
            bytes.extend_from_slice(hash.as_bytes());
        }
        bytes.extend_from_slice(&self.signature);
        formatter.write_str(&to_base64(&bytes))
    }
}
