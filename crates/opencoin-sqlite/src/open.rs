//! Opening the file: its address, the settings that durability rests on, the tables.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::Duration;

use opencoin_ledger::LedgerError;
use sqlx::Connection;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::SqliteLedger;
use crate::fault::ledger_error;

/// How long a statement waits for the write lock of another process.
pub const BUSY_SECONDS_MAX: u64 = 5;

const READERS_MAX: u32 = 4;

/// How long a command waits for a connection of this process before the database counts as unavailable.
const ACQUIRE_SECONDS_MAX: u64 = 30;

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/sqlite");

/// What to do when there is no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Make it, for its owner alone to read.
    Create,
    /// Refuse: a mistyped path must not become an empty ledger.
    Existing,
}

impl SqliteLedger {
    /// Opens the file at `address`, a path or `sqlite:` and a path, and brings its tables up to date.
    ///
    /// # Errors
    /// There is no file and `mode` says not to make one, it is no SQLite database, or a newer version wrote its tables.
    pub async fn open(address: &str, mode: Mode) -> Result<Self, LedgerError> {
        let path = path(address)?;
        if mode == Mode::Create {
            create(&path)?;
        } else if !path.is_file() {
            return Err(LedgerError::Address(format!("there is no database at {}", path.display())));
        }
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(BUSY_SECONDS_MAX));
        // On a full disk, and after some other errors, SQLite itself ends the transaction. sqlx does not notice and would refuse
        // to begin another one on this connection for ever: such a connection is replaced.
        let pool = || {
            SqlitePoolOptions::new()
                .acquire_timeout(Duration::from_secs(ACQUIRE_SECONDS_MAX))
                .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
        };
        let writer = pool().max_connections(1).connect_with(options.clone()).await.map_err(|error| ledger_error(&error))?;
        MIGRATIONS.run(&writer).await.map_err(migration_error)?;
        let readers = pool().max_connections(READERS_MAX).connect_lazy_with(options.pragma("query_only", "ON"));
        Ok(Self { writer, readers })
    }

    /// Waits for statements in progress and closes the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await; // last, so that it folds the write-ahead log into the file
    }
}

fn path(address: &str) -> Result<PathBuf, LedgerError> {
    let path = address.strip_prefix("sqlite://").or_else(|| address.strip_prefix("sqlite:")).unwrap_or(address);
    if path.is_empty() || path.contains(":memory:") || path.contains('?') {
        let text = format!("{address:?} is not the address of a SQLite file: sqlite: and a path, without parameters");
        return Err(LedgerError::Address(text));
    }
    Ok(PathBuf::from(path))
}

/// Makes the file before SQLite does: it holds what wallets resume by, and SQLite's own file would be readable by all.
fn create(path: &Path) -> Result<(), LedgerError> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let error = |error| LedgerError::Address(format!("cannot make the database at {}: {error}", path.display()));
    options.open(path).map(|_| ()).map_err(error)
}

fn migration_error(error: MigrateError) -> LedgerError {
    match error {
        MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => LedgerError::SchemaUnknown(version),
        MigrateError::Execute(error) => ledger_error(&error),
        other => LedgerError::Migration(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_paths_with_or_without_the_scheme() {
        for address in ["a/b.sqlite", "sqlite:a/b.sqlite", "sqlite://a/b.sqlite"] {
            assert_eq!(path(address).unwrap(), Path::new("a/b.sqlite"));
        }
        for address in ["", "sqlite:", "sqlite::memory:", "sqlite:a?mode=ro"] {
            assert!(path(address).is_err(), "{address}");
        }
    }
}
