//! Files that only their owner reads and writes, and that are there whole or not at all.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The mode of a private folder.
pub const FOLDER_MODE: u32 = 0o700;
/// The mode of a private file.
pub const FILE_MODE: u32 = 0o600;
/// What nobody but the owner may have of a private key.
const OTHERS: u32 = 0o077;
/// The end of the name of a file that is being written.
const UNFINISHED: &str = ".unfinished";

/// The system refused.
#[derive(Debug, Error)]
#[error("{path}: {error}")]
pub struct FileError {
    /// The file or folder.
    pub path: PathBuf,
    /// The system's words.
    pub error: io::Error,
}

impl FileError {
    /// Adds the path to what the system said.
    pub fn of(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self {
            path: path.to_owned(),
            error,
        }
    }
}

/// Makes a folder for its owner alone, whose parent is there; nothing when it is there already.
///
/// # Errors
/// The system refuses.
pub fn make_private_folder(path: &Path) -> Result<(), FileError> {
    match DirBuilder::new().mode(FOLDER_MODE).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(FileError::of(path)),
    }
}

/// Makes a folder for its owner alone, and those above it, unless it is there.
///
/// # Errors
/// The system refuses.
pub fn make_private_folders(path: &Path) -> Result<(), FileError> {
    if path.exists() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    let made = builder.recursive(true).mode(FOLDER_MODE).create(path);
    made.map_err(FileError::of(path))?;
    sync_parent(path)
}

/// Opens a file to append to it or to lock it, and makes it if it is not there.
///
/// # Errors
/// The system refuses.
pub fn open_or_make(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(FILE_MODE)
        .open(path)
}

/// Reads a file, if it is there.
///
/// # Errors
/// The system refuses.
pub fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::of(path)(error)),
    }
}

/// Writes a file, in place of what is there: a crash leaves the old one or the new one, and so do two processes that
/// write it at one time.
///
/// # Errors
/// The system refuses.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(format!(".{}{UNFINISHED}", std::process::id()));
    let unfinished = PathBuf::from(unfinished);
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
        fs::rename(&unfinished, path)
    };
    written().map_err(FileError::of(path))?;
    sync_parent(path)
}

/// Copies a file of any length in place of what is there, for its owner alone, to the disk. It is not there
/// whole until this returns.
///
/// # Errors
/// The system refuses.
pub fn copy(from: &Path, to: &Path) -> Result<(), FileError> {
    let copied = || {
        remove_if_there(to)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(to)?;
        io::copy(&mut File::open(from)?, &mut file)?;
        file.sync_all()
    };
    copied().map_err(FileError::of(to))
}

/// Removes a file and says whether it was there; it stays removed after a crash.
///
/// # Errors
/// The system refuses.
pub fn remove(path: &Path) -> Result<bool, FileError> {
    let was_there = remove_if_there(path).map_err(FileError::of(path))?;
    sync_parent(path)?;
    Ok(was_there)
}

/// Puts the name of a file or folder on the disk.
///
/// # Errors
/// The system refuses.
pub fn sync_parent(path: &Path) -> Result<(), FileError> {
    sync_folder(match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => Path::new("/"),
    })
}

fn remove_if_there(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Beside a file or folder, under the name that it has until it is whole.
pub fn unfinished(path: &Path) -> PathBuf {
    let mut name = path
        .file_name()
        .map_or_else(|| OsString::from("currency"), OsString::from);
    name.push(UNFINISHED);
    path.with_file_name(name)
}

/// Puts the names in a folder on the disk.
///
/// # Errors
/// The system refuses.
pub fn sync_folder(path: &Path) -> Result<(), FileError> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(FileError::of(path))
}

/// The files of a folder with names that end so, in their order. Hidden ones, and with them what programs
/// that copy files have not finished, are left out.
///
/// # Errors
/// The system refuses.
pub fn list(folder: &Path, suffix: &str) -> Result<Vec<PathBuf>, FileError> {
    let entries = fs::read_dir(folder).map_err(FileError::of(folder))?;
    let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(FileError::of(folder))?;
    let is_meant = |name: &str| name.ends_with(suffix) && !name.starts_with('.');
    paths.retain(|path| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(is_meant)
    });
    paths.sort();
    Ok(paths)
}

/// What is wrong with the permissions of a private file or folder, if anything, and what to do.
///
/// # Errors
/// It is not there, or the system refuses.
pub fn exposure(path: &Path) -> Result<Option<String>, FileError> {
    let metadata = fs::metadata(path).map_err(FileError::of(path))?;
    let mode = metadata.mode() & 0o777;
    if mode & OTHERS == 0 {
        return Ok(None);
    }
    let tight = if metadata.is_dir() { FOLDER_MODE } else { FILE_MODE };
    let path = path.display();
    Ok(Some(format!(
        "{path} is open to others than its owner (mode {mode:o}); `chmod {tight:o} {path}` closes it"
    )))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn files_and_folders_are_their_owners_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        make_private_folders(&inner).unwrap();
        make_private_folders(&inner).unwrap();
        assert_eq!(
            (mode(&folder.path().join("a")), mode(&inner)),
            (FOLDER_MODE, FOLDER_MODE)
        );
        let file = inner.join("key.pem");
        assert_eq!(read_if_there(&file).unwrap(), None);
        write(&file, b"one").unwrap();
        // What was open to others is not when it is written again.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(exposure(&file).unwrap().is_some());
        write(&file, b"two").unwrap();
        assert_eq!(
            (read_if_there(&file).unwrap(), mode(&file)),
            (Some(b"two".to_vec()), FILE_MODE)
        );
        assert_eq!(exposure(&file).unwrap(), None);
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 1);
        assert!(remove(&file).unwrap() && !remove(&file).unwrap());
    }
}
