//! Private keys.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, ML_DSA_44_SIGNING, PqdsaKeyPair};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{KeyName, KeyType, ML_DSA_44_SIGNATURE_BYTES, VerifierKey};

/// The length of a seed in bytes, for every type of key.
pub const SEED_BYTES: usize = 32;

/// A private key with its name and type. `Debug` shows the public key; AWS-LC clears the private one when it is
/// dropped.
pub struct SigningKey {
    pair: Pair,
    verifier: VerifierKey,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    MlDsa44(PqdsaKeyPair),
}

/// The library refuses to make or use a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SigningKeyError {
    /// It makes no key of this seed.
    #[error("no key can be made of the seed")]
    Seed,
    /// It does not sign.
    #[error("the key does not sign")]
    Signing,
}

impl SigningKey {
    /// The key that grows from this seed (RFC 8032 section 5.1.5, FIPS 204 algorithm 6). Whoever has the seed has the
    /// key.
    ///
    /// # Errors
    /// The library refuses the seed.
    pub fn from_seed(
        name: KeyName,
        key_type: KeyType,
        seed: &Zeroizing<[u8; SEED_BYTES]>,
    ) -> Result<Self, SigningKeyError> {
        let seed = seed.as_slice();
        let pair = match key_type {
            KeyType::Ed25519Note | KeyType::Ed25519Cosignature | KeyType::Ed25519Promise => {
                Ed25519KeyPair::from_seed_unchecked(seed).map(Pair::Ed25519)
            }
            KeyType::MlDsa44Cosignature => {
                PqdsaKeyPair::from_seed(&ML_DSA_44_SIGNING, seed).map(Pair::MlDsa44)
            }
        };
        let pair = pair.map_err(|_| SigningKeyError::Seed)?;
        let public_key = match &pair {
            Pair::Ed25519(pair) => pair.public_key().as_ref(),
            Pair::MlDsa44(pair) => pair.public_key().as_ref(),
        };
        let verifier = VerifierKey::new(name, key_type, public_key).map_err(|_| SigningKeyError::Seed)?;
        Ok(Self { pair, verifier })
    }

    /// The public key.
    #[must_use]
    pub const fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs a message. Ed25519 gives the same signature each time; ML-DSA draws randomness inside AWS-LC.
    ///
    /// # Errors
    /// The library fails.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningKeyError> {
        match &self.pair {
            Pair::Ed25519(pair) => {
                let signature = pair.try_sign(message).map_err(|_| SigningKeyError::Signing)?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::MlDsa44(pair) => {
                let mut signature = vec![0; ML_DSA_44_SIGNATURE_BYTES];
                let length = pair.sign(message, &mut signature);
                match length {
                    Ok(ML_DSA_44_SIGNATURE_BYTES) => Ok(signature),
                    Ok(_) | Err(_) => Err(SigningKeyError::Signing),
                }
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey({})", self.verifier)
    }
}
