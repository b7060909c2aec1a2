//! What a failed statement means: try again, give up, or ask later.
//!
//! Only the code and the message of a database error are kept. Its detail may quote a row, and rows hold
//! secrets.

use opencoin_ledger::LedgerError;

/// Why an attempt at a batch failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Another process was faster; the transaction is undone and a new attempt will see its work.
    LostRace,
    /// Trying again now would not help.
    Failed(LedgerError),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        if is_lost_race(&error) {
            Self::LostRace
        } else {
            Self::Failed(ledger_error(&error))
        }
    }
}

impl From<Fault> for LedgerError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::LostRace => Self::Contended { attempts: 1 },
            Fault::Failed(error) => error,
        }
    }
}

impl From<LedgerError> for Fault {
    fn from(error: LedgerError) -> Self {
        Self::Failed(error)
    }
}

/// The error of a statement outside a batch.
pub(crate) fn ledger_error(error: &sqlx::Error) -> LedgerError {
    match error {
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            let text = format!("{} (SQLSTATE {code})", database.message());
            if is_unavailable(&code) {
                LedgerError::Unavailable(text)
            } else {
                LedgerError::Database(text)
            }
        }
        sqlx::Error::ColumnDecode { index, source } => {
            LedgerError::corrupt(format!("column {index}"), source)
        }
        sqlx::Error::Decode(source) => LedgerError::corrupt("row", source),
        sqlx::Error::RowNotFound => LedgerError::corrupt("database", "a row that is always there is missing"),
        other => LedgerError::Unavailable(other.to_string()),
    }
}

fn is_lost_race(error: &sqlx::Error) -> bool {
    const SERIALIZATION_FAILURE: &str = "40001";
    const DEADLOCK_DETECTED: &str = "40P01";
    const LOCK_NOT_AVAILABLE: &str = "55P03";
    const UNIQUE_VIOLATION: &str = "23505"; // an account or mint key that another process opened at the same moment
    let codes = [
        SERIALIZATION_FAILURE,
        DEADLOCK_DETECTED,
        LOCK_NOT_AVAILABLE,
        UNIQUE_VIOLATION,
    ];
    error
        .as_database_error()
        .and_then(|error| error.code())
        .is_some_and(|code| codes.contains(&code.as_ref()))
}

/// Whether the database holds something else than an assumed batch hoped for: its statement says so by a cast
/// that fails.
pub(crate) fn is_contradiction(error: &sqlx::Error) -> bool {
    const INVALID_TEXT_REPRESENTATION: &str = "22P02";
    error
        .as_database_error()
        .and_then(|error| error.code())
        .is_some_and(|code| code == INVALID_TEXT_REPRESENTATION)
}

/// Classes 08 (connection), 53 (resources), 57P (operator intervention), 58 (system); 25006: we reached a
/// read-only standby.
fn is_unavailable(code: &str) -> bool {
    ["08", "53", "57P", "58", "25006"]
        .iter()
        .any(|class| code.starts_with(class))
}
