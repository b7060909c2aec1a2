//! The SQLite file of the counts. A confirmed commit survives loss of power.

use std::path::Path;
use std::time::Duration;

use opencoin_ledger::MintKeyId;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, Sqlite, SqlitePool, Transaction};

use super::error::{CountsError, CountsMode};
use super::key_row::KeyRow;
use super::transaction::{HASH_BYTES, TransactionHash};

/// How long to wait for the write lock of another process, such as an operator's command.
const BUSY_SECONDS_MAX: u64 = 5;

/// The version of the schema.
const VERSION: i64 = 1;

const TABLES: &str = "
    CREATE TABLE mint_keys (
        no INTEGER PRIMARY KEY,
        id BLOB NOT NULL UNIQUE CHECK (length(id) = 20),
        -- Blinds of distinct transactions that were signed.
        signed INTEGER NOT NULL CHECK (signed >= 0),
        -- The books had counted fewer; nothing is signed until an operator has looked.
        is_alarmed INTEGER NOT NULL CHECK (is_alarmed IN (0, 1)),
        -- Its private half was destroyed and its rows were dropped.
        is_forgotten INTEGER NOT NULL CHECK (is_forgotten IN (0, 1))
    ) STRICT;
    CREATE TABLE transactions (
        mint_key INTEGER NOT NULL REFERENCES mint_keys (no),
        hash BLOB NOT NULL CHECK (length(hash) = 16),
        -- 0: it was refused, because counts disagreed.
        is_counted INTEGER NOT NULL CHECK (is_counted IN (0, 1)),
        PRIMARY KEY (mint_key, hash)
    ) STRICT, WITHOUT ROWID;
    PRAGMA user_version = 1;
";

/// The open file.
#[derive(Debug, Clone)]
pub(super) struct Database(SqlitePool);

/// A transaction with the write lock.
pub(super) struct Writing(Transaction<'static, Sqlite>);

/// The columns of `mint_keys` in the order of the query.
type StoredKey = (i64, Vec<u8>, i64, bool, bool);

impl TryFrom<StoredKey> for KeyRow {
    type Error = CountsError;

    fn try_from((no, id, signed, is_alarmed, is_forgotten): StoredKey) -> Result<Self, CountsError> {
        let corrupt =
            |what| CountsError::Database(format!("the row of mint key number {no} is corrupt: {what}"));
        let id = MintKeyId::new(
            id.try_into()
                .map_err(|_| corrupt("its id does not have 20 bytes"))?,
        );
        let signed = u64::try_from(signed).map_err(|_| corrupt("its count is negative"))?;
        Ok(Self {
            no,
            id,
            signed,
            is_alarmed,
            is_forgotten,
        })
    }
}

impl From<sqlx::Error> for CountsError {
    fn from(error: sqlx::Error) -> Self {
        // The statements have no references or blinds as parameters, so the text reveals none.
        Self::Database(error.to_string())
    }
}

impl Database {
    pub(super) async fn open(path: &Path, mode: CountsMode) -> Result<Self, CountsError> {
        match mode {
            CountsMode::Create => create(path)?,
            CountsMode::Existing if path.is_file() => {}
            CountsMode::Existing => return Err(CountsError::Missing(path.to_owned())),
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(BUSY_SECONDS_MAX));
        // After some errors SQLite ends a transaction and sqlx does not notice. Such a connection is replaced.
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .test_before_acquire(false)
            .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
            .connect_with(options)
            .await?;
        let database = Self(pool);
        database.make_tables().await?;
        Ok(database)
    }

    async fn make_tables(&self) -> Result<(), CountsError> {
        let mut writing = self.write().await?;
        let version: i64 = sqlx::query_scalar("PRAGMA user_version")
            .fetch_one(&mut *writing.0)
            .await?;
        match version {
            0 => sqlx::raw_sql(TABLES).execute(&mut *writing.0).await.map(|_| ())?,
            VERSION => {}
            other => return Err(CountsError::VersionUnknown(other)),
        }
        writing.commit().await
    }

    /// Waits for the write lock and begins a transaction.
    pub(super) async fn write(&self) -> Result<Writing, CountsError> {
        Ok(Writing(self.0.begin_with("BEGIN IMMEDIATE").await?))
    }

    pub(super) async fn close(&self) {
        self.0.close().await;
    }
}

impl Writing {
    /// All mint keys with a count.
    pub(super) async fn keys(&mut self) -> Result<Vec<KeyRow>, CountsError> {
        let rows: Vec<StoredKey> =
            sqlx::query_as("SELECT no, id, signed, is_alarmed, is_forgotten FROM mint_keys ORDER BY no")
                .fetch_all(&mut *self.0)
                .await?;
        rows.into_iter().map(KeyRow::try_from).collect()
    }

    /// Adds a key with a count of 0.
    pub(super) async fn add_key(&mut self, id: MintKeyId) -> Result<KeyRow, CountsError> {
        let insert =
            "INSERT INTO mint_keys (id, signed, is_alarmed, is_forgotten) VALUES (?, 0, 0, 0) RETURNING no";
        let no = sqlx::query_scalar(insert)
            .bind(&id.as_bytes()[..])
            .fetch_one(&mut *self.0)
            .await?;
        Ok(KeyRow {
            no,
            id,
            signed: 0,
            is_alarmed: false,
            is_forgotten: false,
        })
    }

    pub(super) async fn put_key(&mut self, key: &KeyRow) -> Result<(), CountsError> {
        let signed = i64::try_from(key.signed)
            .map_err(|_| CountsError::Database("a count is too large".to_owned()))?;
        sqlx::query("UPDATE mint_keys SET signed = ?, is_alarmed = ?, is_forgotten = ? WHERE no = ?")
            .bind(signed)
            .bind(key.is_alarmed)
            .bind(key.is_forgotten)
            .bind(key.no)
            .execute(&mut *self.0)
            .await?;
        Ok(())
    }

    /// Whether a transaction was counted for a key; `None` when it is new.
    pub(super) async fn is_counted(
        &mut self,
        key: i64,
        hash: &TransactionHash,
    ) -> Result<Option<bool>, CountsError> {
        let select = "SELECT is_counted FROM transactions WHERE mint_key = ? AND hash = ?";
        Ok(sqlx::query_scalar(select)
            .bind(key)
            .bind(&hash[..HASH_BYTES])
            .fetch_optional(&mut *self.0)
            .await?)
    }

    pub(super) async fn put_transaction(
        &mut self,
        key: i64,
        hash: &TransactionHash,
        is_counted: bool,
    ) -> Result<(), CountsError> {
        let upsert = "INSERT INTO transactions (mint_key, hash, is_counted) VALUES (?, ?, ?)
            ON CONFLICT DO UPDATE SET is_counted = excluded.is_counted";
        sqlx::query(upsert)
            .bind(key)
            .bind(&hash[..HASH_BYTES])
            .bind(is_counted)
            .execute(&mut *self.0)
            .await?;
        Ok(())
    }

    /// Marks all refused transactions of a key as counted.
    pub(super) async fn count_refused(&mut self, key: i64) -> Result<(), CountsError> {
        let update = "UPDATE transactions SET is_counted = 1 WHERE mint_key = ? AND is_counted = 0";
        sqlx::query(update).bind(key).execute(&mut *self.0).await?;
        Ok(())
    }

    pub(super) async fn drop_transactions(&mut self, key: i64) -> Result<(), CountsError> {
        sqlx::query("DELETE FROM transactions WHERE mint_key = ?")
            .bind(key)
            .execute(&mut *self.0)
            .await?;
        Ok(())
    }

    /// Durable when it returns.
    pub(super) async fn commit(self) -> Result<(), CountsError> {
        Ok(self.0.commit().await?)
    }

    pub(super) async fn rollback(self) -> Result<(), CountsError> {
        Ok(self.0.rollback().await?)
    }
}

/// Creates the file, readable by its owner only. SQLite would create one that all can read.
fn create(path: &Path) -> Result<(), CountsError> {
    opencoin_private_files::open_or_make(path)
        .map(|_| ())
        .map_err(|reason| CountsError::CannotMake {
            path: path.to_owned(),
            reason: reason.to_string(),
        })
}
