//! What a failed statement means: wait again, give up, or ask later.

use opencoin_ledger::LedgerError;

/// Why an attempt at a batch failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Another process holds the write lock.
    Busy,
    /// Trying again now would not help.
    Failed(LedgerError),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        const BUSY: i32 = 5;
        const LOCKED: i32 = 6;
        match primary_code(&error) {
            Some(BUSY | LOCKED) => Self::Busy,
            _ => Self::Failed(ledger_error(&error)),
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
    // Busy, locked, out of memory, read-only, interrupted, disk error, disk full, cannot open.
    const UNAVAILABLE: [i32; 8] = [5, 6, 7, 8, 9, 10, 13, 14];
    match error {
        sqlx::Error::Database(database) => {
            let text = database.message().to_owned();
            let unavailable = primary_code(error).is_some_and(|code| UNAVAILABLE.contains(&code));
            if unavailable {
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

/// The low byte of the extended result code.
fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}
