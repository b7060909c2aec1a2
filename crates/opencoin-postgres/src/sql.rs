//! Runs the shared SQL on PostgreSQL.

use async_trait::async_trait;
use futures_util::TryStreamExt;
use opencoin_ledger::LedgerError;
use opencoin_sql::{Cell, Dialect, Executor, SqlError, TakeRow, Value};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{PgConnection, Postgres, Row, TypeInfo, ValueRef};

use crate::fault::{Fault, ledger_error};
use crate::in_doubt;
use crate::layout::Layout;

static DIALECT: Dialect = dialect(false);
static DISTRIBUTED: Dialect = dialect(true);

const fn dialect(is_distributed: bool) -> Dialect {
    Dialect {
        for_update: "FOR UPDATE",
        greatest: "greatest",
        byte_length: "octet_length",
        by_bytes: "COLLATE \"C\"",
        is_distributed,
        issued: "(SELECT coalesce(sum(issued), 0)::int8 FROM mint_key_counts WHERE mint_key_no = no)",
        returned: "(SELECT coalesce(sum(returned), 0)::int8 FROM mint_key_counts WHERE mint_key_no = no)",
    }
}

/// A connection that runs the shared SQL.
pub(crate) struct Sql<'c>(pub(crate) &'c mut PgConnection, pub(crate) Layout);

#[async_trait]
impl Executor for Sql<'_> {
    fn dialect(&self) -> &'static Dialect {
        match self.1 {
            Layout::OneServer => &DIALECT,
            Layout::Distributed { .. } => &DISTRIBUTED,
        }
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
        match self.1 {
            Layout::OneServer => Ok(()),
            Layout::Distributed { .. } => Ok(in_doubt::wait_for_all(self.0).await?),
        }
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

/// Converts a row to the type that the shared SQL reads.
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

/// Converts the error of a read.
pub(crate) fn read_error(error: SqlError) -> LedgerError {
    match error {
        SqlError::Database(error) => ledger_error(&error),
        SqlError::Ledger(error) => error,
    }
}
