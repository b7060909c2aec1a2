//! Opening the file: its address, the settings that durability rests on, the tables.

use std::cmp::Ordering;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::Duration;

use opencoin_ledger::{KnownMintKeys, LedgerError};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, SqlitePool};

use crate::SqliteLedger;
use crate::fault::ledger_error;

/// How long a statement waits for the write lock of another process.
pub const BUSY_SECONDS_MAX: u64 = 5;

/// How many pages of 4 KiB the write-ahead log gathers before they go into the file. Coins arrive in no order, so each commit
/// changes pages all over the table; the longer the log, the more often a page is written once for several commits. 16 MiB.
const CHECKPOINT_PAGES: u32 = 4096;

/// To what the log shrinks again after a long audit has kept it from being emptied.
const LOG_BYTES_KEPT_MAX: u64 = 64 << 20;

/// The writer's own cache of pages; beyond it the system's cache answers, at the price of a call. The default is 2 MiB, which the
/// inner pages of a table of some million coins fill.
///
/// Other settings are left as they are: memory mapping would turn a disk error into a signal that ends the process, and
/// `synchronous` below `FULL` would lose confirmed money when power fails.
const WRITER_CACHE_KIB: u32 = 16 * 1024;

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
    /// Refuse, and change nothing of what is there, the tables of an older version neither.
    Reading,
}

impl SqliteLedger {
    /// Opens the file at `address`, a path or `sqlite:` and a path, and brings its tables up to date.
    ///
    /// # Errors
    /// There is no file and `mode` says not to make one, it is no SQLite database, or a newer version wrote its tables. To read, also
    /// when an older one did.
    pub async fn open(address: &str, mode: Mode) -> Result<Self, LedgerError> {
        let path = path(address)?;
        if mode == Mode::Create {
            create(&path)?;
        } else {
            must_be_there(&path)?;
        }
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(BUSY_SECONDS_MAX))
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES.to_string())
            .pragma("journal_size_limit", LOG_BYTES_KEPT_MAX.to_string());
        let writer_options = options.clone().pragma("cache_size", format!("-{WRITER_CACHE_KIB}"));
        let writer_options = if mode == Mode::Reading { writer_options.pragma("query_only", "ON") } else { writer_options };
        let writer = pool().max_connections(1).connect_with(writer_options).await.map_err(|error| ledger_error(&error))?;
        match mode {
            Mode::Create | Mode::Existing => MIGRATIONS.run(&writer).await.map_err(migration_error)?,
            Mode::Reading => check_version(&writer).await?,
        }
        let readers = pool().max_connections(READERS_MAX).connect_lazy_with(options.pragma("query_only", "ON"));
        Ok(Self { writer, readers, known_mint_keys: KnownMintKeys::default() })
    }

    /// Opens the file to read it: nothing in it changes. In a folder that may not be written either, it can be read while an issuer
    /// has it open, or when none has left a write-ahead log there.
    ///
    /// # Errors
    /// As [`Self::open`]; also when the tables are not up to date, which reading cannot change.
    pub async fn open_to_read(address: &str) -> Result<Self, LedgerError> {
        let path = path(address)?;
        must_be_there(&path)?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(false)
            .read_only(true)
            .busy_timeout(Duration::from_secs(BUSY_SECONDS_MAX))
            .pragma("query_only", "ON");
        let connect = |options| pool().max_connections(READERS_MAX).connect_with(options);
        let readers = match connect(options.clone()).await {
            // Without a log nobody writes; what a log would need cannot be made here.
            Err(_) if !log_of(&path).exists() => connect(options.immutable(true)).await,
            connected => connected,
        };
        let readers = readers.map_err(|error| ledger_error(&error))?;
        let query = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success");
        let version: Option<i64> = query.fetch_one(&readers).await.map_err(|error| ledger_error(&error))?;
        let (version, known) = (version.unwrap_or(0), MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0));
        match version.cmp(&known) {
            Ordering::Equal => Ok(Self { writer: readers.clone(), readers, known_mint_keys: KnownMintKeys::default() }),
            Ordering::Greater => Err(LedgerError::SchemaUnknown(version)),
            Ordering::Less => {
                let reason = format!("they have version {version}, and this program reads {known}: start an issuer first");
                Err(LedgerError::Migration(reason))
            }
        }
    }

    /// Waits for statements in progress and closes the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await; // last, so that it folds the write-ahead log into the file
    }
}

/// On a full disk, and after some other errors, SQLite itself ends the transaction. sqlx does not notice and would refuse to
/// begin another one on this connection for ever: such a connection is replaced.
fn pool() -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .acquire_timeout(Duration::from_secs(ACQUIRE_SECONDS_MAX))
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
}

fn must_be_there(path: &Path) -> Result<(), LedgerError> {
    let missing = || LedgerError::Address(format!("there is no database at {}", path.display()));
    if path.is_file() { Ok(()) } else { Err(missing()) }
}

fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
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

async fn check_version(pool: &SqlitePool) -> Result<(), LedgerError> {
    let query = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success").fetch_one(pool).await;
    let version: Option<i64> = query.map_err(|error| ledger_error(&error))?;
    let (version, known) = (version.unwrap_or(0), MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0));
    match version.cmp(&known) {
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(LedgerError::SchemaUnknown(version)),
        Ordering::Less => {
            let reason = format!("they have version {version}, and this program reads {known}: start an issuer first");
            Err(LedgerError::Migration(reason))
        }
    }
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
