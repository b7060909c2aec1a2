//! Returned coins, which the books identify by mint key and spent digest.
//!
//! The payload hash and not the serial identifies a coin, because a serial can be spelled in two ways.
//! Everything that verifies as the same signed message counts as one coin. The books keep a digest of the
//! mint key and the payload hash: 32 bytes in every cipher suite, which determine the coin among those of all
//! keys.

use std::fmt;

use opencoin_schema::{PayloadHash, RsaPublicKey, text};
use sha2::{Digest, Sha256};

use crate::MintKeyId;

/// The length of a spent digest in bytes: SHA-256.
pub const SPENT_DIGEST_BYTES: usize = 32;

/// The prefix of the hashed text. It separates this digest from all others.
const DOMAIN: &[u8] = b"opencoin.org/log/v1/spent\n";

/// A coin to renew or redeem. The caller has verified its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CoinIn {
    /// The key that signed it. It determines the value.
    pub mint_key: MintKeyId,
    /// The digest by which it is recorded as spent.
    pub spent_digest: SpentDigest,
}

/// The SHA-256 of a public mint key's compact text.
///
/// The id of a mint key is a SHA-1, which the specification prescribes. Digests that must hold against an
/// issuer who chooses the keys use this instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyFingerprint([u8; 32]);

/// Identifies a coin in the books: SHA-256 over a fixed text, the key's fingerprint and the payload hash.
///
/// `Debug` hides the bytes, because in a log they would tie a coin to a request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpentDigest([u8; SPENT_DIGEST_BYTES]);

impl KeyFingerprint {
    /// The fingerprint of a key.
    #[must_use]
    pub fn of(key: &RsaPublicKey) -> Self {
        Self(Sha256::digest(text::compact(key)).into())
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl SpentDigest {
    /// The digest of the coin with this payload hash, in the width of its cipher suite.
    #[must_use]
    pub fn of(key: &KeyFingerprint, payload_hash: &PayloadHash) -> Self {
        let digest = Sha256::new()
            .chain_update(DOMAIN)
            .chain_update(key.0)
            .chain_update(payload_hash.as_bytes());
        Self(digest.finalize().into())
    }

    /// A digest that was stored.
    #[must_use]
    pub const fn new(bytes: [u8; SPENT_DIGEST_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; SPENT_DIGEST_BYTES] {
        &self.0
    }
}

impl fmt::Debug for SpentDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SpentDigest(..)")
    }
}
