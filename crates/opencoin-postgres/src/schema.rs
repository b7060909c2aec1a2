//! The versions of the tables.

use opencoin_ledger::{LedgerError, SchemaState, Scoped, admit, scoped};
use sqlx::migrate::MigrateError;
use sqlx::{PgConnection, PgPool};

use crate::fault::ledger_error;
use crate::migrations::MIGRATIONS;
use crate::transaction::{self, Task};

/// The tables and what this program knows of them.
pub(crate) async fn state(pool: &PgPool) -> Result<SchemaState, LedgerError> {
    let version = read(pool, |connection| scoped(version(connection))).await?;
    let newer = MIGRATIONS
        .iter()
        .filter(|migration| version.is_none_or(|version| migration.version > version));
    let pending = newer
        .map(|migration| (migration.version, migration.description.to_string()))
        .collect();
    Ok(SchemaState {
        version,
        known: known(),
        pending,
    })
}

/// Reads the version within the time limit of every read.
async fn read<'a, T>(
    pool: &PgPool,
    work: impl for<'c> FnOnce(&'c mut PgConnection) -> Scoped<'a, 'c, Result<T, LedgerError>>,
) -> Result<T, LedgerError> {
    transaction::read(pool, Task::read("schema version"), work).await
}

/// Refuses tables that this program does not work with.
pub(crate) async fn check(pool: &PgPool) -> Result<(), LedgerError> {
    read(pool, |connection| {
        scoped(async move {
            let version = version(&mut *connection).await?.ok_or_else(no_books)?;
            admit(version, known(), oldest_program(connection).await?)
        })
    })
    .await
}

/// The version of the tables; `None` in a database without any.
async fn version(connection: &mut PgConnection) -> Result<Option<i64>, LedgerError> {
    if !has_table(&mut *connection, "_sqlx_migrations").await? {
        return Ok(None);
    }
    let query = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success");
    query
        .fetch_one(connection)
        .await
        .map_err(|error| ledger_error(&error))
}

/// Brings the tables up to date.
pub(crate) async fn migrate(pool: &PgPool) -> Result<(), LedgerError> {
    MIGRATIONS.run(pool).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => {
            LedgerError::SchemaUnknown(version)
        }
        MigrateError::Execute(error) => ledger_error(&error),
        other => LedgerError::Migration(other.to_string()),
    })
}

/// Makes the tables that are missing in books in which nothing has happened: there are none yet, or whoever
/// began to make them was interrupted, or is at it.
pub(crate) async fn make(pool: &PgPool) -> Result<(), LedgerError> {
    let is_to_be_made = read(pool, |connection| {
        scoped(async move {
            Ok(match version(&mut *connection).await? {
                None => true,
                Some(version) => version < known() && is_unused(connection).await?,
            })
        })
    })
    .await?;
    if is_to_be_made {
        migrate(pool).await
    } else {
        Ok(())
    }
}

async fn is_unused(connection: &mut PgConnection) -> Result<bool, LedgerError> {
    let query = sqlx::query_scalar("SELECT NOT EXISTS (SELECT 1 FROM transactions)");
    query
        .fetch_one(connection)
        .await
        .map_err(|error| ledger_error(&error))
}

pub(crate) fn no_books() -> LedgerError {
    LedgerError::Address("there are no books in this database".to_owned())
}

fn known() -> i64 {
    MIGRATIONS
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
}

/// Which version a program must know at least, where the tables say so.
async fn oldest_program(connection: &mut PgConnection) -> Result<Option<i64>, LedgerError> {
    if !has_table(&mut *connection, "schema_compatibility").await? {
        return Ok(None);
    }
    let query = sqlx::query_scalar("SELECT oldest_program FROM schema_compatibility WHERE id = 1");
    query
        .fetch_optional(connection)
        .await
        .map_err(|error| ledger_error(&error))
}

/// Whether a name in the search path is a table's.
async fn has_table(connection: &mut PgConnection, name: &str) -> Result<bool, LedgerError> {
    let query = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(name);
    query
        .fetch_one(connection)
        .await
        .map_err(|error| ledger_error(&error))
}
