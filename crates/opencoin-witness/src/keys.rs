//! The keys of a witness: an Ed25519 key, and an ML-DSA-44 key if it was made with one. An auditor has such keys too.
//!
//! Each is a seed in an encrypted file. Their public halves are in the file `vkeys`, which is written last: without it
//! nobody has been told of the keys.

use std::path::{Path, PathBuf};

use opencoin_crypto::{CryptoRngCore, KeyError, SEED_BYTES, SeedScheme, decrypt_seed, encrypt_seed};
use opencoin_log::cosignature::{CosignatureError, cosign};
use opencoin_log::key::{KeyName, KeyType, SigningKey, SigningKeyError, VerifierKey};
use opencoin_log::signature_line::SignatureLine;
use opencoin_private_files::{FileError, read_if_there, write};
use thiserror::Error;
use zeroize::Zeroizing;

const VKEYS_FILE: &str = "vkeys";

/// The kinds of keys, each with its file. The first one always exists.
const KINDS: [Kind; 2] = [
    Kind {
        file: "ed25519.pem",
        scheme: SeedScheme::Ed25519,
        key_type: KeyType::Ed25519Cosignature,
    },
    Kind {
        file: "ml-dsa-44.pem",
        scheme: SeedScheme::MlDsa44,
        key_type: KeyType::MlDsa44Cosignature,
    },
];

struct Kind {
    file: &'static str,
    scheme: SeedScheme,
    key_type: KeyType,
}

/// The private keys of a witness.
#[derive(Debug)]
pub struct WitnessKeys(Vec<SigningKey>);

/// The keys of a witness cannot be made or read.
#[derive(Debug, Error)]
pub enum KeysError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file does not have what it should have.
    #[error("{} is damaged: {reason}; restore it from your backup", path.display())]
    Damaged {
        /// The path of the file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file cannot be decrypted.
    #[error("{}: {reason}", path.display())]
    Decrypt {
        /// The path of the file.
        path: PathBuf,
        /// A wrong passphrase, usually.
        reason: KeyError,
    },
    /// The library refuses a key.
    #[error(transparent)]
    Key(#[from] SigningKeyError),
}

impl WitnessKeys {
    /// Makes keys with this name in a folder. Existing ones are replaced.
    ///
    /// # Errors
    /// A file cannot be written, or the library refuses a key.
    pub fn create(
        folder: &Path,
        name: &KeyName,
        with_ml_dsa: bool,
        passphrase: &[u8],
        rng: &mut (impl CryptoRngCore + ?Sized),
    ) -> Result<Self, KeysError> {
        let mut keys = Vec::new();
        for kind in &KINDS[..=usize::from(with_ml_dsa)] {
            let mut seed = Zeroizing::new([0; SEED_BYTES]);
            rng.fill_bytes(&mut *seed);
            let pem = encrypt_seed(kind.scheme, &seed, passphrase, rng);
            write(&folder.join(kind.file), pem.as_bytes())?;
            keys.push(SigningKey::from_seed(name.clone(), kind.key_type, &seed)?);
        }
        let keys = Self(keys);
        let lines: String = keys.vkeys().iter().map(|vkey| format!("{vkey}\n")).collect();
        write(&folder.join(VKEYS_FILE), lines.as_bytes())?;
        Ok(keys)
    }

    /// Decrypts the keys in a folder.
    ///
    /// # Errors
    /// The passphrase is wrong, or a file is missing or damaged.
    pub fn open(folder: &Path, passphrase: &[u8]) -> Result<Self, KeysError> {
        let mut keys = Vec::new();
        for vkey in read_vkeys(folder)?.unwrap_or_default() {
            let kind = KINDS
                .iter()
                .find(|kind| kind.key_type == vkey.key_type())
                .expect("other types are refused on reading");
            let path = folder.join(kind.file);
            let pem = read_if_there(&path)?;
            let pem = Zeroizing::new(pem.ok_or_else(|| damaged(&path, "it is missing"))?);
            let pem = std::str::from_utf8(&pem).map_err(|_| damaged(&path, "it is not text"))?;
            let seed = decrypt_seed(kind.scheme, pem, passphrase).map_err(|reason| KeysError::Decrypt {
                path: path.clone(),
                reason,
            })?;
            let key = SigningKey::from_seed(vkey.name().clone(), kind.key_type, &seed)?;
            if *key.verifier() != vkey {
                return Err(damaged(&path, "it has another key than the file vkeys says"));
            }
            keys.push(key);
        }
        Ok(Self(keys))
    }

    /// The public keys, the Ed25519 key first.
    #[must_use]
    pub fn vkeys(&self) -> Vec<VerifierKey> {
        self.0.iter().map(|key| key.verifier().clone()).collect()
    }

    /// The name, which all keys share.
    #[must_use]
    pub fn name(&self) -> &KeyName {
        self.0[0].verifier().name()
    }

    /// Cosigns the text of a checkpoint with every key, at `time` seconds since 1970.
    ///
    /// # Errors
    /// The time is none, the text is not a checkpoint, or the library does not sign.
    pub fn cosign(&self, time: u64, note_text: &str) -> Result<Vec<SignatureLine>, CosignatureError> {
        self.0.iter().map(|key| cosign(key, time, note_text)).collect()
    }
}

/// The public keys in a folder; `None` when there are none.
///
/// # Errors
/// The file cannot be read, or is damaged.
pub fn read_vkeys(folder: &Path) -> Result<Option<Vec<VerifierKey>>, KeysError> {
    let path = folder.join(VKEYS_FILE);
    let Some(bytes) = read_if_there(&path)? else {
        return Ok(None);
    };
    let text = String::from_utf8(bytes).map_err(|_| damaged(&path, "it is not text"))?;
    let keys: Result<Vec<VerifierKey>, _> = text.lines().map(str::parse).collect();
    let keys = keys.map_err(|error| damaged(&path, &error.to_string()))?;
    let types: Vec<KeyType> = keys.iter().map(VerifierKey::key_type).collect();
    let expected = KINDS.map(|kind| kind.key_type);
    if types.is_empty() || !expected.starts_with(&types) {
        return Err(damaged(&path, "it does not have the keys of a witness"));
    }
    Ok(Some(keys))
}

fn damaged(path: &Path, reason: &str) -> KeysError {
    KeysError::Damaged {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}
