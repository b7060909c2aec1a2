//! Returned coins, which the books identify by mint key and payload hash.
//!
//! The payload hash and not the serial identifies a coin, because a serial can be spelled in two ways.
//! Everything that verifies as the same signed message counts as one coin.

use opencoin_schema::PayloadHash;

use crate::MintKeyId;

/// A coin to renew or redeem. The caller has verified its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CoinIn {
    /// The key that signed it. It determines the value.
    pub mint_key: MintKeyId,
    /// The hash that the signature covers.
    pub payload_hash: PayloadHash,
}
