//! Errors of the files in the wallet's folder.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// A file of the wallet's folder cannot be used.
#[derive(Debug, Error)]
pub enum FileError {
    /// The operating system reports an error.
    #[error(transparent)]
    Io(#[from] opencoin_private_files::FileError),
    /// The content cannot be read.
    #[error("{path}: {reason}; the file is damaged, or was written by a newer version")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong. It does not quote the file.
        reason: String,
    },
    /// Another process is making a payment from this folder.
    #[error("another payment from {0} is under way; wait until it is done")]
    InUse(PathBuf),
}

impl FileError {
    /// Keeps only the position of a JSON error: its text quotes values of the file, which may be secret.
    pub(crate) fn damaged(path: &Path) -> impl FnOnce(serde_json::Error) -> Self {
        move |error| Self::Damaged {
            path: path.to_owned(),
            reason: format!("not valid at line {}, column {}", error.line(), error.column()),
        }
    }
}
