//! The wallet's part of a blind signature: blinding a payload and unblinding the signature.
//!
//! Let m be the number that the suite signs, and r a secret random number. The issuer sees and signs
//! `m * r^e mod n`, which is equally likely for every m, and the wallet divides the signature by r. Here r, and the
//! salt if the suite has one, are derived from a [`BlindingSeed`]. `seed.rs` explains how, and why the seed proves
//! which blind a coin came from. Without the seed the coin is lost, so a wallet stores it before it sends the blinded
//! number. A stolen seed links the coin to its minting.
//!
//! The arithmetic here is not constant time. It runs once per coin, on the wallet's own machine, with numbers that are
//! never used again. It also runs on the issuer when a wallet reveals the seed, which is then no longer secret.

use std::fmt;

use num_bigint_dig::{BigUint, ModInverse};
use opencoin_schema::{BigInt, Coin, Payload, text};
use sha1::Sha1;
use sha2::{Digest, Sha384};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::numbers::{to_big_int, to_biguint, to_secret_bytes};
use crate::seed::{BlindingSeed, Derivation};
use crate::suite::{CoinError, MintKeyError};
use crate::{CipherSuite, PublicKey, blind_in_range, emsa_pss};

/// The most blinding factors that are derived from a seed. If the modulus is a product of two large primes, the
/// first one is suitable; only a modulus with many small factors needs them all.
const ATTEMPTS_MAX: u8 = 64;

/// A payload cannot be blinded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BlindError {
    /// The key cannot be a mint key of the suite.
    #[error(transparent)]
    MintKey(#[from] MintKeyError),
    /// The modulus is not a product of two large primes and would not hide the payload.
    #[error("the mint key's modulus has small factors")]
    SmallFactors,
}

/// A text is not a stored [`Unblinder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a stored unblinder")]
pub struct UnblinderError;

/// The secret that turns a blind signature into a coin's: `r^-1 mod n`. Redacted in `Debug`, erased when
/// dropped.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Unblinder(BigUint);

impl CipherSuite {
    /// Blinds `payload` for the mint key `key` (in the second suite by RFC 9474 section 4.2). Returns the number
    /// to send and the secret to unblind with. The same seed gives the same numbers, so storing the seed is enough.
    /// Use each seed once.
    ///
    /// # Errors
    /// When the key cannot be a mint key of this suite.
    pub fn blind(
        self,
        key: &PublicKey,
        payload: &Payload,
        seed: &BlindingSeed,
    ) -> Result<(BigInt, Unblinder), BlindError> {
        self.check_mint_key(key)?;
        let text = text::compact(payload);
        let derivation = Derivation::new(self, key, &text, seed);
        let message = match self {
            Self::RsaSha256PssChaum82 => Zeroizing::new(Sha1::digest(&text).to_vec()),
            Self::RsaSha384PssRfc9474 => encode_rfc9474(text.as_bytes(), derivation.salt().as_ref(), key),
        };
        let message = Zeroizing::new(BigUint::from_bytes_be(&message));
        (0..ATTEMPTS_MAX)
            .find_map(|attempt| blind_number(key, &message, derivation.blinding_factor(attempt)))
            .ok_or(BlindError::SmallFactors)
    }

    /// Whether [`Self::blind`] turns this payload and seed into `blinded`. This proves that the payload's coin
    /// came from this blind, even against the owner of the private key; see [`BlindingSeed`].
    #[must_use]
    pub fn opens(self, key: &PublicKey, payload: &Payload, seed: &BlindingSeed, blinded: &BigInt) -> bool {
        self.blind(key, payload, seed)
            .is_ok_and(|(made, _)| made == *blinded)
    }

    /// Unblinds `blind_signature` and verifies the resulting coin (in the second suite by RFC 9474 section 4.4).
    ///
    /// # Errors
    /// When the signature or the unblinder does not belong to this payload and key.
    pub fn finish(
        self,
        key: &PublicKey,
        payload: &Payload,
        blind_signature: &BigInt,
        unblinder: &Unblinder,
    ) -> Result<Coin, CoinError> {
        let coin = unblind(key, payload, blind_signature, unblinder)?;
        self.verify_coin(key, &coin)?;
        Ok(coin)
    }

    /// [`Self::finish`] for several coins, in their order. Verifying many coins of one key together takes less time.
    ///
    /// # Errors
    /// When a signature or unblinder does not belong to its payload and key.
    pub fn finish_all(
        self,
        signed: &[(&PublicKey, &Payload, &BigInt, Unblinder)],
    ) -> Result<Vec<Coin>, CoinError> {
        let coins: Vec<Coin> = signed
            .iter()
            .map(|(key, payload, blind_signature, unblinder)| {
                unblind(key, payload, blind_signature, unblinder)
            })
            .collect::<Result<_, _>>()?;
        let pairs: Vec<(&PublicKey, &Coin)> = signed.iter().map(|signed| signed.0).zip(&coins).collect();
        self.verify_coins(&pairs)
            .into_iter()
            .collect::<Result<Vec<_>, _>>()?;
        Ok(coins)
    }
}

/// The coin, not verified yet.
fn unblind(
    key: &PublicKey,
    payload: &Payload,
    blind_signature: &BigInt,
    unblinder: &Unblinder,
) -> Result<Coin, CoinError> {
    if *blind_signature >= key.document().modulus {
        return Err(CoinError);
    }
    let signature = to_biguint(blind_signature) * &unblinder.0 % key.modulus();
    Ok(Coin {
        payload: payload.clone(),
        signature: to_big_int(&signature),
    })
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
    /// When the text is not a hex number. Only [`CipherSuite::finish`] can tell whether it belongs to a payload.
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

/// `message * r^e mod n` and the inverse of r. `None` when r or the message shares a factor with n, or the key does
/// not sign the product.
///
/// Only r hides the message, so it must be random, secret and used once.
fn blind_number(key: &PublicKey, message: &BigUint, r: Zeroizing<BigUint>) -> Option<(BigInt, Unblinder)> {
    let modulus = key.modulus();
    // If the product has an inverse, both numbers are coprime to n.
    let product = Zeroizing::new(&*r * message % modulus);
    let inverse = Zeroizing::new((&*product).mod_inverse(modulus)?.to_biguint()?);
    let unblinder = Unblinder(&*inverse * message % modulus);

    let factor = key.raw_public(&to_secret_bytes(&r, key.modulus_bytes())).ok()?;
    let factor = Zeroizing::new(BigUint::from_bytes_be(&Zeroizing::new(factor)));
    let blinded = to_big_int(&(message * &*factor % modulus));
    blind_in_range(key, &blinded).then_some((blinded, unblinder))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use opencoin_schema::RsaPublicKey;
    use rsa::RsaPrivateKey;
    use rsa::pkcs8::{EncodePrivateKey, LineEnding};
    use serde::Deserialize;

    use super::*;
    use crate::PrivateKey;
    use crate::aws_lc::PssHash;

    /// One of RFC 9474's test vectors (appendix A), all in hex.
    #[derive(Deserialize)]
    struct Vector {
        p: BigInt,
        q: BigInt,
        n: BigInt,
        d: BigInt,
        /// Bytes instead of a number, because leading zeros count.
        msg: String,
        salt: String,
        /// r^-1 mod n.
        inv: BigInt,
        encoded_msg: BigInt,
        blinded_msg: BigInt,
        blind_sig: BigInt,
        sig: BigInt,
    }

    /// A.3, RSABSSA-SHA384-PSS-Deterministic, is the second suite; A.4 is the same with an empty salt.
    fn vectors() -> Vec<Vector> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/spec/rfc9474-vectors.json");
        let Ok(json) = fs::read(&path) else {
            println!("SKIPPED: there is no {}", path.display());
            return Vec::new();
        };
        let vectors: Vec<Vector> = serde_json::from_slice(&json).unwrap();
        assert_eq!(vectors.len(), 2);
        vectors
    }

    #[test]
    fn the_vectors_of_rfc_9474_are_reproduced() {
        for vector in vectors() {
            let key = PublicKey::parse(&RsaPublicKey {
                modulus: vector.n.clone(),
                public_exponent: 65537,
            })
            .unwrap();
            let [message, salt] = [&vector.msg, &vector.salt].map(|hex| const_hex::decode(hex).unwrap());

            let encoded = encode_rfc9474(&message, &salt, &key);
            assert_eq!(BigInt::from_be_bytes(&encoded), vector.encoded_msg);

            let r = to_biguint(&vector.inv)
                .mod_inverse(key.modulus())
                .unwrap()
                .to_biguint()
                .unwrap();
            let encoded = BigUint::from_bytes_be(&encoded);
            let (blinded, unblinder) = blind_number(&key, &encoded, Zeroizing::new(r)).unwrap();
            assert_eq!(blinded, vector.blinded_msg);
            assert_eq!(to_big_int(&unblinder.0), vector.inv);

            let secret = private_key(&vector);
            let blinded = blinded.to_padded_be_bytes(key.modulus_bytes()).unwrap();
            let blind_signature = secret.raw_sign(&blinded).unwrap();
            assert_eq!(BigInt::from_be_bytes(&blind_signature), vector.blind_sig);

            let signature = to_biguint(&vector.blind_sig) * &unblinder.0 % key.modulus();
            assert_eq!(to_big_int(&signature), vector.sig);
            let digest = Sha384::digest(&message);
            let verify = |salt_bytes| key.verify_pss(PssHash::Sha384, &digest, salt_bytes, &vector.sig);
            assert_eq!(verify(salt.len()), Ok(()));
            assert!(verify(salt.len() + 1).is_err(), "the salt's length is fixed");
        }
    }

    fn private_key(vector: &Vector) -> PrivateKey {
        let [n, d, p, q] = [&vector.n, &vector.d, &vector.p, &vector.q].map(to_biguint);
        let key = RsaPrivateKey::from_components(n, 65537_u32.into(), d, vec![p, q]).unwrap();
        PrivateKey::from_pkcs8_pem(&key.to_pkcs8_pem(LineEnding::LF).unwrap()).unwrap()
    }

    #[test]
    fn numbers_that_share_a_factor_with_the_modulus_do_not_blind() {
        // A product of a small and a large number stands in for a modulus with a known factor.
        let factor = BigUint::from(3_u8);
        let modulus = &factor * ((BigUint::from(1_u8) << 600) + 1_u8);
        let key = PublicKey::parse(&RsaPublicKey {
            modulus: to_big_int(&modulus),
            public_exponent: 65537,
        })
        .unwrap();
        let coprime = BigUint::from(5_u8);
        let blinds = |message, r: &BigUint| blind_number(&key, message, Zeroizing::new(r.clone())).is_some();
        assert!(blinds(&coprime, &(coprime.clone() * 7_u8)));
        assert!(!blinds(&factor, &coprime), "the message");
        assert!(!blinds(&coprime, &factor), "r");
    }

    #[test]
    fn an_unblinder_can_be_stored_and_is_hidden_in_debug() {
        let unblinder = Unblinder(BigUint::from(0xabcdef_u32));
        let stored = unblinder.to_secret_hex();
        assert_eq!(stored.as_str(), "abcdef");
        assert_eq!(Unblinder::from_secret_hex(&stored), Ok(unblinder.clone()));
        assert_eq!(Unblinder::from_secret_hex("-1"), Err(UnblinderError));
        assert_eq!(format!("{unblinder:?}"), "Unblinder(secret)");
    }
}
