//! Opening the file: its address, the settings that durability rests on, the tables.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use opencoin_ledger::{KnownMintKeys, LedgerError};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, SqlitePool};

use crate::fault::ledger_error;
use crate::{SqliteLedger, lock, schema};

/// How long a statement waits for the write lock of another process.
pub const BUSY_SECONDS_MAX: u64 = 5;

/// How many pages of 4 KiB the write-ahead log gathers before they go into the file. Coins arrive in no
/// order, so each commit changes pages all over the table; the longer the log, the more often a page is
/// written once for several commits. 16 MiB.
const CHECKPOINT_PAGES: u32 = 4096;

/// To what the log shrinks again after a long audit has kept it from being emptied.
const LOG_BYTES_KEPT_MAX: u64 = 64 << 20;

/// The writer's own cache of pages; beyond it the system's cache answers, at the price of a call. The default
/// is 2 MiB, which the inner pages of a table of some million coins fill.
///
/// Other settings are left as they are: memory mapping would turn a disk error into a signal that ends the
/// process, and `synchronous` below `FULL` would lose confirmed money when power fails.
const WRITER_CACHE_KIB: u32 = 16 * 1024;

const READERS_MAX: u32 = 4;

/// How long a command waits for a connection of this process before the database counts as unavailable.
const ACQUIRE_SECONDS_MAX: u64 = 30;

/// What to do when there is no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Make it, for its owner alone to read.
    Create,
    /// Refuse: a mistyped path must not become an empty ledger.
    Existing,
}

impl SqliteLedger {
    /// Opens the file at `address`, a path or `sqlite:` and a path. Where `mode` says so, it makes the tables
    /// that are missing in books in which nothing has happened.
    ///
    /// # Errors
    /// There are no books and `mode` says not to make them, it is no SQLite database, its tables are of a
    /// version that this program does not work with, or somebody has it alone.
    pub async fn open(address: &str, mode: Mode) -> Result<Self, LedgerError> {
        let path = path(address)?;
        if mode == Mode::Create {
            create(&path)?;
        } else {
            must_be_there(&path)?;
        }
        let lock = Some(Arc::new(lock::shared(&path)?));
        let options = options(&path);
        let writer_options = options
            .clone()
            .pragma("cache_size", format!("-{WRITER_CACHE_KIB}"));
        let writer = pool()
            .max_connections(1)
            .connect_with(writer_options)
            .await
            .map_err(|error| ledger_error(&error))?;
        let mut connection = writer.acquire().await.map_err(|error| ledger_error(&error))?;
        match schema::version(&mut connection).await? {
            None if mode == Mode::Create => schema::migrate(&mut connection).await?,
            // Whoever began to make them was interrupted.
            Some(version)
                if mode == Mode::Create
                    && version < schema::known()
                    && schema::is_unused(&mut connection).await? =>
            {
                schema::migrate(&mut connection).await?;
            }
            _ => schema::check(&mut connection, &path).await?,
        }
        // A process that was killed may have left commits in the log that the system has not written to the disk.
        // They can be read from now on, so they are written now.
        sqlx::query("PRAGMA wal_checkpoint(PASSIVE)")
            .execute(&mut *connection)
            .await
            .map_err(|error| ledger_error(&error))?;
        drop(connection);
        let readers = pool()
            .max_connections(READERS_MAX)
            .connect_lazy_with(options.pragma("query_only", "ON"));
        Ok(Self {
            writer,
            readers,
            known_mint_keys: KnownMintKeys::default(),
            _lock: lock,
        })
    }

    /// Opens the file to read it: nothing in the books changes. In a folder that may not be written either,
    /// it can be read while an issuer has it open, or when none has left a write-ahead log there.
    ///
    /// # Errors
    /// As [`Self::open`]; also when the tables are not up to date, which reading cannot change.
    pub async fn open_to_read(address: &str) -> Result<Self, LedgerError> {
        let path = path(address)?;
        must_be_there(&path)?;
        let readers = connect_to_read(&path).await?;
        let mut connection = readers.acquire().await.map_err(|error| ledger_error(&error))?;
        schema::check(&mut connection, &path).await?;
        drop(connection);
        Ok(Self {
            writer: readers.clone(),
            readers,
            known_mint_keys: KnownMintKeys::default(),
            _lock: None,
        })
    }

    /// Waits for statements in progress and closes the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await; // last, so that it folds the write-ahead log into the file
    }
}

/// Connections that change nothing.
pub(crate) async fn connect_to_read(path: &Path) -> Result<SqlitePool, LedgerError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(Duration::from_secs(BUSY_SECONDS_MAX))
        .pragma("query_only", "ON");
    match readers(options.clone().read_only(true)).await {
        Ok(readers) => Ok(readers),
        // Without a log nobody writes; what a log would need cannot be made here.
        Err(_) if !lock::beside(path, "-wal").exists() => {
            readers(options.read_only(true).immutable(true)).await
        }
        // The log of an issuer that was killed: it takes the right to write to find out what of it counts.
        Err(_) => readers(options).await,
    }
}

/// On a full disk, and after some other errors, SQLite itself ends the transaction. sqlx does not notice and
/// would refuse to begin another one on this connection for ever: such a connection is replaced.
fn pool() -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .acquire_timeout(Duration::from_secs(ACQUIRE_SECONDS_MAX))
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
}

/// Connections that have read something: opening alone does not show whether that is possible.
async fn readers(options: SqliteConnectOptions) -> Result<SqlitePool, LedgerError> {
    let read = async {
        let pool = pool().max_connections(READERS_MAX).connect_with(options).await?;
        sqlx::query("SELECT count(*) FROM sqlite_schema")
            .execute(&pool)
            .await?;
        Ok(pool)
    };
    read.await.map_err(|error| ledger_error(&error))
}

fn must_be_there(path: &Path) -> Result<(), LedgerError> {
    let missing = || LedgerError::Address(format!("there is no database at {}", path.display()));
    if path.is_file() { Ok(()) } else { Err(missing()) }
}

/// How every connection that may write opens the file.
pub(crate) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(BUSY_SECONDS_MAX))
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES.to_string())
        .pragma("journal_size_limit", LOG_BYTES_KEPT_MAX.to_string())
}

pub(crate) fn path(address: &str) -> Result<PathBuf, LedgerError> {
    let path = address
        .strip_prefix("sqlite://")
        .or_else(|| address.strip_prefix("sqlite:"))
        .unwrap_or(address);
    if path.is_empty() || path.contains(":memory:") || path.contains('?') {
        let text = format!(
            "{address:?} is not the address of a SQLite file: sqlite: and a path, without parameters"
        );
        return Err(LedgerError::Address(text));
    }
    Ok(PathBuf::from(path))
}

/// Makes the file before SQLite does: it holds what wallets resume by, and SQLite's own file would be
/// readable by all.
pub(crate) fn create(path: &Path) -> Result<(), LedgerError> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let error =
        |error| LedgerError::Address(format!("cannot make the database at {}: {error}", path.display()));
    options.open(path).map(|_| ()).map_err(error)
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
