//! The SQLite database of an auditor: which currencies it follows, how far it has come, what it found and what it has
//! cosigned. A confirmed commit survives loss of power.
//!
//! Only what nobody else has must not be lost: findings, evidence, and what was cosigned last. Everything else can be
//! made again from the log. A trigger refuses to set back what was cosigned, whatever the code does.

mod cosigned;
mod currencies;
mod error;
mod evidence;
mod findings;
mod progress;
mod row;
mod schema;
mod summaries;
mod supply;
mod unresolved;

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, Sqlite, SqlitePool, Transaction};

pub use cosigned::LastCosignature;
pub use currencies::{AuditedCurrency, NewCurrency};
pub use error::StoreError;
pub(crate) use evidence::EvidenceKept;
pub use evidence::{EVIDENCE_MAX, KeptEvidence};
pub use findings::StoredFinding;
pub use progress::{Progress, Snapshot};
pub use summaries::CurrencySummary;
pub use supply::SupplyPoint;

/// How long to wait for the write lock of another process, and for a connection of this one.
const BUSY_DURATION_MAX: Duration = Duration::from_secs(5);
/// The most connections for reading. There is one more for writing.
const READERS_MAX: u32 = 4;

/// The open database. Clones share it.
#[derive(Debug, Clone)]
pub struct AuditorStore {
    writer: SqlitePool,
    readers: SqlitePool,
}

/// A transaction with the write lock.
pub(crate) struct Writing(Transaction<'static, Sqlite>);

impl AuditorStore {
    /// Opens the file, and makes it if it is not there.
    ///
    /// # Errors
    /// The file cannot be used, or was written by a later version.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        opencoin_private_files::open_or_make(path).map_err(|reason| StoreError::CannotMake {
            path: path.to_owned(),
            reason: reason.to_string(),
        })?;
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
        let store = Self {
            writer: pool(1).connect_with(options.clone()).await?,
            readers: pool(READERS_MAX).connect_with(options).await?,
        };
        let mut writing = store.write().await?;
        schema::make(&mut writing.0).await?;
        writing.commit().await?;
        Ok(store)
    }

    /// Waits for the write lock and begins a transaction.
    pub(crate) async fn write(&self) -> Result<Writing, StoreError> {
        Ok(Writing(self.writer.begin_with("BEGIN IMMEDIATE").await?))
    }

    /// Checks that the database can be locked for writing.
    ///
    /// # Errors
    /// It cannot.
    pub async fn ready(&self) -> Result<(), StoreError> {
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
