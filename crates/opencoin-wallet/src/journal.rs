//! The wallet's journal on disk: a file of events, one JSON line each, that is only appended to.
//!
//! An event is on the disk before any action that relies on it. A crash during a write leaves an incomplete
//! last line, which is cut off when the wallet is opened again. Other damage is an error that names the line.
//!
//! Only one process can write; it holds the lock on a separate file. Reading takes no lock and writes
//! nothing, so any number of processes can read a wallet, also on a read-only disk.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use opencoin_private_files::{self as private_files, FileError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use zeroize::Zeroizing;

const JOURNAL_FILE: &str = "journal.jsonl";
const LOCK_FILE: &str = "wallet.lock";
/// The mode bits that give access to users other than the owner.
const MODE_OF_OTHERS: u32 = 0o077;

/// Why the wallet's journal cannot be used.
#[derive(Debug, Error)]
pub enum JournalError {
    /// Another process has the wallet open.
    #[error("the wallet in {0} is in use by another process; wait until that is done")]
    InUse(PathBuf),
    /// The folder contains no wallet.
    #[error("there is no wallet in {0}")]
    NoWallet(PathBuf),
    /// The wallet was opened to be read.
    #[error("the wallet in {0} was opened to be read only")]
    ReadOnly(PathBuf),
    /// A line is not an event.
    #[error("{path}, line {line}: {reason}; the file is damaged, or was written by a newer version")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The parser's error.
        reason: String,
    },
    /// The operating system reports an error.
    #[error(transparent)]
    Io(#[from] FileError),
}

/// An open journal.
pub(crate) struct Journal {
    folder: PathBuf,
    access: Access,
    is_exposed: bool,
}

enum Access {
    Read,
    /// The folder had no journal. The folder, the lock file and the journal are made with the first event, so
    /// that a wallet without events leaves no files.
    New,
    Write {
        file: File,
        /// Locked while the journal is open.
        _lock: File,
    },
    /// A write failed, so the end of the file is unknown and nothing more may be written.
    Broken,
}

impl Journal {
    /// Opens the journal for writing and reads its events. Without a journal, the first event makes it.
    pub(crate) fn open<E: DeserializeOwned>(folder: &Path) -> Result<(Self, Vec<E>), JournalError> {
        if !Self::is_in(folder) {
            return Ok((Self::new(folder, Access::New)?, Vec::new()));
        }
        let path = folder.join(JOURNAL_FILE);
        let lock = lock_wallet(folder)?;
        let bytes = read(folder)?;
        let whole = whole_lines(&bytes);
        let file = OpenOptions::new().append(true).open(&path);
        let file = file.map_err(FileError::of(&path))?;
        if whole < bytes.len() {
            file.set_len(whole as u64)
                .and_then(|()| file.sync_all())
                .map_err(FileError::of(&path))?;
        }
        let events = events(&path, &bytes[..whole])?;
        Ok((Self::new(folder, Access::Write { file, _lock: lock })?, events))
    }

    /// Reads the events of the journal in this folder, also while another process writes to it.
    pub(crate) fn read<E: DeserializeOwned>(folder: &Path) -> Result<(Self, Vec<E>), JournalError> {
        let bytes = read(folder)?;
        let events = events(&folder.join(JOURNAL_FILE), &bytes[..whole_lines(&bytes)])?;
        Ok((Self::new(folder, Access::Read)?, events))
    }

    pub(crate) fn is_in(folder: &Path) -> bool {
        folder.join(JOURNAL_FILE).exists()
    }

    fn new(folder: &Path, access: Access) -> Result<Self, JournalError> {
        let path = folder.join(JOURNAL_FILE);
        let is_exposed = match fs::metadata(&path) {
            Ok(metadata) => metadata.permissions().mode() & MODE_OF_OTHERS != 0,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(FileError::of(&path)(error).into()),
        };
        Ok(Self {
            folder: folder.to_owned(),
            access,
            is_exposed,
        })
    }

    /// Returns the file if users other than its owner can use it.
    pub(crate) fn exposed(&self) -> Option<PathBuf> {
        self.is_exposed.then(|| self.folder.join(JOURNAL_FILE))
    }

    /// Appends an event, as a whole or not at all. It is on the disk when this returns.
    pub(crate) fn append(&mut self, event: &impl Serialize) -> Result<(), JournalError> {
        let path = self.folder.join(JOURNAL_FILE);
        if matches!(self.access, Access::New) {
            self.access = create(&self.folder)?;
        }
        let written = match &mut self.access {
            Access::Write { file, .. } => write_line(file, event),
            Access::Read => return Err(JournalError::ReadOnly(path)),
            Access::New | Access::Broken => {
                Err(io::Error::other("an earlier write failed; open the wallet again"))
            }
        };
        if written.is_err() {
            self.access = Access::Broken;
        }
        Ok(written.map_err(FileError::of(&path))?)
    }
}

/// Makes the folder, unless it is there, and an empty journal in it.
fn create(folder: &Path) -> Result<Access, JournalError> {
    private_files::make_private_folders(folder)?;
    let lock = lock_wallet(folder)?;
    let path = folder.join(JOURNAL_FILE);
    let mut options = OpenOptions::new();
    options
        .append(true)
        .create_new(true)
        .mode(private_files::FILE_MODE);
    let file = match options.open(&path) {
        Ok(file) => file,
        // Another process has made a wallet here since the folder was looked at.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(JournalError::InUse(folder.to_owned()));
        }
        Err(error) => return Err(FileError::of(&path)(error).into()),
    };
    private_files::sync_parent(&path)?;
    Ok(Access::Write { file, _lock: lock })
}

fn write_line(file: &mut File, event: &impl Serialize) -> io::Result<()> {
    let mut line =
        Zeroizing::new(serde_json::to_vec(event).expect("events have string keys and no failing values"));
    line.push(b'\n');
    file.write_all(&line)?;
    file.sync_data()
}

fn lock_wallet(folder: &Path) -> Result<File, JournalError> {
    lock(&folder.join(LOCK_FILE))?.ok_or_else(|| JournalError::InUse(folder.to_owned()))
}

/// Makes a lock file if need be and locks it until it is dropped; `None` if another process has the lock.
pub(crate) fn lock(path: &Path) -> Result<Option<File>, FileError> {
    let file = private_files::open_or_make(path).map_err(FileError::of(path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(FileError::of(path)(error)),
    }
}

fn read(folder: &Path) -> Result<Zeroizing<Vec<u8>>, JournalError> {
    let bytes = private_files::read_if_there(&folder.join(JOURNAL_FILE))?;
    let bytes = bytes.ok_or_else(|| JournalError::NoWallet(folder.to_owned()))?;
    Ok(Zeroizing::new(bytes))
}

/// Returns the length of the complete lines.
fn whole_lines(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1)
}

fn events<E: DeserializeOwned>(path: &Path, lines: &[u8]) -> Result<Vec<E>, JournalError> {
    let read = |(index, line): (usize, &[u8])| {
        serde_json::from_slice(line).map_err(|error| JournalError::Damaged {
            path: path.to_owned(),
            line: index + 1,
            reason: error.to_string(),
        })
    };
    let lines = lines.split(|byte| *byte == b'\n').enumerate();
    lines.filter(|(_, line)| !line.is_empty()).map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(folder: &Path) -> Result<(Journal, Vec<String>), JournalError> {
        Journal::open(folder)
    }

    #[test]
    fn events_are_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("a").join("wallet");
        let (mut journal, events) = open(&folder).unwrap();
        assert!(events.is_empty());
        assert!(!folder.exists(), "without an event nothing is written");
        journal.append(&"one").unwrap();
        journal.append(&"two\nlines").unwrap();
        drop(journal);
        assert_eq!(open(&folder).unwrap().1, ["one", "two\nlines"]);
    }

    #[test]
    fn an_incomplete_last_line_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = open(folder.path()).unwrap();
        journal.append(&"one").unwrap();
        drop(journal);
        let path = folder.path().join(JOURNAL_FILE);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"\"tw").unwrap();
        let (mut journal, events) = open(folder.path()).unwrap();
        assert_eq!(events, ["one"]);
        journal.append(&"three").unwrap();
        drop(journal);
        assert_eq!(open(folder.path()).unwrap().1, ["one", "three"]);
    }

    #[test]
    fn an_error_names_the_damaged_line() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(JOURNAL_FILE), "\"one\"\nnonsense\n\"three\"\n").unwrap();
        let error = open(folder.path()).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }

    #[test]
    fn only_one_process_can_write() {
        let folder = tempfile::tempdir().unwrap();
        let (mut first, _) = open(folder.path()).unwrap();
        let (mut second, _) = open(folder.path()).unwrap();
        first.append(&"one").unwrap();
        let mut second = || second.append(&"two");
        assert!(matches!(second(), Err(JournalError::InUse(_))));
        assert!(matches!(open(folder.path()), Err(JournalError::InUse(_))));
        drop(first);
        assert!(
            matches!(second(), Err(JournalError::InUse(_))),
            "it has read no events"
        );
        assert_eq!(open(folder.path()).unwrap().1, ["one"]);
    }

    #[test]
    fn reading_needs_no_lock_and_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let read = || Journal::read::<String>(folder.path());
        assert!(matches!(read(), Err(JournalError::NoWallet(_))));
        let (mut journal, _) = open(folder.path()).unwrap();
        journal.append(&"one").unwrap();
        let path = folder.path().join(JOURNAL_FILE);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"\"tw").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
        let (mut first, events) = read().unwrap();
        let (second, _) = read().unwrap();
        assert_eq!(events, ["one"], "an incomplete line is ignored");
        assert_eq!(second.exposed(), Some(path.clone()));
        assert!(matches!(first.append(&"two"), Err(JournalError::ReadOnly(_))));
        assert_eq!(fs::read(&path).unwrap(), b"\"one\"\n\"tw");
    }
}
