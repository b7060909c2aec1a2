//! Commits that make durable what others have written.
//!
//! A commit waits until a synchronous standby has it, and only then does anybody see its rows. Where that wait
//! is broken off, by a crash of the primary or by an operator, the rows are seen although no standby has them,
//! and are lost when a standby is promoted. So whoever answers from rows that they did not write themselves
//! ends with a commit of their own that writes to the write-ahead log and waits for the standby: it is durable
//! only when all of the log before it is, and with it the commits of all rows that were seen.
//!
//! A batch that changes nothing ends with [`commit`]. Reads that lead to signatures share commits
//! ([`Barrier`]). And each connection of the pool begins with one ([`SETTLE`]): after a crash of the primary all
//! connections are new, so no read answers from rows that can still be lost.
//!
//! Engines without such a function replicate each row before anybody sees it (CockroachDB, YugabyteDB), and
//! need none of this.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::{Connection, PgConnection, Postgres};
use tokio::sync::Mutex;

use crate::fault::Fault;
use crate::writer::Writer;

/// An empty record of the write-ahead log, which nothing reads. Its transaction has a number, so its commit is
/// written and waited for as any other. PostgreSQL 9.6 and later.
const WRITE: &str = "SELECT pg_logical_emit_message(true, 'opencoin', '')::text";

/// The same in a transaction of its own, where the connection may write.
const SETTLE: &str = "SELECT CASE WHEN current_setting('transaction_read_only') = 'off'
    THEN pg_logical_emit_message(true, 'opencoin', '')::text END";

/// Ends a transaction that has written nothing.
pub(crate) async fn commit(mut transaction: sqlx::Transaction<'_, Postgres>) -> Result<(), Fault> {
    match sqlx::query(WRITE).execute(&mut *transaction).await {
        Ok(_) => transaction.commit().await?,
        Err(error) => {
            transaction.rollback().await?;
            if !is_unknown_function(&error) {
                return Err(error.into());
            }
        }
    }
    Ok(())
}

/// Makes durable what this connection can see.
pub(crate) async fn settle(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    match sqlx::query(SETTLE).execute(connection).await {
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
    /// The number of the last one that came to a good end.
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
    pub(crate) async fn pass(&self) -> Result<(), Fault> {
        let before = self.commits.begun.load(Ordering::SeqCst);
        let _turn = self.commits.turn.lock().await;
        if self.commits.done.load(Ordering::SeqCst) > before {
            return Ok(());
        }
        let number = self.commits.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let mut writing = self.writer.begin().await?;
        commit(writing.begin().await?).await?;
        writing.done();
        self.commits.done.store(number, Ordering::SeqCst);
        Ok(())
    }

    pub(crate) async fn close(&self) {
        self.writer.close().await;
    }
}
