//! The wallet's half of a blind signature: blind a payload, unblind what comes back.
//!
//! With m the number that the suite signs and r a secret random number, the issuer sees only `m * r^e mod n`,
//! which is as likely for every m, signs it, and the wallet divides by r. Here r comes from a
//! [`BlindingSeed`], and so does the salt where the suite has one: `seed.rs` says how, and why a wallet can
//! show with it that a coin came from a blind. Who loses the seed loses the coin, so a wallet stores it
//! before it sends the blinded number; who steals it can link the coin to its minting.
//!
//! The arithmetic here is not constant time. It runs once for each coin, on the wallet's own machine, with
//! numbers that are never used again; and once more on the issuer's when a seed is shown to it, and is no
//! secret any more.

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

/// How many numbers of a seed are tried before a key is given up. With a modulus of two large primes the
/// first one serves; only one with many small factors can use them all up.
const DRAWS_MAX: u8 = 64;

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

/// The secret that turns a blind signature into a coin's: `r^-1 mod n`. Redacted in `Debug`, erased when
/// dropped.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Unblinder(BigUint);

impl CipherSuite {
    /// Blinds `payload` for the mint key `key` (RFC 9474 section 4.2, in the second suite): the number to
    /// send, and the secret to unblind with. The same seed gives the same numbers, so keeping it is enough;
    /// use each seed once.
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
        (0..DRAWS_MAX)
            .find_map(|attempt| blind_number(key, &message, derivation.blinding_factor(attempt)))
            .ok_or(BlindError::SmallFactors)
    }

    /// Whether `blinded` is what [`Self::blind`] makes of this payload with this seed: the proof that the
    /// payload's coin came from this blind. See [`BlindingSeed`] for what it proves, even against who has the
    /// private key.
    #[must_use]
    pub fn opens(self, key: &PublicKey, payload: &Payload, seed: &BlindingSeed, blinded: &BigInt) -> bool {
        self.blind(key, payload, seed)
            .is_ok_and(|(made, _)| made == *blinded)
    }

    /// Unblinds `blind_signature` and verifies the coin that results (RFC 9474 section 4.4, in the second
    /// suite). A coin that this returns is one that everybody else will accept as signed.
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
        let coin = Coin {
            payload: payload.clone(),
            signature: to_big_int(&signature),
        };
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
    /// When the text is not a hex number. Whether it belongs to a payload only [`CipherSuite::finish`] can
    /// tell.
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

/// `message * r^e mod n` and the inverse of r; `None` when r is unsuitable: one of the numbers shares a
/// factor with n, or the product is one that no key signs.
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
        /// Bytes rather than a number: leading zeros count.
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
        if let Ok(json) = fs::read(&path) {
            let vectors: Vec<Vector> = serde_json::from_slice(&json).unwrap();
            assert_eq!(vectors.len(), 2);
            vectors
        } else {
            println!(
                "SKIPPED: the vectors of RFC 9474 are not beside the checkout ({})",
                path.display()
            );
            Vec::new()
        }
    }

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|start| u8::from_str_radix(&hex[start..start + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn the_vectors_of_rfc_9474_are_reproduced() {
        for vector in vectors() {
            let key = PublicKey::parse(&RsaPublicKey {
                modulus: vector.n.clone(),
                public_exponent: 65537,
            })
            .unwrap();
            let (message, salt) = (bytes(&vector.msg), bytes(&vector.salt));

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
            let blind_signature = secret
                .raw_sign(&blinded.to_padded_be_bytes(key.modulus_bytes()).unwrap())
                .unwrap();
            assert_eq!(BigInt::from_be_bytes(&blind_signature), vector.blind_sig);

            let signature = to_biguint(&vector.blind_sig) * &unblinder.0 % key.modulus();
            assert_eq!(to_big_int(&signature), vector.sig);
            let digest = Sha384::digest(&message);
            assert_eq!(
                key.verify_pss(PssHash::Sha384, &digest, salt.len(), &vector.sig),
                Ok(())
            );
            assert!(
                key.verify_pss(PssHash::Sha384, &digest, salt.len() + 1, &vector.sig)
                    .is_err(),
                "the salt's length is fixed"
            );
        }
    }

    fn private_key(vector: &Vector) -> PrivateKey {
        let primes = vec![to_biguint(&vector.p), to_biguint(&vector.q)];
        let key = RsaPrivateKey::from_components(
            to_biguint(&vector.n),
            65537_u32.into(),
            to_biguint(&vector.d),
            primes,
        )
        .unwrap();
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
        assert!(blind_number(&key, &coprime, Zeroizing::new(coprime.clone() * 7_u8)).is_some());
        assert!(
            blind_number(&key, &factor, Zeroizing::new(coprime.clone())).is_none(),
            "the message"
        );
        assert!(
            blind_number(&key, &coprime, Zeroizing::new(factor)).is_none(),
            "r"
        );
    }

    #[test]
    fn an_unblinder_is_stored_and_read_but_never_shown() {
        let unblinder = Unblinder(BigUint::from(0xabcdef_u32));
        let stored = unblinder.to_secret_hex();
        assert_eq!(stored.as_str(), "abcdef");
        assert_eq!(Unblinder::from_secret_hex(&stored), Ok(unblinder.clone()));
        assert_eq!(Unblinder::from_secret_hex("-1"), Err(UnblinderError));
        assert_eq!(format!("{unblinder:?}"), "Unblinder(secret)");
    }
}
