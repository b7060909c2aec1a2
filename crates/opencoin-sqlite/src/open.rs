//! Opens the file: its address, the settings for durability and speed, and the tables.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use opencoin_ledger::{KnownBooks, LedgerError};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, SqlitePool};

use crate::checkpoint::{Checkpoints, LOG_PAGES_MAX};
use crate::fault::ledger_error;
use crate::migrations::MIGRATIONS;
use crate::writer::{ACQUIRE_SECONDS_MAX, Writer};
use crate::{SqliteLedger, lock, schema};

/// Seconds that a statement waits for the write lock of another process.
pub const BUSY_SECONDS_MAX: u64 = 5;

/// The size, in bytes, to which the log is cut after a long audit has kept it from being checkpointed. More than the log
/// reaches otherwise.
const LOG_BYTES_KEPT_MAX: u64 = 80 << 20;

/// The page cache of the connection that writes. A miss costs a system call. The inner pages of a table of
/// some million coins fill the default of 2 MiB, and the leaves of some hundred thousand coins fit into this.
///
/// Other settings keep their defaults. With memory mapping a disk error would end the process by a signal,
/// and with `synchronous` below `FULL` a power failure would lose confirmed commits.
const WRITER_CACHE_KIB: u32 = 16 * 1024;

/// The most connections of one process that read.
const READERS_MAX: u32 = 4;

/// What to do when there is no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Create it, readable only for its owner.
    Create,
    /// Fail, so that a mistyped path does not become an empty ledger.
    Existing,
}

impl SqliteLedger {
    /// Opens the file at `address`, a path or `sqlite:` and a path. With [`Mode::Create`], creates missing
    /// tables if the books have no transaction yet.
    ///
    /// # Errors
    /// There are no books and `mode` is [`Mode::Existing`], the file is not a SQLite database, this program
    /// cannot work with the version of its tables, or the books are being migrated or restored.
    pub async fn open(address: &str, mode: Mode) -> Result<Self, LedgerError> {
        let path = path(address)?;
        if mode == Mode::Create {
            create(&path)?;
        } else {
            check_exists(&path)?;
        }
        let lock = Some(Arc::new(lock::shared(&path)?));
        let options = options(&path);
        let writer_options = options
            .clone()
            .pragma("cache_size", format!("-{WRITER_CACHE_KIB}"));
        let writer = Writer::new(writer_options);
        let mut connection = writer.acquire().await.map_err(|error| ledger_error(&error))?;
        match schema::version(&mut connection).await? {
            None if mode == Mode::Create => schema::migrate(&mut connection, &MIGRATIONS).await?,
            // Their creation was interrupted.
            Some(version)
                if mode == Mode::Create
                    && version < schema::known()
                    && schema::is_unused(&mut connection).await? =>
            {
                schema::migrate(&mut connection, &MIGRATIONS).await?;
            }
            _ => schema::check(&mut connection, &path).await?,
        }
        // A killed process may have left commits in the log that are not on the disk yet. They are written
        // before anybody reads them.
        sqlx::query("PRAGMA wal_checkpoint(PASSIVE)")
            .execute(&mut *connection)
            .await
            .map_err(|error| ledger_error(&error))?;
        connection.end();
        let checkpointer = pool().max_connections(1).connect_lazy_with(options.clone());
        let readers = pool()
            .max_connections(READERS_MAX)
            .connect_lazy_with(options.pragma("query_only", "ON"));
        Ok(Self {
            writer,
            readers,
            checkpoints: Checkpoints::new(checkpointer),
            known: KnownBooks::default(),
            _lock: lock,
        })
    }

    /// Opens the file for reading. Nothing in the books changes. In a read-only folder this works while an
    /// issuer has the file open, or if there is no write-ahead log.
    ///
    /// # Errors
    /// As [`Self::open`]; also if the tables are not up to date.
    pub async fn open_to_read(address: &str) -> Result<Self, LedgerError> {
        let path = path(address)?;
        check_exists(&path)?;
        let readers = connect_to_read(&path).await?;
        let mut connection = readers.acquire().await.map_err(|error| ledger_error(&error))?;
        schema::check(&mut connection, &path).await?;
        drop(connection);
        Ok(Self {
            writer: Writer::new((*readers.connect_options()).clone()),
            checkpoints: Checkpoints::new(readers.clone()),
            readers,
            known: KnownBooks::default(),
            _lock: None,
        })
    }

    /// Waits for statements in progress and closes the file.
    pub async fn close(&self) {
        self.checkpoints.close().await;
        self.readers.close().await;
        self.writer.close().await; // last, so that it merges the write-ahead log into the file
    }
}

/// Opens connections that cannot change the books.
pub(crate) async fn connect_to_read(path: &Path) -> Result<SqlitePool, LedgerError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(Duration::from_secs(BUSY_SECONDS_MAX))
        .pragma("query_only", "ON");
    match readers(options.clone().read_only(true)).await {
        Ok(readers) => Ok(readers),
        // Without a log nobody writes, and the files that a log needs cannot be created here.
        Err(_) if !lock::beside(path, "-wal").exists() => {
            readers(options.read_only(true).immutable(true)).await
        }
        // The log of an issuer that was killed. Recovering it needs write access to the folder.
        Err(_) => readers(options).await,
    }
}

/// On a full disk, and after some other errors, SQLite itself ends the transaction. sqlx does not notice this
/// and could never begin another one on the connection, so the pool replaces it.
fn pool() -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .acquire_timeout(Duration::from_secs(ACQUIRE_SECONDS_MAX))
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
}

/// Opens a pool and reads from it, because opening alone does not show whether reading works.
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

fn check_exists(path: &Path) -> Result<(), LedgerError> {
    let missing = || {
        LedgerError::Address(format!(
            "there is no database at {}; check the path",
            path.display()
        ))
    };
    if path.is_file() { Ok(()) } else { Err(missing()) }
}

/// Options of every connection that may write.
pub(crate) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(BUSY_SECONDS_MAX))
        .pragma("wal_autocheckpoint", LOG_PAGES_MAX.to_string())
        .pragma("journal_size_limit", LOG_BYTES_KEPT_MAX.to_string())
}

pub(crate) fn path(address: &str) -> Result<PathBuf, LedgerError> {
    let path = address
        .strip_prefix("sqlite://")
        .or_else(|| address.strip_prefix("sqlite:"))
        .unwrap_or(address);
    if path.is_empty() || path.contains(":memory:") || path.contains('?') {
        let text =
            format!("{address:?} is not the address of a SQLite file: use `sqlite:PATH`, without parameters");
        return Err(LedgerError::Address(text));
    }
    Ok(PathBuf::from(path))
}

/// Creates an empty file before SQLite does, which would make it readable for all. The books hold secrets of
/// wallets: the transaction references with which they resume.
pub(crate) fn create(path: &Path) -> Result<(), LedgerError> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let error = |error| {
        LedgerError::Address(format!(
            "cannot create the database at {}: {error}",
            path.display()
        ))
    };
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
