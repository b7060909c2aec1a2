//! Restores a backup: the books in a currency's folder, or the whole folder if it is lost.
//!
//! The backup is verified before anything is changed. Books and folders are renamed atomically, so a crash leaves
//! either the old ones or the new ones. Restored books are marked as such: no server serves them until an operator
//! accepts that spent coins may be forgotten (see [`crate::guard`]).

use std::path::{Path, PathBuf};
use std::{fs, io};

use opencoin_keys::{Clock, Directory, DirectoryError, ledger_time};
use opencoin_ledger::{HISTORY_ID_BYTES, HistoryId, LedgerError};
use opencoin_private_files::{self as private_files, FileError};
use opencoin_sqlite::Replaced;
use rand::RngCore;
use thiserror::Error;

use crate::backup::{
    BOOKS_FILE, CURRENCY_FOLDER, MANIFEST_FILE, Manifest, ManifestFile, copy_file, is_inside, make_folders,
};
use crate::store::books_file;

/// What to restore.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// The folder of the backup.
    pub from: PathBuf,
    /// Replace existing books.
    pub replace: bool,
}

/// A restored backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The manifest of the backup.
    pub manifest: Manifest,
    /// The path of the restored books.
    pub books: PathBuf,
    /// The new path of the books that were replaced.
    pub kept: Option<PathBuf>,
    /// Whether the whole folder of the currency was restored.
    pub made_folder: bool,
}

/// Why nothing was restored.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// The folder is not a backup, or the backup is damaged.
    #[error("{path} is not a sound backup: {reason}")]
    Unsound {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The books are in PostgreSQL, which has its own tools.
    #[error(
        "the books are in PostgreSQL, which restores its own backups: `pg_restore --dbname=URL FILE` into an empty database; see \
         \"Backup and restore\" in docs/OPERATING.md"
    )]
    Shared,
    /// The backup is of another currency.
    #[error("this is a backup of the currency {found}, and {path} holds {expected}")]
    OtherCurrency {
        /// The folder of the currency.
        path: PathBuf,
        /// The id of the currency in the folder.
        expected: String,
        /// The id of the currency in the backup.
        found: String,
    },
    /// There are books already, and [`RestoreOptions::replace`] is not set.
    #[error(
        "there are books at {0} already; with --replace they are kept under another name and replaced by those of the backup"
    )]
    Occupied(PathBuf),
    /// The books cannot be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The folder of the currency cannot be read.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Restores a backup.
///
/// # Errors
/// When the backup is not sound or is of another currency, there are books already, or a file operation fails.
/// Nothing has changed then.
pub async fn restore(
    directory: &Directory,
    options: &RestoreOptions,
    clock: &dyn Clock,
    rng: &mut (dyn RngCore + Send),
) -> Result<Restored, RestoreError> {
    let manifest = verified(&options.from).await?;
    let mut id = [0; HISTORY_ID_BYTES];
    rng.fill_bytes(&mut id);
    let history = HistoryId::new(id);
    match directory.config() {
        Ok(config) => {
            let Some(books) = books_file(&config.database, directory.root())? else {
                return Err(RestoreError::Shared);
            };
            check_currency(directory, &manifest)?;
            if books.exists() && !options.replace {
                return Err(RestoreError::Occupied(books));
            }
            let kept = put_books(&options.from, &books, history, clock).await?;
            Ok(Restored {
                manifest,
                books,
                kept,
                made_folder: false,
            })
        }
        Err(DirectoryError::NoCurrency(_)) => {
            directory.check_vacant()?;
            let (books, kept) = put_folder(directory, options, &manifest, history, clock).await?;
            Ok(Restored {
                manifest,
                books,
                kept,
                made_folder: true,
            })
        }
        Err(error) => Err(error.into()),
    }
}

/// Verifies the backup and returns its manifest.
async fn verified(from: &Path) -> Result<Manifest, RestoreError> {
    let unsound = |reason: String| RestoreError::Unsound {
        path: from.to_owned(),
        reason,
    };
    let text = match fs::read_to_string(from.join(MANIFEST_FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(unsound(format!("it has no {MANIFEST_FILE}")));
        }
        Err(error) => return Err(FileError::of(&from.join(MANIFEST_FILE))(error).into()),
    };
    let manifest: Manifest =
        toml::from_str(&text).map_err(|error| unsound(format!("{MANIFEST_FILE}: {error}")))?;
    if !manifest.is_known() {
        return Err(unsound(
            "a newer version of this program made it; update the program".to_owned(),
        ));
    }
    for file in &manifest.files {
        if !is_inside(&file.path) {
            return Err(unsound(format!(
                "its manifest names {}, which is outside the backup",
                file.path.display()
            )));
        }
        let found = ManifestFile::of(from, file.path.clone()).map_err(|error| unsound(error.to_string()))?;
        if found != *file {
            return Err(unsound(format!(
                "{} differs from its description in the manifest",
                file.path.display()
            )));
        }
    }
    if !manifest
        .files
        .iter()
        .any(|file| file.path == Path::new(BOOKS_FILE))
    {
        return Err(unsound("it has no books".to_owned()));
    }
    let copied = opencoin_sqlite::inspect(&from.join(BOOKS_FILE)).await?;
    let mark = copied.position.mark;
    if mark.history.to_string() != manifest.history
        || mark.newest.map(|entry| entry.no.get()) != manifest.entry
    {
        return Err(unsound(
            "its books differ from their description in the manifest".to_owned(),
        ));
    }
    check_currency(&Directory::new(from.join(CURRENCY_FOLDER)), &manifest)?;
    Ok(manifest)
}

fn check_currency(directory: &Directory, manifest: &Manifest) -> Result<(), RestoreError> {
    let expected = directory.currency()?.current().cdd().id.to_string();
    if expected == manifest.currency {
        return Ok(());
    }
    Err(RestoreError::OtherCurrency {
        path: directory.root().to_owned(),
        expected,
        found: manifest.currency.clone(),
    })
}

/// Puts the books of a backup in place, and returns the new path of those that they replace.
async fn put_books(
    from: &Path,
    books: &Path,
    history: HistoryId,
    clock: &dyn Clock,
) -> Result<Option<PathBuf>, RestoreError> {
    let now = clock.now();
    let staged = private_files::unfinished(books);
    stage_books(from, &staged, history, clock).await?;
    let mut kept = books.file_name().unwrap_or_default().to_owned();
    kept.push(now.format(".replaced-%Y%m%dT%H%M%S%.3fZ").to_string());
    let kept = books.with_file_name(kept);
    let replaced = opencoin_sqlite::replace(books, &staged, &kept).await;
    if replaced.is_err() {
        private_files::remove(&staged)?;
    }
    Ok(match replaced? {
        Replaced::Kept => Some(kept),
        Replaced::Nothing => None,
    })
}

/// Copies the books of a backup and marks the copy as restored.
async fn stage_books(
    from: &Path,
    staged: &Path,
    history: HistoryId,
    clock: &dyn Clock,
) -> Result<(), RestoreError> {
    private_files::copy(&from.join(BOOKS_FILE), staged)?;
    Ok(opencoin_sqlite::mark_as_restored(staged, history, ledger_time(clock.now())).await?)
}

/// Creates the folder of the currency, and returns the path of its books and of those that they replace.
async fn put_folder(
    directory: &Directory,
    options: &RestoreOptions,
    manifest: &Manifest,
    history: HistoryId,
    clock: &dyn Clock,
) -> Result<(PathBuf, Option<PathBuf>), RestoreError> {
    let from = options.from.as_path();
    let config = Directory::new(from.join(CURRENCY_FOLDER)).config()?;
    let Some(books) = books_file(&config.database, directory.root())? else {
        return Err(RestoreError::Shared);
    };
    let (unfinished, _lock) = directory.begin_folder()?;
    let staging = unfinished.root();
    for file in &manifest.files {
        if let Ok(path) = file.path.strip_prefix(CURRENCY_FOLDER) {
            copy_file(&from.join(&file.path), &staging.join(path))?;
        }
    }
    let mut kept = None;
    match books.strip_prefix(directory.root()) {
        Ok(inside) => {
            let staged = staging.join(inside);
            make_folders(staged.parent().unwrap_or(staging))?;
            stage_books(from, &staged, history, clock).await?;
        }
        // Before the folder exists, so that no server starts new books.
        Err(_) if books.exists() && !options.replace => return Err(RestoreError::Occupied(books)),
        Err(_) => kept = put_books(from, &books, history, clock).await?,
    }
    unfinished.finish(directory)?;
    Ok((books, kept))
}
