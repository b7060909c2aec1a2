//! Classifies failed statements: a lost race to retry, a fault of one command, or a fault of the database.
//!
//! Only the code and the message of a database error are kept. Its detail may quote a row, and rows hold
//! secrets.

use opencoin_ledger::{ErrorClass, LedgerError};

use crate::session::ACQUIRE_SECONDS_MAX;

/// Why an attempt at a transaction failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Another process changed the same rows first. A new attempt sees its changes.
    LostRace,
    /// Another process kept a row locked for longer than `lock_timeout`.
    Locked,
    /// A new attempt would fail as well.
    Failed(LedgerError),
}

impl Fault {
    /// Whether the database is at fault and not the command.
    pub(crate) fn is_of_database(&self) -> bool {
        matches!(self, Self::Failed(error) if error.class() == ErrorClass::Database)
    }

    /// Converts the fault of work that is not retried.
    pub(crate) fn into_error(self) -> LedgerError {
        match self {
            Self::LostRace | Self::Locked => LedgerError::Contended { attempts: 1 },
            Self::Failed(error) => error,
        }
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|error| error.code());
        match code.as_deref().map(Meaning::of) {
            Some(Meaning::LostRace) => Self::LostRace,
            Some(Meaning::Locked) => Self::Locked,
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
            let code = database.code().unwrap_or_default();
            let text = format!("{} (SQLSTATE {code})", database.message());
            match Meaning::of(&code) {
                Meaning::LostRace | Meaning::Locked | Meaning::Database => LedgerError::Unavailable(text),
                Meaning::Command => LedgerError::Database(text),
            }
        }
        sqlx::Error::ColumnDecode { index, source } => {
            LedgerError::corrupt(format!("column {index}"), source)
        }
        sqlx::Error::Decode(source) => LedgerError::corrupt("row", source),
        sqlx::Error::RowNotFound => LedgerError::corrupt("database", "a row that is always there is missing"),
        sqlx::Error::PoolTimedOut => LedgerError::Unavailable(format!(
            "no connection within {ACQUIRE_SECONDS_MAX} s: the server accepts none, or all are in use"
        )),
        other => LedgerError::Unavailable(other.to_string()),
    }
}

/// The class of an SQLSTATE code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    LostRace,
    Locked,
    /// The values of one command are at fault; another command would succeed.
    Command,
    /// The server, its state, our rights or our tables are at fault; every command would fail.
    Database,
}

impl Meaning {
    fn of(code: &str) -> Self {
        match code {
            // Serialization failure; deadlock; unique violation (another process inserted the row first).
            "40001" | "40P01" | "23505" => return Self::LostRace,
            "55P03" => return Self::Locked, // lock_timeout
            _ => {}
        }
        match code.get(..2).unwrap_or_default() {
            // Connection; feature not supported; transaction state, such as read-only; statement name; login;
            // database name; schema name; unknown completion; undefined table or missing right; resources;
            // object state; operator intervention and statement_timeout; system; configuration.
            "08" | "0A" | "25" | "26" | "28" | "3D" | "3F" | "40" | "42" | "53" | "55" | "57" | "58"
            | "F0" => Self::Database,
            _ => Self::Command,
        }
    }
}

/// Whether a condition of an optimistic batch does not hold. Its statement reports this by a cast that fails.
pub(crate) fn is_contradiction(error: &sqlx::Error) -> bool {
    const INVALID_TEXT_REPRESENTATION: &str = "22P02";
    error
        .as_database_error()
        .and_then(|error| error.code())
        .is_some_and(|code| code == INVALID_TEXT_REPRESENTATION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_codes_are_classified() {
        let classes = [
            (Meaning::LostRace, &["40001", "40P01", "23505"][..]),
            (Meaning::Locked, &["55P03"]),
            (
                Meaning::Command,
                &["22001", "22003", "22P05", "23514", "23502", "54000", "XX001"],
            ),
            (
                Meaning::Database,
                &[
                    "57014", "57P01", "57P03", "53100", "53200", "53300", "08006", "25006", "25P03", "28P01",
                    "42501",
                ],
            ),
            (Meaning::Database, &["42P01", "58030", "0A000", "40003"]),
        ];
        for (meaning, codes) in classes {
            for code in codes {
                assert_eq!(Meaning::of(code), meaning, "{code}");
            }
        }
    }
}
