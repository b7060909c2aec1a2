//! The errors of the database.

use std::path::PathBuf;

use thiserror::Error;

/// The database of an auditor cannot be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The file cannot be created.
    #[error("cannot open or create the auditor's database: {reason}")]
    CannotMake {
        /// The path of the file.
        path: PathBuf,
        /// The error of the system.
        reason: String,
    },
    /// A newer version of this program has written the file.
    #[error(
        "the auditor's database has version {0}, which this version of the program does not know: update it"
    )]
    VersionUnknown(i64),
    /// Another process holds the lock for too long.
    #[error("the auditor's database is in use by another process for too long; try again")]
    Busy,
    /// A row makes no sense.
    #[error("the auditor's database is corrupt: {0}")]
    Corrupt(String),
    /// A log that is known belongs to another master key.
    #[error(
        "the log {origin} belongs to the master key {known}, but a description with the master key {found} names it; \
         somebody may pretend to be the issuer"
    )]
    OtherMasterKey {
        /// The origin of the log.
        origin: String,
        /// The fingerprint of the master key that is known.
        known: String,
        /// The other fingerprint.
        found: String,
    },
    /// The file cannot be read or written.
    #[error("the auditor's database: {0}")]
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
