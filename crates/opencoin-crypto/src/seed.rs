//! Blinding from a seed: one secret of 32 bytes from which the blinding factor, and the salt where there is
//! one, follow.
//!
//! A wallet that shows the seed of a blind shows which payload it blinded. This must hold against everybody,
//! also against a thief who has the mint key's private exponent d: he can open any blind b to any payload
//! with the factor `(b / m)^d mod n`, m being the payload's number, and would be paid once more for each of
//! his own blinds that were accepted and spent. So a *factor* proves nothing. A *seed* does: the factor
//! follows from it by HKDF-SHA-384 (RFC 5869), which nobody runs backwards.
//!
//! With HKDF as a random function, what is derived depends on *everything that is claimed*:
//!
//! - the **payload**. A blind is `m(payload) * r(seed)^e`. If r did not depend on the payload, the two could
//!   be looked for apart, with lists of each, and a match would take far fewer trials (Wagner's generalized
//!   birthday). As it is, each pair of payload and seed gives a number of its own, and hits one known blind
//!   with a chance of about 1 in n, and any of q prepared ones with a chance of q^2 in n. The SHA-384 of the
//!   whole text is taken, so that colliding SHA-1 of the first suite do not make one claim of two payloads
//!   either.
//! - the **mint key** (by its id) and the **suite**, so that a seed that a faulty wallet uses twice never
//!   gives related numbers under two keys.
//! - what it is **for** (salt or factor), and the **attempt**, as a factor may turn out to be unsuitable.
//!
//! The factor is read from 16 bytes more than the modulus has, so that reducing it favours no number by more
//! than 2^-128.

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
/// The salt of HKDF's extraction: what the seed is for, and the version of how it is used.
const DOMAIN: &[u8] = b"OpenCoin blinding seed, version 1";
const FOR_SALT: &[u8] = b"EMSA-PSS salt";
const FOR_FACTOR: &[u8] = b"blinding factor";
/// How many bytes more than the modulus has are reduced to a factor.
const FACTOR_SURPLUS_BYTES: usize = 16;

/// The secret from which a payload is blinded: 32 random bytes, one seed for each coin. Redacted in `Debug`,
/// erased when dropped.
///
/// It is secret as long as nobody has to know where the coin came from, and shown when the coin's mint key
/// was revoked and the wallet asks to be made whole: it proves that the payload was in the blind
/// ([`CipherSuite::opens`]). Nobody finds a second payload and seed for a blind, not even with the private
/// mint key.
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

    /// The seed as a document carries it: from then on it is no secret to whoever reads that document.
    #[must_use]
    pub fn reveal(&self) -> BigInt {
        BigInt::from_be_bytes(&self.0)
    }

    /// The seed that a document carries.
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

/// What follows from a seed for one payload and one key.
pub(crate) struct Derivation<'key> {
    extracted: Hkdf<Sha384>,
    key: &'key PublicKey,
    /// Suite, key and payload: what all expansions have in common.
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
        // Lengths before contents: no two claims have the same context.
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

    /// A number from 1 to n - 1; another one for each attempt.
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
    fn a_seed_is_stored_and_read_but_never_shown() {
        let mut bytes = [0xab; SEED_BYTES];
        bytes[0] = 0;
        let seed = BlindingSeed(bytes);
        let stored = seed.to_secret_hex();
        assert_eq!(
            stored.as_str(),
            "ab".repeat(31),
            "a number like all others in documents"
        );
        assert_eq!(BlindingSeed::from_secret_hex(&stored), Ok(seed.clone()));
        assert_eq!(BlindingSeed::from_revealed(&seed.reveal()), Ok(seed.clone()));
        for text in ["", "-1", "x", &format!("1{}", "00".repeat(SEED_BYTES))] {
            assert_eq!(
                BlindingSeed::from_secret_hex(text),
                Err(BlindingSeedError),
                "{text}"
            );
        }
        assert_eq!(format!("{seed:?}"), "BlindingSeed(secret)");
    }
}
