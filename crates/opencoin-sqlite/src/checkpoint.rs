//! Copies the write-ahead log into the file beside the batches, so that no batch waits for it.
//!
//! SQLite does this after a commit that makes the log long, on the connection that commits, before it answers. With
//! thousands of pages that takes tens of milliseconds, for which all batches would wait. So another connection does it
//! earlier. It takes no lock that a batch waits for. What it has copied is durable before the log is used again from
//! its beginning, which SQLite does by itself.
//!
//! Failures: a checkpoint that fails is only logged. The log grows until the connection that writes makes a checkpoint
//! itself, at [`LOG_PAGES_MAX`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sqlx::SqlitePool;

/// A checkpoint is made when batches have changed about this many pages of 4 KiB (16 MiB).
const PAGES_PER_CHECKPOINT: u64 = 4096;

/// The length of the log at which the connection that writes makes a checkpoint before it answers (64 MiB). It comes to
/// this if batches follow each other without a pause, because only a log that is completely copied can be used again.
/// Most of it is copied already then. Coins arrive in random order, so each commit changes pages all over the table.
/// With a longer log, more of these changes share one write of a page to the file.
pub(crate) const LOG_PAGES_MAX: u64 = 4 * PAGES_PER_CHECKPOINT;

/// Pages that each batch changes: rows of accounts and mint keys, the ends of tables, and inner pages.
const PAGES_PER_BATCH: u64 = 8;

/// The times that a checkpoint is repeated for commits that came meanwhile.
const ROUNDS_MAX: u32 = 3;

/// Makes checkpoints on a connection of its own.
#[derive(Debug, Clone)]
pub(crate) struct Checkpoints {
    pool: SqlitePool,
    /// An estimate of the pages that were changed since the last checkpoint.
    pages: Arc<AtomicU64>,
    is_running: Arc<AtomicBool>,
}

/// Allows the next checkpoint when it is dropped.
struct Running(Arc<AtomicBool>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Checkpoints {
    pub(crate) fn new(pool: SqlitePool) -> Self {
        Self {
            pool,
            pages: Arc::default(),
            is_running: Arc::default(),
        }
    }

    /// Counts the pages that the rows of a committed batch have changed. Starts a checkpoint if it is time for one, and
    /// does not wait for it.
    pub(crate) fn wrote(&self, pages: usize) {
        let changed = PAGES_PER_BATCH + pages as u64;
        if self.pages.fetch_add(changed, Ordering::Relaxed) + changed < PAGES_PER_CHECKPOINT {
            return;
        }
        if self.is_running.swap(true, Ordering::Acquire) {
            return;
        }
        let running = Running(Arc::clone(&self.is_running));
        self.pages.store(0, Ordering::Relaxed);
        let pool = self.pool.clone();
        tokio::spawn(async move {
            let _running = running;
            match checkpoint(&pool).await {
                Ok(left) => tracing::trace!(left, "a checkpoint of the write-ahead log was made"),
                Err(error) => tracing::debug!(%error, "a checkpoint of the write-ahead log failed"),
            }
        });
    }

    /// Waits for a running checkpoint and closes the connection.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// Copies the log until nothing is left, or batches turn out to write faster. Returns the pages that are left.
async fn checkpoint(pool: &SqlitePool) -> Result<i64, sqlx::Error> {
    let mut left = 0;
    for _ in 0..ROUNDS_MAX {
        let query = sqlx::query_as("PRAGMA wal_checkpoint(PASSIVE)");
        let (_, in_log, copied): (i64, i64, i64) = query.fetch_one(pool).await?;
        left = in_log - copied;
        if left == 0 {
            break;
        }
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sqlx::Executor;

    use super::*;
    use crate::{Mode, SqliteLedger};

    #[tokio::test]
    async fn the_log_is_copied_without_a_commit_that_does_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("books.sqlite");
        let ledger = SqliteLedger::open(path.to_str().unwrap(), Mode::Create)
            .await
            .unwrap();
        let create = "CREATE TABLE filler (bytes BLOB); INSERT INTO filler VALUES (zeroblob(1000000))";
        let mut writer = ledger.writer.acquire().await.unwrap();
        writer.execute(create).await.unwrap();
        writer.end();
        let bytes = || std::fs::metadata(&path).unwrap().len();
        let before = bytes();
        ledger.checkpoints.wrote(1);
        assert!(
            !ledger.checkpoints.is_running.load(Ordering::Acquire),
            "too early"
        );
        ledger.checkpoints.wrote(PAGES_PER_CHECKPOINT as usize);
        while ledger.checkpoints.is_running.load(Ordering::Acquire) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Some pages of the file may have been free before.
        assert!(
            bytes() >= 1_000_000 && before < 1_000_000,
            "{} after {before}",
            bytes()
        );
        ledger.close().await;
    }
}
