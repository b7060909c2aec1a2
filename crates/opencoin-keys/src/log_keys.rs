//! The keys of a currency's public log: one signs checkpoints, the other promises. Two encrypted files in a folder of
//! their own.
//!
//! Every process of an issuer needs both, since each makes promises and can be the one that seals. They sign nothing
//! that is money.

use std::fs;
use std::path::{Path, PathBuf};

use opencoin_crypto::{KeyStoreError, SEED_BYTES, SeedScheme, decrypt_seed, encrypt_seed};
use opencoin_log::key::{KeyName, KeyType, SigningKey};
use opencoin_private_files::{self as private_files, FileError};
use zeroize::Zeroizing;

use crate::challenge_key::ChallengeKey;
use crate::key_files::check_exposure;
use crate::passphrase::Passphrase;
use crate::randomness::Randomness;

const LOG_KEY_FILE: &str = "log.pem";
const PROMISE_KEY_FILE: &str = "promise.pem";
/// The end of the name of the promise key, after that of the log.
const PROMISE_NAME_END: &str = "/promise";

/// Both keys.
#[derive(Debug)]
pub struct LogKeys {
    /// Signs checkpoints. Its name is the origin of the log.
    pub log: SigningKey,
    /// Signs promises.
    pub promise: SigningKey,
    /// Makes challenges for key accounts. It comes from the secret of the promise key.
    pub challenges: ChallengeKey,
}

impl LogKeys {
    /// Makes both keys for the log with this origin and stores them in `folder`, which is created.
    ///
    /// # Errors
    /// When the folder has keys already, or a file cannot be written.
    pub fn create(
        folder: &Path,
        origin: &KeyName,
        passphrase: &Passphrase,
        rng: &mut dyn Randomness,
    ) -> Result<Self, KeyStoreError> {
        private_files::make_private_folder(folder).map_err(unusable)?;
        if Self::are_in(folder) {
            let reason = format!("{} has the keys of a log already", folder.display());
            return Err(KeyStoreError::Unusable(reason));
        }
        for file in [PROMISE_KEY_FILE, LOG_KEY_FILE] {
            let mut seed = Zeroizing::new([0; SEED_BYTES]);
            rng.fill_bytes(&mut seed[..]);
            let pem = encrypt_seed(SeedScheme::Ed25519, &seed, passphrase.expose(), rng);
            private_files::write(&folder.join(file), pem.as_bytes()).map_err(unusable)?;
        }
        Self::open(folder, origin, passphrase)
    }

    /// Whether the folder has the keys of a log.
    #[must_use]
    pub fn are_in(folder: &Path) -> bool {
        folder.join(LOG_KEY_FILE).is_file()
    }

    /// Opens both keys.
    ///
    /// # Errors
    /// When a file is missing, others can read it, or the passphrase does not open it.
    pub fn open(folder: &Path, origin: &KeyName, passphrase: &Passphrase) -> Result<Self, KeyStoreError> {
        check_exposure(folder)?;
        let promise_name = format!("{origin}{PROMISE_NAME_END}")
            .parse()
            .expect("the name of a log and more");
        let log = read_seed(&folder.join(LOG_KEY_FILE), passphrase)?;
        let promise = read_seed(&folder.join(PROMISE_KEY_FILE), passphrase)?;
        let key = |name, key_type, seed| SigningKey::from_seed(name, key_type, seed).map_err(unusable);
        Ok(Self {
            log: key(origin.clone(), KeyType::Ed25519Note, &log)?,
            promise: key(promise_name, KeyType::Ed25519Promise, &promise)?,
            challenges: ChallengeKey::derive(&promise, origin),
        })
    }

    /// Encrypts both keys with a new passphrase. Returns the number of files that were changed. After a crash one file
    /// may need the old passphrase; the same call then changes the other.
    ///
    /// # Errors
    /// When neither passphrase opens a file, or it cannot be written.
    pub fn change_passphrase(
        folder: &Path,
        old: &Passphrase,
        new: &Passphrase,
        rng: &mut dyn Randomness,
    ) -> Result<usize, KeyStoreError> {
        let mut changed = 0;
        for path in Self::files(folder) {
            let seed = match read_seed(&path, old) {
                Ok(seed) => seed,
                Err(error) => {
                    // Changed already, before a crash.
                    read_seed(&path, new).map_err(|_| error)?;
                    continue;
                }
            };
            let pem = encrypt_seed(SeedScheme::Ed25519, &seed, new.expose(), rng);
            private_files::write(&path, pem.as_bytes()).map_err(unusable)?;
            changed += 1;
        }
        Ok(changed)
    }

    fn files(folder: &Path) -> [PathBuf; 2] {
        [LOG_KEY_FILE, PROMISE_KEY_FILE].map(|file| folder.join(file))
    }
}

fn read_seed(path: &Path, passphrase: &Passphrase) -> Result<Zeroizing<[u8; SEED_BYTES]>, KeyStoreError> {
    check_exposure(path)?;
    let pem = fs::read_to_string(path)
        .map_err(FileError::of(path))
        .map_err(unusable)?;
    decrypt_seed(SeedScheme::Ed25519, &pem, passphrase.expose())
        .map_err(|error| KeyStoreError::Unusable(format!("{}: {error}", path.display())))
}

fn unusable(error: impl ToString) -> KeyStoreError {
    KeyStoreError::Unusable(error.to_string())
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn keys_are_opened_by_their_passphrase_which_can_be_changed() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("log");
        let [old, new] = ["old", "new"].map(|text| Passphrase::new(Zeroizing::new(text.to_owned())).unwrap());
        let origin: KeyName = "issuer.example/log".parse().unwrap();
        let mut rng = StdRng::seed_from_u64(1);
        let made = LogKeys::create(&folder, &origin, &old, &mut rng).unwrap();
        assert!(LogKeys::create(&folder, &origin, &old, &mut rng).is_err());
        assert!(LogKeys::open(&folder, &origin, &new).is_err());
        assert_eq!(
            LogKeys::change_passphrase(&folder, &old, &new, &mut rng).unwrap(),
            2
        );
        assert_eq!(
            LogKeys::change_passphrase(&folder, &old, &new, &mut rng).unwrap(),
            0
        );
        let opened = LogKeys::open(&folder, &origin, &new).unwrap();
        assert_eq!(opened.log.verifier(), made.log.verifier());
        assert_eq!(opened.promise.verifier(), made.promise.verifier());
        assert_ne!(
            made.log.verifier().public_key(),
            made.promise.verifier().public_key()
        );
        assert_eq!(
            opened.promise.verifier().name().as_str(),
            "issuer.example/log/promise"
        );
    }
}
