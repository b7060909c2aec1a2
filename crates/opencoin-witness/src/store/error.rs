//! The errors of the database.

use std::path::PathBuf;

use thiserror::Error;

/// The database of a witness cannot be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The file does not exist. It must not be made anew: the witness would forget what it has cosigned.
    #[error(
        "the witness's database is not at {}; without it this witness must not cosign any more: docs/WITNESS.md, \
         \"When the database is lost\"",
        .0.display()
    )]
    Missing(PathBuf),
    /// The file cannot be created.
    #[error("cannot create the witness's database at {}: {reason}", path.display())]
    CannotMake {
        /// The path of the file.
        path: PathBuf,
        /// The error of the system.
        reason: String,
    },
    /// A newer version of this program has written the file.
    #[error(
        "the witness's database has version {0}, which this version of the program does not know: update it"
    )]
    VersionUnknown(i64),
    /// Another process holds the lock for too long.
    #[error("the witness's database is in use by another process for too long; try again")]
    Busy,
    /// A row makes no sense.
    #[error("the witness's database is corrupt: the row of {origin} {reason}")]
    Corrupt {
        /// The log of the row.
        origin: String,
        /// What is wrong.
        reason: String,
    },
    /// The file cannot be read or written.
    #[error("the witness's database: {0}")]
    Database(String),
}

/// The result codes SQLITE_BUSY and SQLITE_LOCKED.
const BUSY_CODES: [i32; 2] = [5, 6];
/// Extended result codes have the code in their last byte.
const CODE_MASK: i32 = 0xff;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|error| error.code());
        let code = code.and_then(|code| code.parse::<i32>().ok());
        let is_busy = code.is_some_and(|code| BUSY_CODES.contains(&(code & CODE_MASK)));
        if is_busy || matches!(error, sqlx::Error::PoolTimedOut) {
            return Self::Busy;
        }
        Self::Database(error.to_string())
    }
}
