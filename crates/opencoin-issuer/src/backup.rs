//! A backup of a currency whose books are a file: one folder with the books of one moment, the public
//! documents and settings, and a manifest of it all.
//!
//! It is made while the server works. Under its name it is there whole or not at all, readable by its owner
//! alone. Private keys are left out unless asked for; then they are encrypted as they always are.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use opencoin_config::{Config, KeyConfig};
use opencoin_keys::{Clock, Directory, DirectoryError};
use opencoin_ledger::LedgerError;
use opencoin_private_files::{self as private_files, FileError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::store::books_file;

/// The form of the folder.
const FORMAT: u32 = 1;
pub(crate) const MANIFEST_FILE: &str = "manifest.toml";
/// The books in a backup.
pub(crate) const BOOKS_FILE: &str = "ledger.sqlite";
/// What a backup holds of the currency's folder.
pub(crate) const CURRENCY_FOLDER: &str = "currency";
const LOCK_FILE: &str = "lock";
const COPY_BUFFER_BYTES: usize = 64 * 1024;

/// What to back up, and where to.
#[derive(Debug, Clone)]
pub struct BackupOptions {
    /// The folder to make; it must not exist.
    pub to: PathBuf,
    /// Copy private mint keys, too, encrypted as they are.
    pub with_keys: bool,
}

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    format: u32,
    /// The version of the program that made it.
    pub program: String,
    /// When the copy of the books was made, as RFC 3339 writes it.
    pub made_at: String,
    /// The id of the currency.
    pub currency: String,
    /// The serial of the newest description of the currency.
    pub cdd_serial: u64,
    /// The version of the tables.
    pub schema_version: i64,
    /// The history of the books.
    pub history: String,
    /// The newest entry of their journal; none in books in which nothing has happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<i64>,
    /// Every other file.
    pub files: Vec<ManifestFile>,
}

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// Its path in the backup.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of it, in hexadecimal.
    pub sha256: String,
}

/// Why there is no backup.
#[derive(Debug, Error)]
pub enum BackupError {
    /// PostgreSQL has tools of its own.
    #[error(
        "the books are in PostgreSQL, which makes its own backups: `pg_dump --format=custom --file=FILE URL`, or `pg_basebackup` with an \
         archive of the write-ahead log; see \"Backup and restore\" in docs/OPERATING.md"
    )]
    Shared,
    /// There is something already.
    #[error("{0} is there already; a backup makes a folder of its own")]
    Occupied(PathBuf),
    /// Another process makes it.
    #[error("another process makes a backup at {0}")]
    InProgress(PathBuf),
    /// Private keys are not where a backup copies them from.
    #[error("{0}")]
    Keys(String),
    /// The books cannot be copied.
    #[error("the books cannot be copied: {0}")]
    Ledger(#[from] LedgerError),
    /// The folder of the currency cannot be read.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Makes a backup and gives its manifest.
///
/// # Errors
/// Something cannot be read or written. Nothing is there under its name then.
pub async fn back_up(
    directory: &Directory,
    options: &BackupOptions,
    clock: &dyn Clock,
) -> Result<Manifest, BackupError> {
    let config = directory.config()?;
    let Some(books) = books_file(&config.database, directory.root())? else {
        return Err(BackupError::Shared);
    };
    let to = std::path::absolute(&options.to).map_err(FileError::of(&options.to))?;
    if to.exists() {
        return Err(BackupError::Occupied(to));
    }
    let keys = if options.with_keys {
        Some(key_folder(&config)?)
    } else {
        None
    };
    let staging = private_files::unfinished(&to);
    let _locked = begin(&staging)?;
    // First the books: what they know is certified by the documents that are there afterwards.
    let made_at = clock.now();
    opencoin_sqlite::copy_into(&books.to_string_lossy(), &staging.join(BOOKS_FILE)).await?;
    let copied = opencoin_sqlite::inspect(&staging.join(BOOKS_FILE)).await?;
    let mut paths = directory.backup_files()?;
    if let Some(folder) = keys {
        let found = private_files::list(&directory.root().join(folder), ".pem")?;
        paths.extend(
            found
                .iter()
                .filter_map(|path| path.strip_prefix(directory.root()).ok().map(Path::to_owned)),
        );
    }
    for path in &paths {
        copy_file(
            &directory.root().join(path),
            &staging.join(CURRENCY_FOLDER).join(path),
        )?;
    }
    let currency = Directory::new(staging.join(CURRENCY_FOLDER)).currency()?;
    let cdd = currency.current().cdd();
    let in_backup = paths.iter().map(|path| Path::new(CURRENCY_FOLDER).join(path));
    let files: Result<Vec<ManifestFile>, FileError> = std::iter::once(PathBuf::from(BOOKS_FILE))
        .chain(in_backup)
        .map(|path| ManifestFile::of(&staging, path))
        .collect();
    let manifest = Manifest {
        format: FORMAT,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: rfc3339(made_at),
        currency: cdd.id.to_string(),
        cdd_serial: cdd.cdd_serial,
        schema_version: copied.schema_version,
        history: copied.position.mark.history.to_string(),
        entry: copied.position.mark.newest.map(|entry| entry.no.get()),
        files: files?,
    };
    let text = toml::to_string(&manifest).expect("a manifest can be written as TOML");
    private_files::write(&staging.join(MANIFEST_FILE), text.as_bytes())?;
    private_files::remove(&staging.join(LOCK_FILE))?;
    fs::rename(&staging, &to).map_err(FileError::of(&to))?;
    private_files::sync_folder(to.parent().unwrap_or(Path::new("/")))?;
    Ok(manifest)
}

/// An empty folder for what is being made; what somebody who died has left there goes.
fn begin(staging: &Path) -> Result<File, BackupError> {
    if let Some(parent) = staging.parent() {
        fs::create_dir_all(parent).map_err(FileError::of(parent))?;
    }
    private_files::make_private_folder(staging)?;
    let lock = staging.join(LOCK_FILE);
    let file = private_files::open_or_make(&lock).map_err(FileError::of(&lock))?;
    if file.try_lock().is_err() {
        return Err(BackupError::InProgress(staging.to_owned()));
    }
    for name in [BOOKS_FILE, MANIFEST_FILE] {
        private_files::remove(&staging.join(name))?;
    }
    let folder = staging.join(CURRENCY_FOLDER);
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(FileError::of(&folder))?;
    }
    Ok(file)
}

/// The folder of the keys within that of the currency.
fn key_folder(config: &Config) -> Result<&Path, BackupError> {
    match &config.keys {
        KeyConfig::Files { folder } if is_inside(folder) => Ok(folder),
        KeyConfig::Files { folder } => Err(BackupError::Keys(format!(
            "the private keys are in {}; back that folder up by itself",
            folder.display()
        ))),
        KeyConfig::Token { .. } => Err(BackupError::Keys(
            "the private keys are in a token, which does not give them away".to_owned(),
        )),
    }
}

/// Whether a path stays within the folder that it is relative to.
pub(crate) fn is_inside(path: &Path) -> bool {
    path.components()
        .all(|component| matches!(component, Component::Normal(_)))
}

/// Copies a file for its owner alone; folders on the way are made.
pub(crate) fn copy_file(from: &Path, to: &Path) -> Result<(), FileError> {
    let bytes = fs::read(from).map_err(FileError::of(from))?;
    make_folders(to.parent().unwrap_or(Path::new("/")))?;
    private_files::write(to, &bytes)
}

/// Makes a folder and those on the way to it, for their owner alone.
pub(crate) fn make_folders(folder: &Path) -> Result<(), FileError> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_folders(parent)?;
    }
    private_files::make_private_folder(folder)
}

pub(crate) fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl Manifest {
    /// Whether this program can read what it describes.
    pub(crate) fn is_known(&self) -> bool {
        self.format == FORMAT
    }
}

impl ManifestFile {
    /// What is there.
    pub(crate) fn of(folder: &Path, path: PathBuf) -> Result<Self, FileError> {
        let (bytes, sha256) = digest(&folder.join(&path)).map_err(FileError::of(&folder.join(&path)))?;
        Ok(Self { path, bytes, sha256 })
    }
}

fn digest(path: &Path) -> io::Result<(u64, String)> {
    let (mut file, mut digest, mut length) = (File::open(path)?, Sha256::new(), 0);
    let mut buffer = vec![0; COPY_BUFFER_BYTES];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((length, const_hex::encode(digest.finalize())));
        }
        digest.update(&buffer[..read]);
        length += read as u64;
    }
}
