//! The wallet's memory on disk: a file of events, one JSON line each, that is only ever appended to.
//!
//! An event is on the disk before anything is done that relies on it. A crash while writing leaves a last
//! line without its end, which is cut off when the wallet is opened again; any other damage is an error that
//! names the line.
//!
//! One process at a time may write: it holds the lock of a file of its own. Reading takes no lock and writes
//! nothing, so that any number of processes can look at a wallet, also on a disk that cannot be written.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use opencoin_private_files as private_files;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use zeroize::Zeroizing;

const JOURNAL_FILE: &str = "journal.jsonl";
const LOCK_FILE: &str = "wallet.lock";
/// The bits of a file's mode that let others than its owner in.
const MODE_OF_OTHERS: u32 = 0o077;

/// Why the wallet's memory cannot be used.
#[derive(Debug, Error)]
pub enum JournalError {
    /// Another process has the wallet open.
    #[error("the wallet in {0} is in use by another process; wait until that is done")]
    InUse(PathBuf),
    /// There is no wallet in this folder.
    #[error("there is no wallet in {0}")]
    NoWallet(PathBuf),
    /// The wallet was opened to be read.
    #[error("the wallet in {0} was opened to be read only")]
    ReadOnly(PathBuf),
    /// A line does not say anything that this program knows.
    #[error("{path}, line {line}: {reason}; the file is damaged, or was written by a newer version")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The system refused.
    #[error("{path}: {error}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
}

/// An open journal. While it is open for writing nobody else can open it for writing.
pub(crate) struct Journal {
    path: PathBuf,
    access: Access,
    is_exposed: bool,
}

enum Access {
    Read,
    Write {
        /// `None` until the first event: a wallet without events leaves no journal.
        file: Option<File>,
        /// Locked for as long as it is open.
        _lock: File,
    },
    /// A write failed. What the file ends with is not known, so nothing more may be written.
    Broken,
}

impl Journal {
    /// Opens the journal in this folder for writing and reads all events. Without a journal this is an empty
    /// one; the folder is made if need be.
    pub(crate) fn open<E: DeserializeOwned>(folder: &Path) -> Result<(Self, Vec<E>), JournalError> {
        private_files::make_private_folders(folder).map_err(|error| io_error(folder)(error.error))?;
        let path = folder.join(JOURNAL_FILE);
        let lock = lock(folder)?;
        let Some(bytes) = read(&path)? else {
            let access = Access::Write {
                file: None,
                _lock: lock,
            };
            return Ok((Self::new(path, access)?, Vec::new()));
        };
        let whole = whole_lines(&bytes);
        let file = OpenOptions::new()
            .append(true)
            .open(&path)
            .map_err(io_error(&path))?;
        if whole < bytes.len() {
            file.set_len(whole as u64)
                .and_then(|()| file.sync_all())
                .map_err(io_error(&path))?;
        }
        let events = events(&path, &bytes[..whole])?;
        let access = Access::Write {
            file: Some(file),
            _lock: lock,
        };
        Ok((Self::new(path, access)?, events))
    }

    /// Reads all events of the journal in this folder, whoever writes to it meanwhile.
    pub(crate) fn read<E: DeserializeOwned>(folder: &Path) -> Result<(Self, Vec<E>), JournalError> {
        let path = folder.join(JOURNAL_FILE);
        let bytes = read(&path)?.ok_or_else(|| JournalError::NoWallet(folder.to_owned()))?;
        let events = events(&path, &bytes[..whole_lines(&bytes)])?;
        Ok((Self::new(path, Access::Read)?, events))
    }

    /// Whether a folder has a journal.
    pub(crate) fn is_in(folder: &Path) -> bool {
        folder.join(JOURNAL_FILE).exists()
    }

    fn new(path: PathBuf, access: Access) -> Result<Self, JournalError> {
        let is_exposed = match fs::metadata(&path) {
            Ok(metadata) => metadata.permissions().mode() & MODE_OF_OTHERS != 0,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(io_error(&path)(error)),
        };
        Ok(Self {
            path,
            access,
            is_exposed,
        })
    }

    /// The file, when others than its owner may use it.
    pub(crate) fn exposed(&self) -> Option<&Path> {
        self.is_exposed.then_some(&self.path)
    }

    /// Appends events; they are on the disk when this returns, all or none of them.
    pub(crate) fn append(&mut self, event: &impl Serialize) -> Result<(), JournalError> {
        let file = match &mut self.access {
            Access::Write { file, .. } => file,
            Access::Read => return Err(JournalError::ReadOnly(self.path.clone())),
            Access::Broken => {
                let error = io::Error::other("an earlier write failed; open the wallet again");
                return Err(io_error(&self.path)(error));
            }
        };
        let mut line =
            Zeroizing::new(serde_json::to_vec(event).expect("events have string keys and no failing values"));
        line.push(b'\n');
        let written = append_line(file, &self.path, &line);
        if written.is_err() {
            self.access = Access::Broken;
        }
        written.map_err(io_error(&self.path))
    }
}

fn append_line(file: &mut Option<File>, path: &Path, line: &[u8]) -> io::Result<()> {
    let file = match file {
        Some(file) => file,
        none => {
            let mut options = OpenOptions::new();
            options
                .append(true)
                .create_new(true)
                .mode(private_files::FILE_MODE);
            let file = none.insert(options.open(path)?);
            private_files::sync_parent(path).map_err(|error| error.error)?;
            file
        }
    };
    file.write_all(line)?;
    file.sync_data()
}

/// Locks a wallet for writing.
fn lock(folder: &Path) -> Result<File, JournalError> {
    let path = folder.join(LOCK_FILE);
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create(true)
        .truncate(false)
        .mode(private_files::FILE_MODE);
    let file = options.open(&path).map_err(io_error(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::InUse(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(io_error(&path)(error)),
    }
}

fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, JournalError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error(path)(error)),
    }
}

/// Up to where the lines have an end.
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

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |error| JournalError::Io { path, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(folder: &Path) -> Result<(Journal, Vec<String>), JournalError> {
        Journal::open(folder)
    }

    #[test]
    fn events_are_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("a").join("wallet");
        let (mut journal, events) = open(&folder).unwrap();
        assert!(events.is_empty());
        journal.append(&"one").unwrap();
        journal.append(&"two\nlines").unwrap();
        drop(journal);
        assert_eq!(open(&folder).unwrap().1, ["one", "two\nlines"]);
    }

    #[test]
    fn a_torn_last_line_is_cut_off() {
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
    fn damage_is_named_by_its_line() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(JOURNAL_FILE), "\"one\"\nnonsense\n\"three\"\n").unwrap();
        let error = open(folder.path()).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }

    #[test]
    fn two_processes_do_not_share_a_wallet() {
        let folder = tempfile::tempdir().unwrap();
        let _first = open(folder.path()).unwrap();
        assert!(matches!(open(folder.path()), Err(JournalError::InUse(_))));
    }

    #[test]
    fn reading_needs_no_lock_and_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let looked = || Journal::read::<String>(folder.path());
        assert!(matches!(looked(), Err(JournalError::NoWallet(_))));
        let (mut journal, _) = open(folder.path()).unwrap();
        assert!(!Journal::is_in(folder.path()), "nothing was written yet");
        journal.append(&"one").unwrap();
        let path = folder.path().join(JOURNAL_FILE);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"\"tw").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
        let (mut first, events) = looked().unwrap();
        let (second, _) = looked().unwrap();
        assert_eq!(events, ["one"], "a line that is being written is left out");
        assert_eq!(second.exposed(), Some(path.as_path()));
        assert!(matches!(first.append(&"two"), Err(JournalError::ReadOnly(_))));
        assert_eq!(fs::read(&path).unwrap(), b"\"one\"\n\"tw");
    }
}
