//! The signing engine: the only part of an issuer that holds the mint keys' private halves.
//!
//! [`Signer`] is the interface; it speaks of key identifiers and numbers, so that an engine may as well be a
//! hardware token or another process. [`LocalSigner`] is the one that runs here, on threads of its own.
//! Engines with threads share [`Pool`].
//!
//! Both suites sign deterministically: the same blind gives the same signature every time. So a failed
//! request is never a lost one: whoever stored the blinds first asks again.

mod key_store;
mod local;
mod pool;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use opencoin_schema::BigInt;
use thiserror::Error;

pub use key_store::{KeyStore, KeyStoreError};
pub use local::{LocalSigner, LocalSignerOptions};
pub use pool::{Pool, Worker};

/// What the books have accepted under one transaction reference, to be signed now or again.
#[derive(Clone, PartialEq, Eq)]
pub struct AcceptedBlinds {
    /// The reference as the books know it: an engine with books at hand looks there for what it signs.
    pub transaction_reference: Vec<u8>,
    /// What was accepted and is still to be signed, in the order of the request: without blinds whose
    /// signatures the books keep, or whose mint keys were stopped since.
    pub blinds: Arc<[BlindToSign]>,
}

impl fmt::Debug for AcceptedBlinds {
    /// Who knows a reference can ask for its signatures.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "AcceptedBlinds({})", self.blinds.len())
    }
}

/// One number to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlindToSign {
    /// The identifier of the mint key to sign with.
    pub mint_key_id: BigInt,
    /// The blinded number; see [`blind_in_range`](crate::blind_in_range).
    pub blinded: BigInt,
}

/// Why nothing was signed. After any of these the same request may be made again.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignError {
    /// Too many blinds are waiting already. Try later.
    #[error("the signing queue is full")]
    Busy,
    /// The engine does not have this key.
    #[error("the signer has no mint key {0}")]
    UnknownKey(BigInt),
    /// The number with this index is not one that its key signs.
    #[error("blind {index} is not a number that its mint key signs")]
    OutOfRange {
        /// Its place in the request, from 0.
        index: usize,
    },
    /// The engine is shutting down, or away. Try later.
    #[error("the signer is not available")]
    Unavailable,
    /// The engine looked into the books, and they do not say that this was accepted, or have counted fewer
    /// signatures than it has given.
    #[error("the signer refuses: {0}")]
    NotAccepted(String),
    /// The operation failed: a damaged key or a fault of the machine. No wrong signature was given.
    #[error("signing failed")]
    Failed,
}

/// Signs blinded numbers with the private halves of mint keys.
#[async_trait]
pub trait Signer: Send + Sync {
    /// Signs all of the blinds, or none: the signatures come in the order of the blinds. Dropping the future
    /// cancels what has not been signed yet.
    ///
    /// # Errors
    /// See [`SignError`].
    async fn sign(&self, accepted: AcceptedBlinds) -> Result<Vec<BigInt>, SignError>;

    /// Takes up keys that were made since, and drops those that were destroyed. May block on files.
    ///
    /// # Errors
    /// The keys cannot be read; those that were there go on signing.
    fn refresh(&self) -> Result<(), KeyStoreError> {
        Ok(())
    }
}
