//! Proofs in a file: an entry is in a log that a quorum of witnesses has seen, checked without any connection.
//!
//! Source: C2SP tlog-proof; the extension of such a file is `.tlog-proof`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::encoding::{from_base64, from_decimal, split_line, to_base64};
use crate::hash::Hash;
use crate::policy::{Policy, PolicyError, VerifiedCheckpoint};
use crate::signed_checkpoint::{SignedCheckpoint, SignedCheckpointError};
use crate::tree::{PROOF_HASHES_MAX, ProofError, verify_inclusion};
use crate::witness::parse_proof;

/// The longest additional data, in bytes.
pub const EXTRA_BYTES_MAX: usize = 64 * 1024;

const HEADER: &str = "c2sp.org/tlog-proof@v1\n";

/// The proof that an entry is in a log. The entry itself is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProofFile {
    /// Additional data for the application, which nobody signed; often empty.
    pub extra: Vec<u8>,
    /// The index of the leaf.
    pub index: u64,
    /// The inclusion proof, the leaf's sibling first.
    pub proof: Vec<Hash>,
    /// The checkpoint of the tree, with its signatures.
    pub checkpoint: SignedCheckpoint,
}

/// The text is not a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProofFileError {
    /// The first line is missing.
    #[error("not a proof in this format")]
    Header,
    /// The additional data are not base64, or too long.
    #[error("additional data that are not base64 of 1 to {EXTRA_BYTES_MAX} bytes")]
    Extra,
    /// There is no index.
    #[error("a proof without index")]
    Index,
    /// A line of the proof is not a hash, or there are more than [`PROOF_HASHES_MAX`].
    #[error("not a proof of at most {PROOF_HASHES_MAX} hashes")]
    Proof,
    /// What follows the proof is not a signed checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] SignedCheckpointError),
}

/// The proof does not prove what it should.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProofFileVerifyError {
    /// The checkpoint is not one to believe.
    #[error(transparent)]
    Checkpoint(#[from] PolicyError),
    /// The leaf is not in the tree of the checkpoint.
    #[error(transparent)]
    Inclusion(#[from] ProofError),
}

impl ProofFile {
    /// Checks that the leaf with this hash is in a log of the policy, and gives the checkpoint.
    ///
    /// Cosignatures later than `latest`, in seconds since 1970, do not count; `None` lets all count.
    ///
    /// # Errors
    /// The checkpoint does not fulfil the policy, or the leaf is not in its tree.
    pub fn verify(
        &self,
        policy: &Policy,
        leaf_hash: &Hash,
        latest: Option<u64>,
    ) -> Result<VerifiedCheckpoint, ProofFileVerifyError> {
        let verified = policy.verify_checkpoint(&self.checkpoint, latest)?;
        let (size, root) = (verified.checkpoint.size(), verified.checkpoint.root());
        verify_inclusion(self.index, size, leaf_hash, &self.proof, root)?;
        Ok(verified)
    }
}

impl FromStr for ProofFile {
    type Err = ProofFileError;

    fn from_str(text: &str) -> Result<Self, ProofFileError> {
        let mut text = text.strip_prefix(HEADER).ok_or(ProofFileError::Header)?;
        let mut extra = Vec::new();
        if let Some(rest) = text.strip_prefix("extra ") {
            let (base64, rest) = split_line(rest).ok_or(ProofFileError::Extra)?;
            extra = from_base64(base64).ok_or(ProofFileError::Extra)?;
            if extra.is_empty() || extra.len() > EXTRA_BYTES_MAX {
                return Err(ProofFileError::Extra);
            }
            text = rest;
        }
        let (index, rest) = split_line(text).ok_or(ProofFileError::Index)?;
        let index = index.strip_prefix("index ").and_then(from_decimal);
        let index = index.ok_or(ProofFileError::Index)?;
        let (proof, rest) = parse_proof(rest).ok_or(ProofFileError::Proof)?;
        Ok(Self {
            extra,
            index,
            proof,
            checkpoint: rest.parse()?,
        })
    }
}

impl fmt::Display for ProofFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(HEADER)?;
        if !self.extra.is_empty() {
            writeln!(formatter, "extra {}", to_base64(&self.extra))?;
        }
        writeln!(formatter, "index {}", self.index)?;
        for hash in &self.proof {
            writeln!(formatter, "{}", hash.to_base64())?;
        }
        write!(formatter, "\n{}", self.checkpoint)
    }
}
