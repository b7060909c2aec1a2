//! The folder of an auditor: its key, its database, and a folder for each currency.
//!
//! The key may be without a passphrase: it is encrypted with an empty one then, and whoever can read the file has it. A
//! database that is lost is made anew, and everything is read again. What was cosigned before is forgotten then; a quorum
//! of witnesses still has to have cosigned what the auditor believes.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use opencoin_crypto::CryptoRngCore;
use opencoin_gossip::TooManyPeers;
use opencoin_log::key::{KeyName, VerifierKey};
use opencoin_log_reader::DownloadError;
use opencoin_private_files::{FileError, make_private_folders, open_or_make, sync_folder};
use opencoin_witness::{KeysError, Now, WITNESS_DATABASE_FILE, WitnessKeys, read_vkeys};
use thiserror::Error;

use crate::auditor::{Auditor, AuditorOptions};
use crate::fetch::HttpFiles;
use crate::store::{AuditorStore, StoreError};

const DATABASE_FILE: &str = "auditor.sqlite";
const CURRENCIES_FOLDER: &str = "currencies";
const LOCK_FILE: &str = "lock";
/// The beginnings of names that a folder may have before there is an auditor in it: what an interrupted start leaves,
/// hidden files, and what a new file system has.
const OWN_NAMES: [&str; 7] = [
    "ed25519.pem",
    "vkeys",
    DATABASE_FILE,
    CURRENCIES_FOLDER,
    LOCK_FILE,
    ".",
    "lost+found",
];

/// The folder of an auditor.
#[derive(Debug, Clone)]
pub struct AuditorFolder(PathBuf);

/// Keeps other processes from running the auditor of a folder, until it is dropped.
#[derive(Debug)]
pub struct AuditorLock {
    _file: File,
}

/// The folder of an auditor cannot be made or used.
#[derive(Debug, Error)]
pub enum FolderError {
    /// There is no auditor in it.
    #[error("{} has no auditor: make one with `opencoin auditor init`, or name another folder with --dir", .0.display())]
    Missing(PathBuf),
    /// There is an auditor in it already.
    #[error("{} has an auditor already; make another one in another folder", .0.display())]
    Exists(PathBuf),
    /// It holds something else: nothing is mixed into it.
    #[error("{} holds other files and no auditor: name a new or an empty folder with --dir", .0.display())]
    Foreign(PathBuf),
    /// It is not a folder.
    #[error("{} is not a folder: name a folder with --dir", .0.display())]
    NotFolder(PathBuf),
    /// Another process runs the auditor.
    #[error("another process runs the auditor in {}: end it first, or name another folder with --dir", .0.display())]
    InUse(PathBuf),
    /// The system refuses.
    #[error(transparent)]
    File(#[from] FileError),
    /// The key cannot be used.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The database cannot be used.
    #[error("{}: {error}", path.display())]
    Store {
        /// Its file.
        path: PathBuf,
        /// The cause.
        error: StoreError,
    },
    /// There are too many peers.
    #[error("{0}: name fewer with --peer")]
    Peers(#[from] TooManyPeers),
    /// The network cannot be used.
    #[error("the network cannot be used: {0}")]
    Network(#[from] DownloadError),
}

impl AuditorFolder {
    /// The folder at this path, which need not exist.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The public keys; `None` when there is no auditor in the folder.
    ///
    /// # Errors
    /// It is not a folder, it has a witness, or the file is damaged.
    pub fn vkeys(&self) -> Result<Option<Vec<VerifierKey>>, FolderError> {
        if self.0.exists() && !self.0.is_dir() {
            return Err(FolderError::NotFolder(self.0.clone()));
        }
        // A witness has its keys in files of the same names.
        if self.0.join(WITNESS_DATABASE_FILE).exists() {
            return Err(FolderError::Foreign(self.0.clone()));
        }
        Ok(read_vkeys(&self.0)?)
    }

    /// Keeps other processes from running this auditor. The process that runs it holds the lock as long as it does.
    ///
    /// # Errors
    /// There is no auditor, or another process runs it.
    pub fn lock(&self) -> Result<AuditorLock, FolderError> {
        if self.vkeys()?.is_none() {
            return Err(FolderError::Missing(self.0.clone()));
        }
        let path = self.0.join(LOCK_FILE);
        let file = open_or_make(&path).map_err(FileError::of(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(AuditorLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(FolderError::InUse(self.0.clone())),
            Err(TryLockError::Error(error)) => Err(FileError::of(&path)(error).into()),
        }
    }

    /// Makes the folder and the key. After a failure it can be called again.
    ///
    /// # Errors
    /// There is an auditor already or something else, or something cannot be written.
    pub fn create(
        &self,
        name: &KeyName,
        passphrase: &[u8],
        rng: &mut (impl CryptoRngCore + ?Sized),
    ) -> Result<WitnessKeys, FolderError> {
        if self.vkeys()?.is_some() {
            return Err(FolderError::Exists(self.0.clone()));
        }
        if self.has_other_files()? {
            return Err(FolderError::Foreign(self.0.clone()));
        }
        make_private_folders(&self.0)?;
        let keys = WitnessKeys::create(&self.0, name, false, passphrase, rng)?;
        sync_folder(&self.0)?;
        Ok(keys)
    }

    fn has_other_files(&self) -> Result<bool, FileError> {
        if !self.0.exists() {
            return Ok(false);
        }
        for entry in fs::read_dir(&self.0).map_err(FileError::of(&self.0))? {
            let name = entry.map_err(FileError::of(&self.0))?.file_name();
            let name = name.to_string_lossy();
            if !OWN_NAMES.iter().any(|own| name.starts_with(own)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Decrypts the key.
    ///
    /// # Errors
    /// There is no auditor, the passphrase is wrong, or a file is damaged.
    pub fn keys(&self, passphrase: &[u8]) -> Result<WitnessKeys, FolderError> {
        if self.vkeys()?.is_none() {
            return Err(FolderError::Missing(self.0.clone()));
        }
        Ok(WitnessKeys::open(&self.0, passphrase)?)
    }

    /// Opens the database.
    ///
    /// # Errors
    /// There is no auditor, or its database cannot be used.
    pub async fn store(&self) -> Result<AuditorStore, FolderError> {
        if self.vkeys()?.is_none() {
            return Err(FolderError::Missing(self.0.clone()));
        }
        let path = self.0.join(DATABASE_FILE);
        let opened = AuditorStore::open(&path).await;
        opened.map_err(|error| FolderError::Store { path, error })
    }

    /// An auditor with what is in the folder.
    ///
    /// # Errors
    /// The database or the network cannot be used.
    pub async fn auditor(
        &self,
        keys: WitnessKeys,
        now: Now,
        options: AuditorOptions,
    ) -> Result<Auditor, FolderError> {
        let store = self.store().await?;
        let folder = self.0.join(CURRENCIES_FOLDER);
        make_private_folders(&folder)?;
        let files = HttpFiles::new()?;
        Ok(Auditor::new(keys, store, folder, files, now, options)?)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    fn create(path: &Path) -> Result<WitnessKeys, FolderError> {
        let name = "auditor.test/a1".parse().unwrap();
        AuditorFolder::new(path).create(&name, b"", &mut ChaCha20Rng::seed_from_u64(1))
    }

    #[test]
    fn nothing_is_mixed_into_a_folder_of_something_else() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("auditor");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("wallet.sqlite"), "").unwrap();
        assert!(matches!(create(&path), Err(FolderError::Foreign(_))));
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
        fs::remove_file(path.join("wallet.sqlite")).unwrap();
        // An interrupted start may have left this.
        fs::write(path.join("ed25519.pem"), "").unwrap();
        create(&path).unwrap();
        assert!(matches!(create(&path), Err(FolderError::Exists(_))));

        fs::write(path.join(WITNESS_DATABASE_FILE), "").unwrap();
        let witness = AuditorFolder::new(&path);
        assert!(matches!(witness.keys(b""), Err(FolderError::Foreign(_))));
        assert!(matches!(witness.lock(), Err(FolderError::Foreign(_))));

        let file = temp.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(create(&file), Err(FolderError::NotFolder(_))));
    }

    #[test]
    fn one_process_runs_an_auditor() {
        let temp = tempfile::tempdir().unwrap();
        let folder = AuditorFolder::new(temp.path());
        assert!(matches!(folder.lock(), Err(FolderError::Missing(_))));
        create(temp.path()).unwrap();
        let lock = folder.lock().unwrap();
        assert!(matches!(folder.lock(), Err(FolderError::InUse(_))));
        drop(lock);
        folder.lock().unwrap();
    }
}
