//! Runs the shared SQL on SQLite.

use async_trait::async_trait;
use futures_util::TryStreamExt;
use opencoin_ledger::LedgerError;
use opencoin_sql::{Cell, Dialect, Executor, SqlError, TakeRow, Value};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row, Sqlite, SqliteConnection, TypeInfo, ValueRef};

use crate::fault::{Fault, ledger_error};

pub(crate) static DIALECT: Dialect = Dialect {
    for_update: "",
    greatest: "max",
    byte_length: "length",
    by_bytes: "COLLATE BINARY",
    is_distributed: false,
    issued: "issued",
    returned: "returned",
};

/// A connection that runs the shared SQL.
pub(crate) struct Sql<'c>(pub(crate) &'c mut SqliteConnection);

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

    async fn wait_for_commits(&mut self) -> Result<(), SqlError> {
        Ok(())
    }
}

fn query<'q>(sql: &'q str, values: &[Value<'q>]) -> Query<'q, Sqlite, SqliteArguments<'q>> {
    values.iter().fold(sqlx::query(sql), |query, value| match *value {
        Value::Bool(value) => query.bind(value),
        Value::Int(value) => query.bind(value),
        Value::Bytes(value) => query.bind(value),
        Value::Text(value) => query.bind(value),
    })
}

/// Converts a row to the type that the shared SQL reads.
pub(crate) fn cells(row: &SqliteRow) -> Result<opencoin_sql::Row, sqlx::Error> {
    let mut cells = Vec::with_capacity(row.len());
    for index in 0..row.len() {
        let cell = match row.try_get_raw(index)?.type_info().name() {
            "NULL" => None,
            "TEXT" => row.try_get_unchecked::<Option<String>, _>(index)?.map(Cell::Text),
            "BLOB" => row
                .try_get_unchecked::<Option<Vec<u8>>, _>(index)?
                .map(Cell::Bytes),
            _ => row.try_get_unchecked::<Option<i64>, _>(index)?.map(Cell::Int),
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

/// Converts the error of a read.
pub(crate) fn read_error(error: SqlError) -> LedgerError {
    match error {
        SqlError::Database(error) => ledger_error(&error),
        SqlError::Ledger(error) => error,
    }
}
