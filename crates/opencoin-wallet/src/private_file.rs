//! Files that only their owner reads, and that are there whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// What is in a wallet's folder is money: whoever reads it can spend it.
const FOLDER_MODE: u32 = 0o700;
/// The same for each file.
pub(crate) const FILE_MODE: u32 = 0o600;

/// A file of the wallet's folder cannot be used.
#[derive(Debug, Error)]
pub enum FileError {
    /// The system refused.
    #[error("{path}: {error}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// It does not say anything that this program knows.
    #[error("{path}: {reason}; the file is damaged, or was written by a newer version")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, never what is in it.
        reason: String,
    },
    /// Another process is paying out of this folder.
    #[error("another payment from {0} is under way; wait until it is done")]
    InUse(PathBuf),
}

impl FileError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io {
            path: path.to_owned(),
            error,
        }
    }

    /// The error of a reader of JSON names a place; it quotes values of the file, which may be secret.
    pub(crate) fn damaged(path: &Path) -> impl FnOnce(serde_json::Error) -> Self {
        move |error| Self::Damaged {
            path: path.to_owned(),
            reason: format!(
                "it makes no sense at line {}, column {}",
                error.line(),
                error.column()
            ),
        }
    }
}

/// Makes a folder for its owner alone, and those above it, unless it is there.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.exists() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(folder)?;
    sync_folder(folder.parent())
}

/// Writes a file in place of what is there: a crash leaves the old one or the new one.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let unfinished = path.with_extension(format!("{}.unfinished", std::process::id()));
    let written = || {
        // What a crash has left is of no use. Removed rather than truncated, so that the mode is ours.
        remove_if_there(&unfinished)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        sync_folder(path.parent())
    };
    written().map_err(FileError::io(path))
}

/// Reads a file, if it is there.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::io(path)(error)),
    }
}

/// Removes a file and says whether it was there; it stays removed after a crash.
pub(crate) fn remove(path: &Path) -> Result<bool, FileError> {
    let was_there = remove_if_there(path).map_err(FileError::io(path))?;
    if was_there {
        sync_folder(path.parent()).map_err(FileError::io(path))?;
    }
    Ok(was_there)
}

/// Puts the names in a folder on the disk.
pub(crate) fn sync_folder(folder: Option<&Path>) -> io::Result<()> {
    let folder = folder
        .filter(|path| !path.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(folder).and_then(|file| file.sync_all())
}

fn remove_if_there(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
