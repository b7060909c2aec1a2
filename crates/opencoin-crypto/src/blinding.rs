//! The wallet's half of a blind signature: blind a payload, unblind what comes back.
//!
//! With m the number that the suite signs and r a secret random number, the issuer sees only `m * r^e mod n`, which is as likely
//! for every m, signs it, and the wallet divides by r. Who loses the [`Unblinder`] loses the coin, so a wallet stores it
//! before it sends the blinded number; who steals it can link the coin to its minting.
//!
//! The arithmetic here is not constant time. It runs once for each coin, on the wallet's own machine, with
//! numbers that are never used again.

use std::fmt;

use num_bigint_dig::{BigUint, ModInverse, RandBigInt};
use opencoin_schema::{BigInt, Coin, Payload, text};
use rsa::rand_core::CryptoRngCore;
use sha1::Sha1;
use sha2::{Digest, Sha384};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::numbers::{to_big_int, to_biguint, to_secret_bytes};
use crate::suite::{CoinError, MintKeyError, SALT_BYTES};
use crate::{CipherSuite, PublicKey, blind_in_range, emsa_pss};

/// How many random numbers are tried before a key is given up. With a modulus of two large primes the first one
/// serves; only one with many small factors can use them all up.
const DRAWS_MAX: usize = 64;

/// Why a payload cannot be blinded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BlindError {
    /// The key cannot be a mint key of the suite.
    #[error(transparent)]
    MintKey(#[from] MintKeyError),
    /// The modulus has small factors: it was not made of two large primes, and would not hide the payload.
    #[error("the mint key's modulus has small factors")]
    SmallFactors,
}

/// A text is not a stored [`Unblinder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a stored unblinder")]
pub struct UnblinderError;

/// The secret that turns a blind signature into a coin's: `r^-1 mod n`. Redacted in `Debug`, erased when dropped.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Unblinder(BigUint);

impl CipherSuite {
    /// Blinds `payload` for the mint key `key` (RFC 9474 section 4.2, in the second suite): the number to send, and the
    /// secret to keep.
    ///
    /// # Errors
    /// When the key cannot be a mint key of this suite.
    pub fn blind(
        self,
        key: &PublicKey,
        payload: &Payload,
        rng: &mut (impl CryptoRngCore + ?Sized),
    ) -> Result<(BigInt, Unblinder), BlindError> {
        self.check_mint_key(key)?;
        let message = match self {
            Self::RsaSha256PssChaum82 => Zeroizing::new(Sha1::digest(text::compact(payload)).to_vec()),
            Self::RsaSha384PssRfc9474 => {
                let mut salt = Zeroizing::new([0; SALT_BYTES]);
                rng.fill_bytes(salt.as_mut());
                encode_rfc9474(text::compact(payload).as_bytes(), salt.as_ref(), key)
            }
        };
        let message = Zeroizing::new(BigUint::from_bytes_be(&message));
        (0..DRAWS_MAX)
            .find_map(|_| {
                let r = rng.gen_biguint_range(&BigUint::from(1_u8), key.modulus());
                blind_number(key, &message, Zeroizing::new(r))
            })
            .ok_or(BlindError::SmallFactors)
    }

    /// Unblinds `blind_signature` and verifies the coin that results (RFC 9474 section 4.4, in the second suite). A coin that
    /// this returns is one that everybody else will accept as signed.
    ///
    /// # Errors
    /// When the issuer's answer, or the unblinder, does not belong to this payload and key.
    pub fn finish(
        self,
        key: &PublicKey,
        payload: &Payload,
        blind_signature: &BigInt,
        unblinder: &Unblinder,
    ) -> Result<Coin, CoinError> {
        if *blind_signature >= key.document().modulus {
            return Err(CoinError);
        }
        let signature = to_biguint(blind_signature) * &unblinder.0 % key.modulus();
        let coin = Coin { payload: payload.clone(), signature: to_big_int(&signature) };
        self.verify_coin(key, &coin)?;
        Ok(coin)
    }
}

impl Unblinder {
    /// The secret as a hex number, for the wallet's journal.
    #[must_use]
    pub fn to_secret_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.to_str_radix(16))
    }

    /// Reads what [`Self::to_secret_hex`] wrote.
    ///
    /// # Errors
    /// When the text is not a hex number. Whether it belongs to a payload only [`CipherSuite::finish`] can tell.
    pub fn from_secret_hex(hex: &str) -> Result<Self, UnblinderError> {
        let number: BigInt = hex.parse().map_err(|_| UnblinderError)?;
        Ok(Self(to_biguint(&number)))
    }
}

impl fmt::Debug for Unblinder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Unblinder(secret)")
    }
}

/// EMSA-PSS with SHA-384, as RFC 9474 section 4.2 encodes a message before it is blinded.
fn encode_rfc9474(message: &[u8], salt: &[u8], key: &PublicKey) -> Zeroizing<Vec<u8>> {
    let encoded = emsa_pss::encode::<Sha384>(&Sha384::digest(message), salt, key.modulus_bits());
    Zeroizing::new(encoded.expect("hash and salt fit into MINT_KEY_BITS_MIN"))
}

/// `message * r^e mod n` and the inverse of r; `None` when r is unsuitable: one of the numbers shares a factor with n, or
/// the product is one that no key signs.
///
/// Dangerous with an r that is not random, secret and used once: it is what hides the message.
fn blind_number(key: &PublicKey, message: &BigUint, r: Zeroizing<BigUint>) -> Option<(BigInt, Unblinder)> {
    let modulus = key.modulus();
    // One inversion, of the product, shows that both numbers are coprime to n.
    let product = Zeroizing::new(&*r * message % modulus);
    let inverse = Zeroizing::new((&*product).mod_inverse(modulus)?.to_biguint()?);
    let unblinder = Unblinder(&*inverse * message % modulus);

    let factor = key.raw_public(&to_secret_bytes(&r, key.modulus_bytes())).ok()?;
    let factor = Zeroizing::new(BigUint::from_bytes_be(&Zeroizing::new(factor)));
    let blinded = to_big_int(&(message * &*factor % modulus));
    blind_in_range(key, &blinded).then_some((blinded, unblinder))
}
