//! The digests by which the log names keys, blinds and coins.
//!
//! They are deterministic, so a holder finds their own coin in the log, and a coin cannot be entered twice. They say
//! nothing to anybody who does not know the blinded number or the coin already. The SHA-1 ids of the specification
//! would not do: here the issuer, who chooses the keys, is the one who might cheat.

use std::fmt;

use opencoin_schema::{BigInt, PayloadHash, RsaPublicKey, text};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The length of a digest in bytes: SHA-256.
pub const DIGEST_BYTES: usize = 32;

/// The prefixes of the hashed texts. They separate these digests from each other and from all others.
const ISSUED_DOMAIN: &[u8] = b"opencoin.org/log/v1/issued\n";
const SPENT_DOMAIN: &[u8] = b"opencoin.org/log/v1/spent\n";

/// The SHA-256 of a public mint key's compact text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyFingerprint([u8; DIGEST_BYTES]);

/// Identifies a blinded number that was accepted for signing: SHA-256 over a fixed text, the key's fingerprint and the
/// number in the width of the key's modulus.
///
/// `Debug` hides the bytes, because in the issuer's own log they would tie a coin to a request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssuedDigest([u8; DIGEST_BYTES]);

/// Identifies a coin that came back: SHA-256 over a fixed text, the key's fingerprint and the payload hash.
///
/// `Debug` hides the bytes, because in the issuer's own log they would tie a coin to a request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpentDigest([u8; DIGEST_BYTES]);

/// The blinded number has more bytes than the key's modulus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a blinded number longer than the key's modulus")]
pub struct BlindTooLong;

impl KeyFingerprint {
    /// The fingerprint of a key.
    #[must_use]
    pub fn of(key: &RsaPublicKey) -> Self {
        Self(Sha256::digest(text::compact(key)).into())
    }

    /// A fingerprint that was stored.
    #[must_use]
    pub const fn new(bytes: [u8; DIGEST_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; DIGEST_BYTES] {
        &self.0
    }
}

impl IssuedDigest {
    /// The digest of a blinded number, for a key whose modulus has `modulus_bytes` bytes.
    ///
    /// # Errors
    /// The number is longer than the modulus.
    pub fn of(key: &KeyFingerprint, modulus_bytes: usize, blinded: &BigInt) -> Result<Self, BlindTooLong> {
        Self::of_be_bytes(key, modulus_bytes, blinded.as_be_bytes())
    }

    /// As [`Self::of`], for a number in big-endian bytes without leading zeros.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn of_be_bytes(
        key: &KeyFingerprint,
        modulus_bytes: usize,
        bytes: &[u8],
    ) -> Result<Self, BlindTooLong> {
        let zeros = modulus_bytes.checked_sub(bytes.len()).ok_or(BlindTooLong)?;
        let mut digest = Sha256::new().chain_update(ISSUED_DOMAIN).chain_update(key.0);
        // Rarely more than one.
        for _ in 0..zeros {
            digest.update([0]);
        }
        digest.update(bytes);
        Ok(Self(digest.finalize().into()))
    }

    /// A digest that was stored.
    #[must_use]
    pub const fn new(bytes: [u8; DIGEST_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; DIGEST_BYTES] {
        &self.0
    }
}

impl SpentDigest {
    /// The digest of the coin with this payload hash, in the width of its cipher suite.
    #[must_use]
    pub fn of(key: &KeyFingerprint, payload_hash: &PayloadHash) -> Self {
        let digest = Sha256::new()
            .chain_update(SPENT_DOMAIN)
            .chain_update(key.0)
            .chain_update(payload_hash.as_bytes());
        Self(digest.finalize().into())
    }

    /// A digest that was stored.
    #[must_use]
    pub const fn new(bytes: [u8; DIGEST_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; DIGEST_BYTES] {
        &self.0
    }
}

impl fmt::Debug for IssuedDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("IssuedDigest(..)")
    }
}

impl fmt::Debug for SpentDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SpentDigest(..)")
    }
}
