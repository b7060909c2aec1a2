//! The keys of logs, by which a witness recognises their checkpoints.

use std::fmt;
use std::str::FromStr;

use opencoin_log::key::{KeyType, VerifierKey, VerifierKeyError};
use thiserror::Error;

/// A key that signs the checkpoints of a log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogKey(VerifierKey);

/// The text is not the key of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LogKeyError {
    /// It is not a key at all.
    #[error(transparent)]
    Key(#[from] VerifierKeyError),
    /// The key is of a witness, or signs something else than checkpoints.
    #[error(
        "a key of type {0:?} does not sign checkpoints as a log does: a log has an Ed25519 key of type 0x01 or an ML-DSA-44 key"
    )]
    Type(KeyType),
}

impl LogKey {
    /// The key.
    #[must_use]
    pub const fn verifier(&self) -> &VerifierKey {
        &self.0
    }

    /// Whether its signatures cover the lines after the root of a checkpoint.
    pub(crate) fn covers_extensions(&self) -> bool {
        self.0.key_type() == KeyType::Ed25519Note
    }
}

impl FromStr for LogKey {
    type Err = LogKeyError;

    fn from_str(vkey: &str) -> Result<Self, LogKeyError> {
        let key: VerifierKey = vkey.parse()?;
        match key.key_type() {
            KeyType::Ed25519Note | KeyType::MlDsa44Cosignature => Ok(Self(key)),
            other @ (KeyType::Ed25519Cosignature | KeyType::Ed25519Promise) => Err(LogKeyError::Type(other)),
        }
    }
}

impl fmt::Display for LogKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
