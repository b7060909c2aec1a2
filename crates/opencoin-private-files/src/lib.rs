//! Files and folders that only their owner can access, for keys, secrets and wallets.
//!
//! [`write()`] is atomic: after a crash a file has its old content or its new content. A [`FileError`] names
//! the path.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The mode of a private folder.
pub const FOLDER_MODE: u32 = 0o700;
/// The mode of a private file.
pub const FILE_MODE: u32 = 0o600;
/// The mode bits that give access to the group and to other users.
const OTHERS: u32 = 0o077;
/// The suffix of a file or folder that is being written.
const UNFINISHED: &str = ".unfinished";

/// A failed operation of the operating system.
#[derive(Debug, Error)]
#[error("{path}: {error}")]
pub struct FileError {
    /// The file or folder.
    pub path: PathBuf,
    /// The error of the operating system.
    pub error: io::Error,
}

impl FileError {
    /// Returns a function for `map_err` that adds the path to an error of the operating system.
    pub fn of(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self {
            path: path.to_owned(),
            error,
        }
    }
}

/// Creates a private folder in an existing one. Leaves an existing folder as it is.
///
/// # Errors
/// The operating system reports an error.
pub fn make_private_folder(path: &Path) -> Result<(), FileError> {
    match DirBuilder::new().mode(FOLDER_MODE).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(FileError::of(path)),
    }
}

/// Creates a private folder and its missing parents, durably. Leaves an existing folder as it is.
///
/// # Errors
/// The operating system reports an error.
pub fn make_private_folders(path: &Path) -> Result<(), FileError> {
    if path.exists() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    let made = builder.recursive(true).mode(FOLDER_MODE).create(path);
    made.map_err(FileError::of(path))?;
    sync_parent(path)
}

/// Opens a file for appending or locking. Creates a missing file with [`FILE_MODE`].
///
/// # Errors
/// The operating system reports an error.
pub fn open_or_make(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(FILE_MODE)
        .open(path)
}

/// Reads a file. Returns `None` for a missing one.
///
/// # Errors
/// The operating system reports an error.
pub fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::of(path)(error)),
    }
}

/// Writes a private file atomically and durably, replacing an existing one. If two processes write it at the
/// same time, the content of one of them remains.
///
/// # Errors
/// The operating system reports an error.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(format!(".{}{UNFINISHED}", std::process::id()));
    let unfinished = PathBuf::from(unfinished);
    let written = || {
        create_from(&unfinished, bytes)?;
        fs::rename(&unfinished, path)
    };
    written().map_err(FileError::of(path))?;
    sync_parent(path)
}

/// Copies a file durably into a private file, replacing an existing one. Not atomic: a crash can leave a part
/// of the copy.
///
/// # Errors
/// The operating system reports an error.
pub fn copy(from: &Path, to: &Path) -> Result<(), FileError> {
    File::open(from)
        .and_then(|from| create_from(to, from))
        .map_err(FileError::of(to))
}

/// Creates or replaces a private file with this content and syncs it.
fn create_from(path: &Path, mut content: impl io::Read) -> io::Result<()> {
    // Truncating an existing file would keep its mode.
    remove_if_there(path)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)?;
    io::copy(&mut content, &mut file)?;
    file.sync_all()
}

/// Removes a file durably. Returns whether it existed.
///
/// # Errors
/// The operating system reports an error.
pub fn remove(path: &Path) -> Result<bool, FileError> {
    let was_there = remove_if_there(path).map_err(FileError::of(path))?;
    sync_parent(path)?;
    Ok(was_there)
}

/// Syncs the folder that contains this path, so that a new, renamed or removed name survives a crash.
///
/// # Errors
/// The operating system reports an error.
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

/// The path in the same folder under which a file or folder is written until it is complete.
pub fn unfinished(path: &Path) -> PathBuf {
    let mut name = path
        .file_name()
        .map_or_else(|| OsString::from("currency"), OsString::from);
    name.push(UNFINISHED);
    path.with_file_name(name)
}

/// Syncs a folder, so that new, renamed or removed names in it survive a crash.
///
/// # Errors
/// The operating system reports an error.
pub fn sync_folder(path: &Path) -> Result<(), FileError> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(FileError::of(path))
}

/// Lists the paths in a folder whose names end with `suffix`, sorted. Omits hidden files, which programs that
/// copy files use for unfinished copies.
///
/// # Errors
/// The operating system reports an error.
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

/// Checks the permissions of a private file or folder. Returns what is wrong and how to correct it, or
/// `None`.
///
/// # Errors
/// The path does not exist, or the operating system reports an error.
pub fn exposure(path: &Path) -> Result<Option<String>, FileError> {
    let metadata = fs::metadata(path).map_err(FileError::of(path))?;
    let mode = metadata.mode() & 0o777;
    if mode & OTHERS == 0 {
        return Ok(None);
    }
    let tight = if metadata.is_dir() { FOLDER_MODE } else { FILE_MODE };
    let path = path.display();
    Ok(Some(format!(
        "other users can access {path} (mode {mode:o}): run `chmod {tight:o} {path}`"
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
    fn files_and_folders_are_private_and_no_unfinished_file_remains() {
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
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(exposure(&file).unwrap().is_some());
        write(&file, b"two").unwrap();
        assert_eq!(
            (read_if_there(&file).unwrap(), mode(&file)),
            (Some(b"two".to_vec()), FILE_MODE),
            "writing a file again makes it private again"
        );
        assert_eq!(exposure(&file).unwrap(), None);
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 1);
        assert!(remove(&file).unwrap() && !remove(&file).unwrap());
    }
}
