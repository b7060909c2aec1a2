//! Certificates that nobody has signed, for measurements and tests.

use opencoin_schema::{BigInt, MintKey, Mkc, RsaPublicKey, Timestamp};

use crate::{Command, LedgerTime, MintKeyId, MintKeyTerms};

/// The length of the modulus in bytes: that of the longest keys, of 4,096 bits.
const MODULUS_BYTES: usize = 512;

/// Registers a mint key with a certificate that nobody has signed. The books do no cryptography and take it. For
/// measurements and tests.
///
/// # Panics
/// Never: the dates that it uses are valid.
#[must_use]
pub fn register_uncertified_mint_key(id: MintKeyId, terms: MintKeyTerms, at: LedgerTime) -> Command {
    let mut modulus = id.as_bytes().repeat(MODULUS_BYTES / id.as_bytes().len() + 1);
    modulus.truncate(MODULUS_BYTES);
    // The id of a test may be zero.
    modulus[0] |= 0x80;
    let date: Timestamp = "1970-01-01T00:00:00".parse().expect("a date");
    let certificate = Mkc {
        mint_key: MintKey {
            cdd_serial: 1,
            coins_expiry_date: date,
            denomination: terms.denomination().units(),
            id: BigInt::from_be_bytes(id.as_bytes()),
            issuer_id: BigInt::default(),
            public_mint_key: RsaPublicKey {
                modulus: BigInt::from_be_bytes(&modulus),
                public_exponent: 65537,
            },
            sign_coins_not_after: date,
            sign_coins_not_before: date,
        },
        signature: BigInt::default(),
    };
    Command::RegisterMintKey {
        id,
        terms,
        certificate: Box::new(certificate),
        at,
    }
}
