//! Reads the books for an audit in one snapshot, while commands continue.
//!
//! An audit can read a hot standby as well. The standby may cancel a long read that conflicts with
//! replication; the audit can then be repeated.

use async_trait::async_trait;
use opencoin_audit::{AuditSource, Pass, StoredAcceptance, Wanted};
use opencoin_ledger::{LedgerError, LedgerTime, scoped};
use opencoin_sql::{SqlError, audit};
use sqlx::{Connection, PgConnection};

use crate::PostgresLedger;
use crate::layout::Layout;
use crate::sql::{Sql, read_error};
use crate::transaction::{self, Task};

#[async_trait]
impl AuditSource for PostgresLedger {
    fn database(&self) -> &'static str {
        "PostgreSQL"
    }

    async fn read(&self, pass: &mut Pass) -> Result<(), LedgerError> {
        transaction::read(&self.pool, Task::long_read("audit"), |connection| {
            scoped(async move { snapshot(connection, pass, self.layout).await.map_err(read_error) })
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

async fn snapshot(connection: &mut PgConnection, pass: &mut Pass, layout: Layout) -> Result<(), SqlError> {
    pass.settle_before(LedgerTime::from_unix_micros(time(connection).await?));
    let mut snapshot = connection
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await?;
    audit::tables(&mut Sql(&mut snapshot, layout), pass).await?;
    Ok(snapshot.rollback().await?)
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
