//! How counts are opened, and their errors.

use std::path::PathBuf;

use opencoin_ledger::{LedgerError, MintKeyId};
use thiserror::Error;

/// How to open the file of the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountsMode {
    /// Create it if there is none, for a new signer. A new file has counted nothing, so the signer would not notice a
    /// rollback of the books until its counts have caught up.
    Create,
    /// Fail if there is none: after a mistyped path or a lost file the counts must not restart at zero.
    Existing,
}

/// The counts cannot be used.
#[derive(Debug, Error)]
pub enum CountsError {
    /// The file does not exist.
    #[error("the signer's counts are not at {}; restore the file, or create a new one if it is lost", .0.display())]
    Missing(PathBuf),
    /// The file cannot be created.
    #[error("cannot create the signer's counts at {}: {reason}", path.display())]
    CannotMake {
        /// The path of the file.
        path: PathBuf,
        /// The error of the system.
        reason: String,
    },
    /// A newer version of this program has written the file.
    #[error(
        "the signer's counts have version {0}, which this version of the program does not know: update it"
    )]
    VersionUnknown(i64),
    /// The file cannot be read or written.
    #[error("the signer's counts: {0}")]
    Database(String),
    /// The books cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Neither the books nor the counts know the key.
    #[error("mint key {0} is unknown")]
    UnknownKey(MintKeyId),
}
