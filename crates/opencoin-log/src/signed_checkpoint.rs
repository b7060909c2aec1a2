//! A checkpoint together with the signatures of its log and of witnesses.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::cosignature::{CosignatureError, cosign};
use crate::key::{KeyType, SigningKey};
use crate::note::{Note, NoteError};
use crate::signature_line::SignatureLine;

/// A note whose text is a checkpoint. [`Policy::verify_checkpoint`](crate::policy::Policy::verify_checkpoint) says
/// whether to believe it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
}

/// A signed checkpoint cannot be read or signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignedCheckpointError {
    /// It is not a signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The text of the note is not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// It cannot be cosigned.
    #[error(transparent)]
    Cosignature(#[from] CosignatureError),
}

impl SignedCheckpoint {
    /// A checkpoint without signatures yet.
    ///
    /// # Errors
    /// The checkpoint is longer than a note.
    pub fn new(checkpoint: Checkpoint) -> Result<Self, NoteError> {
        let note = Note::new(&checkpoint.to_string())?;
        Ok(Self { checkpoint, note })
    }

    /// The checkpoint. Nothing is known about it before its signatures are verified.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note.
    #[must_use]
    pub const fn note(&self) -> &Note {
        &self.note
    }

    /// Appends a signature, in the form of the key's type: a log's Ed25519 key ignores the time, in seconds since 1970.
    ///
    /// # Errors
    /// The key signs neither notes nor cosignatures, the time is none, there are too many signatures, or the library
    /// fails.
    pub fn sign(&mut self, key: &SigningKey, time: u64) -> Result<(), SignedCheckpointError> {
        if key.verifier().key_type() == KeyType::Ed25519Note {
            return Ok(self.note.sign(key)?);
        }
        let line = cosign(key, time, self.note.text())?;
        Ok(self.note.add(line)?)
    }

    /// Appends a signature by somebody else, unless the same line is there. It is not verified.
    ///
    /// # Errors
    /// There are too many signatures.
    pub fn add(&mut self, line: SignatureLine) -> Result<(), NoteError> {
        self.note.add(line)
    }
}

impl FromStr for SignedCheckpoint {
    type Err = SignedCheckpointError;

    fn from_str(text: &str) -> Result<Self, SignedCheckpointError> {
        let note: Note = text.parse()?;
        let checkpoint = note.text().parse()?;
        Ok(Self { checkpoint, note })
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(formatter)
    }
}
