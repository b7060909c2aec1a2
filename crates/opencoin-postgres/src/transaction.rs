//! Runs all transactions and reads, with a name, a time limit, retries and a log entry for each.
//!
//! A [`Task`] holds the name and the limits. [`run`] is for writes, [`read`] for reads. Both give the work a
//! connection, which is reused only if the work ended normally. Otherwise it is closed.

use std::time::{Duration, Instant};

use opencoin_ledger::{APPLY_ATTEMPTS_MAX, LedgerError, Scoped};
use sqlx::pool::PoolConnection;
use sqlx::{Executor, PgConnection, PgPool, Postgres};
use tokio::time::timeout;

use crate::fault::Fault;
use crate::layout::LIMIT_WAITS;
use crate::writer::Writer;

/// How long one attempt at a transaction may take before the database counts as unavailable.
const ATTEMPT_DURATION_MAX: Duration = Duration::from_secs(60);

/// As [`ATTEMPT_DURATION_MAX`], for a read that a client waits for; includes the wait for a connection.
const READ_DURATION_MAX: Duration = Duration::from_secs(20);

/// As [`ATTEMPT_DURATION_MAX`], for a read of whole tables.
const LONG_READ_DURATION_MAX: Duration = Duration::from_secs(6 * 60 * 60);

/// The most attempts at a transaction whose rows stay locked. Each attempt has waited for `lock_timeout`.
const LOCKED_ATTEMPTS_MAX: u32 = 2;

/// The pause after attempt `n` is this times 2^n.
const PAUSE_UNIT: Duration = Duration::from_millis(1);

/// The name and the limits of a transaction or a read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task {
    /// The name in the log.
    name: &'static str,
    duration_max: Duration,
    attempts_max: u32,
    /// Whether to send `BEGIN` and `COMMIT`; `false` for a single statement that commits by itself.
    has_frame: bool,
}

impl Task {
    /// A transaction that is retried after a lost race.
    pub(crate) const fn transaction(name: &'static str) -> Self {
        Self {
            name,
            duration_max: ATTEMPT_DURATION_MAX,
            attempts_max: APPLY_ATTEMPTS_MAX,
            has_frame: true,
        }
    }

    /// A transaction that is tried once.
    pub(crate) const fn single_transaction(name: &'static str) -> Self {
        Self {
            attempts_max: 1,
            ..Self::transaction(name)
        }
    }

    /// One statement that commits by itself and is tried once.
    pub(crate) const fn statement(name: &'static str) -> Self {
        Self {
            name,
            duration_max: ATTEMPT_DURATION_MAX,
            attempts_max: 1,
            has_frame: false,
        }
    }

    /// A read that a client waits for.
    pub(crate) const fn read(name: &'static str) -> Self {
        Self {
            name,
            duration_max: READ_DURATION_MAX,
            attempts_max: 1,
            has_frame: false,
        }
    }

    /// A read of whole tables.
    pub(crate) const fn long_read(name: &'static str) -> Self {
        Self {
            duration_max: LONG_READ_DURATION_MAX,
            ..Self::read(name)
        }
    }
}

/// Runs a transaction, commits it, and retries it while it loses races for its rows to other processes.
///
/// If the future is dropped before the commit is sent, nothing changes. `work` may run several times.
///
/// # Errors
/// [`LedgerError::Contended`] after the last attempt; nothing was changed then. [`LedgerError::Unavailable`]
/// if the outcome is unknown.
pub(crate) async fn run<'a, T>(
    writer: &Writer,
    task: Task,
    work: impl for<'c> Fn(&'c mut PgConnection) -> Scoped<'a, 'c, Result<T, Fault>>,
) -> Result<T, LedgerError> {
    let begun = Instant::now();
    let (mut attempts, mut locked) = (0, 0);
    let result = loop {
        attempts += 1;
        match in_time(task, attempt(writer, task, &work)).await {
            Ok(done) => break Ok(done),
            Err(Fault::Failed(error)) => break Err(error),
            Err(Fault::Locked) => locked += 1,
            Err(Fault::LostRace) => {}
        }
        if attempts >= task.attempts_max || locked >= LOCKED_ATTEMPTS_MAX {
            break Err(LedgerError::Contended { attempts });
        }
        tokio::time::sleep(PAUSE_UNIT * (1 << attempts)).await;
    };
    log(task, attempts, begun, result.as_ref().err());
    result
}

/// Runs a read on a connection of the pool.
///
/// # Errors
/// The database does not answer in time, or a row is invalid.
pub(crate) async fn read<'a, T>(
    pool: &PgPool,
    task: Task,
    work: impl for<'c> FnOnce(&'c mut PgConnection) -> Scoped<'a, 'c, Result<T, LedgerError>>,
) -> Result<T, LedgerError> {
    let begun = Instant::now();
    let reading = async {
        let mut reading = Reading(Some(pool.acquire().await?));
        let answer = work(reading.connection()).await?;
        reading.done();
        Ok(answer)
    };
    let result = in_time(task, reading).await.map_err(Fault::into_error);
    log(task, 1, begun, result.as_ref().err());
    result
}

async fn attempt<'a, T>(
    writer: &Writer,
    task: Task,
    work: &impl for<'c> Fn(&'c mut PgConnection) -> Scoped<'a, 'c, Result<T, Fault>>,
) -> Result<T, Fault> {
    let mut writing = writer.begin().await?;
    if task.has_frame {
        writing.execute("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
        if writer.layout().is_distributed() {
            writing.execute(LIMIT_WAITS).await?;
        }
    }
    let result = work(&mut writing).await;
    match &result {
        Ok(_) if task.has_frame => {
            writing.execute("COMMIT").await?;
        }
        Ok(_) => {}
        // The connection may be broken, so it is closed.
        Err(fault) if fault.is_of_database() => return result,
        Err(_) if task.has_frame && writing.execute("ROLLBACK").await.is_err() => return result,
        Err(_) => {}
    }
    writing.done();
    result
}

/// Limits the time of the work. After that the database counts as unavailable.
async fn in_time<T>(task: Task, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let no_answer = |_| {
        LedgerError::Unavailable(format!(
            "no answer to {} within {} s",
            task.name,
            task.duration_max.as_secs()
        ))
    };
    timeout(task.duration_max, work).await.map_err(no_answer)?
}

fn log(task: Task, attempts: u32, begun: Instant, error: Option<&LedgerError>) {
    let millis = begun.elapsed().as_millis();
    match error {
        None => tracing::trace!(task = task.name, attempts, millis, "the database answered"),
        Some(error) => tracing::debug!(task = task.name, attempts, millis, %error, "the database failed"),
    }
}

/// A connection in use. If it is dropped without [`Reading::done`], it leaves the pool and is closed.
/// Otherwise the next reader would first have to wait for the unfinished query.
struct Reading(Option<PoolConnection<Postgres>>);

impl Reading {
    fn connection(&mut self) -> &mut PgConnection {
        self.0.as_mut().expect("the connection is present until the drop")
    }

    fn done(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(connection.detach());
        }
    }
}
