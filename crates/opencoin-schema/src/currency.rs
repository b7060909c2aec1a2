//! The description of a currency (CDD), its certificate (CDDC), and the public keys in them.

use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};

use crate::document::document;
use crate::{BigInt, Timestamp, text};

document! {
    /// An RSA public key: the specification's `PublicKey`.
    RsaPublicKey = "rsa public key" {
        /// The modulus n.
        modulus: BigInt,
        /// The exponent e.
        public_exponent: u64,
    }
}

impl RsaPublicKey {
    /// The identifier of a currency or of a mint key: SHA-1 of the key's compact text, as a number.
    ///
    /// An `id` in a document is only a hint and must be compared with this one.
    #[must_use]
    pub fn id(&self) -> BigInt {
        BigInt::from_be_bytes(&Sha1::digest(text::compact(self)))
    }
}

/// A pair `[weight, url]` of a `WeightedURLList`; the lower weight is tried first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightedUrl(pub i64, pub String);

document! {
    /// Currency Description Document: name, master key, denominations and services of a currency.
    Cdd = "cdd" {
        /// Free text.
        additional_info: String,
        /// The document is not valid after this moment.
        cdd_expiry_date: Timestamp,
        /// Where the CDD can be downloaded.
        cdd_location: String,
        /// The version of the CDD; a later one has a higher serial.
        cdd_serial: u64,
        /// When it was signed.
        cdd_signing_date: Timestamp,
        /// The number of smallest units in one unit of `currency_name`.
        currency_divisor: u64,
        /// The name of the currency.
        currency_name: String,
        /// The values that coins can have, in the smallest unit.
        denominations: Vec<u64>,
        /// A hint: the identifier of `issuer_public_master_key`.
        id: BigInt,
        /// Where wallets find information.
        info_service: Vec<WeightedUrl>,
        /// The name of the cipher suite.
        issuer_cipher_suite: String,
        /// The key that signs this document and the mint keys.
        issuer_public_master_key: RsaPublicKey,
        /// Where wallets mint.
        mint_service: Vec<WeightedUrl>,
        /// The version of the protocol, as a URL.
        protocol_version: String,
        /// Where wallets redeem.
        redeem_service: Vec<WeightedUrl>,
        /// Where wallets renew.
        renew_service: Vec<WeightedUrl>,
    }
}

document! {
    /// The certificate of a CDD, signed with the master key in the CDD. It is the trust anchor.
    Cddc = "cdd certificate" {
        /// The document.
        cdd: Cdd,
        /// RSASSA-PSS over the pretty text of `cdd`.
        signature: BigInt,
    }
}
