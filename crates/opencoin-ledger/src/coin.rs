//! Returned coins, which the books identify by mint key and spent digest.
//!
//! The payload hash and not the serial identifies a coin, because a serial can be spelled in two ways.
//! Everything that verifies as the same signed message counts as one coin. The spent digest is that of the public log
//! ([`opencoin_log::leaf`]): 32 bytes in every cipher suite, which determine the coin among those of all keys.

use opencoin_log::digest::SpentDigest;

use crate::MintKeyId;

/// A coin to renew or redeem. The caller has verified its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CoinIn {
    /// The key that signed it. It determines the value.
    pub mint_key: MintKeyId,
    /// The digest by which it is recorded as spent.
    pub spent_digest: SpentDigest,
}
