//! For benchmarks only: the insert rate of the database without an issuer, and a table of many spent coins.

use std::time::{Duration, Instant};

use opencoin_ledger::log::PendingLeaves;
use opencoin_ledger::{LedgerError, LedgerTime, MintKeyId};
use sqlx::{Connection, Executor, Row, SqliteConnection};

use crate::SqliteLedger;
use crate::bulk::placeholders;
use crate::fault::ledger_error;
use crate::writer::Writing;

/// Rows in one transaction of the bare inserts.
const BARE_INSERT_ROWS: usize = 64;

/// Spent coins are inserted in this many pieces, by the first byte of their hash. Within a piece their order
/// is random, so that pages become as full as in a table that grew by random inserts.
const PIECES: u64 = 256;

/// Page cache that holds a piece of a table of 20 million rows.
const FILL_CACHE: &str = "PRAGMA cache_size = -16384"; // KiB

impl SqliteLedger {
    /// Measures how many rows a second the database can insert: durable transactions of 64 rows over the one
    /// connection that writes, for about `duration`, into a scratch table shaped like `spent`. `hashes` makes
    /// the rows. Returns the number of rows and the time that they took.
    ///
    /// # Errors
    /// The database fails.
    pub async fn measure_bare_inserts(
        &self,
        duration: Duration,
        hashes: fn(usize) -> Vec<[u8; 32]>,
    ) -> Result<(u64, Duration), LedgerError> {
        let mut writer = self.measured().await?;
        let measured = bare_inserts(&mut writer, duration, hashes).await;
        writer.end();
        measured.map_err(|error| ledger_error(&error))
    }

    /// Adds `rows` invented coins to `spent` and merges the write-ahead log into the file. **The books do not
    /// balance afterwards.** Calls `progress` with the number of rows so far.
    ///
    /// # Errors
    /// The database fails, or the mint key is unknown.
    pub async fn fill_spent_and_break_the_books(
        &self,
        mint_key: MintKeyId,
        rows: u64,
        progress: impl FnMut(u64) + Send,
    ) -> Result<(), LedgerError> {
        let mut writer = self.measured().await?;
        let filled = fill(&mut writer, mint_key, rows, progress).await;
        writer.end();
        filled.map_err(|error| ledger_error(&error))
    }
}

impl SqliteLedger {
    /// The size of the books in bytes.
    ///
    /// # Errors
    /// The database fails.
    pub async fn measure_bytes(&self) -> Result<u64, LedgerError> {
        let sql = "SELECT (page_count - freelist_count) * page_size
            FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()";
        let mut writer = self.measured().await?;
        let query = sqlx::query_scalar(sql).fetch_one(&mut *writer).await;
        writer.end();
        let bytes: i64 = query.map_err(|error| ledger_error(&error))?;
        u64::try_from(bytes).map_err(|error| LedgerError::corrupt("size of the file", error))
    }

    /// Rewrites all tables without the room that deleted rows leave.
    ///
    /// # Errors
    /// The database fails.
    pub async fn rewrite_tables(&self) -> Result<(), LedgerError> {
        let mut writer = self.measured().await?;
        let done = writer.execute("VACUUM").await;
        writer.end();
        done.map(|_| ()).map_err(|error| ledger_error(&error))
    }

    /// Adds rows that wait for the public log, accepted at this time, in one transaction. **The books do not know the
    /// coins of these leaves.**
    ///
    /// # Errors
    /// The database fails.
    pub async fn add_pending_and_break_the_books(
        &self,
        rows: &[PendingLeaves],
        at: LedgerTime,
    ) -> Result<(), LedgerError> {
        let mut writer = self.measured().await?;
        let added = add_pending(&mut writer, rows, at.unix_micros()).await;
        writer.end();
        added.map_err(|error| ledger_error(&error))
    }

    /// The connection that writes. Nothing here begins a transaction that it does not end.
    async fn measured(&self) -> Result<Writing, LedgerError> {
        self.writer.acquire().await.map_err(|error| ledger_error(&error))
    }
}

async fn add_pending(
    writer: &mut SqliteConnection,
    rows: &[PendingLeaves],
    at: i64,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO log_pending (at, coins, others, accounts, paid_in, paid_out, recouped)
        VALUES (?, ?, ?, ?, ?, ?, ?)";
    let mut transaction = writer.begin().await?;
    for row in rows {
        let query = sqlx::query(sql).bind(at).bind(&row.coins).bind(&row.others);
        let totals = row.totals.columns().into_iter();
        let query = totals.fold(query, |query, total| query.bind(total));
        query.execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

async fn bare_inserts(
    writer: &mut SqliteConnection,
    duration: Duration,
    hashes: fn(usize) -> Vec<[u8; 32]>,
) -> Result<(u64, Duration), sqlx::Error> {
    let create = "DROP TABLE IF EXISTS bench_bare_inserts;
        CREATE TABLE bench_bare_inserts (
            mint_key_no  INTEGER NOT NULL,
            spent_digest BLOB NOT NULL CHECK (length(spent_digest) = 32),
            PRIMARY KEY (mint_key_no, spent_digest)
        ) STRICT, WITHOUT ROWID";
    writer.execute(sqlx::raw_sql(create)).await?;
    let rows = placeholders(BARE_INSERT_ROWS, 2);
    let sql = format!("INSERT INTO bench_bare_inserts (mint_key_no, spent_digest) VALUES {rows}");
    let (begun, mut inserted) = (Instant::now(), 0);
    while begun.elapsed() < duration {
        let hashes = hashes(BARE_INSERT_ROWS);
        let query = hashes
            .iter()
            .fold(sqlx::query(&sql), |query, hash| query.bind(1).bind(&hash[..]));
        inserted += query.execute(&mut *writer).await?.rows_affected();
    }
    let elapsed = begun.elapsed();
    writer.execute("DROP TABLE bench_bare_inserts").await?;
    Ok((inserted, elapsed))
}

async fn fill(
    writer: &mut SqliteConnection,
    mint_key: MintKeyId,
    rows: u64,
    mut progress: impl FnMut(u64),
) -> Result<(), sqlx::Error> {
    let query = sqlx::query("SELECT no FROM mint_keys WHERE id = ?").bind(&mint_key.as_bytes()[..]);
    let mint_key_no: i64 = query.fetch_one(&mut *writer).await?.try_get("no")?;
    let sql = "INSERT INTO spent (mint_key_no, spent_digest)
        WITH RECURSIVE made (count) AS (SELECT 1 UNION ALL SELECT count + 1 FROM made LIMIT ?3)
        SELECT ?1, CAST(?2 || randomblob(31) AS BLOB) FROM made";
    writer.execute(FILL_CACHE).await?;
    for piece in 0..PIECES {
        let (begin, end) = (rows * piece / PIECES, rows * (piece + 1) / PIECES);
        let first_byte = [u8::try_from(piece).expect("a piece is a byte")];
        let count = i64::try_from(end - begin).expect("a table has fewer rows");
        sqlx::query(sql)
            .bind(mint_key_no)
            .bind(&first_byte[..])
            .bind(count)
            .execute(&mut *writer)
            .await?;
        progress(end);
    }
    writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use opencoin_ledger::{Amount, HasLog, Ledger, MintKeyTerms, register_uncertified_mint_key};
    use opencoin_log::leaf::COIN_LEAF_BYTES;

    use super::*;
    use crate::Mode;

    const DURATION: Duration = Duration::from_millis(50);

    /// Returns hashes that no earlier call returned.
    fn hashes(count: usize) -> Vec<[u8; 32]> {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let hash = |_| {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&MADE.fetch_add(1, Ordering::Relaxed).to_be_bytes());
            hash
        };
        (0..count).map(hash).collect()
    }

    #[tokio::test]
    async fn bare_inserts_are_counted_and_leave_no_table() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("books.sqlite");
        let ledger = SqliteLedger::open(path.to_str().unwrap(), Mode::Create)
            .await
            .unwrap();
        let (rows, elapsed) = ledger.measure_bare_inserts(DURATION, hashes).await.unwrap();
        assert!(
            rows > 0 && rows.is_multiple_of(BARE_INSERT_ROWS as u64) && elapsed >= DURATION,
            "{rows} rows in {elapsed:?}"
        );
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'bench%'")
            .fetch_one(&ledger.readers)
            .await
            .unwrap();
        assert_eq!(left, 0);
    }

    #[tokio::test]
    async fn added_rows_wait_for_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("books.sqlite");
        let ledger = SqliteLedger::open(path.to_str().unwrap(), Mode::Create)
            .await
            .unwrap();
        let row = PendingLeaves {
            coins: vec![1; 3 * COIN_LEAF_BYTES],
            ..PendingLeaves::default()
        };
        let at = LedgerTime::from_unix_micros(7);
        let rows = [row.clone(), row];
        ledger.add_pending_and_break_the_books(&rows, at).await.unwrap();
        let pending = ledger.log().pending().await.unwrap();
        assert_eq!((pending.coins, pending.oldest), (6, Some(at)));
    }

    #[tokio::test]
    async fn filled_rows_are_spread_over_the_whole_range() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("books.sqlite");
        let ledger = SqliteLedger::open(path.to_str().unwrap(), Mode::Create)
            .await
            .unwrap();
        let id = MintKeyId::new([7; 20]);
        let [begin, end] = [0, 1].map(LedgerTime::from_unix_micros);
        let terms = MintKeyTerms::new(Amount::new(1).unwrap(), begin, end, end).unwrap();
        ledger
            .apply(&[register_uncertified_mint_key(id, terms, begin)])
            .await
            .unwrap()[0]
            .as_ref()
            .unwrap();
        let mut told = Vec::new();
        ledger
            .fill_spent_and_break_the_books(id, 1000, |rows| told.push(rows))
            .await
            .unwrap();
        let pieces = "SELECT count(DISTINCT hex(substr(spent_digest, 1, 1))) FROM spent WHERE length(spent_digest) = 32";
        let pieces: i64 = sqlx::query_scalar(pieces)
            .fetch_one(&ledger.readers)
            .await
            .unwrap();
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM spent")
            .fetch_one(&ledger.readers)
            .await
            .unwrap();
        assert_eq!((rows, pieces, told.last()), (1000, 256, Some(&1000)));
    }
}
