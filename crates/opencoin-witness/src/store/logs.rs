//! The list of logs, which operators change while the server runs.

use sha2::{Digest, Sha256};

use super::WitnessStore;
use super::cosigning::parse_keys;
use super::error::StoreError;
use super::row::{LastCosigned, StoredCosigned, number};
use crate::log_key::LogKey;

/// A log that the witness accepts, or has accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessedLog {
    /// Its origin.
    pub origin: String,
    /// The keys that sign its checkpoints; none for a removed log.
    pub keys: Vec<LogKey>,
    /// Where people find it.
    pub url: Option<String>,
    /// Whether its checkpoints are accepted.
    pub is_accepted: bool,
    /// What was cosigned last.
    pub last: Option<LastCosigned>,
    /// How many contradictions of it are kept.
    pub contradictions: u64,
}

/// A log, what was cosigned last, and the number of contradictions, in the order of the query.
type StoredLog = (
    i64,
    String,
    Option<String>,
    bool,
    Option<i64>,
    Option<Vec<u8>>,
    Option<i64>,
    Option<String>,
    i64,
);

fn with_keys(row: StoredLog, keys: &[(i64, String)]) -> Result<WitnessedLog, StoreError> {
    let (no, origin, url, is_accepted, size, root, cosigned_at, checkpoint, contradictions) = row;
    let columns: StoredCosigned = (size, root, cosigned_at, checkpoint);
    let own = keys.iter().filter(|(log, _)| *log == no);
    Ok(WitnessedLog {
        keys: parse_keys(&origin, own.map(|(_, vkey)| vkey.as_str()))?,
        url,
        is_accepted,
        last: LastCosigned::from_columns(&origin, columns)?,
        contradictions: number(&origin, contradictions)?,
        origin,
    })
}

impl WitnessStore {
    /// All logs, also removed ones, in the order in which they were added.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn logs(&self) -> Result<Vec<WitnessedLog>, StoreError> {
        let select = "SELECT no, origin, url, is_accepted, size, root, cosigned_at, checkpoint,
            (SELECT count(*) FROM contradictions WHERE log = logs.no) FROM logs ORDER BY no";
        let mut reading = self.readers.begin().await?;
        let logs: Vec<StoredLog> = sqlx::query_as(select).fetch_all(&mut *reading).await?;
        let keys: Vec<(i64, String)> = sqlx::query_as("SELECT log, vkey FROM log_keys ORDER BY log, vkey")
            .fetch_all(&mut *reading)
            .await?;
        reading.rollback().await?;
        logs.into_iter().map(|log| with_keys(log, &keys)).collect()
    }

    /// Accepts checkpoints of this origin that this key has signed. A log can have several keys; a URL replaces an
    /// earlier one. What was cosigned before the log was removed still counts. Returns whether something has changed.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn add_log(&self, origin: &str, key: &LogKey, url: Option<&str>) -> Result<bool, StoreError> {
        let insert = "INSERT INTO logs (origin, origin_hash, is_accepted, url) VALUES (?, ?, 1, ?)
            ON CONFLICT (origin) DO UPDATE SET is_accepted = 1, url = coalesce(excluded.url, url)
            WHERE is_accepted = 0 OR (excluded.url IS NOT NULL AND url IS NOT excluded.url)";
        let insert_key = "INSERT INTO log_keys (log, vkey) SELECT no, ? FROM logs WHERE origin = ?
            ON CONFLICT DO NOTHING";
        let mut writing = self.write().await?;
        let changed = sqlx::query(insert)
            .bind(origin)
            .bind(&Sha256::digest(origin)[..])
            .bind(url)
            .execute(&mut *writing.0)
            .await?;
        let added = sqlx::query(insert_key)
            .bind(key.to_string())
            .bind(origin)
            .execute(&mut *writing.0)
            .await?;
        writing.commit().await?;
        Ok(changed.rows_affected() + added.rows_affected() > 0)
    }

    /// Accepts no more checkpoints of this origin, and forgets its keys but not what was cosigned. Returns whether the
    /// log was accepted before.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn remove_log(&self, origin: &str) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        let removed = sqlx::query("UPDATE logs SET is_accepted = 0 WHERE origin = ? AND is_accepted = 1")
            .bind(origin)
            .execute(&mut *writing.0)
            .await?;
        sqlx::query("DELETE FROM log_keys WHERE log = (SELECT no FROM logs WHERE origin = ?)")
            .bind(origin)
            .execute(&mut *writing.0)
            .await?;
        writing.commit().await?;
        Ok(removed.rows_affected() == 1)
    }

    /// The last cosigned checkpoint of the log whose origin has this SHA-256, also of a removed log.
    pub(crate) async fn checkpoint(&self, origin_hash: &[u8]) -> Result<Option<String>, StoreError> {
        let select = "SELECT checkpoint FROM logs WHERE origin_hash = ?";
        let found: Option<Option<String>> = sqlx::query_scalar(select)
            .bind(origin_hash)
            .fetch_optional(&self.readers)
            .await?;
        Ok(found.flatten())
    }
}
