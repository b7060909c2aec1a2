//! Reads the books for an audit in one snapshot, while commands continue.
//!
//! An audit can read a hot standby as well, unless tables are distributed. The standby may cancel a long read that
//! conflicts with replication; the audit can then be repeated.

use std::time::Duration;

use async_trait::async_trait;
use opencoin_audit::{AuditSource, Pass, StoredAcceptance, Wanted};
use opencoin_ledger::{LedgerError, LedgerTime, scoped};
use opencoin_sql::{SqlError, audit};
use sqlx::{Connection, Executor, PgConnection, PgPool};

use crate::PostgresLedger;
use crate::in_doubt;
use crate::layout::Layout;
use crate::sql::{Sql, read_error};
use crate::transaction::{self, Task};

/// How often a snapshot of several servers is attempted. On busy books several attempts are needed.
const SNAPSHOT_ATTEMPTS_MAX: u32 = 1000;
const SNAPSHOT_PAUSE: Duration = Duration::from_millis(5);

#[async_trait]
impl AuditSource for PostgresLedger {
    fn database(&self) -> &'static str {
        "PostgreSQL"
    }

    async fn read(&self, pass: &mut Pass) -> Result<(), LedgerError> {
        transaction::read(&self.pool, Task::long_read("audit"), |connection| {
            scoped(async move {
                snapshot(&self.pool, connection, pass, self.layout)
                    .await
                    .map_err(read_error)
            })
        })
        .await
    }

    async fn acceptances(&self, wanted: Wanted<'_>) -> Result<Vec<StoredAcceptance>, LedgerError> {
        transaction::read(&self.pool, Task::long_read("acceptances"), |connection| {
            scoped(async move {
                audit::acceptances(&mut Sql(connection, self.layout), wanted)
                    .await
                    .map_err(read_error)
            })
        })
        .await
    }
}

async fn snapshot(
    pool: &PgPool,
    connection: &mut PgConnection,
    pass: &mut Pass,
    layout: Layout,
) -> Result<(), SqlError> {
    pass.settle_before(LedgerTime::from_unix_micros(time(connection).await?));
    if layout.is_distributed() && is_standby(connection).await? {
        return Err(LedgerError::Address(
            "a standby of the coordinator is behind the other servers: audit distributed books on the primary".to_owned(),
        )
        .into());
    }
    for _ in 0..SNAPSHOT_ATTEMPTS_MAX {
        let mut snapshot = connection
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await?;
        if !layout.is_distributed() || is_the_same_everywhere(pool, &mut snapshot).await? {
            audit::tables(&mut Sql(&mut snapshot, layout), pass).await?;
            return Ok(snapshot.rollback().await?);
        }
        snapshot.rollback().await?;
        tokio::time::sleep(SNAPSHOT_PAUSE).await;
    }
    let attempts = SNAPSHOT_ATTEMPTS_MAX;
    Err(LedgerError::Contended { attempts }.into())
}

/// Takes the snapshot of a transaction on every server. Returns whether all of them have the same transactions.
///
/// A server's snapshot is that of the first statement there. Both tables are read, because a server may have shards of
/// one of them only. All snapshots are the same if no transaction has ended since the first one was taken. So the
/// coordinator is asked before and after which transactions have ended. A transaction that it has committed may still
/// be prepared on other servers, so these must have none. No command waits for this.
async fn is_the_same_everywhere(pool: &PgPool, snapshot: &mut PgConnection) -> Result<bool, SqlError> {
    let ended = "SELECT pg_current_snapshot()::text";
    let mut other = pool.acquire().await?;
    let before: String = sqlx::query_scalar(ended).fetch_one(&mut *snapshot).await?;
    let prepared = in_doubt::prepared(&mut other).await?;
    snapshot.execute("SELECT max(id) FROM transactions").await?;
    snapshot.execute("SELECT max(mint_key_no) FROM spent").await?;
    let after: String = sqlx::query_scalar(ended).fetch_one(&mut *other).await?;
    Ok(prepared.is_empty() && before == after)
}

async fn is_standby(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT pg_is_in_recovery()")
        .fetch_one(connection)
        .await
}

/// The time up to which this server knows the books, in microseconds since the epoch: now, or on a standby
/// the commit time of the last replayed transaction.
async fn time(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    let sql = "SELECT CAST(extract(epoch FROM
        CASE WHEN pg_is_in_recovery() THEN pg_last_xact_replay_timestamp() ELSE clock_timestamp() END) * 1000000 AS int8)";
    // NULL on a standby that has replayed nothing yet.
    Ok(sqlx::query_scalar::<_, Option<i64>>(sql)
        .fetch_one(connection)
        .await?
        .unwrap_or(i64::MIN))
}
