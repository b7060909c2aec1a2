//! Blinding from a seed: the blinding factor, and the salt if there is one, are derived from a secret of 32 bytes.
//!
//! A wallet that reveals the seed of a blind proves which payload it blinded. The proof must also hold against a
//! thief who has the mint key's private exponent d. For the number m of any payload, the thief can compute the factor
//! `(b / m)^d mod n`, which opens a blind b to this payload, and would be paid again for blinds of their own that
//! were accepted and spent. So a *factor* proves nothing. A *seed* does, because the factor is derived from it by
//! HKDF-SHA-384 (RFC 5869), which cannot be inverted.
//!
//! With HKDF as a random function, the derived values depend on *everything that is claimed*:
//!
//! - the **payload**. A blind is `m(payload) * r(seed)^e`. If r did not depend on the payload, an attacker could
//!   make lists of both factors and find a match in far fewer trials (Wagner's generalized birthday). With the
//!   dependency, each pair of payload and seed gives an independent number, which hits a given blind with probability
//!   1/n, and any of q prepared ones with probability q^2/n. The context contains the SHA-384 of the whole text, so
//!   that two payloads with the same SHA-1 in the first suite are different claims.
//! - the **mint key** (by its id) and the **suite**, so that a seed that a faulty wallet uses twice does not give
//!   related numbers under two keys.
//! - the **purpose** (salt or factor) and the **attempt**, because a factor may be unsuitable.
//!
//! The factor is reduced from 16 bytes more than the modulus has, which favours no number by more than 2^-128.

use std::fmt;

use hkdf::Hkdf;
use num_bigint_dig::BigUint;
use opencoin_schema::BigInt;
use rsa::rand_core::CryptoRngCore;
use sha2::{Digest, Sha384};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::suite::SALT_BYTES;
use crate::{CipherSuite, PublicKey};

const SEED_BYTES: usize = 32;
/// The salt of HKDF's extraction: the purpose of the seed and the version of the derivation.
const DOMAIN: &[u8] = b"OpenCoin blinding seed, version 1";
const FOR_SALT: &[u8] = b"EMSA-PSS salt";
const FOR_FACTOR: &[u8] = b"blinding factor";
/// A factor is reduced from the length of the modulus and this many bytes.
const FACTOR_SURPLUS_BYTES: usize = 16;

/// The secret from which a payload is blinded: 32 random bytes, one seed per coin. Redacted in `Debug` and erased
/// when dropped.
///
/// A wallet keeps it secret, because it shows where the coin came from. When the coin's mint key was revoked, the
/// wallet reveals it to recover the coin's value: it proves that the payload is in the blind
/// ([`CipherSuite::opens`]). Nobody can find another payload and seed for a blind, not even with the private mint
/// key.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct BlindingSeed([u8; SEED_BYTES]);

/// A text or number is not a [`BlindingSeed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a blinding seed: a hex number of at most {SEED_BYTES} bytes")]
pub struct BlindingSeedError;

impl BlindingSeed {
    /// A new seed.
    #[must_use]
    pub fn generate(rng: &mut (impl CryptoRngCore + ?Sized)) -> Self {
        let mut bytes = [0; SEED_BYTES];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The secret as a hex number, for the wallet's journal.
    #[must_use]
    pub fn to_secret_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(self.reveal().to_string())
    }

    /// Reads what [`Self::to_secret_hex`] wrote.
    ///
    /// # Errors
    /// When the text is not a hex number, or one of more than 32 bytes.
    pub fn from_secret_hex(hex: &str) -> Result<Self, BlindingSeedError> {
        Self::from_revealed(&hex.parse().map_err(|_| BlindingSeedError)?)
    }

    /// The seed as a number for a document. It is then known to every reader of the document.
    #[must_use]
    pub fn reveal(&self) -> BigInt {
        BigInt::from_be_bytes(&self.0)
    }

    /// The seed from a document.
    ///
    /// # Errors
    /// When the number has more than 32 bytes.
    pub fn from_revealed(number: &BigInt) -> Result<Self, BlindingSeedError> {
        let bytes = Zeroizing::new(number.to_padded_be_bytes(SEED_BYTES).ok_or(BlindingSeedError)?);
        let mut seed = Self([0; SEED_BYTES]);
        seed.0.copy_from_slice(&bytes);
        Ok(seed)
    }
}

impl fmt::Debug for BlindingSeed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("BlindingSeed(secret)")
    }
}

/// The values that are derived from a seed for one payload and one key.
pub(crate) struct Derivation<'key> {
    extracted: Hkdf<Sha384>,
    key: &'key PublicKey,
    /// Suite, key and payload, for all expansions.
    context: Vec<u8>,
}

impl<'key> Derivation<'key> {
    /// Prepares the derivation for the payload with this compact text.
    pub(crate) fn new(
        suite: CipherSuite,
        key: &'key PublicKey,
        payload_text: &str,
        seed: &BlindingSeed,
    ) -> Self {
        let mut context = Vec::new();
        // Lengths before contents, so that no two claims have the same context.
        for part in [
            suite.name().as_bytes(),
            key.id().as_be_bytes(),
            Sha384::digest(payload_text).as_slice(),
        ] {
            context.push(u8::try_from(part.len()).expect("names and hashes are short"));
            context.extend_from_slice(part);
        }
        Self {
            extracted: Hkdf::new(Some(DOMAIN), &seed.0),
            key,
            context,
        }
    }

    /// The salt of EMSA-PSS.
    pub(crate) fn salt(&self) -> Zeroizing<[u8; SALT_BYTES]> {
        let mut salt = Zeroizing::new([0; SALT_BYTES]);
        self.expand(FOR_SALT, 0, salt.as_mut());
        salt
    }

    /// A number from 1 to n - 1, different for each attempt.
    pub(crate) fn blinding_factor(&self, attempt: u8) -> Zeroizing<BigUint> {
        let mut bytes = Zeroizing::new(vec![0; self.key.modulus_bytes() + FACTOR_SURPLUS_BYTES]);
        self.expand(FOR_FACTOR, attempt, &mut bytes);
        let number = Zeroizing::new(BigUint::from_bytes_be(&bytes));
        Zeroizing::new(&*number % (self.key.modulus() - 1_u8) + 1_u8)
    }

    fn expand(&self, purpose: &[u8], attempt: u8, output: &mut [u8]) {
        let parts = [purpose, &[attempt], &self.context];
        self.extracted
            .expand_multi_info(&parts, output)
            .expect("KEY_BITS_MAX is far below HKDF's limit of 255 hashes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_can_be_stored_and_is_hidden_in_debug() {
        let mut bytes = [0xab; SEED_BYTES];
        bytes[0] = 0;
        let seed = BlindingSeed(bytes);
        let stored = seed.to_secret_hex();
        assert_eq!(stored.as_str(), "ab".repeat(31));
        assert_eq!(BlindingSeed::from_secret_hex(&stored), Ok(seed.clone()));
        assert_eq!(BlindingSeed::from_revealed(&seed.reveal()), Ok(seed.clone()));
        for text in ["", "-1", "x", &format!("1{}", "00".repeat(SEED_BYTES))] {
            assert!(BlindingSeed::from_secret_hex(text).is_err(), "{text}");
        }
        assert_eq!(format!("{seed:?}"), "BlindingSeed(secret)");
    }
}
