//! Recoup: the holders of a stopped mint key's honest coins are made whole.
//!
//! A stolen key signs coins that the issuer never accepted a blind for, and on the coin nobody sees the
//! difference. But whoever made a coin knows how it was blinded and can show which accepted blind it came
//! from. The issuer verifies that; the books count each blind and each coin once.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::mint_key::MINT_KEY_ID_BYTES;
use crate::{MintKeyId, PayloadHash};

/// Bytes of a blind's digest: SHA-256.
pub const BLIND_DIGEST_BYTES: usize = 32;

/// What is hashed before the key and the number, so that no other digest has the same preimage.
const DOMAIN: &[u8] = b"opencoin recouped blind 1";

/// A blind that was signed by a stopped key, with the coin that came of it. The caller has verified that it
/// did, and that the blind was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RevokedBlind {
    /// The stopped key that signed it.
    pub mint_key: MintKeyId,
    /// Which blind.
    pub blind: BlindDigest,
    /// What the signature of the coin covers.
    pub payload_hash: PayloadHash,
}

/// The name of a blind in the books: SHA-256 over a fixed text, the mint key's id and the blinded number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlindDigest([u8; BLIND_DIGEST_BYTES]);

impl BlindDigest {
    /// The digest of a blinded number, big-endian, for this key; leading zeros make no difference.
    #[must_use]
    pub fn of(mint_key: MintKeyId, blinded: &[u8]) -> Self {
        const _: () = assert!(
            MINT_KEY_ID_BYTES == 20,
            "the id has one width, so it needs no length before it"
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

    /// The stored digest.
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

/// Who has the database can find the blind's transaction with it.
impl fmt::Debug for BlindDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlindDigest(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_of_a_number_under_a_key() {
        let [one, two] = [1, 2].map(|key| MintKeyId::new([key; 20]));
        assert_eq!(BlindDigest::of(one, &[0, 0, 5, 0]), BlindDigest::of(one, &[5, 0]));
        assert_ne!(BlindDigest::of(one, &[5, 0]), BlindDigest::of(one, &[5]));
        assert_ne!(BlindDigest::of(one, &[5]), BlindDigest::of(two, &[5]));
        // Computed once with another program: stored digests must be found again by every later version.
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
