//! The last checkpoint that was signed on this machine: a small file beside the key of the log.
//!
//! A log must never sign two trees of which neither continues the other. The books are the only copy of the tree, and a
//! restored backup has a smaller one. So nothing is signed that is smaller than what the file says, or of the same size
//! and different. The file counts for one history of the books: an operator who accepts a restored state begins another
//! one, and has decided that the newer state is lost.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use opencoin_ledger::HistoryId;
use opencoin_log::checkpoint::Checkpoint;
use opencoin_private_files::{self as private_files, FileError};
use thiserror::Error;

const FILE: &str = "signed";
/// The extension of the file that is locked while the mark is raised.
const LOCK_EXTENSION: &str = "lock";

/// The file: the history of the books on the first line, and the checkpoint.
#[derive(Debug, Clone)]
pub(crate) struct SignedMark {
    path: PathBuf,
    history: HistoryId,
}

/// A checkpoint is not signed.
#[derive(Debug, Error)]
pub(crate) enum SignedMarkError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file has something else in it.
    #[error("{0} does not hold a checkpoint; remove it if you know that the books are in their newest state")]
    Malformed(PathBuf),
    /// A larger tree was signed, or another one of the same size.
    #[error(
        "a checkpoint of {signed} leaves was signed here, but the books have {size}: they are older, or others"
    )]
    Older {
        /// The size that was signed.
        signed: u64,
        /// The size of the log in the books.
        size: u64,
    },
}

impl SignedMark {
    /// The mark beside the keys in this folder, for books of this history.
    pub(crate) fn in_folder(folder: &Path, history: HistoryId) -> Self {
        Self {
            path: folder.join(FILE),
            history,
        }
    }

    /// The last checkpoint; `None` if none was signed here in this history.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn read(&self) -> Result<Option<Checkpoint>, SignedMarkError> {
        let last = read(&self.path)?.filter(|(history, _)| *history == self.history.to_string());
        Ok(last.map(|(_, checkpoint)| checkpoint))
    }

    /// The last checkpoint that was signed beside the keys in this folder, in any history.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn last(folder: &Path) -> Result<Option<Checkpoint>, SignedMarkError> {
        Ok(read(&folder.join(FILE))?.map(|(_, checkpoint)| checkpoint))
    }

    /// Stores a checkpoint durably, before it is signed.
    ///
    /// # Errors
    /// When it is smaller than the last one, or different at the same size, or cannot be stored.
    pub(crate) fn raise(&self, checkpoint: &Checkpoint) -> Result<(), SignedMarkError> {
        // Several processes on this machine may seal in turn.
        let lock = self.path.with_extension(LOCK_EXTENSION);
        let file = private_files::open_or_make(&lock).map_err(FileError::of(&lock))?;
        file.lock().map_err(FileError::of(&lock))?;
        match self.read()? {
            Some(last) if last == *checkpoint => return Ok(()),
            Some(last) if last.size() >= checkpoint.size() => {
                return Err(SignedMarkError::Older {
                    signed: last.size(),
                    size: checkpoint.size(),
                });
            }
            _ => {}
        }
        Ok(private_files::write(
            &self.path,
            format!("{}\n{checkpoint}", self.history).as_bytes(),
        )?)
    }
}

/// The history of the books and the checkpoint in a file; `None` if there is none.
fn read(path: &Path) -> Result<Option<(String, Checkpoint)>, SignedMarkError> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let malformed = || SignedMarkError::Malformed(path.to_owned());
            let (history, checkpoint) = text.split_once('\n').ok_or_else(malformed)?;
            let checkpoint = checkpoint.parse().map_err(|_| malformed())?;
            Ok(Some((history.to_owned(), checkpoint)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::of(path)(error).into()),
    }
}

#[cfg(test)]
mod tests {
    use opencoin_ledger::HISTORY_ID_BYTES;
    use opencoin_log::hash::Hash;

    use super::*;

    fn history(byte: u8) -> HistoryId {
        HistoryId::new([byte; HISTORY_ID_BYTES])
    }

    #[test]
    fn nothing_smaller_and_no_other_tree_of_the_same_size_is_signed() {
        let folder = tempfile::tempdir().unwrap();
        let mark = SignedMark::in_folder(folder.path(), history(1));
        let checkpoint =
            |size, byte| Checkpoint::new("issuer.example/log", size, Hash::new([byte; 32])).unwrap();
        assert_eq!(mark.read().unwrap(), None);
        mark.raise(&checkpoint(5, 1)).unwrap();
        mark.raise(&checkpoint(5, 1)).unwrap();
        for refused in [checkpoint(5, 2), checkpoint(4, 1)] {
            let error = mark.raise(&refused).unwrap_err();
            assert!(
                matches!(error, SignedMarkError::Older { signed: 5, .. }),
                "{error}"
            );
        }
        mark.raise(&checkpoint(6, 3)).unwrap();
        assert_eq!(mark.read().unwrap(), Some(checkpoint(6, 3)));
        // An operator has accepted a restored state.
        let accepted = SignedMark::in_folder(folder.path(), history(2));
        accepted.raise(&checkpoint(4, 9)).unwrap();
        assert_eq!(accepted.read().unwrap(), Some(checkpoint(4, 9)));
        assert_eq!(mark.read().unwrap(), None);
        fs::write(folder.path().join(FILE), "something").unwrap();
        assert!(matches!(mark.read(), Err(SignedMarkError::Malformed(_))));
    }
}
