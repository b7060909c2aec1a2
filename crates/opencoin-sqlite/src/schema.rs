//! The schema version of the tables: reads it, checks it and migrates.

use std::path::Path;

use opencoin_ledger::{LedgerError, SchemaState, admit};
use sqlx::SqliteConnection;
use sqlx::migrate::{MigrateError, Migrator};

use crate::fault::ledger_error;
use crate::migrations::MIGRATIONS;

/// The newest version that this program knows.
pub(crate) fn known() -> i64 {
    newest(&MIGRATIONS)
}

fn newest(migrations: &Migrator) -> i64 {
    migrations
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
}

/// Returns the version of the tables, or `None` if there are no tables.
pub(crate) async fn version(connection: &mut SqliteConnection) -> Result<Option<i64>, LedgerError> {
    if !has_table(connection, "_sqlx_migrations").await? {
        return Ok(None);
    }
    let query = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success");
    query
        .fetch_one(connection)
        .await
        .map_err(|error| ledger_error(&error))
}

/// Returns an error if this program cannot work with the tables.
pub(crate) async fn check(connection: &mut SqliteConnection, path: &Path) -> Result<(), LedgerError> {
    let no_books = || {
        LedgerError::Address(format!(
            "there are no books in {}; check the path",
            path.display()
        ))
    };
    let version = version(connection).await?.ok_or_else(no_books)?;
    admit(version, known(), oldest_program(connection).await?)
}

/// Returns the oldest version that a program must know to work with the tables, if they state one.
pub(crate) async fn oldest_program(connection: &mut SqliteConnection) -> Result<Option<i64>, LedgerError> {
    if !has_table(connection, "schema_compatibility").await? {
        return Ok(None);
    }
    let query = sqlx::query_scalar("SELECT oldest_program FROM schema_compatibility WHERE id = 1");
    query
        .fetch_optional(connection)
        .await
        .map_err(|error| ledger_error(&error))
}

/// Whether the books have no transaction yet. Works on tables of every version.
pub(crate) async fn is_unused(connection: &mut SqliteConnection) -> Result<bool, LedgerError> {
    let query = sqlx::query_scalar("SELECT NOT EXISTS (SELECT 1 FROM transactions)");
    query
        .fetch_one(connection)
        .await
        .map_err(|error| ledger_error(&error))
}

/// The state of tables of this version. `migrations` are all that this program knows.
pub(crate) fn state(migrations: &Migrator, version: Option<i64>) -> SchemaState {
    let newer = migrations
        .iter()
        .filter(|migration| version.is_none_or(|version| migration.version > version));
    SchemaState {
        version,
        known: newest(migrations),
        pending: newer
            .map(|migration| (migration.version, migration.description.to_string()))
            .collect(),
    }
}

/// Brings the tables up to date.
pub(crate) async fn migrate(
    connection: &mut SqliteConnection,
    migrations: &Migrator,
) -> Result<(), LedgerError> {
    let run = migrations.run_direct(connection).await;
    run.map_err(|error| match error {
        MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => {
            LedgerError::SchemaUnknown(version)
        }
        MigrateError::Execute(error) => ledger_error(&error),
        other => LedgerError::Migration(other.to_string()),
    })
}

async fn has_table(connection: &mut SqliteConnection, name: &str) -> Result<bool, LedgerError> {
    let query =
        sqlx::query_scalar("SELECT count(*) > 0 FROM sqlite_schema WHERE type = 'table' AND name = ?")
            .bind(name);
    query
        .fetch_one(connection)
        .await
        .map_err(|error| ledger_error(&error))
}
