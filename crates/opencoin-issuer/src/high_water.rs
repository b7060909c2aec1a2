//! The high-water mark: a small file outside the database with the newest known position of the books.
//!
//! A server writes it about once a second, to recognize books that were rolled back: see [`opencoin_ledger::Mark`].
//! It is replaced atomically and durably. Servers with the same folder share the file, which has the newest position
//! of all.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use opencoin_ledger::{Entry, EntryDigest, HistoryId, Mark, TransactionNo};
use opencoin_private_files::{self as private_files, FileError};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The name of the file in the folder of the currency.
pub const HIGH_WATER_MARK_FILE: &str = "high-water-mark.toml";
/// The suffix of the file that is locked while the mark is written.
const LOCK_SUFFIX: &str = ".lock";
/// How long to wait for the lock.
const LOCK_DURATION_MAX: Duration = Duration::from_secs(1);
/// The pause between two attempts to take the lock.
const LOCK_PAUSE: Duration = Duration::from_millis(10);
const COMMENT: &str = "# The newest known position of the books. `opencoin issuer serve` recognizes a rollback by it. Not a setting.\n";

/// The file of the mark.
#[derive(Debug, Clone)]
pub struct HighWaterMark {
    path: PathBuf,
}

/// The mark cannot be read or written.
#[derive(Debug, Error)]
pub enum HighWaterError {
    /// A file operation failed.
    #[error("the high-water mark of the books: {0}; `high_water_mark` in issuer.toml can name another place")]
    File(#[from] FileError),
    /// The content of the file is malformed.
    #[error(
        "{0} is not a high-water mark; restore it, or remove it if you know that the books are in their newest state"
    )]
    Unreadable(PathBuf),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    history: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entry: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
}

impl HighWaterMark {
    /// The mark of the currency in the folder `root`. `place` is the setting of another file.
    #[must_use]
    pub fn of_currency(root: &Path, place: Option<&Path>) -> Self {
        Self::new(root.join(place.unwrap_or(Path::new(HIGH_WATER_MARK_FILE))))
    }

    /// The mark in this file, which need not exist.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the mark; `None` if no server has served these books from here.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self) -> Result<Option<Mark>, HighWaterError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FileError::of(&self.path)(error).into()),
        };
        let fields = toml::from_str(&text).ok().and_then(Fields::into_mark);
        fields
            .map(Some)
            .ok_or_else(|| HighWaterError::Unreadable(self.path.clone()))
    }

    /// Raises the mark, unless another process has raised it further in the same history.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn raise(&self, mark: &Mark) -> Result<(), HighWaterError> {
        let lock = self.lock_file();
        let refused = FileError::of(&lock);
        let _locked = private_files::open_or_make(&lock)
            .and_then(locked)
            .map_err(refused)?;
        let no = |mark: &Mark| mark.newest.map(|entry| entry.no.get());
        let is_there = self
            .read()?
            .is_some_and(|there| there.history == mark.history && no(&there) >= no(mark));
        if is_there { Ok(()) } else { self.write(mark) }
    }

    fn write(&self, mark: &Mark) -> Result<(), HighWaterError> {
        let text = toml::to_string(&Fields::of(mark)).expect("strings and a number can be written as TOML");
        Ok(private_files::write(
            &self.path,
            format!("{COMMENT}{text}").as_bytes(),
        )?)
    }

    fn lock_file(&self) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(LOCK_SUFFIX);
        self.path.with_file_name(name)
    }
}

/// Locks the file. Other processes hold the lock only briefly.
fn locked(file: File) -> io::Result<File> {
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if begun.elapsed() < LOCK_DURATION_MAX => {
                std::thread::sleep(LOCK_PAUSE)
            }
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "another process has it locked",
                ));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

impl Fields {
    fn of(mark: &Mark) -> Self {
        Self {
            history: mark.history.to_string(),
            entry: mark.newest.map(|entry| entry.no.get()),
            digest: mark
                .newest
                .map(|entry| const_hex::encode(entry.digest.as_bytes())),
        }
    }

    fn into_mark(self) -> Option<Mark> {
        let history = HistoryId::new(const_hex::decode_to_array(&self.history).ok()?);
        let newest = match (self.entry, self.digest) {
            (None, None) => None,
            (Some(no), Some(digest)) => {
                let digest = EntryDigest::new(const_hex::decode_to_array(&digest).ok()?);
                Some(Entry {
                    no: TransactionNo::new(no),
                    digest,
                })
            }
            (Some(_), None) | (None, Some(_)) => return None,
        };
        Some(Mark { history, newest })
    }
}

#[cfg(test)]
mod tests {
    use opencoin_ledger::HISTORY_ID_BYTES;

    use super::*;

    fn mark(history: u8, no: i64) -> Mark {
        let digest = EntryDigest::of(b"r", b"c", no);
        Mark {
            history: HistoryId::new([history; HISTORY_ID_BYTES]),
            newest: (no > 0).then_some(Entry {
                no: TransactionNo::new(no),
                digest,
            }),
        }
    }

    #[test]
    fn the_mark_is_never_lowered_within_a_history() {
        let folder = tempfile::tempdir().unwrap();
        let file = HighWaterMark::new(folder.path().join("mark"));
        assert_eq!(file.read().unwrap(), None);
        for (written, expected) in [
            (mark(1, 0), mark(1, 0)),
            (mark(1, 7), mark(1, 7)),
            (mark(1, 3), mark(1, 7)),
        ] {
            file.raise(&written).unwrap();
            assert_eq!(file.read().unwrap(), Some(expected));
        }
        file.raise(&mark(2, 3)).unwrap();
        assert_eq!(file.read().unwrap(), Some(mark(2, 3)));
    }

    #[test]
    fn the_wait_for_the_lock_has_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let file = HighWaterMark::new(folder.path().join("mark"));
        let other = private_files::open_or_make(&file.lock_file()).unwrap();
        other.lock().unwrap();
        assert!(
            file.raise(&mark(1, 7))
                .unwrap_err()
                .to_string()
                .contains("another process has it locked")
        );
        drop(other);
        file.raise(&mark(1, 7)).unwrap();
    }

    #[test]
    fn a_malformed_file_is_refused_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = HighWaterMark::new(folder.path().join("mark"));
        for text in [
            "",
            "history = 'no'",
            "history = '01010101010101010101010101010101'\nentry = 3",
        ] {
            fs::write(file.path(), text).unwrap();
            assert!(
                matches!(file.read(), Err(HighWaterError::Unreadable(_))),
                "{text}"
            );
            assert!(file.raise(&mark(1, 7)).is_err(), "{text}");
            assert_eq!(fs::read_to_string(file.path()).unwrap(), text);
        }
    }
}
