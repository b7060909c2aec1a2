//! How counts are opened, and why they cannot be used.

use std::path::PathBuf;

use opencoin_ledger::{LedgerError, MintKeyId};
use thiserror::Error;

/// What to do when there is no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountsMode {
    /// Make it, for its owner alone: of a new signer. It has counted nothing, so until it has caught up with
    /// the books it would not notice books that are set back.
    Create,
    /// Refuse: a mistyped path, or a lost file, must not begin at zero.
    Existing,
}

/// Why counts cannot be used.
#[derive(Debug, Error)]
pub enum CountsError {
    /// There is no file.
    #[error("the signer's counts are not at {}; put the file back, or begin with a new one if they are lost for good", .0.display())]
    Missing(PathBuf),
    /// The file cannot be made.
    #[error("cannot make the signer's counts at {}: {reason}", path.display())]
    CannotMake {
        /// Where.
        path: PathBuf,
        /// What the system says.
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
