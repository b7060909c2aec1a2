//! Brings the tables of a file up to date, after copying the file.

use std::fs;
use std::path::{Path, PathBuf};

use opencoin_ledger::{LedgerError, SchemaState};
use sqlx::{ConnectOptions, Connection};

use crate::fault::ledger_error;
use crate::lock::beside;
use crate::{backup, lock, open, schema};

/// Suffix of the name of a copy that is being written.
const UNFINISHED: &str = ".unfinished";

/// The result of [`migrate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The state of the tables before the migration.
    pub before: SchemaState,
    /// The copy of the books before the migration; `None` if there was nothing to do.
    pub copy: Option<PathBuf>,
}

/// Returns the version of the tables at `address` and the migrations that they lack. Changes nothing.
///
/// # Errors
/// There is no file, or it is not a SQLite database.
pub async fn schema_state(address: &str) -> Result<SchemaState, LedgerError> {
    let readers = open::connect_to_read(&existing(address)?).await?;
    let mut connection = readers.acquire().await.map_err(|error| ledger_error(&error))?;
    let version = schema::version(&mut connection).await?;
    drop(connection);
    readers.close().await;
    Ok(SchemaState {
        version,
        known: schema::known(),
        pending: schema::pending(version.unwrap_or(0)),
    })
}

/// Brings the tables at `address` up to date. Does nothing if they are current or newer. Copies the books
/// first, to a file beside them that is named after their version.
///
/// # Errors
/// Another process uses the books, there are no books, or a migration fails. A migration that fails changes
/// nothing.
pub async fn migrate(address: &str) -> Result<Migrated, LedgerError> {
    let path = existing(address)?;
    let _alone = lock::alone(&path)?;
    let mut connection = open::options(&path)
        .connect()
        .await
        .map_err(|error| ledger_error(&error))?;
    let none = || {
        LedgerError::Address(format!(
            "there are no books in {}; check the path",
            path.display()
        ))
    };
    let version = schema::version(&mut connection).await?.ok_or_else(none)?;
    let before = SchemaState {
        version: Some(version),
        known: schema::known(),
        pending: schema::pending(version),
    };
    let mut copy = None;
    if version < before.known {
        copy = Some(copy_beside(&mut connection, &path, version).await?);
        schema::migrate(&mut connection).await?;
    }
    connection.close().await.map_err(|error| ledger_error(&error))?;
    Ok(Migrated { before, copy })
}

async fn copy_beside(
    connection: &mut sqlx::SqliteConnection,
    path: &Path,
    version: i64,
) -> Result<PathBuf, LedgerError> {
    let copy = beside(path, &format!(".version-{version}"));
    let unfinished = beside(&copy, UNFINISHED);
    let refused = |error: std::io::Error| LedgerError::Unavailable(format!("{}: {error}", copy.display()));
    if unfinished.exists() {
        fs::remove_file(&unfinished).map_err(refused)?;
    }
    backup::copy(connection, &unfinished).await?;
    fs::rename(&unfinished, &copy).map_err(refused)?;
    backup::sync(path.parent().unwrap_or(Path::new("/"))).map_err(refused)?;
    Ok(copy)
}

fn existing(address: &str) -> Result<PathBuf, LedgerError> {
    let path = open::path(address)?;
    if path.is_file() {
        Ok(path)
    } else {
        Err(LedgerError::Address(format!(
            "there is no database at {}; check the path",
            path.display()
        )))
    }
}
