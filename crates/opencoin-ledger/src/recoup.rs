//! Recoup: compensation for the holders of honest coins of a stopped mint key.
//!
//! A thief who has a mint key can sign coins without an accepted blind, and such a coin looks like any other.
//! But the wallet that minted an honest coin knows how it was blinded and can show which accepted blind it
//! came from. The issuer verifies that. The books take each blind and each coin only once.

use opencoin_log::digest::{IssuedDigest, SpentDigest};

use crate::MintKeyId;

/// A blind that a stopped key signed, and the coin made from it. The caller has verified that the coin came
/// from the blind and that the blind was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RevokedBlind {
    /// The stopped key that signed it.
    pub mint_key: MintKeyId,
    /// The digest of the blind, as in the log.
    pub issued_digest: IssuedDigest,
    /// The digest of the coin.
    pub spent_digest: SpentDigest,
}
