//! The one place that runs transactions and reads: it gives each a name, limits its time, repeats it where
//! that helps, and logs what became of it.
//!
//! A [`Task`] names the work and its limits. [`run`] writes, [`read`] reads. Both hand the work a connection,
//! and the connection is used again only when the work came to its end; in doubt it is closed.

use std::time::{Duration, Instant};

use opencoin_ledger::{APPLY_ATTEMPTS_MAX, LedgerError, Scoped};
use sqlx::pool::PoolConnection;
use sqlx::{Executor, PgConnection, PgPool, Postgres};
use tokio::time::timeout;

use crate::fault::Fault;
use crate::writer::Writer;

/// How long one attempt at a transaction may take before the database counts as unavailable.
const ATTEMPT_DURATION_MAX: Duration = Duration::from_secs(60);

/// The same for a read that a client waits for, the wait for a connection included.
const READ_DURATION_MAX: Duration = Duration::from_secs(20);

/// The same for a read of whole tables.
const LONG_READ_DURATION_MAX: Duration = Duration::from_secs(6 * 60 * 60);

/// How often a transaction is tried whose rows stay locked: each attempt has waited for `lock_timeout`.
const LOCKED_ATTEMPTS_MAX: u32 = 2;

/// The pause before the second attempt; each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(1);

/// The name and the limits of a transaction or a read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task {
    /// What the log calls it.
    name: &'static str,
    duration_max: Duration,
    attempts_max: u32,
    /// `false` for a single statement that commits by itself.
    has_frame: bool,
}

impl Task {
    /// A transaction that is tried again after a lost race.
    pub(crate) const fn transaction(name: &'static str) -> Self {
        Self {
            name,
            duration_max: ATTEMPT_DURATION_MAX,
            attempts_max: APPLY_ATTEMPTS_MAX,
            has_frame: true,
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

    /// A read that somebody waits for.
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

/// Runs a transaction, commits it, and repeats it while other processes win the races for its rows.
///
/// Dropped before the commit is sent, it leaves nothing. `work` may run several times.
///
/// # Errors
/// [`LedgerError::Contended`] after the last attempt; nothing was done then. [`LedgerError::Unavailable`]
/// where the outcome is unknown.
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
        tokio::time::sleep(FIRST_PAUSE * (1 << attempts)).await;
    };
    log(task, attempts, begun, result.as_ref().err());
    result
}

/// Runs a read on a connection of the pool.
///
/// # Errors
/// The database does not answer in time, or a row makes no sense.
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
    }
    let result = work(&mut writing).await;
    match &result {
        Ok(_) if task.has_frame => {
            writing.execute("COMMIT").await?;
        }
        Ok(_) => {}
        // The connection may be broken: it is closed.
        Err(fault) if fault.is_of_database() => return result,
        Err(_) if task.has_frame && writing.execute("ROLLBACK").await.is_err() => return result,
        Err(_) => {}
    }
    writing.done();
    result
}

/// A database that does not answer counts as unavailable after a while.
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
        None => tracing::trace!(task = task.name, attempts, millis, "the database has answered"),
        Some(error) => tracing::debug!(task = task.name, attempts, millis, %error, "the database has failed"),
    }
}

/// A connection in use. Dropped without [`Reading::done`] it leaves the pool and is closed: the pool would
/// hand it to the next reader, who would wait for the answer to a question of somebody else.
struct Reading(Option<PoolConnection<Postgres>>);

impl Reading {
    fn connection(&mut self) -> &mut PgConnection {
        self.0.as_mut().expect("it is there until it is dropped")
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
