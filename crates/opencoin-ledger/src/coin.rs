//! Coins that come back, as the books know them: a mint key and a payload hash, nothing else.
//!
//! A coin is known by its payload hash and not by its serial: two spellings of one serial are one coin, and
//! whatever verifies as the same signed message counts once.

use opencoin_schema::PayloadHash;

use crate::MintKeyId;

/// A coin that its owner hands in. The caller has verified its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CoinIn {
    /// The key that signed it, and so its value.
    pub mint_key: MintKeyId,
    /// What the signature covers.
    pub payload_hash: PayloadHash,
}
