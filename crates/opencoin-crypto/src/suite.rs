//! Cipher suites: what a mint key signs to make a coin, and when a coin is valid.
//!
//! The issuer does the same in both suites: it raises the blinded number to the private exponent. The suites
//! differ in the number that is blinded:
//!
//! - `RSA-SHA256-PSS-CHAUM82`: the SHA-1 of the payload, without padding. It is short and has no structure, so
//!   signatures can be multiplied into other signatures (Desmedt and Odlyzko 1985). It is supported for wallets
//!   that know only this suite.
//! - `RSA-SHA384-PSS-RFC9474`: the payload encoded by EMSA-PSS, as RSABSSA-SHA384-PSS-Deterministic of RFC
//!   9474. This is the default: the product of two signatures is not a signature of anything.
//!
//! Certificates are signed the same way in both ([`PublicKey::verify_certificate`]). Code that depends on the
//! suite matches exhaustively, so that the compiler finds every place that a third suite needs.

use std::fmt;
use std::str::FromStr;

use opencoin_schema::{BigInt, Coin, Payload, PayloadHash, text};
use sha1::Sha1;
use sha2::{Digest, Sha384};
use thiserror::Error;

use crate::PublicKey;
use crate::aws_lc::PssHash;
use crate::key_error::{KEY_BITS_MIN, PUBLIC_EXPONENT};
use crate::keys::verify_by_key;

/// The shortest modulus, in bits, of the mint keys and master key of a new currency, in every suite.
pub const MINT_KEY_BITS_MIN: usize = 2048;

/// The salt of a coin's signature in RFC 9474, in bytes: as long as the hash.
pub(crate) const SALT_BYTES: usize = 48;

/// How the coins of a currency are made. The currency's CDD names the suite, which never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CipherSuite {
    /// `RSA-SHA256-PSS-CHAUM82`: the SHA-1 of the payload, signed without padding.
    RsaSha256PssChaum82,
    /// `RSA-SHA384-PSS-RFC9474`: RSABSSA-SHA384-PSS-Deterministic over the payload.
    #[default]
    RsaSha384PssRfc9474,
}

/// A CDD names an unknown cipher suite.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown cipher suite {0:?}; known are {known}", known = known_names())]
pub struct UnknownCipherSuite(pub String);

/// A key cannot be a mint key of the cipher suite.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MintKeyError {
    /// The modulus is too short.
    #[error("a mint key of {bits} bits is too small for {suite}, which requires {bits_min}")]
    TooSmall {
        /// The suite.
        suite: CipherSuite,
        /// The size of the key.
        bits: usize,
        /// The smallest size in this suite.
        bits_min: usize,
    },
    /// The public exponent is not 65537. If it shared a small factor with p - 1 or q - 1, a blind would reveal
    /// the coset of its payload, and the issuer could tell some coins apart.
    #[error("a mint key of {suite} must have the public exponent 65537, not {public_exponent}")]
    PublicExponent {
        /// The suite.
        suite: CipherSuite,
        /// The exponent of the key.
        public_exponent: u64,
    },
}

/// The signature of a coin is not its mint key's signature of its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the signature is not the mint key's signature of this payload")]
pub struct CoinError;

impl CipherSuite {
    /// Every suite there is.
    pub const ALL: [Self; 2] = [Self::RsaSha256PssChaum82, Self::RsaSha384PssRfc9474];

    /// The suite's name in documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RsaSha256PssChaum82 => "RSA-SHA256-PSS-CHAUM82",
            Self::RsaSha384PssRfc9474 => "RSA-SHA384-PSS-RFC9474",
        }
    }

    /// Checks that wallets and auditors may accept `key` as a mint key of this suite. A new currency also needs
    /// [`MINT_KEY_BITS_MIN`].
    ///
    /// # Errors
    /// When the key is too small or, under RFC 9474, has another public exponent than 65537.
    pub fn check_mint_key(self, key: &PublicKey) -> Result<(), MintKeyError> {
        let bits_min = match self {
            Self::RsaSha256PssChaum82 => KEY_BITS_MIN,
            Self::RsaSha384PssRfc9474 => MINT_KEY_BITS_MIN,
        };
        let bits = key.modulus_bits();
        if bits < bits_min {
            return Err(MintKeyError::TooSmall {
                suite: self,
                bits,
                bits_min,
            });
        }
        let public_exponent = key.document().public_exponent;
        match self {
            Self::RsaSha384PssRfc9474 if public_exponent != PUBLIC_EXPONENT => {
                Err(MintKeyError::PublicExponent {
                    suite: self,
                    public_exponent,
                })
            }
            Self::RsaSha384PssRfc9474 | Self::RsaSha256PssChaum82 => Ok(()),
        }
    }

    /// The hash that identifies a coin of this payload among those of its mint key: the SHA-1 of the compact
    /// text, or its SHA-384.
    ///
    /// In the first suite, this number is also what the mint key signs. Two payloads with the same SHA-1 share one
    /// signature, so they must count as one coin.
    #[must_use]
    pub fn payload_hash(self, payload: &Payload) -> PayloadHash {
        recorded(self.hash(&text::compact(payload)).bytes())
    }

    /// Verifies that the mint key `key` signed the coin, and returns the hash that identifies the coin.
    ///
    /// The coin may be spent or expired. It is worth the denomination of the mint key, whatever the payload says.
    ///
    /// # Errors
    /// When the signature is not this key's signature of this payload.
    pub fn verify_coin(self, key: &PublicKey, coin: &Coin) -> Result<PayloadHash, CoinError> {
        self.verify_coins(&[(key, coin)])
            .pop()
            .expect("one result for each coin")
    }

    /// [`Self::verify_coin`] for several coins, in their order. Many coins of one key take less time than one after the
    /// other.
    #[must_use]
    pub fn verify_coins(self, coins: &[(&PublicKey, &Coin)]) -> Vec<Result<PayloadHash, CoinError>> {
        let hashes: Vec<Hash> = coins
            .iter()
            .map(|(_, coin)| self.hash(&text::compact(&coin.payload)))
            .collect();
        let signatures: Vec<(&PublicKey, &BigInt)> =
            coins.iter().map(|(key, coin)| (*key, &coin.signature)).collect();
        let valid = verify_by_key(&signatures, |place, signed| {
            hashes[place].is_signed(coins[place].0, signed)
        });
        let result =
            |(hash, is_valid): (&Hash, bool)| is_valid.then(|| recorded(hash.bytes())).ok_or(CoinError);
        hashes.iter().zip(valid).map(result).collect()
    }

    fn hash(self, text: &str) -> Hash {
        match self {
            Self::RsaSha256PssChaum82 => Hash::Sha1(Sha1::digest(text).into()),
            Self::RsaSha384PssRfc9474 => Hash::Sha384(Sha384::digest(text).into()),
        }
    }
}

/// The hash of a payload, by suite.
enum Hash {
    Sha1([u8; 20]),
    Sha384([u8; 48]),
}

impl Hash {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Sha1(hash) => hash,
            Self::Sha384(hash) => hash,
        }
    }

    /// Whether `signed`, a number as long as the modulus of `key`, is what the key signs for this hash.
    fn is_signed(&self, key: &PublicKey, signed: &[u8]) -> bool {
        match self {
            Self::Sha1(hash) => signed
                .split_at_checked(signed.len() - hash.len())
                .is_some_and(|(zeros, number)| zeros.iter().all(|byte| *byte == 0) && number == hash),
            Self::Sha384(hash) => key.verify_pss_encoding(PssHash::Sha384, hash, SALT_BYTES, signed),
        }
    }
}

impl FromStr for CipherSuite {
    type Err = UnknownCipherSuite;

    fn from_str(name: &str) -> Result<Self, UnknownCipherSuite> {
        Self::ALL
            .into_iter()
            .find(|suite| suite.name() == name)
            .ok_or_else(|| UnknownCipherSuite(name.to_owned()))
    }
}

impl fmt::Display for CipherSuite {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

fn recorded(hash: &[u8]) -> PayloadHash {
    PayloadHash::new(hash).expect("the hash of every suite is short enough")
}

/// Whether `key` signs the number `blinded`: it must be from 2 to n - 2, because 0, 1 and n - 1 are their own
/// signatures.
#[must_use]
pub fn blind_in_range(key: &PublicKey, blinded: &BigInt) -> bool {
    blinded.bits() >= 2 && blinded < key.modulus_less_one()
}

fn known_names() -> String {
    CipherSuite::ALL.map(CipherSuite::name).join(", ")
}
