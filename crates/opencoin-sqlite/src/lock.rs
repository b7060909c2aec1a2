//! Who uses the file, and who has it alone.
//!
//! SQLite's own locks say who writes now. They do not hinder that the file is replaced under a program that
//! has it open, which would then write into a file without a name. So whoever opens books locks a file beside
//! them, together with others; migrating and restoring lock it alone.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use opencoin_ledger::LedgerError;

/// The end of the name of the file that is locked.
const LOCK_SUFFIX: &str = ".lock";

/// Uses the books beside others, until the file is dropped.
pub(crate) fn shared(books: &Path) -> Result<File, LedgerError> {
    let file = open(books)?;
    let taken = file.try_lock_shared();
    told(taken, || {
        format!(
            "the books at {} are being migrated or restored; try again when that is done",
            books.display()
        )
    })?;
    Ok(file)
}

/// Has the books alone, until the file is dropped.
pub(crate) fn alone(books: &Path) -> Result<File, LedgerError> {
    let file = open(books)?;
    let taken = file.try_lock();
    told(taken, || {
        format!(
            "another process uses the books at {}; stop the server, then try again",
            books.display()
        )
    })?;
    Ok(file)
}

/// A name beside the books that begins with theirs.
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

fn told(taken: Result<(), TryLockError>, in_use: impl Fn() -> String) -> Result<(), LedgerError> {
    match taken {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(LedgerError::InUse(in_use())),
        Err(TryLockError::Error(error)) => Err(LedgerError::Unavailable(format!(
            "the books cannot be locked: {error}"
        ))),
    }
}
