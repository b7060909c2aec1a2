//! Backups of a currency whose books are in SQLite: a folder with a snapshot of the books, the public documents and
//! settings, and a manifest of all files.
//!
//! The server may run meanwhile. The finished folder is renamed atomically, and only its owner can read it. Private
//! keys are copied only on request, encrypted as they are.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use chrono::SecondsFormat;
use opencoin_config::{Config, KeyConfig};
use opencoin_keys::{Clock, Directory, DirectoryError};
use opencoin_ledger::LedgerError;
use opencoin_private_files::{self as private_files, FileError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::store::books_file;

/// The version of the layout of a backup.
const FORMAT: u32 = 1;
pub(crate) const MANIFEST_FILE: &str = "manifest.toml";
/// The file of the books in a backup.
pub(crate) const BOOKS_FILE: &str = "ledger.sqlite";
/// The folder in a backup with files of the currency's folder.
pub(crate) const CURRENCY_FOLDER: &str = "currency";
const LOCK_FILE: &str = "lock";
const COPY_BUFFER_BYTES: usize = 64 * 1024;

/// Options of a backup.
#[derive(Debug, Clone)]
pub struct BackupOptions {
    /// The folder to create; it must not exist.
    pub to: PathBuf,
    /// Whether to copy the encrypted private mint keys and the keys of the public log.
    pub with_keys: bool,
}

/// The description of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    format: u32,
    /// The version of the program that made it.
    pub program: String,
    /// When the books were copied, in the format of RFC 3339.
    pub made_at: String,
    /// The id of the currency.
    pub currency: String,
    /// The serial of the newest description of the currency.
    pub cdd_serial: u64,
    /// The version of the tables.
    pub schema_version: i64,
    /// The history of the books.
    pub history: String,
    /// The newest entry of the journal, if there is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<i64>,
    /// All files but the manifest.
    pub files: Vec<ManifestFile>,
}

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// The path in the backup.
    pub path: PathBuf,
    /// The length.
    pub bytes: u64,
    /// The SHA-256 hash, in hexadecimal.
    pub sha256: String,
}

/// Why a backup failed.
#[derive(Debug, Error)]
pub enum BackupError {
    /// The books are in PostgreSQL, which has its own tools.
    #[error(
        "the books are in PostgreSQL, which makes its own backups: `pg_dump --format=custom --file=FILE URL`, or `pg_basebackup` with an \
         archive of the write-ahead log; see \"Backup and restore\" in docs/OPERATING.md"
    )]
    Shared,
    /// The path exists already.
    #[error("{0} exists already; a backup creates a new folder")]
    Occupied(PathBuf),
    /// Another process is writing a backup to the same folder.
    #[error("another process is writing a backup to {0}")]
    InProgress(PathBuf),
    /// The private keys are not in the folder of the currency.
    #[error("{0}")]
    Keys(String),
    /// The books cannot be copied.
    #[error("the books cannot be copied: {0}")]
    Ledger(#[from] LedgerError),
    /// The folder of the currency cannot be read.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Writes a backup and returns its manifest.
///
/// # Errors
/// When a file cannot be read or written. The folder is not created then.
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
    // The books first: the documents that are copied later certify all keys in them.
    let made_at = clock.now();
    opencoin_sqlite::copy_into(&books.to_string_lossy(), &staging.join(BOOKS_FILE)).await?;
    let copied = opencoin_sqlite::inspect(&staging.join(BOOKS_FILE)).await?;
    let mut paths = directory.backup_files()?;
    if let Some(folder) = keys {
        // A currency without a public log has no keys for one.
        let log = Some(directory.log_folder()).filter(|log| log.is_dir());
        for folder in std::iter::once(directory.root().join(folder)).chain(log) {
            let found = private_files::list(&folder, ".pem")?;
            let relative = found
                .iter()
                .filter_map(|path| path.strip_prefix(directory.root()).ok().map(Path::to_owned));
            paths.extend(relative);
        }
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
        made_at: made_at.to_rfc3339_opts(SecondsFormat::Secs, true),
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

/// Creates and locks the empty temporary folder. Deletes the remains of an interrupted backup.
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

/// The path of the key folder relative to the folder of the currency.
fn key_folder(config: &Config) -> Result<&Path, BackupError> {
    match &config.keys {
        KeyConfig::Files { folder } if is_inside(folder) => Ok(folder),
        KeyConfig::Files { folder } => Err(BackupError::Keys(format!(
            "the private keys are in {}; back up that folder separately",
            folder.display()
        ))),
        KeyConfig::Token { .. } => Err(BackupError::Keys(
            "the private keys are in a token, from which they cannot be copied".to_owned(),
        )),
    }
}

/// Whether a relative path stays inside its folder.
pub(crate) fn is_inside(path: &Path) -> bool {
    path.components()
        .all(|component| matches!(component, Component::Normal(_)))
}

/// Copies a file, readable by its owner only, and creates the folders on the way.
pub(crate) fn copy_file(from: &Path, to: &Path) -> Result<(), FileError> {
    let bytes = fs::read(from).map_err(FileError::of(from))?;
    make_folders(to.parent().unwrap_or(Path::new("/")))?;
    private_files::write(to, &bytes)
}

/// Creates a folder and its parents, readable by their owner only.
pub(crate) fn make_folders(folder: &Path) -> Result<(), FileError> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_folders(parent)?;
    }
    private_files::make_private_folder(folder)
}

impl Manifest {
    /// Whether this program knows the layout of the backup.
    pub(crate) fn is_known(&self) -> bool {
        self.format == FORMAT
    }
}

impl ManifestFile {
    /// Describes a file.
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
