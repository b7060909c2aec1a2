//! Commits that make the rows of other transactions durable before an answer relies on them.
//!
//! A commit waits until a synchronous standby has it, and its rows become visible only then. If a crash of
//! the primary or an operator interrupts this wait, the rows become visible although no standby has them, and
//! promoting a standby loses them. An answer that relies on rows of other transactions is therefore preceded
//! by a commit that writes to the write-ahead log and waits for the standby. It is durable only when the
//! whole log before it is, and with it the commits of all rows that were read.
//!
//! A batch that changes nothing ends with [`write`]. Reads that lead to signatures share commits
//! ([`Barrier`]). Each connection of the pool begins with one ([`SETTLE`]): after a crash of the primary all
//! connections are new, so no read returns rows that can still be lost.
//!
//! Engines without this function (CockroachDB, YugabyteDB) replicate each row before it becomes visible and
//! do not need these commits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opencoin_ledger::{LedgerError, scoped};
use sqlx::PgConnection;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::fault::Fault;
use crate::in_doubt;
use crate::layout::Layout;
use crate::transaction::{Task, run};
use crate::writer::Writer;

/// Writes an empty record to the write-ahead log, which nothing reads. Its transaction gets an id, so its
/// commit is written and waits like any other. Available since PostgreSQL 9.6.
const WRITE: &str = "SELECT pg_logical_emit_message(true, 'opencoin', '')::text";

/// As [`WRITE`], but does nothing on a read-only connection.
const SETTLE: &str = "SELECT CASE WHEN current_setting('transaction_read_only') = 'off'
    THEN pg_logical_emit_message(true, 'opencoin', '')::text END";

/// How long a caller waits for a durable commit, including the commits before it in the queue.
const BARRIER_DURATION_MAX: Duration = Duration::from_secs(60);

/// Makes the commit of a transaction that has written nothing wait as if it had. Engines without the function
/// do not need it (see above); on them this does nothing.
pub(crate) async fn write(connection: &mut PgConnection, layout: Layout) -> Result<(), Fault> {
    if layout.is_distributed() {
        write_on_workers(connection).await?;
    }
    execute(connection, WRITE).await.map_err(Fault::from)
}

/// Commits an empty record on each other server, which waits for the standby of that server.
async fn write_on_workers(connection: &mut PgConnection) -> Result<(), Fault> {
    let sql = "SELECT coalesce(bool_and(success), true) FROM run_command_on_workers($1)";
    let query = sqlx::query_scalar(sql).bind(WRITE);
    let all: bool = query.fetch_one(connection).await?;
    if all {
        Ok(())
    } else {
        Err(in_doubt::no_answer().into())
    }
}

/// Makes everything durable that this connection can see.
pub(crate) async fn settle(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    execute(connection, SETTLE).await
}

async fn execute(connection: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    match sqlx::query(sql).execute(connection).await {
        Err(error) if !is_unknown_function(&error) => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn is_unknown_function(error: &sqlx::Error) -> bool {
    const FEATURE_NOT_SUPPORTED: &str = "0A000";
    const UNDEFINED_FUNCTION: &str = "42883";
    error
        .as_database_error()
        .and_then(|error| error.code())
        .is_some_and(|code| [FEATURE_NOT_SUPPORTED, UNDEFINED_FUNCTION].contains(&code.as_ref()))
}

/// Makes durable commits one at a time. Callers that wait at the same time share the next one.
#[derive(Debug, Clone)]
pub(crate) struct Barrier {
    writer: Writer,
    layout: Layout,
    commits: Arc<Commits>,
}

#[derive(Debug, Default)]
struct Commits {
    turn: Mutex<()>,
    /// Number of commits that have begun.
    begun: AtomicU64,
    /// Number of the newest commit that succeeded.
    done: AtomicU64,
}

impl Barrier {
    pub(crate) fn new(writer: Writer, layout: Layout) -> Self {
        Self {
            writer,
            layout,
            commits: Arc::default(),
        }
    }

    /// Returns when a commit that began after the call is durable.
    ///
    /// # Errors
    /// The commit failed, or took longer than [`BARRIER_DURATION_MAX`].
    pub(crate) async fn pass(&self) -> Result<(), LedgerError> {
        let no_answer = |_| {
            LedgerError::Unavailable(
                "no commit became durable in time; check the synchronous standby".to_owned(),
            )
        };
        timeout(BARRIER_DURATION_MAX, self.commit())
            .await
            .map_err(no_answer)?
    }

    async fn commit(&self) -> Result<(), LedgerError> {
        let before = self.commits.begun.load(Ordering::SeqCst);
        let _turn = self.commits.turn.lock().await;
        if self.commits.done.load(Ordering::SeqCst) > before {
            return Ok(());
        }
        let number = self.commits.begun.fetch_add(1, Ordering::SeqCst) + 1;
        run(&self.writer, Task::transaction("make durable"), |connection| {
            scoped(write(connection, self.layout))
        })
        .await?;
        self.commits.done.store(number, Ordering::SeqCst);
        Ok(())
    }

    pub(crate) async fn close(&self) {
        self.writer.close().await;
    }
}
