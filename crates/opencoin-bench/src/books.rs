//! The database of the issuer: its kind, the CPU time of its processes, and operations for benchmarks only.

use std::process;
use std::time::Duration;

use anyhow::{Context, Result};
use opencoin_config::DATABASE_DEFAULT;
use opencoin_keys::Directory;
use opencoin_ledger::log::PendingLeaves;
use opencoin_ledger::{LedgerTime, MintKeyId};
use opencoin_postgres::PostgresLedger;
use opencoin_sqlite::{Mode, SqliteLedger};
use opencoin_terminal::progress::ProgressBar;
use serde::Serialize;

use super::currency::random_bytes;
use super::processes::{self, PostgresProcesses};

const HASH_BYTES: usize = 32;

/// The benchmark's own connection to the books of the issuer.
pub(super) enum BenchBooks {
    Sqlite(SqliteLedger),
    Postgres {
        ledger: Box<PostgresLedger>,
        /// One for each server. Empty if a server is on another machine.
        servers: Vec<PostgresProcesses>,
    },
}

/// The kind of the database, which determines where its CPU time is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Database {
    /// In the issuer's process.
    Sqlite,
    /// In processes on this machine.
    Postgres,
    /// In processes that cannot be read.
    PostgresElsewhere,
}

/// The speed of the database without an issuer: durable transactions that each insert 64 spent coins.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct BareInserts {
    pub(super) rows_per_second: f64,
    /// CPU time of the database's processes, or of our own with SQLite. `None` if it cannot be read.
    pub(super) cpu_us_per_row: Option<f64>,
}

impl BenchBooks {
    /// Opens the existing books of the currency in `directory`.
    pub(super) async fn open(database: Option<&str>, directory: &Directory) -> Result<Self> {
        if let Some(url) = database {
            let ledger = PostgresLedger::connect(url).await?;
            let backends = ledger.backend_process_ids().await?;
            let servers = backends.into_iter().map(PostgresProcesses::of_backend);
            let servers = servers.collect::<Option<_>>().unwrap_or_default();
            return Ok(Self::Postgres {
                ledger: Box::new(ledger),
                servers,
            });
        }
        let file = DATABASE_DEFAULT
            .strip_prefix("sqlite:")
            .expect("the default database is in SQLite");
        let path = directory.root().join(file);
        let path = path
            .to_str()
            .context("the temporary folder's path is not valid UTF-8")?;
        Ok(Self::Sqlite(SqliteLedger::open(path, Mode::Existing).await?))
    }

    pub(super) fn database(&self) -> Database {
        match self {
            Self::Sqlite(_) => Database::Sqlite,
            Self::Postgres { servers, .. } if servers.is_empty() => Database::PostgresElsewhere,
            Self::Postgres { .. } => Database::Postgres,
        }
    }

    /// CPU time of the database outside of the issuer's process; `None` if it cannot be read.
    pub(super) fn cpu_time(&self) -> Result<Option<Duration>> {
        match self {
            Self::Sqlite(_) => Ok(Some(Duration::ZERO)),
            Self::Postgres { servers, .. } if servers.is_empty() => Ok(None),
            Self::Postgres { servers, .. } => servers
                .iter()
                .map(|server| server.cpu_time())
                .sum::<Result<_>>()
                .map(Some),
        }
    }

    /// The size of all tables and indexes of the books on disk.
    pub(super) async fn bytes(&self) -> Result<u64> {
        Ok(match self {
            Self::Sqlite(ledger) => ledger.measure_bytes().await?,
            Self::Postgres { ledger, .. } => ledger.measure_bytes().await?,
        })
    }

    /// As [`Self::bytes`], after all tables were rewritten without the room that deleted rows leave.
    pub(super) async fn bytes_without_free_room(&self) -> Result<u64> {
        match self {
            Self::Sqlite(ledger) => ledger.rewrite_tables().await?,
            Self::Postgres { ledger, .. } => ledger.rewrite_tables().await?,
        }
        self.bytes().await
    }

    /// Measures bare inserts for about `duration`.
    pub(super) async fn bare_inserts(&self, duration: Duration) -> Result<BareInserts> {
        let cpu_time = || match self {
            Self::Sqlite(_) => processes::cpu_time(process::id()).map(Some),
            Self::Postgres { .. } => self.cpu_time(),
        };
        let begin = cpu_time()?;
        let (rows, elapsed) = match self {
            Self::Sqlite(ledger) => ledger.measure_bare_inserts(duration, random_hashes).await?,
            Self::Postgres { ledger, .. } => ledger.measure_bare_inserts(duration, random_hashes).await?,
        };
        let used = cpu_time()?
            .zip(begin)
            .map(|(end, begin)| end.saturating_sub(begin));
        let cpu_us_per_row = used.map(|used| used.as_secs_f64() * 1e6 / rows as f64);
        Ok(BareInserts {
            rows_per_second: rows as f64 / elapsed.as_secs_f64(),
            cpu_us_per_row,
        })
    }

    /// The size of the tree of the public log on disk. With SQLite it is that of all tables, so only its growth says
    /// something, while nothing else grows.
    pub(super) async fn log_bytes(&self) -> Result<u64> {
        Ok(match self {
            Self::Sqlite(ledger) => ledger.measure_bytes().await?,
            Self::Postgres { ledger, .. } => ledger.measure_log_bytes().await?,
        })
    }

    /// Adds rows that wait for the public log, in one transaction. The books do not know their coins.
    pub(super) async fn add_pending_and_break(&self, rows: &[PendingLeaves], at: LedgerTime) -> Result<()> {
        match self {
            Self::Sqlite(ledger) => ledger.add_pending_and_break_the_books(rows, at).await?,
            Self::Postgres { ledger, .. } => ledger.add_pending_and_break_the_books(rows, at).await?,
        }
        Ok(())
    }

    /// Adds `rows` spent coins of a mint key. The books do not balance afterwards.
    pub(super) async fn fill_spent_and_break(&self, mint_key: MintKeyId, rows: u64) -> Result<()> {
        let bar = ProgressBar::new("spent coins");
        let progress = |done: u64| bar.set(done as usize, rows as usize);
        match self {
            Self::Sqlite(ledger) => {
                ledger
                    .fill_spent_and_break_the_books(mint_key, rows, progress)
                    .await?
            }
            Self::Postgres { ledger, .. } => {
                ledger
                    .fill_spent_and_break_the_books(mint_key, rows, progress)
                    .await?
            }
        }
        Ok(())
    }
}

fn random_hashes(count: usize) -> Vec<[u8; HASH_BYTES]> {
    random_bytes(count * HASH_BYTES).as_chunks().0.to_vec()
}
