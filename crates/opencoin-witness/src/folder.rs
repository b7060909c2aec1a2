//! The folder of a witness: its keys and its database.
//!
//! The database is as important as the keys. A witness that forgets what it has cosigned could cosign a log that has
//! changed its past, so a missing database is an error and is never made anew.

use std::path::{Path, PathBuf};

use opencoin_crypto::CryptoRngCore;
use opencoin_log::key::{KeyName, VerifierKey};
use opencoin_private_files::{FileError, make_private_folders, sync_folder};
use thiserror::Error;

use crate::keys::{KeysError, WitnessKeys, read_vkeys};
use crate::store::{StoreError, WitnessStore};

/// The database in the folder of a witness.
pub const WITNESS_DATABASE_FILE: &str = "witness.sqlite";

/// The folder of a witness.
#[derive(Debug, Clone)]
pub struct WitnessFolder(PathBuf);

/// The folder of a witness cannot be made or used.
#[derive(Debug, Error)]
pub enum FolderError {
    /// There is no witness in it.
    #[error("{} has no witness: make one with `opencoin witness init`, or name another folder with --dir", .0.display())]
    Missing(PathBuf),
    /// There is a witness in it already.
    #[error("{} has a witness already; make another one in another folder", .0.display())]
    Exists(PathBuf),
    /// The system refuses.
    #[error(transparent)]
    File(#[from] FileError),
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl WitnessFolder {
    /// The folder at this path, which need not exist.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Makes the folder, the keys and an empty database. After a failure it can be called again.
    ///
    /// # Errors
    /// There is a witness already, or something cannot be written.
    pub async fn create(
        &self,
        name: &KeyName,
        with_ml_dsa: bool,
        passphrase: &[u8],
        rng: &mut (impl CryptoRngCore + ?Sized),
    ) -> Result<WitnessKeys, FolderError> {
        if read_vkeys(&self.0)?.is_some() {
            return Err(FolderError::Exists(self.0.clone()));
        }
        make_private_folders(&self.0)?;
        WitnessStore::create(&self.0.join(WITNESS_DATABASE_FILE))
            .await?
            .close()
            .await;
        sync_folder(&self.0)?;
        Ok(WitnessKeys::create(&self.0, name, with_ml_dsa, passphrase, rng)?)
    }

    /// The public keys.
    ///
    /// # Errors
    /// There is no witness, or its file is damaged.
    pub fn vkeys(&self) -> Result<Vec<VerifierKey>, FolderError> {
        read_vkeys(&self.0)?.ok_or_else(|| FolderError::Missing(self.0.clone()))
    }

    /// Decrypts the private keys.
    ///
    /// # Errors
    /// There is no witness, the passphrase is wrong, or a file is damaged.
    pub fn keys(&self, passphrase: &[u8]) -> Result<WitnessKeys, FolderError> {
        self.vkeys()?;
        Ok(WitnessKeys::open(&self.0, passphrase)?)
    }

    /// Opens the database.
    ///
    /// # Errors
    /// There is no witness, or its database is missing or cannot be used.
    pub async fn store(&self) -> Result<WitnessStore, FolderError> {
        self.vkeys()?;
        Ok(WitnessStore::open(&self.0.join(WITNESS_DATABASE_FILE)).await?)
    }
}
