//! Classifies failed statements: the write lock is taken, a fault of one command, or a fault of the file.

use opencoin_ledger::LedgerError;

/// Why an attempt at a transaction failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Another process holds the write lock.
    Busy,
    /// A condition of an optimistic batch does not hold.
    Contradiction,
    /// A new attempt would fail as well.
    Failed(LedgerError),
}

impl Fault {
    /// Converts the fault of work that is not retried.
    pub(crate) fn into_error(self) -> LedgerError {
        match self {
            Self::Busy | Self::Contradiction => LedgerError::Contended { attempts: 1 },
            Self::Failed(error) => error,
        }
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        match primary_code(&error).map(Meaning::of) {
            Some(Meaning::Busy) => Self::Busy,
            Some(Meaning::Command | Meaning::Database) | None => Self::Failed(ledger_error(&error)),
        }
    }
}

impl From<LedgerError> for Fault {
    fn from(error: LedgerError) -> Self {
        Self::Failed(error)
    }
}

/// Converts the error of a statement that is not retried.
pub(crate) fn ledger_error(error: &sqlx::Error) -> LedgerError {
    match error {
        sqlx::Error::Database(database) => {
            let text = database.message().to_owned();
            match primary_code(error).map_or(Meaning::Database, Meaning::of) {
                Meaning::Busy | Meaning::Database => LedgerError::Unavailable(text),
                Meaning::Command => LedgerError::Database(text),
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

/// The class of a result code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Busy,
    /// The values of one command, or the pages that it reads, are at fault; another command would succeed.
    Command,
    /// The disk, the file, our rights or our tables are at fault; every command would fail.
    Database,
}

impl Meaning {
    fn of(code: i32) -> Self {
        match code {
            5 | 6 | 15 => Self::Busy, // busy, locked, locking protocol
            // A damaged page; too large; constraint; type mismatch; misuse; parameter out of range.
            11 | 18 | 19 | 20 | 21 | 25 => Self::Command,
            // Such as no such table, no memory, read-only, interrupted, disk error, disk full, cannot open.
            _ => Self::Database,
        }
    }
}

/// The low byte of the extended result code.
fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_codes_are_classified() {
        let classes = [
            (Meaning::Busy, &[5, 6, 15][..]),
            (Meaning::Command, &[11, 18, 19, 20]),
            (Meaning::Database, &[1, 7, 8, 10, 13, 14, 26]),
        ];
        for (meaning, codes) in classes {
            for code in codes {
                assert_eq!(Meaning::of(*code), meaning, "{code}");
            }
        }
    }
}
