//! Shared and exclusive use of the file.
//!
//! SQLite's own locks only order the writers. They do not keep the file from being replaced while a program
//! has it open, and that program would then write to a deleted file. So a program that writes or copies
//! books takes a shared lock on a file beside them. Migrating and restoring take an exclusive lock.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use opencoin_ledger::LedgerError;

/// Suffix of the name of the lock file.
const LOCK_SUFFIX: &str = ".lock";

/// Takes the shared lock, which is held until the file is dropped.
pub(crate) fn shared(books: &Path) -> Result<File, LedgerError> {
    let file = open(books)?;
    let taken = file.try_lock_shared();
    locked(taken, || {
        format!(
            "the books at {} are being migrated or restored; try again when that is done",
            books.display()
        )
    })?;
    Ok(file)
}

/// Takes the exclusive lock, which is held until the file is dropped.
pub(crate) fn alone(books: &Path) -> Result<File, LedgerError> {
    let file = open(books)?;
    let taken = file.try_lock();
    locked(taken, || {
        format!(
            "another process uses the books at {}; stop the server, then try again",
            books.display()
        )
    })?;
    Ok(file)
}

/// The path of the books with a suffix.
pub(crate) fn beside(books: &Path, suffix: &str) -> PathBuf {
    let mut name = books.file_name().map_or_else(OsString::new, OsString::from);
    name.push(suffix);
    books.with_file_name(name)
}

fn open(books: &Path) -> Result<File, LedgerError> {
    let path = beside(books, LOCK_SUFFIX);
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(&path)
        .map_err(|error| LedgerError::Address(format!("cannot lock {}: {error}", path.display())))
}

/// Converts the result of a lock attempt.
fn locked(taken: Result<(), TryLockError>, in_use: impl Fn() -> String) -> Result<(), LedgerError> {
    match taken {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(LedgerError::InUse(in_use())),
        Err(TryLockError::Error(error)) => Err(LedgerError::Unavailable(format!(
            "the books cannot be locked: {error}"
        ))),
    }
}
