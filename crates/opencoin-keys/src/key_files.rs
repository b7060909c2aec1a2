//! Private mint keys in a folder, one encrypted file each, and the engine that signs with them.
//!
//! Before anything is read, the folder and its files must be closed to everybody but their owner: a key that
//! others can read is not private, whatever its passphrase.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::{fs, thread};

use async_trait::async_trait;
use opencoin_config::KeyConfig;
use opencoin_crypto::{
    AcceptedBlinds, KeyError, KeyStore, KeyStoreError, LocalSigner, LocalSignerOptions, PrivateKey,
    PublicKey, SignError, Signer,
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
    /// Without it, keys are listed and destroyed and no more.
    passphrase: Option<Passphrase>,
    /// Whether the passphrase is known to be that of the keys that are there.
    is_checked: AtomicBool,
    rng: Mutex<Box<dyn Randomness>>,
    options: LocalSignerOptions,
}

impl KeyFiles {
    /// The keys in this folder, opened with this passphrase; without one they can be listed and destroyed.
    #[must_use]
    pub fn new(folder: PathBuf, passphrase: Option<Passphrase>, rng: Box<dyn Randomness>) -> Self {
        let (is_checked, rng, options) = (
            AtomicBool::new(false),
            Mutex::new(rng),
            LocalSignerOptions::default(),
        );
        Self(Arc::new(Inner {
            folder,
            passphrase,
            is_checked,
            rng,
            options,
        }))
    }

    /// The keys of the currency in the folder `root` whose settings keep them in files; makes their folder if it
    /// is not there.
    ///
    /// # Errors
    /// The settings keep them elsewhere, or the folder cannot be made.
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
    /// It is not there, others can read it, or the passphrase does not open it.
    pub fn read(&self, id: &BigInt) -> Result<PrivateKey, KeyStoreError> {
        let key = read_key(&self.path(id), self.passphrase()?)?;
        if key.public_key().id() == id {
            return Ok(key);
        }
        Err(KeyStoreError::Unusable(format!(
            "{} holds another key than its name says",
            self.path(id).display()
        )))
    }

    /// Keeps a key that was made elsewhere.
    ///
    /// # Errors
    /// The folder is open to others, or cannot be written; or the passphrase is not that of the keys that are
    /// there.
    pub fn add(&self, key: &PrivateKey) -> Result<(), KeyStoreError> {
        self.check_passphrase()?;
        let mut rng = self
            .0
            .rng
            .lock()
            .expect("a generator that panicked makes no more keys");
        let pem = key.to_encrypted_pkcs8_pem(self.passphrase()?.expose(), &mut **rng);
        private_files::write(&self.path(key.public_key().id()), pem.as_bytes()).map_err(unusable)
    }

    fn passphrase(&self) -> Result<&Passphrase, KeyStoreError> {
        let missing =
            || KeyStoreError::Unusable("the private keys were opened without their passphrase".to_owned());
        self.0.passphrase.as_ref().ok_or_else(missing)
    }

    /// A key under another passphrase than those beside it, by a slip of the finger, would be found out when
    /// it is to sign, weeks later; and nothing would open it. One that opens is enough: a change of the
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

    /// Reads keys on all cores: most of the time goes into deriving each file's key from the passphrase.
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

    fn generate(&self, bits: usize) -> Result<PublicKey, KeyStoreError> {
        self.check_passphrase()?; // before the work of making a key
        let key = PrivateKey::generate(bits)?;
        self.add(&key)?;
        Ok(key.public_key().clone())
    }

    fn destroy(&self, id: &BigInt) -> Result<bool, KeyStoreError> {
        private_files::remove(&self.path(id)).map_err(unusable)
    }

    fn signer(&self) -> Result<Arc<dyn Signer>, KeyStoreError> {
        let no_threads = |error| KeyStoreError::Unusable(format!("signing cannot begin: {error}"));
        let local = LocalSigner::start([], self.0.options).map_err(no_threads)?;
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
            // Made a moment ago, by another process.
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
    /// What is gone is dropped in any case, and one file that cannot be read does not keep the others out.
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
    check_exposure(path)?;
    let pem = Zeroizing::new(
        fs::read_to_string(path)
            .map_err(FileError::of(path))
            .map_err(unusable)?,
    );
    PrivateKey::from_encrypted_pkcs8_pem(&pem, passphrase.expose()).map_err(|error| of_file(path, &error))
}

fn of_file(path: &Path, error: &KeyError) -> KeyStoreError {
    KeyStoreError::Unusable(format!("{}: {error}", path.display()))
}

/// Encrypts every private key of a folder anew, the master key too. One file after another: after a crash
/// some open with the old passphrase and some with the new one, and the same call finishes it.
///
/// # Errors
/// A file opens with neither passphrase, or cannot be written.
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

fn check_exposure(path: &Path) -> Result<(), KeyStoreError> {
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
        let key = store.generate(1024).unwrap();
        assert_eq!(
            store.ids().unwrap().into_iter().collect::<Vec<_>>(),
            [key.id().clone()]
        );
        assert_eq!(store.read(key.id()).unwrap().public_key(), &key);
        assert_eq!(store.destroy(key.id()), Ok(true));
        assert_eq!(store.destroy(key.id()), Ok(false));
        assert!(store.ids().unwrap().is_empty());
    }

    #[test]
    fn what_keeps_keys_from_being_used_is_said_before_they_are() {
        let folder = folder();
        let key = files(folder.path(), "right").generate(1024).unwrap();
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
    fn no_key_is_made_under_another_passphrase_than_those_beside_it() {
        let folder = folder();
        let first = files_by(1, folder.path(), "right").generate(1024).unwrap();
        let refused = files_by(2, folder.path(), "wrong")
            .generate(1024)
            .unwrap_err()
            .to_string();
        assert!(refused.contains("passphrase"), "{refused}");
        // A file that nothing opens does not keep the others from having a successor.
        fs::copy(
            folder.path().join(format!("mint-{}.pem", first.id())),
            folder.path().join("mint-1.pem"),
        )
        .unwrap();
        let second = files_by(3, folder.path(), "right").generate(1024).unwrap();
        assert_eq!(files(folder.path(), "right").ids().unwrap().len(), 3);
        assert!(
            [first, second]
                .iter()
                .all(|key| files(folder.path(), "right").read(key.id()).is_ok())
        );
    }

    #[tokio::test]
    async fn the_engine_takes_keys_up_and_drops_them() {
        let folder = folder();
        let store = files(folder.path(), "p");
        let signer = store.signer().unwrap();
        let key = store.generate(1024).unwrap();
        let blind = opencoin_crypto::BlindToSign {
            mint_key_id: key.id().clone(),
            blinded: "2".parse().unwrap(),
        };
        let sign = || {
            signer.sign(AcceptedBlinds {
                transaction_reference: vec![1],
                blinds: vec![blind.clone()],
            })
        };
        assert!(sign().await.is_ok(), "made since it was opened");
        store.destroy(key.id()).unwrap();
        signer.refresh().unwrap();
        assert_eq!(sign().await, Err(SignError::UnknownKey(key.id().clone())));
    }

    #[test]
    fn a_passphrase_is_changed_even_when_that_was_interrupted() {
        let (folder, other) = (folder(), self::folder());
        let first = files_by(1, folder.path(), "old").generate(1024).unwrap();
        // As an interrupted change leaves it: one is done.
        let second = files_by(2, other.path(), "new").generate(1024).unwrap();
        let name = format!("mint-{}.pem", second.id());
        fs::rename(other.path().join(&name), folder.path().join(&name)).unwrap();
        let changed = change_passphrase(
            folder.path(),
            &passphrase("old"),
            &passphrase("new"),
            &mut StdRng::seed_from_u64(8),
        );
        assert_eq!(changed.unwrap(), 1);
        assert!(
            [first, second]
                .iter()
                .all(|key| files(folder.path(), "new").read(key.id()).is_ok())
        );
        assert!(
            change_passphrase(
                folder.path(),
                &passphrase("x"),
                &passphrase("y"),
                &mut StdRng::seed_from_u64(9)
            )
            .is_err()
        );
    }
}
