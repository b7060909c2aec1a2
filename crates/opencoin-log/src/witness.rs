//! The messages between a log and a witness.
//!
//! `POST <submission prefix>/add-checkpoint` carries [`AddCheckpoint`]; the answer to an accepted one is signature
//! lines ([`parse_lines`](crate::signature_line::parse_lines)). A witness that knows another size answers 409 with that
//! size. Source: C2SP tlog-witness.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::encoding::{from_decimal, split_line};
use crate::hash::Hash;
use crate::signed_checkpoint::{SignedCheckpoint, SignedCheckpointError};
use crate::tree::PROOF_HASHES_MAX;

/// The longest request that a witness needs to accept, in bytes: some kilobytes more than the longest checkpoint of a
/// log whose witnesses do not all sign with ML-DSA.
pub const ADD_CHECKPOINT_BYTES_MAX: usize = 64 * 1024;

/// The content type of the body that names a size.
pub const SIZE_CONTENT_TYPE: &str = "text/x.tlog.size";

/// Asks a witness to cosign a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AddCheckpoint {
    /// The size that the witness cosigned last; 0 for none.
    pub old_size: u64,
    /// Proves that the new tree begins with the old one.
    pub proof: Vec<Hash>,
    /// The new checkpoint, signed by its log.
    pub checkpoint: SignedCheckpoint,
}

/// A message to or from a witness is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WitnessMessageError {
    /// It has more than [`ADD_CHECKPOINT_BYTES_MAX`] bytes.
    #[error("a request of more than {ADD_CHECKPOINT_BYTES_MAX} bytes")]
    TooLong,
    /// A size is missing or has another form.
    #[error("not a size")]
    Size,
    /// A line of the proof is not a hash, or there are more than [`PROOF_HASHES_MAX`].
    #[error("not a proof of at most {PROOF_HASHES_MAX} hashes")]
    Proof,
    /// What follows the proof is not a signed checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] SignedCheckpointError),
}

impl FromStr for AddCheckpoint {
    type Err = WitnessMessageError;

    fn from_str(body: &str) -> Result<Self, WitnessMessageError> {
        if body.len() > ADD_CHECKPOINT_BYTES_MAX {
            return Err(WitnessMessageError::TooLong);
        }
        let (old_size, rest) = split_line(body).ok_or(WitnessMessageError::Size)?;
        let old_size = old_size.strip_prefix("old ").and_then(from_decimal);
        let old_size = old_size.ok_or(WitnessMessageError::Size)?;
        let (proof, rest) = parse_proof(rest).ok_or(WitnessMessageError::Proof)?;
        Ok(Self {
            old_size,
            proof,
            checkpoint: rest.parse()?,
        })
    }
}

/// Reads the hashes of a proof up to an empty line, and gives what follows it.
pub(crate) fn parse_proof(mut text: &str) -> Option<(Vec<Hash>, &str)> {
    let mut proof = Vec::new();
    loop {
        let (line, rest) = split_line(text)?;
        text = rest;
        if line.is_empty() {
            return Some((proof, text));
        }
        if proof.len() == PROOF_HASHES_MAX {
            return None;
        }
        proof.push(Hash::from_base64(line).ok()?);
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "old {}", self.old_size)?;
        for hash in &self.proof {
            writeln!(formatter, "{}", hash.to_base64())?;
        }
        write!(formatter, "\n{}", self.checkpoint)
    }
}

/// The body of a 409: the size that the witness cosigned last.
#[must_use]
pub fn size_body(size: u64) -> String {
    format!("{size}\n")
}

/// Reads the body of a 409. An older witness sends no size at all.
///
/// # Errors
/// The body is not one line with a size.
pub fn parse_size_body(body: &str) -> Result<u64, WitnessMessageError> {
    let size = body.strip_suffix('\n').and_then(from_decimal);
    size.ok_or(WitnessMessageError::Size)
}

/// The path, below the monitoring prefix of a witness, of the checkpoint that it cosigned last for a log.
#[must_use]
pub fn checkpoint_path(origin: &str) -> String {
    format!("{}/checkpoint", const_hex::encode(Sha256::digest(origin)))
}
