//! The folder of a currency on the issuer's disk: settings, certificates, private keys.
//!
//! | file | content |
//! | --- | --- |
//! | `issuer.toml` | settings |
//! | `cddc/SERIAL.json` | every CDDC, compact text |
//! | `mkcs/ID.json` | every mint key certificate, compact text |
//! | `keys/mint-ID.pem` | private mint keys, encrypted; the settings can name another folder or a token |
//! | `log/` | the keys of the public log, encrypted, and the last checkpoint that was signed here |
//! | `master/` | the master key, unless it is on another machine; the server reads it only to make keys for an operator |
//! | `pending.json` | the request that the master key has not signed yet |
//! | `high-water-mark.toml` | the last known position of the books; the settings can name another file |
//! | `lock` | held while certificates change |
//!
//! A new currency is written into a temporary folder, which is renamed at the end, so creating it is atomic. Later
//! changes write one file at a time, each atomically. Their order leaves a valid currency after a crash at any point:
//! `pending.json` is removed last, so that the next call finishes an interrupted change.

mod give_up;
mod import;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use opencoin_config::{Config, Overrides, Settings, SettingsError};
use opencoin_private_files::{self as private_files, FileError};
use opencoin_schema::{Cddc, DecodeError, Mkc, from_json, text};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

pub use self::give_up::{GiveUpError, UnwantedRequest};
pub use self::import::{CheckedImport, Imported};
use crate::currency::{Currency, CurrencyError};
use crate::signing_request::{SignedCertificates, SigningRequest};

const CONFIG_FILE: &str = "issuer.toml";
const CDDC_FOLDER: &str = "cddc";
const MKC_FOLDER: &str = "mkcs";
const LOG_FOLDER: &str = "log";
const MASTER_FOLDER: &str = "master";
const PENDING_FILE: &str = "pending.json";
const LOCK_FILE: &str = "lock";
const DOCUMENT_SUFFIX: &str = ".json";

/// The folder of a currency.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
    /// The file of the settings, if it is not in the folder.
    config_file: Option<PathBuf>,
    overrides: Overrides,
}

/// Excludes other processes from changing certificates until it is dropped.
#[derive(Debug)]
pub struct CertificateLock(File);

impl CertificateLock {
    /// Whether the lock file is still at this path. Another process may have renamed or removed its folder between
    /// opening and locking.
    fn is_of(&self, path: &Path) -> bool {
        match (self.0.metadata(), fs::metadata(path)) {
            (Ok(locked), Ok(there)) => (locked.dev(), locked.ino()) == (there.dev(), there.ino()),
            _ => false,
        }
    }
}

/// The folder cannot be read or written.
#[derive(Debug, Error)]
pub enum DirectoryError {
    /// The folder has no currency.
    #[error("{0} holds no currency; make one with `opencoin issuer init --dir {0} ...`")]
    NoCurrency(PathBuf),
    /// The path exists and is not an empty folder.
    #[error("{0} exists already and is not an empty folder; nothing was changed")]
    Occupied(PathBuf),
    /// The first certificates have not been imported yet.
    #[error(
        "{0} has no certificates yet: sign {0}/pending.json with `opencoin master sign`, then `opencoin issuer import --dir {0}`"
    )]
    NoCertificates(PathBuf),
    /// Another process is changing certificates.
    #[error("another process is changing the keys or certificates in {0}; try again when it is done")]
    Locked(PathBuf),
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The settings cannot be read.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A document cannot be read.
    #[error("{path}: {error}")]
    Document {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        error: DecodeError,
    },
    /// The certificates do not make a currency.
    #[error("{path}: {error}")]
    Currency {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        error: CurrencyError,
    },
    /// The text of a request does not represent the request.
    #[error("the request for the master key cannot be written: {0}; nothing was requested")]
    Unwritable(String),
    /// The path contains a question mark, which cannot be part of the address of a SQLite file.
    #[error("{0} has a question mark in it; choose another folder for the currency")]
    Path(PathBuf),
    /// Another process creates or restores a currency in this folder.
    #[error("another process is creating or restoring a currency in {0}; nothing was changed")]
    Begun(PathBuf),
    /// The certificates were not requested here.
    #[error("not imported: {0}")]
    Import(String),
}

impl Directory {
    /// The folder at this path, which need not exist.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        // The temporary folder needs a name, which a path like `.` does not have.
        Self::at(std::path::absolute(&root).unwrap_or(root))
    }

    fn at(root: PathBuf) -> Self {
        Self {
            root,
            config_file: None,
            overrides: Overrides::default(),
        }
    }

    /// The same folder with the settings from another file, if one is given, and with these overrides.
    #[must_use]
    pub fn with_settings(self, config_file: Option<PathBuf>, overrides: Overrides) -> Self {
        Self {
            config_file,
            overrides,
            ..self
        }
    }

    /// The path of the folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the master key, if it is on this machine.
    #[must_use]
    pub fn master_folder(&self) -> PathBuf {
        self.root.join(MASTER_FOLDER)
    }

    /// The folder of the keys of the public log.
    #[must_use]
    pub fn log_folder(&self) -> PathBuf {
        self.root.join(LOG_FOLDER)
    }

    /// The file of the request that the master key has not signed yet.
    #[must_use]
    pub fn pending_file(&self) -> PathBuf {
        self.root.join(PENDING_FILE)
    }

    /// Checks that a currency can be created here: the path does not exist or is an empty folder.
    ///
    /// # Errors
    /// When something else exists there, or the path cannot be part of the address of a SQLite file.
    pub fn check_vacant(&self) -> Result<(), DirectoryError> {
        if self.root.to_string_lossy().contains('?') {
            return Err(DirectoryError::Path(self.root.clone()));
        }
        match fs::read_dir(&self.root).map(|mut entries| entries.next().is_none()) {
            Ok(true) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Ok(false) | Err(_) => Err(DirectoryError::Occupied(self.root.clone())),
        }
    }

    /// Begins a new currency: the temporary folder has its settings and nothing else.
    ///
    /// # Errors
    /// As [`Self::begin_folder`].
    pub(crate) fn begin(&self, config: &Config) -> Result<(Self, CertificateLock), DirectoryError> {
        let (unfinished, lock) = self.begin_folder()?;
        for folder in [CDDC_FOLDER, MKC_FOLDER] {
            private_files::make_private_folder(&unfinished.root.join(folder))?;
        }
        private_files::write(&unfinished.root.join(CONFIG_FILE), config.file_text().as_bytes())?;
        Ok((unfinished, lock))
    }

    /// Creates a temporary folder beside this one and locks it: of several processes that create or restore a
    /// currency here, one succeeds. Removes the remains of an interrupted attempt.
    ///
    /// # Errors
    /// When a file operation fails, the folder is occupied, or another process creates or restores a currency in it.
    pub fn begin_folder(&self) -> Result<(Self, CertificateLock), DirectoryError> {
        self.check_vacant()?;
        let unfinished = Self::at(private_files::unfinished(&self.root));
        let parent = self.root.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(parent).map_err(FileError::of(parent))?;
        private_files::make_private_folder(&unfinished.root)?;
        let lock = match unfinished.lock() {
            Ok(lock) if lock.is_of(&unfinished.root.join(LOCK_FILE)) => lock,
            Ok(_) | Err(DirectoryError::Locked(_)) => return Err(DirectoryError::Begun(self.root.clone())),
            // Another process renamed or removed the folder before its lock file was opened.
            Err(DirectoryError::File(failed)) if failed.error.kind() == io::ErrorKind::NotFound => {
                return Err(DirectoryError::Begun(self.root.clone()));
            }
            Err(error) => return Err(error),
        };
        // Only the owner of the lock renames or removes the temporary folder, so this result stays valid.
        if let Err(occupied) = self.check_vacant() {
            // If this fails, the next attempt removes it.
            let _ = fs::remove_dir_all(&unfinished.root);
            return Err(occupied);
        }
        unfinished.remove_all_but_lock()?;
        Ok((unfinished, lock))
    }

    fn remove_all_but_lock(&self) -> Result<(), FileError> {
        for entry in fs::read_dir(&self.root).map_err(FileError::of(&self.root))? {
            let path = entry.map_err(FileError::of(&self.root))?.path();
            let removed = if path.ends_with(LOCK_FILE) {
                Ok(())
            } else if path.is_dir() {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
            removed.map_err(FileError::of(&path))?;
        }
        Ok(())
    }

    /// Gives a finished temporary folder its final name.
    ///
    /// # Errors
    /// When a file operation fails.
    pub fn finish(self, directory: &Self) -> Result<(), DirectoryError> {
        private_files::sync_folder(&self.root)?;
        fs::rename(&self.root, &directory.root).map_err(FileError::of(&directory.root))?;
        let parent = directory.root.parent().unwrap_or(Path::new("/"));
        Ok(private_files::sync_folder(parent)?)
    }

    /// Creates the folder of a currency with these certificates and without private keys.
    ///
    /// # Errors
    /// When they do not form a currency, a file operation fails or the folder is occupied. Then the folder is not
    /// created.
    pub fn create(&self, config: &Config, certificates: &SignedCertificates) -> Result<(), DirectoryError> {
        let (begun, lock) = self.begin(config)?;
        begun.set_pending(&SigningRequest::of(certificates), &lock)?;
        // The first keys of a currency are never late.
        begun.import(certificates, DateTime::<Utc>::MIN_UTC, &lock)?;
        begun.finish(self)
    }

    /// The effective settings.
    ///
    /// # Errors
    /// When the folder has no currency or its settings cannot be read.
    pub fn config(&self) -> Result<Config, DirectoryError> {
        self.settings().map(|settings| settings.config)
    }

    /// The effective settings and the source of each.
    ///
    /// # Errors
    /// As [`Self::config`].
    pub fn settings(&self) -> Result<Settings, DirectoryError> {
        let path = self
            .config_file
            .clone()
            .unwrap_or_else(|| self.root.join(CONFIG_FILE));
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.config_file.is_none() => {
                return Err(DirectoryError::NoCurrency(self.root.clone()));
            }
            Err(error) => return Err(FileError::of(&path)(error).into()),
        };
        Ok(Settings::load(&path, &text, &self.overrides)?)
    }

    /// Loads the currency and verifies its certificates.
    ///
    /// # Errors
    /// When there are no certificates yet, or one cannot be read or does not verify.
    pub fn currency(&self) -> Result<Currency, DirectoryError> {
        match Currency::new(self.cddcs()?, self.mkcs()?) {
            Err(CurrencyError::NoCddc) => Err(DirectoryError::NoCertificates(self.root.clone())),
            made => made.map_err(|error| DirectoryError::Currency {
                path: self.root.clone(),
                error,
            }),
        }
    }

    /// The files for a backup, relative to the folder: settings, certificates and a pending request.
    ///
    /// # Errors
    /// When the folders cannot be read.
    pub fn backup_files(&self) -> Result<Vec<PathBuf>, DirectoryError> {
        let mut files = vec![self.root.join(CONFIG_FILE)];
        files.extend(self.certificate_files()?);
        files.extend(Some(self.pending_file()).filter(|pending| pending.is_file()));
        let within = files.iter().filter_map(|path| path.strip_prefix(&self.root).ok());
        Ok(within.map(Path::to_owned).collect())
    }

    /// The paths of all certificates. Their files never change, so a new certificate always has a new path.
    ///
    /// # Errors
    /// When the folders cannot be read.
    pub fn certificate_files(&self) -> Result<BTreeSet<PathBuf>, DirectoryError> {
        let mut files = BTreeSet::new();
        for folder in [CDDC_FOLDER, MKC_FOLDER] {
            files.extend(private_files::list(&self.root.join(folder), DOCUMENT_SUFFIX)?);
        }
        Ok(files)
    }

    /// Excludes other processes from changing certificates.
    ///
    /// # Errors
    /// When another process is changing certificates, or a file operation fails.
    pub fn lock(&self) -> Result<CertificateLock, DirectoryError> {
        let path = self.root.join(LOCK_FILE);
        let file = private_files::open_or_make(&path).map_err(FileError::of(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(CertificateLock(file)),
            Err(TryLockError::WouldBlock) => Err(DirectoryError::Locked(self.root.clone())),
            Err(TryLockError::Error(error)) => Err(FileError::of(&path)(error).into()),
        }
    }

    /// The request whose certificates have not been imported yet.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn pending(&self) -> Result<Option<SigningRequest>, DirectoryError> {
        let path = self.pending_file();
        match read_document(path.clone()) {
            Ok(request) => Ok(Some(request)),
            Err(_) if !path.is_file() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stores a request until it is answered. First checks that reading its text gives the same request, because
    /// the master key signs what it reads.
    ///
    /// # Errors
    /// When it does not, or a file operation fails. Then nothing is stored.
    pub(crate) fn set_pending(
        &self,
        request: &SigningRequest,
        _lock: &CertificateLock,
    ) -> Result<(), DirectoryError> {
        let (path, json) = (self.pending_file(), text::compact(request));
        match from_json::<SigningRequest>(json.as_bytes()) {
            Ok(read) if read == *request => Ok(private_files::write(&path, json.as_bytes())?),
            Ok(_) => Err(DirectoryError::Unwritable(
                "its text gives another request".to_owned(),
            )),
            Err(error) => Err(DirectoryError::Unwritable(error.to_string())),
        }
    }

    /// Writes documents that the public log has and this folder has lost.
    ///
    /// # Errors
    /// When they do not belong to this currency; then nothing is written. Or when a file operation fails.
    pub fn restore_documents(
        &self,
        cddcs: &[Cddc],
        mkcs: &[Mkc],
        _lock: &CertificateLock,
    ) -> Result<(), DirectoryError> {
        let all_cddcs = [self.cddcs()?, cddcs.to_vec()].concat();
        let all_mkcs = [self.mkcs()?, mkcs.to_vec()].concat();
        Currency::new(all_cddcs, all_mkcs).map_err(|error| DirectoryError::Import(error.to_string()))?;
        // Before the mint keys that name them.
        for cddc in cddcs {
            self.write_document(CDDC_FOLDER, &cddc.cdd.cdd_serial, cddc)?;
        }
        for mkc in mkcs {
            self.write_document(MKC_FOLDER, &mkc.mint_key.id, mkc)?;
        }
        Ok(())
    }

    fn write_document(
        &self,
        folder: &str,
        name: &dyn Display,
        document: &impl Serialize,
    ) -> Result<(), FileError> {
        let path = self.root.join(folder).join(format!("{name}{DOCUMENT_SUFFIX}"));
        private_files::write(&path, text::compact(document).as_bytes())
    }

    fn cddcs(&self) -> Result<Vec<Cddc>, DirectoryError> {
        read_documents(&self.root.join(CDDC_FOLDER))
    }

    fn mkcs(&self) -> Result<Vec<Mkc>, DirectoryError> {
        read_documents(&self.root.join(MKC_FOLDER))
    }
}

fn read_documents<D: DeserializeOwned>(folder: &Path) -> Result<Vec<D>, DirectoryError> {
    private_files::list(folder, DOCUMENT_SUFFIX)?
        .into_iter()
        .map(read_document)
        .collect()
}

fn read_document<D: DeserializeOwned>(path: PathBuf) -> Result<D, DirectoryError> {
    let json = fs::read(&path).map_err(FileError::of(&path))?;
    from_json(&json).map_err(|error| DirectoryError::Document { path, error })
}

#[cfg(test)]
mod tests {
    use std::thread;

    use opencoin_config::{DATABASE_DEFAULT, LISTEN_DEFAULT};

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_second_process_changes_nothing_in_a_currency_that_is_being_made() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::new(folder.path().join("currency"));
        let first = Config::new(DATABASE_DEFAULT, LISTEN_DEFAULT);
        let second = Config::new(DATABASE_DEFAULT, "127.0.0.1:9999");
        // An interrupted attempt has left a file and a folder.
        let leftover = private_files::unfinished(directory.root());
        fs::create_dir_all(leftover.join("keys")).unwrap();
        fs::write(leftover.join("pending.json"), "").unwrap();

        let (begun, lock) = directory.begin(&first).unwrap();
        assert_eq!(names(begun.root()), ["cddc", "issuer.toml", "lock", "mkcs"]);
        let refused = directory.begin(&second).unwrap_err();
        assert!(matches!(refused, DirectoryError::Begun(_)), "{refused}");
        begun.finish(&directory).unwrap();
        drop(lock);
        let refused = directory.begin(&second).unwrap_err();
        assert!(matches!(refused, DirectoryError::Occupied(_)), "{refused}");
        assert_eq!(directory.config().unwrap(), first);
        assert_eq!(names(folder.path()), ["currency"]);
    }

    #[test]
    fn of_many_that_make_a_currency_at_once_one_wins() {
        for _ in 0..50 {
            let folder = tempfile::tempdir().unwrap();
            let directory = &Directory::new(folder.path().join("currency"));
            let make = |port: u16| {
                let config = Config::new(DATABASE_DEFAULT, format!("127.0.0.1:{port}"));
                let (begun, _lock) = directory.begin(&config)?;
                begun.finish(directory).map(|()| config)
            };
            let made: Vec<_> = thread::scope(|scope| {
                let running: Vec<_> = (1..5).map(|port| scope.spawn(move || make(port))).collect();
                running.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let (won, lost): (Vec<_>, Vec<_>) = made.into_iter().partition(Result::is_ok);
            for refused in lost.into_iter().map(Result::unwrap_err) {
                let is_clear = matches!(refused, DirectoryError::Begun(_) | DirectoryError::Occupied(_));
                assert!(is_clear, "{refused}");
            }
            let won: Vec<_> = won.into_iter().map(Result::unwrap).collect();
            assert_eq!(won, [directory.config().unwrap()]);
            assert_eq!(names(folder.path()), ["currency"]);
        }
    }
}
