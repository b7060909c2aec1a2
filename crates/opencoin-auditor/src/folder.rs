//! The folder of an auditor: its key, its database, and a folder for each currency.
//!
//! The key may be without a passphrase: it is encrypted with an empty one then, and whoever can read the file has it. A
//! database that is lost is made anew, and everything is read again. What was cosigned before is forgotten then; a quorum
//! of witnesses still has to have cosigned what the auditor believes.

use std::path::{Path, PathBuf};

use opencoin_crypto::CryptoRngCore;
use opencoin_gossip::TooManyPeers;
use opencoin_log::key::{KeyName, VerifierKey};
use opencoin_log_reader::DownloadError;
use opencoin_private_files::{FileError, make_private_folders, sync_folder};
use opencoin_witness::{KeysError, Now, WitnessKeys, read_vkeys};
use thiserror::Error;

use crate::auditor::{Auditor, AuditorOptions};
use crate::fetch::HttpFiles;
use crate::store::{AuditorStore, StoreError};

const DATABASE_FILE: &str = "auditor.sqlite";
const CURRENCIES_FOLDER: &str = "currencies";

/// The folder of an auditor.
#[derive(Debug, Clone)]
pub struct AuditorFolder(PathBuf);

/// The folder of an auditor cannot be made or used.
#[derive(Debug, Error)]
pub enum FolderError {
    /// There is no auditor in it.
    #[error("{} has no auditor: make one with `opencoin auditor init`, or name another folder with --dir", .0.display())]
    Missing(PathBuf),
    /// There is an auditor in it already.
    #[error("{} has an auditor already; make another one in another folder", .0.display())]
    Exists(PathBuf),
    /// The system refuses.
    #[error(transparent)]
    File(#[from] FileError),
    /// The key cannot be used.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
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
    /// The file is damaged.
    pub fn vkeys(&self) -> Result<Option<Vec<VerifierKey>>, FolderError> {
        Ok(read_vkeys(&self.0)?)
    }

    /// Makes the folder and the key. After a failure it can be called again.
    ///
    /// # Errors
    /// There is an auditor already, or something cannot be written.
    pub fn create(
        &self,
        name: &KeyName,
        passphrase: &[u8],
        rng: &mut (impl CryptoRngCore + ?Sized),
    ) -> Result<WitnessKeys, FolderError> {
        if self.vkeys()?.is_some() {
            return Err(FolderError::Exists(self.0.clone()));
        }
        make_private_folders(&self.0)?;
        let keys = WitnessKeys::create(&self.0, name, false, passphrase, rng)?;
        sync_folder(&self.0)?;
        Ok(keys)
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
        Ok(AuditorStore::open(&self.0.join(DATABASE_FILE)).await?)
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
