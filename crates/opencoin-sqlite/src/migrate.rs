//! Bringing the tables of a file up to date, with a copy of what was there beside it.

use std::fs;
use std::path::{Path, PathBuf};

use opencoin_ledger::{LedgerError, SchemaState};
use sqlx::{ConnectOptions, Connection};

use crate::fault::ledger_error;
use crate::lock::beside;
use crate::{backup, lock, open, schema};

/// The end of the name of a copy that is being written.
const UNFINISHED: &str = ".unfinished";

/// What a migration has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The tables before it.
    pub before: SchemaState,
    /// The copy of the books before it, where something was done.
    pub copy: Option<PathBuf>,
}

/// The version of the tables at `address`. Nothing changes there.
///
/// # Errors
/// There is no file, or it is no SQLite database.
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

/// Brings the tables at `address` up to date; does nothing where they are, or where they are newer. What was
/// there is copied to a file beside it first, named after the version.
///
/// # Errors
/// Somebody uses the books, there are none, or a migration failed; then its tables are as before it.
pub async fn migrate(address: &str) -> Result<Migrated, LedgerError> {
    let path = existing(address)?;
    let _alone = lock::alone(&path)?;
    let mut connection = open::options(&path)
        .connect()
        .await
        .map_err(|error| ledger_error(&error))?;
    let none = || LedgerError::Address(format!("there are no books in {}", path.display()));
    let version = schema::version(&mut connection).await?.ok_or_else(none)?;
    let before = SchemaState {
        version: Some(version),
        known: schema::known(),
        pending: schema::pending(version),
    };
    let mut copy = None;
    if version < before.known {
        copy = Some(copied(&mut connection, &path, version).await?);
        schema::migrate(&mut connection).await?;
    }
    connection.close().await.map_err(|error| ledger_error(&error))?;
    Ok(Migrated { before, copy })
}

async fn copied(
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
            "there is no database at {}",
            path.display()
        )))
    }
}
