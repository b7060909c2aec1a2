//! Private mint keys in a folder, one encrypted file each, and the engine that signs with them.
//!
//! Only the owner may have access to the folder and its files. This is checked before every reading, because a key
//! that others can read is not private, even with a passphrase.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::{fs, thread};

use async_trait::async_trait;
use opencoin_config::KeyConfig;
use opencoin_crypto::{
    AcceptedBlinds, KeyError, KeyPrimes, KeyStore, KeyStoreError, LocalSigner, LocalSignerOptions,
    PrivateKey, PublicKey, SignError, Signer,
};
use opencoin_private_files::{self as private_files, FileError};
use opencoin_schema::BigInt;
use zeroize::Zeroizing;

use crate::passphrase::Passphrase;
use crate::randomness::Randomness;

const PREFIX: &str = "mint-";
const SUFFIX: &str = ".pem";

/// A folder of encrypted private mint keys.
#[derive(Clone)]
pub struct KeyFiles(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    /// Needed for everything but listing and destroying keys.
    passphrase: Option<Passphrase>,
    /// Whether the passphrase is known to open the existing keys.
    is_checked: AtomicBool,
    rng: Mutex<Box<dyn Randomness>>,
}

impl KeyFiles {
    fn new(folder: PathBuf, passphrase: Option<Passphrase>, rng: Box<dyn Randomness>) -> Self {
        Self(Arc::new(Inner {
            folder,
            passphrase,
            is_checked: AtomicBool::new(false),
            rng: Mutex::new(rng),
        }))
    }

    /// The keys of the currency in the folder `root`. Creates the folder of the keys if it does not exist. Without
    /// a passphrase, keys can only be listed and destroyed.
    ///
    /// # Errors
    /// When the settings keep the keys in a token, or the folder cannot be created.
    pub fn open(
        root: &Path,
        config: &KeyConfig,
        passphrase: Option<Passphrase>,
        rng: Box<dyn Randomness>,
    ) -> Result<Self, KeyStoreError> {
        let KeyConfig::Files { folder } = config else {
            return Err(KeyStoreError::Unusable(
                "the private mint keys are in a token, not in files".to_owned(),
            ));
        };
        let folder = root.join(folder);
        private_files::make_private_folder(&folder).map_err(unusable)?;
        Ok(Self::new(folder, passphrase, rng))
    }

    /// Reads one key.
    ///
    /// # Errors
    /// The key does not exist, others can read it, or the passphrase does not open it.
    fn read(&self, id: &BigInt) -> Result<PrivateKey, KeyStoreError> {
        let key = read_key(&self.path(id), self.passphrase()?)?;
        if key.public_key().id() == id {
            return Ok(key);
        }
        Err(KeyStoreError::Unusable(format!(
            "{} does not contain the key in its name",
            self.path(id).display()
        )))
    }

    fn passphrase(&self) -> Result<&Passphrase, KeyStoreError> {
        let missing =
            || KeyStoreError::Unusable("the private keys were opened without their passphrase".to_owned());
        self.0.passphrase.as_ref().ok_or_else(missing)
    }

    /// Checks that the passphrase opens an existing key. A new key with a mistyped passphrase would be noticed only
    /// weeks later, when it should sign, and would be lost. One key that opens is enough, because a change of the
    /// passphrase may have been interrupted.
    fn check_passphrase(&self) -> Result<(), KeyStoreError> {
        if self.0.is_checked.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut refusal = None;
        for id in self.ids()? {
            match self.read(&id) {
                Ok(_) => {
                    refusal = None;
                    break;
                }
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        refusal.map_or(Ok(()), Err)?;
        self.0.is_checked.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn path(&self, id: &BigInt) -> PathBuf {
        self.0.folder.join(format!("{PREFIX}{id}{SUFFIX}"))
    }

    /// Reads keys on all cores, because deriving each file's key from the passphrase takes long.
    fn read_all(&self, ids: &[BigInt]) -> Vec<Result<PrivateKey, KeyStoreError>> {
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let chunk = ids.len().div_ceil(threads).max(1);
        thread::scope(|scope| {
            let read = |ids: &[BigInt]| ids.iter().map(|id| self.read(id)).collect::<Vec<_>>();
            let tasks: Vec<_> = ids
                .chunks(chunk)
                .map(|ids| scope.spawn(move || read(ids)))
                .collect();
            tasks
                .into_iter()
                .flat_map(|task| task.join().expect("reading a key does not panic"))
                .collect()
        })
    }
}

impl KeyStore for KeyFiles {
    fn ids(&self) -> Result<BTreeSet<BigInt>, KeyStoreError> {
        check_exposure(&self.0.folder)?;
        Ok(private_files::list(&self.0.folder, SUFFIX)
            .map_err(unusable)?
            .iter()
            .filter_map(|path| id_of(path))
            .collect())
    }

    fn generate(&self, bits: usize, primes: KeyPrimes) -> Result<PublicKey, KeyStoreError> {
        let passphrase = self.passphrase()?;
        self.check_passphrase()?; // before the work of making a key
        let key = PrivateKey::generate_with(bits, primes)?;
        let pem = {
            let rng = self.0.rng.lock();
            let mut rng = rng.expect("a generator that panicked makes no more keys");
            key.to_encrypted_pkcs8_pem(passphrase.expose(), &mut **rng)
        };
        private_files::write(&self.path(key.public_key().id()), pem.as_bytes()).map_err(unusable)?;
        Ok(key.public_key().clone())
    }

    fn destroy(&self, id: &BigInt) -> Result<bool, KeyStoreError> {
        private_files::remove(&self.path(id)).map_err(unusable)
    }

    fn signer(&self) -> Result<Arc<dyn Signer>, KeyStoreError> {
        let no_threads =
            |error| KeyStoreError::Unusable(format!("the signing threads cannot be started: {error}"));
        let local = LocalSigner::start([], LocalSignerOptions::default()).map_err(no_threads)?;
        let loaded = Loaded {
            files: self.clone(),
            local,
            loaded: Mutex::default(),
        };
        loaded.refresh()?;
        Ok(Arc::new(FileSigner(Arc::new(loaded))))
    }
}

/// Signs with the keys of a folder.
struct FileSigner(Arc<Loaded>);

struct Loaded {
    files: KeyFiles,
    local: LocalSigner,
    loaded: Mutex<BTreeSet<BigInt>>,
}

#[async_trait]
impl Signer for FileSigner {
    async fn sign(&self, accepted: AcceptedBlinds) -> Result<Vec<BigInt>, SignError> {
        match self.0.local.sign(accepted.clone()).await {
            // Another process has just made this key.
            Err(SignError::UnknownKey(id)) if self.0.files.path(&id).is_file() => {
                let loaded = Arc::clone(&self.0);
                let refreshed = tokio::task::spawn_blocking(move || loaded.refresh()).await;
                if let Ok(Err(error)) = refreshed {
                    tracing::error!(%error, "a private mint key cannot be read");
                }
                self.0.local.sign(accepted).await
            }
            signed => signed,
        }
    }

    fn refresh(&self) -> Result<(), KeyStoreError> {
        self.0.refresh()
    }
}

impl Loaded {
    /// Loads new keys and drops deleted ones, even if one file cannot be read.
    fn refresh(&self) -> Result<(), KeyStoreError> {
        let mut loaded = self.loaded.lock().expect("nothing panics while it is held");
        let there = self.files.ids()?;
        let new: Vec<BigInt> = there.difference(&loaded).cloned().collect();
        let (mut keys, mut failed) = (Vec::new(), None);
        for key in self.files.read_all(&new) {
            match key {
                Ok(key) => keys.push(key),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        loaded.retain(|id| there.contains(id));
        loaded.extend(keys.iter().map(|key| key.public_key().id().clone()));
        self.local.change_keys(keys, |id| there.contains(id));
        failed.map_or(Ok(()), Err)
    }
}

/// Reads one encrypted private key.
pub(crate) fn read_key(path: &Path, passphrase: &Passphrase) -> Result<PrivateKey, KeyStoreError> {
    let pem = read_pem(path)?;
    PrivateKey::from_encrypted_pkcs8_pem(&pem, passphrase.expose()).map_err(|error| of_file(path, &error))
}

/// Whether a passphrase opens the key in this file.
pub(crate) fn opens_key(path: &Path, passphrase: &Passphrase) -> Result<bool, KeyStoreError> {
    match PrivateKey::from_encrypted_pkcs8_pem(&read_pem(path)?, passphrase.expose()) {
        Ok(_) => Ok(true),
        Err(KeyError::Passphrase) => Ok(false),
        Err(error) => Err(of_file(path, &error)),
    }
}

fn read_pem(path: &Path) -> Result<Zeroizing<String>, KeyStoreError> {
    check_exposure(path)?;
    let text = fs::read_to_string(path).map_err(FileError::of(path));
    Ok(Zeroizing::new(text.map_err(unusable)?))
}

fn of_file(path: &Path, error: &KeyError) -> KeyStoreError {
    KeyStoreError::Unusable(format!("{}: {error}", path.display()))
}

/// Encrypts every private key in a folder with a new passphrase, including a master key. Returns the number of files
/// changed. After a crash, some files need the old passphrase and some the new one; the same call then changes the
/// rest.
///
/// # Errors
/// When neither passphrase opens a file, or it cannot be written.
pub fn change_passphrase(
    folder: &Path,
    old: &Passphrase,
    new: &Passphrase,
    rng: &mut dyn Randomness,
) -> Result<usize, KeyStoreError> {
    check_exposure(folder)?;
    let paths = private_files::list(folder, SUFFIX).map_err(unusable)?;
    let mut changed = 0;
    for path in &paths {
        if read_key(path, new).is_ok() {
            continue;
        }
        let pem = read_key(path, old)?.to_encrypted_pkcs8_pem(new.expose(), rng);
        private_files::write(path, pem.as_bytes()).map_err(unusable)?;
        changed += 1;
    }
    Ok(changed)
}

pub(crate) fn check_exposure(path: &Path) -> Result<(), KeyStoreError> {
    private_files::exposure(path)
        .map_err(unusable)?
        .map_or(Ok(()), |exposure| Err(KeyStoreError::Unusable(exposure)))
}

fn id_of(path: &Path) -> Option<BigInt> {
    path.file_name()?
        .to_str()?
        .strip_prefix(PREFIX)?
        .strip_suffix(SUFFIX)?
        .parse()
        .ok()
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unusable(error: FileError) -> KeyStoreError {
    KeyStoreError::Unusable(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
    }

    fn files(folder: &Path, text: &str) -> KeyFiles {
        files_by(7, folder, text)
    }

    fn files_by(seed: u64, folder: &Path, text: &str) -> KeyFiles {
        KeyFiles::new(
            folder.to_owned(),
            Some(passphrase(text)),
            Box::new(StdRng::seed_from_u64(seed)),
        )
    }

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        folder
    }

    #[test]
    fn a_key_is_made_listed_read_and_destroyed() {
        let folder = folder();
        let store = files(folder.path(), "p");
        for primes in [KeyPrimes::Two, KeyPrimes::Three] {
            let key = store.generate(1024, primes).unwrap();
            assert_eq!(
                store.ids().unwrap().into_iter().collect::<Vec<_>>(),
                [key.id().clone()]
            );
            assert_eq!(store.read(key.id()).unwrap().public_key(), &key);
            assert_eq!(store.destroy(key.id()), Ok(true));
            assert_eq!(store.destroy(key.id()), Ok(false));
            assert!(store.ids().unwrap().is_empty());
        }
    }

    #[test]
    fn unreadable_and_exposed_keys_are_reported_at_the_start() {
        let folder = folder();
        let key = files(folder.path(), "right")
            .generate(1024, KeyPrimes::Two)
            .unwrap();
        let path = folder.path().join(format!("mint-{}.pem", key.id()));
        let said = |text: &str| files(folder.path(), text).signer().err().unwrap().to_string();
        assert!(said("wrong").contains("passphrase"), "{}", said("wrong"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(said("right").contains("chmod 600"), "{}", said("right"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(said("right").contains("chmod 700"), "{}", said("right"));
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(&path, "-----BEGIN ENCRYPTED PRIVATE KEY-----\n").unwrap();
        assert!(said("right").contains("damaged"), "{}", said("right"));
    }

    #[test]
    fn a_new_key_must_have_the_passphrase_of_the_existing_ones() {
        let folder = folder();
        let first = files_by(1, folder.path(), "right")
            .generate(1024, KeyPrimes::Two)
            .unwrap();
        let refused = files_by(2, folder.path(), "wrong")
            .generate(1024, KeyPrimes::Two)
            .unwrap_err()
            .to_string();
        assert!(refused.contains("passphrase"), "{refused}");
        // A damaged file does not prevent new keys.
        fs::copy(
            folder.path().join(format!("mint-{}.pem", first.id())),
            folder.path().join("mint-1.pem"),
        )
        .unwrap();
        let second = files_by(3, folder.path(), "right")
            .generate(1024, KeyPrimes::Two)
            .unwrap();
        assert_eq!(files(folder.path(), "right").ids().unwrap().len(), 3);
        assert!(
            [first, second]
                .iter()
                .all(|key| files(folder.path(), "right").read(key.id()).is_ok())
        );
    }

    #[tokio::test]
    async fn the_engine_loads_new_keys_and_drops_destroyed_ones() {
        let folder = folder();
        let store = files(folder.path(), "p");
        let signer = store.signer().unwrap();
        let key = store.generate(1024, KeyPrimes::Two).unwrap();
        let blind = opencoin_crypto::BlindToSign {
            mint_key_id: key.id().clone(),
            blinded: "2".parse().unwrap(),
        };
        let sign = || {
            signer.sign(AcceptedBlinds {
                transaction_reference: vec![1],
                blinds: [blind.clone()].into(),
            })
        };
        assert!(sign().await.is_ok(), "a key that was made later");
        store.destroy(key.id()).unwrap();
        signer.refresh().unwrap();
        assert_eq!(sign().await, Err(SignError::UnknownKey(key.id().clone())));
    }

    #[test]
    fn an_interrupted_change_of_the_passphrase_can_be_finished() {
        let (folder, other) = (folder(), self::folder());
        let first = files_by(1, folder.path(), "old")
            .generate(1024, KeyPrimes::Two)
            .unwrap();
        // An interrupted change has changed this one.
        let second = files_by(2, other.path(), "new")
            .generate(1024, KeyPrimes::Three)
            .unwrap();
        let name = format!("mint-{}.pem", second.id());
        fs::rename(other.path().join(&name), folder.path().join(&name)).unwrap();
        let change = |old, new| {
            let (old, new) = (passphrase(old), passphrase(new));
            change_passphrase(folder.path(), &old, &new, &mut StdRng::seed_from_u64(8))
        };
        assert_eq!(change("old", "new").unwrap(), 1);
        assert!(
            [first, second]
                .iter()
                .all(|key| files(folder.path(), "new").read(key.id()).is_ok())
        );
        assert!(change("x", "y").is_err());
    }
}
