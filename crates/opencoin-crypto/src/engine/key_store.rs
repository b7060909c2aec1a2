//! Stores of private mint keys: files, or a hardware token.

use std::collections::BTreeSet;
use std::sync::Arc;

use opencoin_schema::BigInt;
use thiserror::Error;

use super::Signer;
use crate::{KeyError, KeyPrimes, PublicKey};

/// Keeps private mint keys and makes an engine that signs with them. All functions may block.
pub trait KeyStore: Send + Sync {
    /// The identifiers of all keys in the store.
    ///
    /// # Errors
    /// The store cannot be read.
    fn ids(&self) -> Result<BTreeSet<BigInt>, KeyStoreError>;

    /// Makes a key of this size and this number of primes, durably stored when this returns.
    ///
    /// # Errors
    /// No such key can be made, or the store cannot be written.
    fn generate(&self, bits: usize, primes: KeyPrimes) -> Result<PublicKey, KeyStoreError>;

    /// Destroys a private key for good. Returns whether it existed.
    ///
    /// # Errors
    /// The store cannot be written; the key may still exist.
    fn destroy(&self, id: &BigInt) -> Result<bool, KeyStoreError>;

    /// An engine that signs with the keys of this store.
    ///
    /// # Errors
    /// A key cannot be read.
    fn signer(&self) -> Result<Arc<dyn Signer>, KeyStoreError>;
}

/// A store that several parts of a program use.
impl<S: KeyStore + ?Sized> KeyStore for Arc<S> {
    fn ids(&self) -> Result<BTreeSet<BigInt>, KeyStoreError> {
        (**self).ids()
    }

    fn generate(&self, bits: usize, primes: KeyPrimes) -> Result<PublicKey, KeyStoreError> {
        (**self).generate(bits, primes)
    }

    fn destroy(&self, id: &BigInt) -> Result<bool, KeyStoreError> {
        (**self).destroy(id)
    }

    fn signer(&self) -> Result<Arc<dyn Signer>, KeyStoreError> {
        (**self).signer()
    }
}

/// A store of keys cannot be used. The texts hold no secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyStoreError {
    /// An operator must correct something; the text says what.
    #[error("{0}")]
    Unusable(String),
    /// The store does not answer at present.
    #[error("{0}")]
    Away(String),
    /// Such a key cannot be made.
    #[error(transparent)]
    Key(#[from] KeyError),
}
