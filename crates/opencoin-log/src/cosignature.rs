//! Cosignatures: a witness states that at some time this was the largest consistent tree that it had seen of a log.
//!
//! The signature of a line is the time, u64 big-endian, before the bytes of the algorithm. A log may sign its own
//! checkpoints with ML-DSA in this form too. Source: C2SP tlog-cosignature.

use thiserror::Error;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::encoding::Reader;
use crate::hash::{HASH_BYTES, Hash};
use crate::key::{KeyType, SigningKey, SigningKeyError, VerifierKey};
use crate::signature_line::SignatureLine;

/// The latest time of a cosignature, in seconds since 1970.
pub const TIME_MAX: u64 = i64::MAX as u64;

/// The prefix of the message that ML-DSA signs.
const SUBTREE_LABEL: &[u8; 12] = b"subtree/v1\n\0";

/// A cosignature cannot be made or does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CosignatureError {
    /// The key is not of a type that cosigns.
    #[error("not a key for cosignatures")]
    KeyType,
    /// The time is 0, or later than [`TIME_MAX`].
    #[error("not a time")]
    Time,
    /// The text is not a checkpoint.
    #[error("the cosigned text is {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The signature is not the key's signature of this checkpoint.
    #[error("the cosignature does not verify")]
    Signature,
    /// The library does not sign.
    #[error(transparent)]
    Key(#[from] SigningKeyError),
}

/// The message that an Ed25519 cosignature signs: the whole text of the checkpoint after the time.
#[must_use]
pub fn ed25519_message(time: u64, note_text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {time}\n{note_text}").into_bytes()
}

/// The message that an ML-DSA-44 cosignature signs: the leaves `start..end` of a log have the root `hash`.
///
/// A checkpoint has `start` 0 and its size as `end`. `None` when a name is empty or longer than 255 bytes.
#[must_use]
pub fn ml_dsa_44_message(
    cosigner: &str,
    time: u64,
    origin: &str,
    start: u64,
    end: u64,
    hash: &Hash,
) -> Option<Vec<u8>> {
    let mut message =
        Vec::with_capacity(SUBTREE_LABEL.len() + cosigner.len() + origin.len() + 26 + HASH_BYTES);
    message.extend_from_slice(SUBTREE_LABEL);
    push_name(&mut message, cosigner)?;
    message.extend_from_slice(&time.to_be_bytes());
    push_name(&mut message, origin)?;
    message.extend_from_slice(&start.to_be_bytes());
    message.extend_from_slice(&end.to_be_bytes());
    message.extend_from_slice(hash.as_bytes());
    Some(message)
}

fn push_name(message: &mut Vec<u8>, name: &str) -> Option<()> {
    let length = u8::try_from(name.len()).ok().filter(|length| *length > 0)?;
    message.push(length);
    message.extend_from_slice(name.as_bytes());
    Some(())
}

/// Cosigns the checkpoint in the text of a note, at `time` seconds since 1970.
///
/// # Errors
/// The key is of another type, the time is 0 or too late, the text is not a checkpoint, or the library fails.
pub fn cosign(key: &SigningKey, time: u64, note_text: &str) -> Result<SignatureLine, CosignatureError> {
    if time == 0 || time > TIME_MAX {
        return Err(CosignatureError::Time);
    }
    let message = message(key.verifier(), time, note_text)?;
    let signature = [time.to_be_bytes().as_slice(), &key.sign(&message)?].concat();
    Ok(SignatureLine::of(key.verifier(), signature))
}

/// Checks a cosignature of the text of a note, and gives its time in seconds since 1970.
///
/// Time 0, which ML-DSA cosigners may write, is no statement about which tree is the largest.
///
/// # Errors
/// The key is of another type, the text is not a checkpoint, or the signature does not verify.
pub fn verify(key: &VerifierKey, note_text: &str, signature: &[u8]) -> Result<u64, CosignatureError> {
    let mut reader = Reader::new(signature);
    let time = reader.u64().ok_or(CosignatureError::Signature)?;
    if time > TIME_MAX {
        return Err(CosignatureError::Time);
    }
    if key.verifies(&message(key, time, note_text)?, reader.rest()) {
        Ok(time)
    } else {
        Err(CosignatureError::Signature)
    }
}

fn message(key: &VerifierKey, time: u64, note_text: &str) -> Result<Vec<u8>, CosignatureError> {
    let checkpoint: Checkpoint = note_text.parse()?;
    match key.key_type() {
        KeyType::Ed25519Cosignature => Ok(ed25519_message(time, note_text)),
        KeyType::MlDsa44Cosignature => {
            let (origin, size) = (checkpoint.origin(), checkpoint.size());
            let message = ml_dsa_44_message(key.name().as_str(), time, origin, 0, size, checkpoint.root());
            Ok(message.expect("names of keys and origins have 1 to 255 bytes"))
        }
        KeyType::Ed25519Note | KeyType::Ed25519Promise => Err(CosignatureError::KeyType),
    }
}
