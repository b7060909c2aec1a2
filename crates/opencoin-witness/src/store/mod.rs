//! The SQLite database of a witness: which logs it accepts, what it has cosigned last for each, and evidence against
//! logs. A confirmed commit survives loss of power.
//!
//! The rows are the witness's promise never to cosign two histories. So a row with a cosigned tree is never deleted,
//! and triggers refuse a smaller tree, another root for the same size, and an earlier time, whatever the code does.
//!
//! Several processes can use one file: each change holds SQLite's write lock from reading to commit.

mod cosigning;
mod error;
mod evidence;
mod logs;
mod row;
mod schema;

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, Sqlite, SqlitePool, Transaction};

pub(crate) use cosigning::AcceptedLog;
pub use error::StoreError;
pub use evidence::{Contradiction, EVIDENCE_MAX};
pub use logs::WitnessedLog;
pub use row::LastCosigned;

/// How long to wait for the write lock of another process, and for a connection of this one.
const BUSY_DURATION_MAX: Duration = Duration::from_secs(5);
/// The most connections for reading. There is one more for writing.
const READERS_MAX: u32 = 4;

/// The open database. Clones share it.
#[derive(Debug, Clone)]
pub struct WitnessStore {
    writer: SqlitePool,
    readers: SqlitePool,
}

/// A transaction with the write lock.
pub(crate) struct Writing(Transaction<'static, Sqlite>);

impl WitnessStore {
    /// Creates the file, readable by its owner only, and opens it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) async fn create(path: &Path) -> Result<Self, StoreError> {
        opencoin_private_files::open_or_make(path).map_err(|reason| StoreError::CannotMake {
            path: path.to_owned(),
            reason: reason.to_string(),
        })?;
        let store = Self::connect(path).await?;
        let mut writing = store.write().await?;
        schema::make(&mut writing.0).await?;
        writing.commit().await?;
        Ok(store)
    }

    /// Opens an existing file.
    ///
    /// # Errors
    /// The file is missing, was written by a later version, or cannot be used.
    pub(crate) async fn open(path: &Path) -> Result<Self, StoreError> {
        if !path.is_file() {
            return Err(StoreError::Missing(path.to_owned()));
        }
        let store = Self::connect(path).await?;
        schema::check(&store.readers, path).await?;
        Ok(store)
    }

    async fn connect(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_DURATION_MAX);
        let pool = |connections| {
            // After some errors SQLite ends a transaction and sqlx does not notice. Such a connection is replaced.
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(BUSY_DURATION_MAX)
                .test_before_acquire(false)
                .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
        };
        Ok(Self {
            writer: pool(1).connect_with(options.clone()).await?,
            readers: pool(READERS_MAX).connect_with(options).await?,
        })
    }

    /// Waits for the write lock and begins a transaction.
    pub(crate) async fn write(&self) -> Result<Writing, StoreError> {
        Ok(Writing(self.writer.begin_with("BEGIN IMMEDIATE").await?))
    }

    /// Checks that the database can be locked for writing.
    pub(crate) async fn ready(&self) -> Result<(), StoreError> {
        Ok(self.write().await?.0.rollback().await?)
    }

    /// Waits for the running transactions and closes the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

impl Writing {
    /// Makes the changes durable before it returns.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        Ok(self.0.commit().await?)
    }
}
