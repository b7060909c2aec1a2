//! The introduction of an account, with a proof of work.
//!
//! The work limits how fast somebody can fill the books with accounts. It is worth no money.

use std::fmt;
use std::str::FromStr;

use opencoin_schema::text;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::public_key::AccountKey;
use super::{fixed_type, from_compact};
use crate::encoding::from_hex;

/// The number of leading zero bits of a proof of work: about a million hashes.
pub const WORK_BITS: u32 = 20;
/// The length of a challenge in bytes.
pub const CHALLENGE_BYTES: usize = size_of::<u64>() + 16;

const WORK_DOMAIN: &[u8] = b"opencoin.org/pow/v1\n";

/// What the issuer gives for one key and a limited time, so that nobody works in advance. As text, it is hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Challenge {
    /// When it ends, in seconds since 1970.
    pub expiry_s: u64,
    /// The issuer's code over key and expiry. Nobody else can check it.
    pub code: [u8; 16],
}

/// The statement that a key has an account from now on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Introduction {
    /// The issuer's challenge for the key.
    pub challenge: Challenge,
    /// The key.
    pub key: AccountKey,
    /// Makes the hash small.
    pub nonce: u64,
}

fixed_type!(Type, "log key introduction");

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    challenge: Challenge,
    key: AccountKey,
    nonce: u64,
    r#type: Type,
}

impl Challenge {
    /// The bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; CHALLENGE_BYTES] {
        let mut bytes = [0; CHALLENGE_BYTES];
        let (expiry, code) = bytes.split_at_mut(size_of::<u64>());
        expiry.copy_from_slice(&self.expiry_s.to_be_bytes());
        code.copy_from_slice(&self.code);
        bytes
    }

    /// Finds the proof of work for an account in the log `origin`, beginning with `nonce`; `None` if `attempts` numbers
    /// do not have one.
    #[must_use]
    pub fn work(self, origin: &str, key: AccountKey, nonce: u64, attempts: u64) -> Option<Introduction> {
        let prefix = work_prefix(origin, self, key);
        let mut nonces = (0..attempts).map(|attempt| nonce.wrapping_add(attempt));
        let found = nonces.find(|nonce| has_work(prefix.clone(), *nonce));
        found.map(|nonce| Introduction {
            challenge: self,
            key,
            nonce,
        })
    }
}

impl Introduction {
    /// Whether it has the proof of work for the log `origin`.
    #[must_use]
    pub fn has_work(&self, origin: &str) -> bool {
        has_work(work_prefix(origin, self.challenge, self.key), self.nonce)
    }

    /// The compact text.
    #[must_use]
    pub fn to_text(&self) -> String {
        text::compact(self)
    }

    /// Reads the compact text; `None` for any other.
    #[must_use]
    pub fn from_text(text: &[u8]) -> Option<Self> {
        from_compact(text)
    }
}

fn work_prefix(origin: &str, challenge: Challenge, key: AccountKey) -> Sha256 {
    Sha256::new()
        .chain_update(WORK_DOMAIN)
        .chain_update(origin)
        .chain_update("\n")
        .chain_update(challenge.to_bytes())
        .chain_update(key.as_bytes())
}

fn has_work(prefix: Sha256, nonce: u64) -> bool {
    let hash: [u8; 32] = prefix.chain_update(nonce.to_be_bytes()).finalize().into();
    let [a, b, c, d, ..] = hash;
    u32::from_be_bytes([a, b, c, d]).leading_zeros() >= WORK_BITS
}

impl Serialize for Introduction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            challenge,
            key,
            nonce,
        } = *self;
        Object {
            challenge,
            key,
            nonce,
            r#type: Type::Only,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Introduction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object {
            challenge,
            key,
            nonce,
            r#type: Type::Only,
        } = Object::deserialize(deserializer)?;
        Ok(Self {
            challenge,
            key: AccountKey::new(*key.as_bytes()).map_err(de::Error::custom)?,
            nonce,
        })
    }
}

impl Serialize for Challenge {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The text is not a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a challenge of {} lower-case hex digits", 2 * CHALLENGE_BYTES)]
pub struct ChallengeError;

impl FromStr for Challenge {
    type Err = ChallengeError;

    fn from_str(text: &str) -> Result<Self, ChallengeError> {
        let bytes: [u8; CHALLENGE_BYTES] = from_hex(text).ok_or(ChallengeError)?;
        let (expiry, code) = bytes
            .split_first_chunk()
            .expect("a challenge begins with eight bytes");
        Ok(Self {
            expiry_s: u64::from_be_bytes(*expiry),
            code: code.try_into().expect("sixteen bytes are left"),
        })
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&const_hex::encode(self.to_bytes()))
    }
}

impl<'de> Deserialize<'de> for Challenge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
