//! The wallet's memory on disk: a file of events, one JSON line each, that is only ever appended to.
//!
//! An event is on the disk before anything is done that relies on it. A crash while writing leaves a last
//! line without its end, which is cut off when the wallet is opened again; any other damage is an error that
//! names the line.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::private_file;

const JOURNAL_FILE: &str = "journal.jsonl";

/// Why the wallet's memory cannot be used.
#[derive(Debug, Error)]
pub enum JournalError {
    /// Another process has the wallet open.
    #[error("the wallet in {0} is in use by another process; wait until that is done")]
    InUse(PathBuf),
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

/// An open journal. Nobody else can open it until it is dropped.
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    /// A write failed: what the file ends with is not known, so nothing more may be written.
    is_broken: bool,
}

impl Journal {
    /// Whether there is a journal in this folder.
    pub(crate) fn is_in(folder: &Path) -> bool {
        folder.join(JOURNAL_FILE).exists()
    }

    /// Opens the journal in this folder, making both if need be, and reads all events.
    pub(crate) fn open<E: DeserializeOwned>(folder: &Path) -> Result<(Self, Vec<E>), JournalError> {
        private_file::make_folder(folder).map_err(io_error(folder))?;
        let path = folder.join(JOURNAL_FILE);
        let is_new = !path.exists();
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(private_file::FILE_MODE)
            .open(&path)
            .map_err(io_error(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::InUse(folder.to_owned())),
            Err(TryLockError::Error(error)) => return Err(io_error(&path)(error)),
        }
        if is_new {
            private_file::sync_folder(Some(folder)).map_err(io_error(folder))?;
        }
        let bytes = fs::read(&path).map_err(io_error(&path))?;
        let whole = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        if whole < bytes.len() {
            file.set_len(whole as u64)
                .and_then(|()| file.sync_all())
                .map_err(io_error(&path))?;
        }
        let read = |(index, line): (usize, &[u8])| {
            serde_json::from_slice(line).map_err(|error| JournalError::Damaged {
                path: path.clone(),
                line: index + 1,
                reason: error.to_string(),
            })
        };
        let lines = bytes[..whole].split(|byte| *byte == b'\n').enumerate();
        let events = lines
            .filter(|(_, line)| !line.is_empty())
            .map(read)
            .collect::<Result<_, _>>()?;
        Ok((
            Self {
                path,
                file,
                is_broken: false,
            },
            events,
        ))
    }

    /// Appends events; they are on the disk when this returns, all or none of them.
    pub(crate) fn append(&mut self, event: &impl Serialize) -> Result<(), JournalError> {
        if self.is_broken {
            let error = io::Error::other("an earlier write failed; open the wallet again");
            return Err(io_error(&self.path)(error));
        }
        let mut line =
            Zeroizing::new(serde_json::to_vec(event).expect("events have string keys and no failing values"));
        line.push(b'\n');
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        self.is_broken = written.is_err();
        written.map_err(io_error(&self.path))
    }
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
}
