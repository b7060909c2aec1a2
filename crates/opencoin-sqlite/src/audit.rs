//! Reads the books for an audit in one snapshot, while commands continue.
//!
//! The file is not changed, so it may be opened read-only.

use async_trait::async_trait;
use opencoin_audit::{AuditSource, Pass, StoredAcceptance, Wanted};
use opencoin_ledger::{LedgerError, scoped};
use opencoin_sql::{SqlError, audit};
use sqlx::{Connection, SqliteConnection};

use crate::SqliteLedger;
use crate::sql::{Sql, read_error};
use crate::transaction::{self, Task};

#[async_trait]
impl AuditSource for SqliteLedger {
    fn database(&self) -> &'static str {
        "SQLite"
    }

    async fn read(&self, pass: &mut Pass) -> Result<(), LedgerError> {
        transaction::read(&self.readers, Task::long_read("audit"), |connection| {
            scoped(async move { snapshot(connection, pass).await.map_err(read_error) })
        })
        .await
    }

    async fn acceptances(&self, wanted: Wanted<'_>) -> Result<Vec<StoredAcceptance>, LedgerError> {
        transaction::read(&self.readers, Task::long_read("acceptances"), |connection| {
            scoped(async move {
                audit::acceptances(&mut Sql(connection), wanted)
                    .await
                    .map_err(read_error)
            })
        })
        .await
    }
}

async fn snapshot(connection: &mut SqliteConnection, pass: &mut Pass) -> Result<(), SqlError> {
    // Only one writer at a time assigns numbers, so none appears late.
    pass.settle_at_once();
    let mut snapshot = connection.begin_with("BEGIN").await?;
    audit::tables(&mut Sql(&mut snapshot), pass).await?;
    Ok(snapshot.rollback().await?)
}
