//! PostgreSQL as what the shared SQL runs on.

use async_trait::async_trait;
use futures_util::TryStreamExt;
use opencoin_ledger::{Accounts, HasAccounts, LedgerError, scoped};
use opencoin_sql::{Cell, Dialect, Executor, Runner, SqlAccounts, SqlError, TakeRow, Value, Work};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{PgConnection, Postgres, Row, TypeInfo, ValueRef};
use std::sync::Arc;
use tokio::sync::Semaphore;

use crate::PostgresLedger;
use crate::fault::{Fault, ledger_error};
use crate::transaction::{self, Task};
use crate::writer::Writer;

static DIALECT: Dialect = Dialect {
    for_update: "FOR UPDATE",
    greatest: "greatest",
    by_bytes: "COLLATE \"C\"",
};

/// A connection on which the shared SQL runs.
pub(crate) struct Sql<'c>(pub(crate) &'c mut PgConnection);

#[async_trait]
impl Executor for Sql<'_> {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    async fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, SqlError> {
        Ok(query(sql, values).execute(&mut *self.0).await?.rows_affected())
    }

    async fn stream(&mut self, sql: &str, values: &[Value<'_>], take: TakeRow<'_>) -> Result<(), SqlError> {
        let mut rows = query(sql, values).fetch(&mut *self.0);
        while let Some(row) = rows.try_next().await? {
            take(cells(&row)?)?;
        }
        Ok(())
    }
}

fn query<'q>(sql: &'q str, values: &[Value<'q>]) -> Query<'q, Postgres, PgArguments> {
    values.iter().fold(sqlx::query(sql), |query, value| match *value {
        Value::Bool(value) => query.bind(value),
        Value::Int(value) => query.bind(value),
        Value::Bytes(value) => query.bind(value),
        Value::Text(value) => query.bind(value),
    })
}

/// A row as the shared SQL reads it.
pub(crate) fn cells(row: &PgRow) -> Result<opencoin_sql::Row, sqlx::Error> {
    let mut cells = Vec::with_capacity(row.len());
    for index in 0..row.len() {
        let cell = match row.try_get_raw(index)?.type_info().name() {
            "BOOL" => row.try_get::<Option<bool>, _>(index)?.map(Cell::Bool),
            "INT2" => row
                .try_get::<Option<i16>, _>(index)?
                .map(|value| Cell::Int(value.into())),
            "INT4" => row
                .try_get::<Option<i32>, _>(index)?
                .map(|value| Cell::Int(value.into())),
            "INT8" => row.try_get::<Option<i64>, _>(index)?.map(Cell::Int),
            "BYTEA" => row.try_get::<Option<Vec<u8>>, _>(index)?.map(Cell::Bytes),
            _ => row.try_get::<Option<String>, _>(index)?.map(Cell::Text),
        };
        cells.push(cell.unwrap_or(Cell::Null));
    }
    Ok(opencoin_sql::Row::new(cells))
}

impl From<SqlError> for Fault {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Database(error) => error.into(),
            SqlError::Ledger(error) => error.into(),
        }
    }
}

/// The error of a read.
pub(crate) fn read_error(error: SqlError) -> LedgerError {
    match error {
        SqlError::Database(error) => ledger_error(&error),
        SqlError::Ledger(error) => error,
    }
}

/// How many changes may be in hand or wait for the connection. More are turned away.
const CHANGES_MAX: usize = 1024;

static CHANGES: Semaphore = Semaphore::const_new(CHANGES_MAX);

/// What is known of accounts beside their money. Changes go one after another over a connection of their own, so
/// that neither batches wait for them nor they for batches.
impl Runner for PostgresLedger {
    async fn read<A: Send + Sync + 'static, T: Send + 'static>(
        &self,
        name: &'static str,
        arguments: A,
        work: Work<A, T>,
    ) -> Result<T, LedgerError> {
        transaction::read(&self.pool, Task::read(name), |connection| {
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
        let writer = self.holders.clone();
        finished(async move { change(&writer, name, &arguments, work).await }).await
    }
}

async fn change<A: Send + Sync, T: Send>(
    writer: &Writer,
    name: &'static str,
    arguments: &A,
    work: Work<A, T>,
) -> Result<T, LedgerError> {
    transaction::run(writer, Task::transaction(name), |connection| {
        scoped(async move { Ok(work(&mut Sql(connection), arguments).await?) })
    })
    .await
}

/// Runs a change to completion even if the caller is dropped: a client that hangs up must not cost the
/// connection.
async fn finished<T: Send + 'static>(
    change: impl Future<Output = Result<T, LedgerError>> + Send + 'static,
) -> Result<T, LedgerError> {
    let unavailable = |text: &str| LedgerError::Unavailable(text.to_owned());
    let place = CHANGES
        .try_acquire()
        .map_err(|_| unavailable("too many changes of accounts wait"))?;
    let change = async move {
        let _place = place;
        change.await
    };
    tokio::spawn(change)
        .await
        .map_err(|_| unavailable("a change of an account came to no end"))?
}

impl HasAccounts for PostgresLedger {
    fn accounts(&self) -> Arc<dyn Accounts> {
        Arc::new(SqlAccounts(self.clone()))
    }
}
