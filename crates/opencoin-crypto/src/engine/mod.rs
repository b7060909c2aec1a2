//! The signing engine: the only part of an issuer that holds private mint keys.
//!
//! [`Signer`] is the interface. It takes key identifiers and numbers, so a hardware token or another process can
//! implement it. [`LocalSigner`] signs in this process, on threads of its own. Engines with threads use [`Pool`].
//!
//! Both suites sign deterministically: the same blind always gives the same signature. So a failed request is
//! not lost: its stored blinds can be signed later.

mod key_store;
mod local;
mod pool;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use opencoin_schema::BigInt;
use thiserror::Error;

use crate::{PublicKey, blind_in_range};

pub use key_store::{KeyStore, KeyStoreError};
pub use local::{LocalSigner, LocalSignerOptions};
pub use pool::{Pool, PoolItem, Worker};

/// Blinds that the books have accepted under one transaction reference. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct AcceptedBlinds {
    /// The reference in the books. An engine that can read the books looks the blinds up there.
    pub transaction_reference: Vec<u8>,
    /// The blinds to sign, in the order of the request, without those whose signatures the books keep and those
    /// whose mint keys were stopped since.
    pub blinds: Arc<[BlindToSign]>,
}

impl fmt::Debug for AcceptedBlinds {
    /// Hides the reference, because anybody who knows it can ask for the signatures.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "AcceptedBlinds({})", self.blinds.len())
    }
}

/// One number to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlindToSign {
    /// The identifier of the mint key to sign with.
    pub mint_key_id: BigInt,
    /// The blinded number; see [`blind_in_range`].
    pub blinded: BigInt,
}

/// Nothing was signed. The same request can be made again.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignError {
    /// Too many blinds are waiting. Try later.
    #[error("the signing queue is full")]
    Busy,
    /// The engine does not have this key.
    #[error("the signer has no mint key {0}")]
    UnknownKey(BigInt),
    /// The key does not sign this number; see [`blind_in_range`].
    #[error("blind {index} is not a number that its mint key signs")]
    OutOfRange {
        /// Its place in the request, from 0.
        index: usize,
    },
    /// The engine is shutting down or not reachable. Try later.
    #[error("the signer is not available")]
    Unavailable,
    /// According to the books, the blinds were not accepted, or fewer signatures were made than the engine has
    /// counted.
    #[error("the signer refuses: {0}")]
    NotAccepted(String),
    /// The key is damaged or the machine faulty. No wrong signature was returned.
    #[error("signing failed")]
    Failed,
}

impl BlindToSign {
    /// The blinded number as bytes, as many as the modulus of `key`. `index` is its place in the request.
    ///
    /// # Errors
    /// [`SignError::OutOfRange`] when the key does not sign this number.
    pub fn input(&self, key: &PublicKey, index: usize) -> Result<Vec<u8>, SignError> {
        if !blind_in_range(key, &self.blinded) {
            return Err(SignError::OutOfRange { index });
        }
        let input = self.blinded.to_padded_be_bytes(key.modulus_bytes());
        Ok(input.expect("a number in range is less than the modulus"))
    }
}

/// Signs blinded numbers with private mint keys.
#[async_trait]
pub trait Signer: Send + Sync {
    /// Signs all of the blinds or none, and returns the signatures in the order of the blinds. Dropping the
    /// future cancels the remaining work.
    ///
    /// # Errors
    /// See [`SignError`].
    async fn sign(&self, accepted: AcceptedBlinds) -> Result<Vec<BigInt>, SignError>;

    /// Loads new keys and drops those that were destroyed. May block.
    ///
    /// # Errors
    /// When keys cannot be read. The keys loaded before remain usable.
    fn refresh(&self) -> Result<(), KeyStoreError> {
        Ok(())
    }
}
