//! Why a file of the wallet's folder cannot be used.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// A file of the wallet's folder cannot be used.
#[derive(Debug, Error)]
pub enum FileError {
    /// The system refused.
    #[error(transparent)]
    Io(#[from] opencoin_private_files::FileError),
    /// It does not say anything that this program knows.
    #[error("{path}: {reason}; the file is damaged, or was written by a newer version")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, never what is in it.
        reason: String,
    },
    /// Another process is paying out of this folder.
    #[error("another payment from {0} is under way; wait until it is done")]
    InUse(PathBuf),
}

impl FileError {
    /// The error of a reader of JSON names a place; it quotes values of the file, which may be secret.
    pub(crate) fn damaged(path: &Path) -> impl FnOnce(serde_json::Error) -> Self {
        move |error| Self::Damaged {
            path: path.to_owned(),
            reason: format!(
                "it makes no sense at line {}, column {}",
                error.line(),
                error.column()
            ),
        }
    }
}
