//! Account data other than balances. The SQL is shared with the other store; this module runs it on
//! connections to SQLite.

use std::sync::Arc;

use opencoin_ledger::bank::BankStore;
use opencoin_ledger::{
    Accounts, HasAccounts, HasLog, HasOperators, LedgerError, LogStore, Operators, scoped,
};
use opencoin_sql::{Runner, SqlAccounts, SqlBank, SqlLog, SqlOperators, Work};

use crate::SqliteLedger;
use crate::sql::{Sql, read_error};
use crate::transaction::{self, Task};

/// Changes share the connection that writes with batches, because SQLite has one write lock.
impl Runner for SqliteLedger {
    async fn read<A: Send + Sync + 'static, T: Send + 'static>(
        &self,
        name: &'static str,
        arguments: A,
        work: Work<A, T>,
    ) -> Result<T, LedgerError> {
        transaction::read(&self.readers, Task::read(name), |connection| {
            scoped(async move { work(&mut Sql(connection), &arguments).await.map_err(read_error) })
        })
        .await
    }

    async fn change<A: Send + Sync + 'static, T: Send + 'static>(
        &self,
        name: &'static str,
        arguments: A,
        work: Work<A, T>,
    ) -> Result<T, LedgerError> {
        let arguments = &arguments;
        transaction::run(&self.writer, Task::transaction(name), |connection| {
            scoped(async move { Ok(work(&mut Sql(connection), arguments).await?) })
        })
        .await
    }
}

impl HasAccounts for SqliteLedger {
    fn accounts(&self) -> Arc<dyn Accounts> {
        Arc::new(SqlAccounts(self.clone()))
    }
}

impl HasOperators for SqliteLedger {
    fn operators(&self) -> Arc<dyn Operators> {
        Arc::new(SqlOperators(self.clone()))
    }

    fn bank(&self) -> Arc<dyn BankStore> {
        Arc::new(SqlBank(self.clone()))
    }
}

impl HasLog for SqliteLedger {
    fn log(&self) -> Arc<dyn LogStore> {
        Arc::new(SqlLog(self.clone()))
    }
}
