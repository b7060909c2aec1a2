//! Runs all transactions and reads, with a name, a time limit, retries and a log entry for each.
//!
//! A [`Task`] holds the name and the limits. [`run`] is for writes, [`read`] for reads.

use std::time::{Duration, Instant};

use opencoin_ledger::{APPLY_ATTEMPTS_MAX, LedgerError, Scoped};
use sqlx::{SqliteConnection, SqlitePool};
use tokio::time::timeout;

use crate::fault::Fault;

/// How long one attempt at a transaction may take before the file counts as unavailable.
const ATTEMPT_DURATION_MAX: Duration = Duration::from_secs(60);

/// As [`ATTEMPT_DURATION_MAX`], for a read that a client waits for; includes the wait for a connection.
const READ_DURATION_MAX: Duration = Duration::from_secs(20);

/// As [`ATTEMPT_DURATION_MAX`], for a read of whole tables.
const LONG_READ_DURATION_MAX: Duration = Duration::from_secs(6 * 60 * 60);

/// The name and the limits of a transaction or a read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task {
    /// The name in the log.
    name: &'static str,
    duration_max: Duration,
    attempts_max: u32,
}

impl Task {
    /// A transaction that is retried while another process holds the write lock. Each attempt waits for the
    /// lock.
    pub(crate) const fn transaction(name: &'static str) -> Self {
        Self {
            name,
            duration_max: ATTEMPT_DURATION_MAX,
            attempts_max: APPLY_ATTEMPTS_MAX,
        }
    }

    /// A transaction that is tried once.
    pub(crate) const fn once(name: &'static str) -> Self {
        Self {
            attempts_max: 1,
            ..Self::transaction(name)
        }
    }

    /// A read that a client waits for.
    pub(crate) const fn read(name: &'static str) -> Self {
        Self {
            duration_max: READ_DURATION_MAX,
            ..Self::once(name)
        }
    }

    /// A read of whole tables.
    pub(crate) const fn long_read(name: &'static str) -> Self {
        Self {
            duration_max: LONG_READ_DURATION_MAX,
            ..Self::once(name)
        }
    }
}

/// Takes the write lock, runs a transaction and commits it. Retries while another process holds the lock.
///
/// If the future is dropped before the commit is sent, nothing changes. `work` may run several times.
///
/// # Errors
/// [`LedgerError::Contended`] after the last attempt; nothing was changed then. [`LedgerError::Unavailable`]
/// if the outcome is unknown.
pub(crate) async fn run<'a, T>(
    writer: &SqlitePool,
    task: Task,
    work: impl for<'c> Fn(&'c mut SqliteConnection) -> Scoped<'a, 'c, Result<T, Fault>>,
) -> Result<T, LedgerError> {
    let begun = Instant::now();
    let mut attempts = 0;
    let result = loop {
        attempts += 1;
        match in_time(task, attempt(writer, &work)).await {
            Ok(done) => break Ok(done),
            Err(Fault::Failed(error)) => break Err(error),
            Err(Fault::Busy | Fault::Contradiction) if attempts >= task.attempts_max => {
                break Err(LedgerError::Contended { attempts });
            }
            Err(Fault::Busy | Fault::Contradiction) => {}
        }
    };
    log(task, attempts, begun, result.as_ref().err());
    result
}

/// Runs a read on a connection of the pool.
///
/// # Errors
/// The file cannot be read in time, or a row is invalid.
pub(crate) async fn read<'a, T>(
    readers: &SqlitePool,
    task: Task,
    work: impl for<'c> FnOnce(&'c mut SqliteConnection) -> Scoped<'a, 'c, Result<T, LedgerError>>,
) -> Result<T, LedgerError> {
    let begun = Instant::now();
    let reading = async {
        let mut connection = readers.acquire().await?;
        Ok(work(&mut connection).await?)
    };
    let result = in_time(task, reading).await.map_err(Fault::into_error);
    log(task, 1, begun, result.as_ref().err());
    result
}

async fn attempt<'a, T>(
    writer: &SqlitePool,
    work: &impl for<'c> Fn(&'c mut SqliteConnection) -> Scoped<'a, 'c, Result<T, Fault>>,
) -> Result<T, Fault> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    let result = work(&mut transaction).await;
    // After an error, dropping the transaction rolls it back, unless SQLite has done so.
    if result.is_ok() {
        transaction.commit().await?;
    }
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
