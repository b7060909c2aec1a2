//! Recoup: compensation for the holders of honest coins of a stopped mint key.
//!
//! A thief who has a mint key can sign coins without an accepted blind, and such a coin looks like any other.
//! But the wallet that minted an honest coin knows how it was blinded and can show which accepted blind it
//! came from. The issuer verifies that. The books take each blind and each coin only once.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::mint_key::MINT_KEY_ID_BYTES;
use crate::{MintKeyId, SpentDigest};

/// The length of a blind's digest in bytes: SHA-256.
pub const BLIND_DIGEST_BYTES: usize = 32;

/// The prefix of the hashed text. It separates this digest from all others.
const DOMAIN: &[u8] = b"opencoin recouped blind 1";

/// A blind that a stopped key signed, and the coin made from it. The caller has verified that the coin came
/// from the blind and that the blind was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RevokedBlind {
    /// The stopped key that signed it.
    pub mint_key: MintKeyId,
    /// The digest of the blind.
    pub blind: BlindDigest,
    /// The digest of the coin.
    pub spent_digest: SpentDigest,
}

/// Identifies a blind in the books: SHA-256 over a fixed text, the mint key's id and the blinded number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlindDigest([u8; BLIND_DIGEST_BYTES]);

impl BlindDigest {
    /// The digest of a big-endian blinded number for this key. Leading zeros are ignored.
    #[must_use]
    pub fn of(mint_key: MintKeyId, blinded: &[u8]) -> Self {
        const _: () = assert!(
            MINT_KEY_ID_BYTES == 20,
            "the id has a fixed width and needs no length prefix"
        );
        let significant = blinded
            .iter()
            .position(|&byte| byte != 0)
            .map_or(&[][..], |first| &blinded[first..]);
        let digest = Sha256::new()
            .chain_update(DOMAIN)
            .chain_update(mint_key.as_bytes())
            .chain_update(significant);
        Self(digest.finalize().into())
    }

    /// A digest that was stored.
    #[must_use]
    pub const fn new(bytes: [u8; BLIND_DIGEST_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; BLIND_DIGEST_BYTES] {
        &self.0
    }
}

/// Not printed, because it links to the blind's transaction in the database.
impl fmt::Debug for BlindDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlindDigest(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_covers_the_number_and_the_key() {
        let [one, two] = [1, 2].map(|key| MintKeyId::new([key; 20]));
        assert_eq!(BlindDigest::of(one, &[0, 0, 5, 0]), BlindDigest::of(one, &[5, 0]));
        assert_ne!(BlindDigest::of(one, &[5, 0]), BlindDigest::of(one, &[5]));
        assert_ne!(BlindDigest::of(one, &[5]), BlindDigest::of(two, &[5]));
        // Computed with another program. Digests are stored, so they must never change.
        let hex: String = BlindDigest::of(one, &[5])
            .as_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hex,
            "7a9f7b059f5e888e1f4b4cb4f6bfe6b084a41c72c1779de2303bbe8d899462fa"
        );
        assert_eq!(format!("{:?}", BlindDigest::of(one, &[5])), "BlindDigest(..)");
    }
}
