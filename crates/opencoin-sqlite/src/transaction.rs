//! Runs all transactions and reads, with a name, a time limit, retries and a log entry for each.
//!
//! A [`Task`] holds the name and the limits. [`run`] is for writes, [`read`] for reads.

use std::time::{Duration, Instant};

use opencoin_ledger::{APPLY_ATTEMPTS_MAX, LedgerError, Scoped};
use sqlx::{Connection, Executor, SqliteConnection, SqlitePool};
use tokio::time::timeout;

use crate::fault::Fault;
use crate::script::Script;
use crate::writer::Writer;

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
    writer: &Writer,
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

/// Runs a script that begins and commits a transaction, once.
///
/// If the future is dropped, SQLite stops after the statement that it runs. If this is the commit, everything is stored,
/// otherwise nothing.
///
/// # Errors
/// [`LedgerError::Contended`] if a condition does not hold, or another process holds the write lock; nothing was
/// changed then. [`LedgerError::Unavailable`] if the outcome is unknown.
pub(crate) async fn run_script(writer: &Writer, task: Task, script: Script<'_>) -> Result<(), LedgerError> {
    let begun = Instant::now();
    let ran = in_time(task, attempt_script(writer, script)).await;
    let result = ran.map_err(Fault::into_error);
    log(task, 1, begun, result.as_ref().err());
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
    writer: &Writer,
    work: &impl for<'c> Fn(&'c mut SqliteConnection) -> Scoped<'a, 'c, Result<T, Fault>>,
) -> Result<T, Fault> {
    let mut connection = writer.acquire().await?;
    let result = within_transaction(&mut connection, work).await;
    // On a full disk, and after some other errors, SQLite itself ends the transaction. sqlx does not notice this and
    // could never begin another one. It may also be that SQLite's thread has ended.
    if !connection.is_in_transaction() && (result.is_ok() || connection.ping().await.is_ok()) {
        connection.end();
    }
    result
}

async fn within_transaction<'a, T>(
    connection: &mut SqliteConnection,
    work: &impl for<'c> Fn(&'c mut SqliteConnection) -> Scoped<'a, 'c, Result<T, Fault>>,
) -> Result<T, Fault> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let result = work(&mut transaction).await;
    let ended = match &result {
        Ok(_) => transaction.commit().await,
        Err(_) => transaction.rollback().await,
    };
    let done = result?;
    ended?;
    Ok(done)
}

async fn attempt_script(writer: &Writer, script: Script<'_>) -> Result<(), Fault> {
    let mut connection = writer.acquire().await?;
    let ran = script.run(&mut connection).await;
    // Otherwise the state of the connection is unknown, and dropping it closes it.
    if ran.is_ok() || connection.execute("ROLLBACK").await.is_ok() {
        connection.end();
    }
    ran
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

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    use opencoin_ledger::scoped;
    use sqlx::ConnectOptions;
    use tempfile::TempDir;

    use super::*;

    const BUSY: Duration = Duration::from_millis(20);

    /// A table of numbers, its writer, and the connection of another process.
    async fn numbers() -> (Writer, SqliteConnection, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let options = crate::open::options(&folder.path().join("numbers.sqlite"))
            .create_if_missing(true)
            .busy_timeout(BUSY);
        let mut other = options.clone().connect().await.unwrap();
        let create = "CREATE TABLE numbers (n INTEGER PRIMARY KEY)";
        other.execute(create).await.unwrap();
        (Writer::new(options), other, folder)
    }

    /// A transaction that inserts numbers, each of them on the condition that it is new.
    fn script(numbers: &[i64]) -> Script<'static> {
        let mut script = Script::default();
        script.add("BEGIN IMMEDIATE", 0);
        for number in numbers {
            script.add("INSERT INTO numbers VALUES (?) ON CONFLICT DO NOTHING", 1);
            script.bind(*number).unwrap();
            script.require_changes(1).unwrap();
        }
        script.add("COMMIT", 0);
        script
    }

    async fn run_numbers(writer: &Writer, numbers: &[i64]) -> Result<(), LedgerError> {
        run_script(writer, Task::once("numbers"), script(numbers)).await
    }

    /// Asserts that another process can write at once, and then this one.
    async fn assert_works(writer: &Writer, other: &mut SqliteConnection, stored: &[i64]) {
        let numbers: Vec<i64> = sqlx::query_scalar("SELECT n FROM numbers ORDER BY n")
            .fetch_all(&mut *other)
            .await
            .unwrap();
        assert_eq!(numbers, stored);
        other.execute("INSERT INTO numbers VALUES (-1)").await.unwrap();
        run_numbers(writer, &[-2]).await.unwrap();
        let deleted = other.execute("DELETE FROM numbers WHERE n < 0").await.unwrap();
        assert_eq!(deleted.rows_affected(), 2);
    }

    #[tokio::test]
    async fn a_condition_that_does_not_hold_leaves_nothing() {
        let (writer, mut other, _folder) = numbers().await;
        run_numbers(&writer, &[1, 2]).await.unwrap();
        for numbers in [[3, 1, 4], [1, 3, 4], [3, 4, 1]] {
            let ran = run_numbers(&writer, &numbers).await;
            assert_eq!(ran, Err(LedgerError::Contended { attempts: 1 }));
            assert_works(&writer, &mut other, &[1, 2]).await;
        }
    }

    #[tokio::test]
    async fn a_statement_or_a_commit_that_fails_leaves_nothing() {
        let (writer, mut other, _folder) = numbers().await;
        // The first fails in a statement, the second ends the transaction, the third fails when it commits.
        let faults = "CREATE TRIGGER aborts BEFORE INSERT ON numbers WHEN new.n = 11
                BEGIN SELECT RAISE(ABORT, 'fault'); END;
            CREATE TRIGGER rolls_back BEFORE INSERT ON numbers WHEN new.n = 12
                BEGIN SELECT RAISE(ROLLBACK, 'fault'); END;
            CREATE TABLE late (n INTEGER REFERENCES numbers DEFERRABLE INITIALLY DEFERRED);
            CREATE TRIGGER fails_late AFTER INSERT ON numbers WHEN new.n = 13
                BEGIN INSERT INTO late VALUES (99); END;";
        other.execute(sqlx::raw_sql(faults)).await.unwrap();
        for fault in [11, 12, 13] {
            let ran = run_numbers(&writer, &[1, fault, 2]).await;
            assert!(matches!(ran, Err(LedgerError::Database(_))), "{fault}: {ran:?}");
            assert_works(&writer, &mut other, &[]).await;
        }
    }

    #[tokio::test]
    async fn a_script_waits_for_the_lock_of_another_process_and_gives_up() {
        let (writer, mut other, _folder) = numbers().await;
        for _ in 0..2 {
            let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
            let ran = run_numbers(&writer, &[1]).await;
            assert_eq!(ran, Err(LedgerError::Contended { attempts: 1 }));
            lock.rollback().await.unwrap();
            assert_works(&writer, &mut other, &[]).await;
        }
    }

    #[tokio::test]
    async fn a_dropped_script_is_stored_or_not_and_the_next_one_runs() {
        let (writer, mut other, _folder) = numbers().await;
        let (mut polls, mut stored) = (1, Vec::new());
        for first in (0..200).step_by(2) {
            let finished = {
                let numbers = [first, first + 1];
                let mut running = pin!(run_numbers(&writer, &numbers));
                let mut left = polls;
                poll_fn(|context| {
                    let polled = running.as_mut().poll(context);
                    left -= 1;
                    match polled {
                        Poll::Pending if left > 0 => Poll::Pending,
                        polled => Poll::Ready(polled.is_ready()),
                    }
                })
                .await
            };
            // It waits for the end of the dropped one.
            let repeated = run_numbers(&writer, &[first]).await.is_err();
            assert!(repeated || !finished);
            stored.extend(if repeated {
                vec![first, first + 1]
            } else {
                vec![first]
            });
            assert_works(&writer, &mut other, &stored).await;
            polls = if finished { 1 } else { polls + 1 };
        }
    }

    #[tokio::test]
    async fn after_a_panic_the_next_transaction_runs() {
        let (writer, mut other, _folder) = numbers().await;
        let panicking = writer.clone();
        let ran = tokio::spawn(async move {
            run(&panicking, Task::once("panic"), |connection| {
                scoped(async move {
                    connection.execute("INSERT INTO numbers VALUES (1)").await?;
                    if true {
                        panic!("a panic of the test");
                    }
                    Ok(())
                })
            })
            .await
        });
        assert!(ran.await.unwrap_err().is_panic());
        run_numbers(&writer, &[2]).await.unwrap();
        assert_works(&writer, &mut other, &[2]).await;
    }

    #[tokio::test]
    async fn a_closed_writer_runs_nothing() {
        let (writer, _other, _folder) = numbers().await;
        writer.close().await;
        let ran = run_numbers(&writer, &[1]).await;
        assert!(matches!(ran, Err(LedgerError::Unavailable(_))), "{ran:?}");
    }
}
