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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use opencoin_schema::{Mkc, from_json};

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The expected values were computed with another program. Digests are stored, so they must never change.
    #[test]
    fn the_digest_of_an_example_of_the_specification_is_known() {
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/spec/examples/mkc_1.json");
        let Ok(json) = fs::read(&file) else {
            println!("SKIPPED: there is no {}", file.display());
            return;
        };
        let mkc: Mkc = from_json(&json).unwrap();
        let key = KeyFingerprint::of(&mkc.mint_key.public_mint_key);
        assert_eq!(
            hex(&key.0),
            "379c691e8d8ea2dbef94296dae7fa26190e7fcaa28569c636da96ca63d239ab0"
        );
        // The SHA-1 of the payload of the coin a0.
        let payload_hash = PayloadHash::new(&[
            0xca, 0x8a, 0x77, 0x3b, 0xc7, 0x6f, 0x81, 0x4f, 0x5d, 0xc2, 0xe8, 0x2e, 0x4b, 0xc0, 0xf8, 0xa9,
            0x23, 0x93, 0x4f, 0x65,
        ]);
        let digest = SpentDigest::of(&key, &payload_hash.unwrap());
        assert_eq!(
            hex(digest.as_bytes()),
            "bdaab0cb26fb7a3dfe8fa107dd6657fa18951c937cfa3314dc456bb1bc9e40d4"
        );
    }

    #[test]
    fn a_digest_covers_the_key_and_the_hash_and_is_not_printed() {
        let [one, two] = [1, 2].map(|byte| KeyFingerprint([byte; 32]));
        let [short, long] = [&[7; 20][..], &[7; 48]].map(|hash| PayloadHash::new(hash).unwrap());
        let digests = [
            SpentDigest::of(&one, &short),
            SpentDigest::of(&two, &short),
            SpentDigest::of(&one, &long),
        ];
        assert!(digests[0] != digests[1] && digests[0] != digests[2]);
        assert_eq!(format!("{:?}", digests[0]), "SpentDigest(..)");
    }
}
