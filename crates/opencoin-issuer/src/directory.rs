//! The folder of a currency on the issuer's disk: settings, certificates, private keys.
//!
//! | file | what |
//! | --- | --- |
//! | `issuer.toml` | settings |
//! | `cddc/SERIAL.json` | every CDDC, compact text |
//! | `mkcs/ID.json` | every mint key certificate, compact text |
//! | `keys/master.pem` | the private master key; the server does not read it |
//! | `keys/mint-ID.pem` | private mint keys |
//!
//! A currency is written into a folder beside its own and renamed at the end, so it is there whole or not at all.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use opencoin_crypto::{KeyError, PrivateKey};
use opencoin_schema::{BigInt, Cddc, DecodeError, Mkc, from_json, text};
use serde::de::DeserializeOwned;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::config::Config;
use crate::currency::{Currency, CurrencyError, ledger_time};

const CONFIG_FILE: &str = "issuer.toml";
const CDDC_FOLDER: &str = "cddc";
const MKC_FOLDER: &str = "mkcs";
const KEY_FOLDER: &str = "keys";
const MASTER_KEY_FILE: &str = "master.pem";
const MINT_KEY_PREFIX: &str = "mint-";

/// Only the operator's own user reads and writes here.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// The folder of a currency.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
}

/// Why the folder cannot be read or written.
#[derive(Debug, Error)]
pub enum DirectoryError {
    /// There is no currency in it.
    #[error("{0} holds no currency; make one with `opencoin issuer init --dir {0} ...`")]
    NoCurrency(PathBuf),
    /// There is something in it already.
    #[error("{0} is there already and is not an empty folder; nothing was changed")]
    Occupied(PathBuf),
    /// The system refused.
    #[error("{path}: {error}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// The settings cannot be read.
    #[error("{path}: {error}")]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        error: toml::de::Error,
    },
    /// A certificate cannot be read.
    #[error("{path}: {error}")]
    Document {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        error: DecodeError,
    },
    /// A mint key that signs now or later has no private key.
    #[error("{path} is missing: mint requests would be paid for and never signed; put the key back from your backup")]
    MissingKey {
        /// Where it should be.
        path: PathBuf,
    },
    /// A private key cannot be read.
    #[error("{path}: {error}")]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: KeyError,
    },
    /// The certificates do not make a currency.
    #[error("{path}: {error}")]
    Currency {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        error: CurrencyError,
    },
}

/// Everything that makes a new currency.
pub struct NewDirectory<'parts> {
    /// The settings.
    pub config: &'parts Config,
    /// The first CDDC.
    pub cddc: &'parts Cddc,
    /// The private master key.
    pub master_key: &'parts PrivateKey,
    /// Certificates and private mint keys.
    pub mint_keys: &'parts [(Mkc, PrivateKey)],
}

impl Directory {
    /// The folder at this path, whether or not it exists.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        // A path like `.` has no name to write a new currency beside.
        Self { root: std::path::absolute(&root).unwrap_or(root) }
    }

    /// Where it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes sure that a currency can be written here: nothing is there, or an empty folder.
    ///
    /// # Errors
    /// When something is there.
    pub fn check_vacant(&self) -> Result<(), DirectoryError> {
        match fs::read_dir(&self.root).map(|mut entries| entries.next().is_none()) {
            Ok(true) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Ok(false) | Err(_) => Err(DirectoryError::Occupied(self.root.clone())),
        }
    }

    /// Writes a new currency, whole or not at all.
    ///
    /// # Errors
    /// When the system refuses or the folder is occupied; then nothing is left behind under its name.
    pub fn create(&self, new: &NewDirectory<'_>) -> Result<(), DirectoryError> {
        self.check_vacant()?;
        let mut name = self.root.file_name().map_or_else(|| OsString::from("currency"), OsString::from);
        name.push(".unfinished");
        let unfinished = self.root.with_file_name(name);
        let parent = self.root.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(parent).map_err(io_error(parent))?;
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).map_err(io_error(&unfinished))?;
        }
        write_all(&unfinished, new)?;
        fs::rename(&unfinished, &self.root).map_err(io_error(&self.root))?;
        sync_folder(parent)
    }

    /// The settings.
    ///
    /// # Errors
    /// When there is no currency here, or its settings cannot be read.
    pub fn config(&self) -> Result<Config, DirectoryError> {
        let path = self.root.join(CONFIG_FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(DirectoryError::NoCurrency(self.root.clone()));
            }
            Err(error) => return Err(io_error(&path)(error)),
        };
        toml::from_str(&text).map_err(|error| DirectoryError::Config { path, error })
    }

    /// The currency, its certificates verified.
    ///
    /// # Errors
    /// When a certificate cannot be read or does not verify.
    pub fn currency(&self) -> Result<Currency, DirectoryError> {
        let cddcs = read_documents(&self.root.join(CDDC_FOLDER))?;
        let mkcs = read_documents(&self.root.join(MKC_FOLDER))?;
        Currency::new(cddcs, mkcs).map_err(|error| DirectoryError::Currency { path: self.root.clone(), error })
    }

    /// The private mint keys. Those of the currency that sign at `now` or later must be there.
    ///
    /// # Errors
    /// When one is missing or cannot be read.
    pub fn mint_keys(&self, currency: &Currency, now: DateTime<Utc>) -> Result<Vec<PrivateKey>, DirectoryError> {
        let folder = self.root.join(KEY_FOLDER);
        for key in currency.mint_keys().filter(|key| ledger_time(now) <= key.terms.sign_not_after()) {
            let path = folder.join(mint_key_file(key.verified.public_key().id()));
            if !path.is_file() {
                return Err(DirectoryError::MissingKey { path });
            }
        }
        let is_mint_key =
            |path: &Path| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(MINT_KEY_PREFIX));
        let read = |path: PathBuf| {
            let pem = Zeroizing::new(fs::read_to_string(&path).map_err(io_error(&path))?);
            PrivateKey::from_pkcs8_pem(&pem).map_err(|error| DirectoryError::Key { path, error })
        };
        files(&folder)?.into_iter().filter(|path| is_mint_key(path)).map(read).collect()
    }
}

fn write_all(root: &Path, new: &NewDirectory<'_>) -> Result<(), DirectoryError> {
    let folders = [CDDC_FOLDER, MKC_FOLDER, KEY_FOLDER].map(|name| root.join(name));
    for folder in [root].into_iter().chain(folders.iter().map(PathBuf::as_path)) {
        DirBuilder::new().mode(FOLDER_MODE).create(folder).map_err(io_error(folder))?;
    }
    let [cddc_folder, mkc_folder, key_folder] = &folders;
    let config = toml::to_string(new.config).expect("strings can be written as TOML");
    write(&root.join(CONFIG_FILE), config.as_bytes())?;
    write(&cddc_folder.join(format!("{}.json", new.cddc.cdd.cdd_serial)), text::compact(new.cddc).as_bytes())?;
    write(&key_folder.join(MASTER_KEY_FILE), new.master_key.to_pkcs8_pem().as_bytes())?;
    for (mkc, key) in new.mint_keys {
        let id = &mkc.mint_key.id;
        write(&mkc_folder.join(format!("{id}.json")), text::compact(mkc).as_bytes())?;
        write(&key_folder.join(mint_key_file(id)), key.to_pkcs8_pem().as_bytes())?;
    }
    folders.iter().try_for_each(|folder| sync_folder(folder))?;
    sync_folder(root)
}

fn mint_key_file(id: &BigInt) -> String {
    format!("{MINT_KEY_PREFIX}{id}.pem")
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), DirectoryError> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(io_error(path))
}

fn sync_folder(path: &Path) -> Result<(), DirectoryError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(io_error(path))
}

fn read_documents<D: DeserializeOwned>(folder: &Path) -> Result<Vec<D>, DirectoryError> {
    let read = |path: PathBuf| {
        let json = fs::read(&path).map_err(io_error(&path))?;
        from_json(&json).map_err(|error| DirectoryError::Document { path, error })
    };
    files(folder)?.into_iter().map(read).collect()
}

/// The files of a folder in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>, DirectoryError> {
    let entries = fs::read_dir(folder).map_err(io_error(folder))?;
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(io_error(folder))?;
    paths.sort();
    Ok(paths)
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> DirectoryError {
    let path = path.to_owned();
    move |error| DirectoryError::Io { path, error }
}
