//! The snapshot in which an audit reads, while commands go on.
//!
//! A hot standby does as well; where it must choose between following the primary and a long reading, it may
//! cancel the reading, which can be repeated.

use async_trait::async_trait;
use opencoin_audit::{AuditSource, Pass, StoredAcceptance, Wanted};
use opencoin_ledger::{LedgerError, LedgerTime, scoped};
use opencoin_sql::{SqlError, audit};
use sqlx::{Connection, PgConnection};

use crate::PostgresLedger;
use crate::sql::{Sql, read_error};
use crate::transaction::{self, Task};

#[async_trait]
impl AuditSource for PostgresLedger {
    fn database(&self) -> &'static str {
        "PostgreSQL"
    }

    async fn read(&self, pass: &mut Pass) -> Result<(), LedgerError> {
        transaction::read(&self.pool, Task::long_read("audit"), |connection| {
            scoped(async move { snapshot(connection, pass).await.map_err(read_error) })
        })
        .await
    }

    async fn acceptances(&self, wanted: Wanted<'_>) -> Result<Vec<StoredAcceptance>, LedgerError> {
        transaction::read(&self.pool, Task::long_read("acceptances"), |connection| {
            scoped(async move {
                audit::acceptances(&mut Sql(connection), wanted)
                    .await
                    .map_err(read_error)
            })
        })
        .await
    }
}

async fn snapshot(connection: &mut PgConnection, pass: &mut Pass) -> Result<(), SqlError> {
    pass.settle_before(LedgerTime::from_unix_micros(time(connection).await?));
    let mut snapshot = connection
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await?;
    audit::tables(&mut Sql(&mut snapshot), pass).await?;
    Ok(snapshot.rollback().await?)
}

/// Microseconds since the epoch: now, or the time of the primary up to which a standby has followed it.
async fn time(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    let sql = "SELECT CAST(extract(epoch FROM
        CASE WHEN pg_is_in_recovery() THEN pg_last_xact_replay_timestamp() ELSE clock_timestamp() END) * 1000000 AS int8)";
    // A standby that has followed nothing yet has settled nothing.
    Ok(sqlx::query_scalar::<_, Option<i64>>(sql)
        .fetch_one(connection)
        .await?
        .unwrap_or(i64::MIN))
}
