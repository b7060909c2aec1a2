//! Mint keys and their certificates (MKC), which give a key its denomination and its dates.

use crate::document::document;
use crate::{BigInt, RsaPublicKey, Timestamp};

document! {
    /// A key that signs coins of one denomination.
    MintKey = "mint key" {
        /// The serial of the CDD that the key belongs to.
        cdd_serial: u64,
        /// The last moment at which the issuer accepts its coins.
        coins_expiry_date: Timestamp,
        /// The value of its coins, in the smallest unit.
        denomination: u64,
        /// A hint: the identifier of `public_mint_key`.
        id: BigInt,
        /// The identifier of the currency's master key.
        issuer_id: BigInt,
        /// The key itself.
        public_mint_key: RsaPublicKey,
        /// The last moment at which it signs.
        sign_coins_not_after: Timestamp,
        /// The first moment at which it signs.
        sign_coins_not_before: Timestamp,
    }
}

document! {
    /// Mint Key Certificate, signed with the master key.
    Mkc = "mint key certificate" {
        /// The mint key.
        mint_key: MintKey,
        /// RSASSA-PSS over the pretty text of `mint_key`.
        signature: BigInt,
    }
}
