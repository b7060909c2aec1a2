//! For benchmarks only: the insert rate of the database without an issuer, and a table of many spent coins.

use std::time::{Duration, Instant};

use opencoin_ledger::log::PendingLeaves;
use opencoin_ledger::{LedgerError, LedgerTime, MintKeyId};
use sqlx::{Connection, Executor, PgConnection, PgPool, Row};
use tokio::task::JoinSet;

use crate::PostgresLedger;
use crate::fault::{Fault, ledger_error};
use crate::layout::{self, Layout};
use crate::save::insert_pending;

/// Rows in one transaction of the bare inserts.
const BARE_INSERT_ROWS: usize = 64;

/// Connections that insert at the same time.
const BARE_INSERT_CONNECTIONS: usize = 4;

/// Spent coins are inserted in this many pieces, so that progress can be reported.
const PIECES: u64 = 256;

/// A table without its index fills several times as fast. The index is created afterwards with the fill (70
/// %) that an index reaches by random inserts. A fuller one would split pages at first, an emptier one would
/// be too large.
const DROP_INDEX: &str = "ALTER TABLE spent DROP CONSTRAINT spent_pkey";
const MAKE_INDEX: &str = "
    SET LOCAL maintenance_work_mem = '512MB';
    ALTER TABLE spent ADD CONSTRAINT spent_pkey PRIMARY KEY (mint_key_no, spent_digest) WITH (fillfactor = 70);
    ALTER INDEX spent_pkey RESET (fillfactor);
";

/// One row in this many is inserted after the index was created and a checkpoint. The first change of a page
/// after a checkpoint writes the whole page to the log. These rows touch nearly every page, so that the
/// benchmark measures the usual state between two checkpoints.
const ROWS_PER_ROW_AFTER_CHECKPOINT: u64 = 10;

impl PostgresLedger {
    /// Measures how many rows a second the database can insert: durable transactions of 64 rows over four
    /// connections for about `duration`, into a scratch table shaped like `spent`. `hashes` makes the
    /// rows. Returns the number of rows and the time that they took.
    ///
    /// # Errors
    /// The database fails.
    pub async fn measure_bare_inserts(
        &self,
        duration: Duration,
        hashes: fn(usize) -> Vec<[u8; 32]>,
    ) -> Result<(u64, Duration), LedgerError> {
        let create = "DROP TABLE IF EXISTS bench_bare_inserts; CREATE TABLE bench_bare_inserts (LIKE spent INCLUDING ALL)";
        self.pool
            .execute(sqlx::raw_sql(create))
            .await
            .map_err(|error| ledger_error(&error))?;
        let begun = Instant::now();
        let mut running = JoinSet::new();
        for _ in 0..BARE_INSERT_CONNECTIONS {
            running.spawn(insert_until(self.pool.clone(), begun + duration, hashes));
        }
        let mut rows = 0;
        while let Some(inserted) = running.join_next().await {
            rows += inserted
                .expect("inserting does not panic")
                .map_err(|error| ledger_error(&error))?;
        }
        let elapsed = begun.elapsed();
        self.pool
            .execute("DROP TABLE bench_bare_inserts")
            .await
            .map_err(|error| ledger_error(&error))?;
        Ok((rows, elapsed))
    }

    /// Adds `rows` invented coins to `spent` and runs `VACUUM (ANALYZE)`. **The books do not balance
    /// afterwards.** Calls `progress` with the number of rows so far.
    ///
    /// # Errors
    /// The database fails, or the mint key is unknown.
    pub async fn fill_spent_and_break_the_books(
        &self,
        mint_key: MintKeyId,
        rows: u64,
        progress: impl FnMut(u64) + Send,
    ) -> Result<(), LedgerError> {
        fill(&self.pool, mint_key, rows, progress)
            .await
            .map_err(|error| ledger_error(&error))
    }
}

impl PostgresLedger {
    /// The size of all tables and indexes of the books on disk, in bytes.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn measure_bytes(&self) -> Result<u64, LedgerError> {
        let sql = "SELECT sum(pg_total_relation_size(oid))::int8 FROM pg_class
            WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
        let query = sqlx::query_scalar(sql).fetch_one(&self.pool).await;
        let mut bytes: i64 = query.map_err(|error| ledger_error(&error))?;
        if self.layout.is_distributed() {
            let sql =
                "SELECT sum(citus_total_relation_size(name::regclass))::int8 FROM unnest($1::text[]) AS name";
            let query = sqlx::query_scalar(sql).bind(layout::distributed_tables());
            let on_all_servers: i64 = query
                .fetch_one(&self.pool)
                .await
                .map_err(|error| ledger_error(&error))?;
            bytes += on_all_servers;
        }
        u64::try_from(bytes).map_err(|error| LedgerError::corrupt("size of the tables", error))
    }

    /// Rewrites all tables without the room that deleted rows leave.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn rewrite_tables(&self) -> Result<(), LedgerError> {
        let tables = match self.layout {
            Layout::OneServer => Vec::new(),
            // Otherwise Citus rewrites only what is on the coordinator.
            Layout::Distributed { .. } => layout::distributed_tables(),
        };
        let mut statements = vec!["VACUUM FULL".to_owned()];
        statements.extend(tables.iter().map(|table| format!("VACUUM FULL {table}")));
        for statement in statements {
            let done = self.pool.execute(&*statement).await;
            done.map_err(|error| ledger_error(&error))?;
        }
        Ok(())
    }
}

impl PostgresLedger {
    /// The size of the tree of the public log on disk, in bytes, without what waits to be sealed.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn measure_log_bytes(&self) -> Result<u64, LedgerError> {
        let sql = "SELECT sum(pg_total_relation_size(name::regclass))::int8
            FROM unnest('{log_batches, log_bundles, log_tiles}'::text[]) AS name";
        let query = sqlx::query_scalar(sql).fetch_one(&self.pool).await;
        let bytes: i64 = query.map_err(|error| ledger_error(&error))?;
        u64::try_from(bytes).map_err(|error| LedgerError::corrupt("size of the log", error))
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
        let mut transaction = self.pool.begin().await.map_err(|error| ledger_error(&error))?;
        for row in rows {
            let inserted = insert_pending(&mut transaction, row, at).await;
            inserted.map_err(Fault::into_error)?;
        }
        transaction.commit().await.map_err(|error| ledger_error(&error))
    }
}

async fn insert_until(
    pool: PgPool,
    end: Instant,
    hashes: fn(usize) -> Vec<[u8; 32]>,
) -> Result<u64, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let mut inserted = 0;
    while Instant::now() < end {
        let hashes = hashes(BARE_INSERT_ROWS);
        let column: Vec<&[u8]> = hashes.iter().map(|hash| &hash[..]).collect();
        let query = sqlx::query(
            "INSERT INTO bench_bare_inserts (mint_key_no, spent_digest) SELECT 1, unnest($1::bytea[])",
        );
        inserted += query
            .bind(column)
            .execute(&mut *connection)
            .await?
            .rows_affected();
    }
    Ok(inserted)
}

async fn fill(
    pool: &PgPool,
    mint_key: MintKeyId,
    rows: u64,
    mut progress: impl FnMut(u64),
) -> Result<(), sqlx::Error> {
    // Detached from the pool, because this connection is in use for a long time.
    let mut connection = pool.acquire().await?.detach();
    let query = sqlx::query("SELECT no FROM mint_keys WHERE id = $1").bind(mint_key.as_bytes());
    let mint_key_no: i32 = query.fetch_one(&mut connection).await?.try_get("no")?;
    let piece_end = |piece| rows * piece / PIECES;
    let pieces_before = PIECES - PIECES / ROWS_PER_ROW_AFTER_CHECKPOINT;
    let mut transaction = connection.begin().await?;
    transaction.execute(DROP_INDEX).await?;
    for piece in 0..pieces_before {
        insert_random(
            &mut transaction,
            mint_key_no,
            piece_end(piece + 1) - piece_end(piece),
        )
        .await?;
        progress(piece_end(piece + 1));
    }
    transaction.execute(sqlx::raw_sql(MAKE_INDEX)).await?;
    transaction.commit().await?;
    connection.execute("VACUUM (ANALYZE) spent").await?;
    // Reads the index into the cache, as in a server that has run for long.
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM spent")
        .fetch_one(&mut connection)
        .await?;
    assert!(
        u64::try_from(count).is_ok_and(|count| count >= piece_end(pieces_before)),
        "{count} rows are there"
    );
    checkpoint(&mut connection).await?;
    for piece in pieces_before..PIECES {
        insert_random(
            &mut connection,
            mint_key_no,
            piece_end(piece + 1) - piece_end(piece),
        )
        .await?;
        progress(piece_end(piece + 1));
    }
    // Otherwise autovacuum would do it while redeems are measured, because a tenth of the rows is new.
    connection.execute("ANALYZE spent").await?;
    connection.close().await
}

async fn insert_random(
    connection: &mut PgConnection,
    mint_key_no: i32,
    rows: u64,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO spent (mint_key_no, spent_digest)
        SELECT $1, sha256(uuid_send(gen_random_uuid())) FROM generate_series(1, $2)";
    let rows = i64::try_from(rows).expect("a table has fewer rows");
    sqlx::query(sql)
        .bind(mint_key_no)
        .bind(rows)
        .execute(connection)
        .await
        .map(|_| ())
}

/// A role without the right to run `CHECKPOINT` leaves it to the server's schedule.
async fn checkpoint(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    const INSUFFICIENT_PRIVILEGE: &str = "42501";
    match connection.execute("CHECKPOINT").await {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(INSUFFICIENT_PRIVILEGE) => {
            Ok(())
        }
        done => done.map(|_| ()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use opencoin_ledger::{Amount, HasLog, Ledger, MintKeyTerms, register_uncertified_mint_key};
    use opencoin_log::leaf::COIN_LEAF_BYTES;
    use opencoin_testkit::postgres::TestDatabase;

    use super::*;

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
        let database = TestDatabase::create();
        let ledger = PostgresLedger::connect(&database.url()).await.unwrap();
        let (rows, elapsed) = ledger.measure_bare_inserts(DURATION, hashes).await.unwrap();
        assert!(
            rows > 0 && rows.is_multiple_of(BARE_INSERT_ROWS as u64) && elapsed >= DURATION,
            "{rows} rows in {elapsed:?}"
        );
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE tablename LIKE 'bench%'")
            .fetch_one(&ledger.pool)
            .await
            .unwrap();
        assert_eq!(left, 0);
    }

    #[tokio::test]
    async fn added_rows_wait_for_the_log() {
        let database = TestDatabase::create();
        let ledger = PostgresLedger::connect(&database.url()).await.unwrap();
        let row = PendingLeaves {
            coins: vec![1; 3 * COIN_LEAF_BYTES],
            ..PendingLeaves::default()
        };
        let at = LedgerTime::from_unix_micros(7);
        let rows = [row.clone(), row];
        ledger.add_pending_and_break_the_books(&rows, at).await.unwrap();
        let pending = ledger.log().pending().await.unwrap();
        assert_eq!((pending.coins, pending.oldest), (6, Some(at)));
        assert!(ledger.measure_log_bytes().await.unwrap() > 0);
    }

    #[tokio::test]
    async fn filled_rows_are_spread_over_the_whole_range() {
        let database = TestDatabase::create();
        let ledger = PostgresLedger::connect(&database.url()).await.unwrap();
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
        let pieces =
            "SELECT count(DISTINCT get_byte(spent_digest, 0)) FROM spent WHERE length(spent_digest) = 32";
        let pieces: i64 = sqlx::query_scalar(pieces).fetch_one(&ledger.pool).await.unwrap();
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM spent")
            .fetch_one(&ledger.pool)
            .await
            .unwrap();
        assert!(
            (rows, told.last()) == (1000, Some(&1000)) && pieces > 200,
            "{rows} rows in {pieces} of 256 pieces"
        );
    }
}
