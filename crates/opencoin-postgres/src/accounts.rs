//! Account data other than balances. The SQL is shared with the other store; this module runs it on
//! connections to PostgreSQL.

use std::sync::Arc;

use opencoin_ledger::bank::BankStore;
use opencoin_ledger::{
    Accounts, HasAccounts, HasLog, HasOperators, LedgerError, LogStore, Operators, scoped,
};
use opencoin_sql::{Runner, SqlAccounts, SqlBank, SqlLog, SqlOperators, Work};
use tokio::sync::Semaphore;

use crate::PostgresLedger;
use crate::layout::Layout;
use crate::sql::{Sql, read_error};
use crate::transaction::{self, Task};
use crate::writer::Writer;

/// The most changes that run or wait for a connection in this process. Further ones are refused.
const CHANGES_MAX: usize = 1024;

static CHANGES: Semaphore = Semaphore::const_new(CHANGES_MAX);

/// Changes use connections of their own, so that they and batches do not wait for each other.
impl Runner for PostgresLedger {
    async fn read<A: Send + Sync + 'static, T: Send + 'static>(
        &self,
        name: &'static str,
        arguments: A,
        work: Work<A, T>,
    ) -> Result<T, LedgerError> {
        let layout = self.layout;
        transaction::read(&self.pool, Task::read(name), |connection| {
            scoped(async move {
                work(&mut Sql(connection, layout), &arguments)
                    .await
                    .map_err(read_error)
            })
        })
        .await
    }

    async fn change<A: Send + Sync + 'static, T: Send + 'static>(
        &self,
        name: &'static str,
        arguments: A,
        work: Work<A, T>,
    ) -> Result<T, LedgerError> {
        let (writer, layout) = (self.holders.clone(), self.layout);
        finished(async move { change(&writer, name, &arguments, work, layout).await }).await
    }
}

async fn change<A: Send + Sync, T: Send>(
    writer: &Writer,
    name: &'static str,
    arguments: &A,
    work: Work<A, T>,
    layout: Layout,
) -> Result<T, LedgerError> {
    transaction::run(writer, Task::transaction(name), |connection| {
        scoped(async move { Ok(work(&mut Sql(connection, layout), arguments).await?) })
    })
    .await
}

/// Runs a change to completion even if the caller is dropped: otherwise each client that hangs up would close
/// a connection.
pub(crate) async fn finished<T: Send + 'static>(
    change: impl Future<Output = Result<T, LedgerError>> + Send + 'static,
) -> Result<T, LedgerError> {
    let unavailable = |text: &str| LedgerError::Unavailable(text.to_owned());
    let place = CHANGES
        .try_acquire()
        .map_err(|_| unavailable("too many changes of accounts are waiting; try again later"))?;
    let change = async move {
        let _place = place;
        change.await
    };
    tokio::spawn(change)
        .await
        .map_err(|_| unavailable("a change of an account did not finish"))?
}

impl HasAccounts for PostgresLedger {
    fn accounts(&self) -> Arc<dyn Accounts> {
        Arc::new(SqlAccounts(self.clone()))
    }
}

impl HasOperators for PostgresLedger {
    fn operators(&self) -> Arc<dyn Operators> {
        Arc::new(SqlOperators(self.clone()))
    }

    fn bank(&self) -> Arc<dyn BankStore> {
        Arc::new(SqlBank(self.clone()))
    }
}

impl HasLog for PostgresLedger {
    fn log(&self) -> Arc<dyn LogStore> {
        Arc::new(SqlLog(self.clone()))
    }
}
