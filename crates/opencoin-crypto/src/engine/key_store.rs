//! Where the private halves of mint keys are kept: files, or a hardware token.

use std::collections::BTreeSet;
use std::sync::Arc;

use opencoin_schema::BigInt;
use thiserror::Error;

use super::Signer;
use crate::{KeyError, PublicKey};

/// Keeps private mint keys and makes an engine that signs with them. All of its work may block.
pub trait KeyStore: Send + Sync {
    /// The identifiers of the keys that are there.
    ///
    /// # Errors
    /// The store cannot be read.
    fn ids(&self) -> Result<BTreeSet<BigInt>, KeyStoreError>;

    /// Makes a key of this size. It is kept for good when this returns.
    ///
    /// # Errors
    /// No such key can be made, or the store cannot be written.
    fn generate(&self, bits: usize) -> Result<PublicKey, KeyStoreError>;

    /// Destroys the private half of a key, for good. Says whether it was there.
    ///
    /// # Errors
    /// The store cannot be written; the key may be there still.
    fn destroy(&self, id: &BigInt) -> Result<bool, KeyStoreError>;

    /// An engine that signs with the keys of this store.
    ///
    /// # Errors
    /// A key cannot be read.
    fn signer(&self) -> Result<Arc<dyn Signer>, KeyStoreError>;
}

/// Why a store of keys cannot be used. No text here holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyStoreError {
    /// It will not work until somebody does something; the text says what.
    #[error("{0}")]
    Unusable(String),
    /// It does not answer at present.
    #[error("{0}")]
    Away(String),
    /// Such a key cannot be made.
    #[error(transparent)]
    Key(#[from] KeyError),
}
