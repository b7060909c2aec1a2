//! Commits that make durable what others have written.
//!
//! A commit waits until a synchronous standby has it, and only then does anybody see its rows. Where that wait
//! is broken off, by a crash of the primary or by an operator, the rows are seen although no standby has them,
//! and are lost when a standby is promoted. So whoever answers from rows that they did not write themselves
//! ends with a commit of their own that writes to the write-ahead log and waits for the standby: it is durable
//! only when all of the log before it is, and with it the commits of all rows that were seen.
//!
//! A batch that changes nothing ends with [`write`]. Reads that lead to signatures share commits
//! ([`Barrier`]). And each connection of the pool begins with one ([`SETTLE`]): after a crash of the primary all
//! connections are new, so no read answers from rows that can still be lost.
//!
//! Engines without such a function replicate each row before anybody sees it (CockroachDB, YugabyteDB), and
//! need none of this.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opencoin_ledger::{LedgerError, scoped};
use sqlx::PgConnection;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::fault::Fault;
use crate::transaction::{Task, run};
use crate::writer::Writer;

/// An empty record of the write-ahead log, which nothing reads. Its transaction has a number, so its commit is
/// written and waited for as any other. PostgreSQL 9.6 and later.
const WRITE: &str = "SELECT pg_logical_emit_message(true, 'opencoin', '')::text";

/// The same in a transaction of its own, where the connection may write.
const SETTLE: &str = "SELECT CASE WHEN current_setting('transaction_read_only') = 'off'
    THEN pg_logical_emit_message(true, 'opencoin', '')::text END";

/// How long a caller waits for a commit that makes durable what they have read, the commits before it included.
const BARRIER_DURATION_MAX: Duration = Duration::from_secs(60);

/// Lets the commit of a transaction that has written nothing wait as if it had. Where the engine has no such
/// function, the transaction ends without a commit, which is as good.
pub(crate) async fn write(connection: &mut PgConnection) -> Result<(), Fault> {
    execute(connection, WRITE).await.map_err(Fault::from)
}

/// Makes durable what this connection can see.
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

/// Durable commits, one after another; callers that wait at the same time share the next one.
#[derive(Debug, Clone)]
pub(crate) struct Barrier {
    writer: Writer,
    commits: Arc<Commits>,
}

#[derive(Debug, Default)]
struct Commits {
    turn: Mutex<()>,
    /// How many have begun.
    begun: AtomicU64,
    /// The number of the last one that succeeded.
    done: AtomicU64,
}

impl Barrier {
    pub(crate) fn new(writer: Writer) -> Self {
        Self {
            writer,
            commits: Arc::default(),
        }
    }

    /// Returns when a commit is durable that began after the call.
    ///
    /// # Errors
    /// The commit failed, or did not succeed in time.
    pub(crate) async fn pass(&self) -> Result<(), LedgerError> {
        let no_answer = |_| LedgerError::Unavailable("no commit is durable in time".to_owned());
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
            scoped(write(connection))
        })
        .await?;
        self.commits.done.store(number, Ordering::SeqCst);
        Ok(())
    }

    pub(crate) async fn close(&self) {
        self.writer.close().await;
    }
}
