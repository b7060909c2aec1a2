//! The key of a participant, made for one transfer.
//!
//! With it a participant proves at every connection that they are the same as before, and the receiver signs the
//! receipt. Ed25519 (RFC 8032).

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use thiserror::Error;

use crate::{PublicKey, Secret32};

/// The length of a signature in bytes.
pub const SIGNATURE_BYTES: usize = 64;

/// A private key.
pub struct ParticipantKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

/// The library refuses a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no key can be made of the seed")]
pub struct SeedRefused;

impl ParticipantKey {
    /// The key that grows from this seed.
    ///
    /// # Errors
    /// The library refuses the seed.
    pub fn from_seed(seed: &Secret32) -> Result<Self, SeedRefused> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose()).map_err(|_| SeedRefused)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| SeedRefused)?;
        Ok(Self {
            pair,
            public: PublicKey(public),
        })
    }

    /// The public key.
    #[must_use]
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs a message.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let signature = self.pair.sign(message);
        signature
            .as_ref()
            .try_into()
            .expect("a signature of Ed25519 has 64 bytes")
    }
}

impl fmt::Debug for ParticipantKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ParticipantKey({})", self.public)
    }
}

/// Whether this key has signed this message.
#[must_use]
pub fn is_signed(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, key.0)
        .verify(message, signature)
        .is_ok()
}
