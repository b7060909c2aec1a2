//! The schema version of the tables: reads it, checks it and migrates.

use opencoin_ledger::{LedgerError, SchemaState, Scoped, admit, scoped};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{PgConnection, PgPool};

use crate::fault::ledger_error;
use crate::migrations::MIGRATIONS;
use crate::transaction::{self, Task};

/// Returns the version of the tables and the migrations that they lack.
pub(crate) async fn state(pool: &PgPool, migrations: &Migrator) -> Result<SchemaState, LedgerError> {
    let version = read(pool, |connection| scoped(version(connection))).await?;
    let newer = migrations
        .iter()
        .filter(|migration| version.is_none_or(|version| migration.version > version));
    let pending = newer
        .map(|migration| (migration.version, migration.description.to_string()))
        .collect();
    Ok(SchemaState {
        version,
        known: newest(migrations),
        pending,
    })
}

/// Runs a read of the version with the usual time limit.
async fn read<'a, T>(
    pool: &PgPool,
    work: impl for<'c> FnOnce(&'c mut PgConnection) -> Scoped<'a, 'c, Result<T, LedgerError>>,
) -> Result<T, LedgerError> {
    transaction::read(pool, Task::read("schema version"), work).await
}

/// Returns an error if this program cannot work with the tables.
pub(crate) async fn check(pool: &PgPool) -> Result<(), LedgerError> {
    read(pool, |connection| {
        scoped(async move {
            let version = version(&mut *connection).await?.ok_or_else(no_books)?;
            admit(version, known(), oldest_program(connection).await?)
        })
    })
    .await
}

/// Returns the version of the tables, or `None` if there are no tables.
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
pub(crate) async fn migrate(pool: &PgPool, migrations: &Migrator) -> Result<(), LedgerError> {
    migrations.run(pool).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => {
            LedgerError::SchemaUnknown(version)
        }
        MigrateError::Execute(error) => ledger_error(&error),
        other => LedgerError::Migration(other.to_string()),
    })
}

/// Creates missing tables if the books have no transaction yet: there are no tables, or another process was
/// interrupted while it created them, or is creating them now.
pub(crate) async fn make(pool: &PgPool) -> Result<(), LedgerError> {
    let is_incomplete = read(pool, |connection| {
        scoped(async move {
            Ok(match version(&mut *connection).await? {
                None => true,
                Some(version) => version < known() && is_unused(connection).await?,
            })
        })
    })
    .await?;
    if is_incomplete {
        migrate(pool, &MIGRATIONS).await
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
    LedgerError::Address("there are no books in this database; check its address".to_owned())
}

fn known() -> i64 {
    newest(&MIGRATIONS)
}

fn newest(migrations: &Migrator) -> i64 {
    migrations
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
}

/// Returns the oldest version that a program must know to work with the tables, if they state one.
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

/// Whether the search path contains a table of this name.
async fn has_table(connection: &mut PgConnection, name: &str) -> Result<bool, LedgerError> {
    let query = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(name);
    query
        .fetch_one(connection)
        .await
        .map_err(|error| ledger_error(&error))
}
