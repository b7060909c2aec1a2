//! What protects the content of a row: encryption under a passphrase, or else a checksum.
//!
//! Both bind the content to its place, so that no row can stand for another. Encryption is AES-256-GCM with random
//! nonces; Argon2id (RFC 9106) makes the key from the passphrase. The tables and the numbers, sizes and times of change
//! of rows stay visible.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use rand::RngCore;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::storage::{StorageError, Table};
use opencoin_api::Secret;

const KEY_BYTES: usize = 32;
const SALT_BYTES: usize = 16;
/// The length of the checksum of a row that is not encrypted.
const CHECKSUM_BYTES: usize = 8;
/// The memory of Argon2id for new passphrases, in KiB: the second recommendation of RFC 9106, section 4.
const MEMORY_KIB: u32 = 64 * 1024;
/// The passes of Argon2id for new passphrases.
const PASSES: u32 = 3;
/// More memory than any wallet of ours asks for, in KiB. A file that asks for more is damaged.
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
/// More passes than any wallet of ours asks for.
const PASSES_MAX: u32 = 16;

/// How the key is made from the passphrase. Part of the header, in the clear.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyDerivation {
    /// In hex.
    salt: String,
    memory_kib: u32,
    passes: u32,
}

impl KeyDerivation {
    pub(crate) fn new(rng: &mut dyn RngCore) -> Self {
        let mut salt = [0; SALT_BYTES];
        rng.fill_bytes(&mut salt);
        Self {
            salt: const_hex::encode(salt),
            memory_kib: MEMORY_KIB,
            passes: PASSES,
        }
    }

    /// Makes the key. `None` if the numbers are not ones that this program writes.
    fn key(&self, passphrase: &Secret) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
        if self.memory_kib > MEMORY_KIB_MAX || self.passes > PASSES_MAX {
            return None;
        }
        let params = Params::new(self.memory_kib, self.passes, 1, Some(KEY_BYTES)).ok()?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        let salt = const_hex::decode(&self.salt).ok()?;
        argon2
            .hash_password_into(passphrase.expose().as_bytes(), &salt, &mut *key)
            .ok()?;
        Some(key)
    }
}

/// Protects the content of rows.
pub(crate) enum Seal {
    /// A checksum, against damage.
    Checksum,
    /// Encryption with this key.
    Key(LessSafeKey),
}

impl fmt::Debug for Seal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Checksum => "Checksum",
            Self::Key(_) => "Key(..)",
        })
    }
}

impl Seal {
    /// Makes the seal of a wallet that is encrypted with this passphrase.
    pub(crate) fn of(derivation: &KeyDerivation, passphrase: &Secret) -> Result<Self, StorageError> {
        let damaged = || StorageError::Damaged {
            place: "the header of the wallet".to_owned(),
            reason: "the key derivation is not one that this program uses".to_owned(),
        };
        let key = derivation.key(passphrase).ok_or_else(damaged)?;
        let key = UnboundKey::new(&AES_256_GCM, &*key).expect("the key has the length of the cipher's");
        Ok(Self::Key(LessSafeKey::new(key)))
    }

    pub(crate) fn seal(&self, table: Table, no: u64, mut body: Vec<u8>, rng: &mut dyn RngCore) -> Vec<u8> {
        match self {
            Self::Checksum => {
                let checksum = checksum(table, no, &body);
                body.extend_from_slice(&checksum);
                body
            }
            Self::Key(key) => {
                let mut nonce = [0; NONCE_LEN];
                rng.fill_bytes(&mut nonce);
                key.seal_in_place_append_tag(
                    Nonce::assume_unique_for_key(nonce),
                    Aad::from(place(table, no)),
                    &mut body,
                )
                .expect("a row is shorter than the cipher's limit");
                body.extend_from_slice(&nonce);
                body
            }
        }
    }

    /// Returns the content of a row.
    pub(crate) fn open(
        &self,
        table: Table,
        no: u64,
        body: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, StorageError> {
        let damaged = || StorageError::Damaged {
            place: format!("row {no} of the table {table:?}"),
            reason: "it is not what the wallet wrote".to_owned(),
        };
        let overhead = match self {
            Self::Checksum => CHECKSUM_BYTES,
            Self::Key(_) => NONCE_LEN,
        };
        let end = body.len().checked_sub(overhead).ok_or_else(damaged)?;
        let (content, trailer) = body.split_at(end);
        let mut content = Zeroizing::new(content.to_vec());
        match self {
            Self::Checksum if checksum(table, no, &content) == trailer => {}
            Self::Checksum => return Err(damaged()),
            Self::Key(key) => {
                let nonce = Nonce::try_assume_unique_for_key(trailer).map_err(|_| damaged())?;
                let opened = key.open_in_place(nonce, Aad::from(place(table, no)), &mut content);
                let length = opened.map_err(|_| damaged())?.len();
                content.truncate(length);
            }
        }
        Ok(content)
    }
}

fn place(table: Table, no: u64) -> [u8; 9] {
    let mut place = [0; 9];
    place[0] = table as u8;
    place[1..].copy_from_slice(&no.to_be_bytes());
    place
}

fn checksum(table: Table, no: u64, body: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest = Sha256::new()
        .chain_update(place(table, no))
        .chain_update(body)
        .finalize();
    let mut checksum = [0; CHECKSUM_BYTES];
    checksum.copy_from_slice(&digest[..CHECKSUM_BYTES]);
    checksum
}
