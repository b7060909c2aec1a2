//! Errors of the auditor's own files.

use std::io;
use std::path::{Path, PathBuf};

use opencoin_private_files::FileError;
use thiserror::Error;

/// A file of the auditor cannot be used.
#[derive(Debug, Error)]
pub enum DiskError {
    /// The system refuses.
    #[error("{}: {reason}", path.display())]
    System {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// The system refuses.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file has not what was written into it.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl DiskError {
    /// Makes an error of the system one of this file.
    pub(crate) fn of(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |reason| Self::System { path, reason }
    }

    pub(crate) fn damaged(path: &Path, reason: &str) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            reason: reason.to_owned(),
        }
    }

    /// Whether the file is gone or has wrong bytes, so that it must be made anew.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        match self {
            Self::Damaged { .. } => true,
            Self::System { reason, .. } => matches!(
                reason.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof
            ),
            Self::File(_) => false,
        }
    }
}
