//! Copies of the books: made while the books are in use, inspected, and put in place of other books.
//!
//! A copy is a consistent snapshot (`VACUUM INTO`). It is checked and synced to disk before the function
//! returns. A copy replaces other books by one rename, so a crash leaves either the old or the new books
//! complete.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use opencoin_ledger::{BooksPosition, HistoryId, LedgerError, LedgerTime, admit};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use crate::fault::ledger_error;
use crate::{history, lock, open, schema};

/// The contents of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The schema version of its tables.
    pub schema_version: i64,
    /// The history and the newest record of the books.
    pub position: BooksPosition,
}

/// What [`replace`] did with the previous books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// There were no books before.
    Nothing,
    /// The previous books are kept under the name `kept`.
    Kept,
}

/// Copies the books at `address`, while they are in use, into a new file at `target` that only its owner can
/// read.
///
/// # Errors
/// There are no books, the disk is full, or the copy is damaged. A file at `target` is unusable then.
pub async fn copy_into(address: &str, target: &Path) -> Result<(), LedgerError> {
    let path = open::path(address)?;
    if !path.is_file() {
        return Err(LedgerError::Address(format!(
            "there is no database at {}; check the path",
            path.display()
        )));
    }
    let _shared = lock::shared(&path)?;
    let mut connection = open::options(&path)
        .connect()
        .await
        .map_err(|error| ledger_error(&error))?;
    copy(&mut connection, target).await?;
    connection.close().await.map_err(|error| ledger_error(&error))
}

/// As [`copy_into`], with a connection to the books.
pub(crate) async fn copy(books: &mut SqliteConnection, target: &Path) -> Result<(), LedgerError> {
    let name = target
        .to_str()
        .ok_or_else(|| LedgerError::Address("a path must be valid UTF-8".to_owned()))?;
    // SQLite would create the file readable for all. It accepts an empty one.
    open::create(target)?;
    sqlx::query("VACUUM INTO ?")
        .bind(name)
        .execute(books)
        .await
        .map_err(|error| ledger_error(&error))?;
    let mut copy = at_rest(target)
        .connect()
        .await
        .map_err(|error| ledger_error(&error))?;
    check(&mut copy, target).await?;
    copy.close().await.map_err(|error| ledger_error(&error))?;
    sync(target).map_err(|error| LedgerError::Unavailable(format!("{}: {error}", target.display())))
}

/// Checks the integrity of a copy that is not in use, and returns its contents.
///
/// # Errors
/// The copy is damaged, or this program cannot work with its schema version.
pub async fn inspect(copy: &Path) -> Result<Copied, LedgerError> {
    let mut connection = at_rest(copy)
        .connect()
        .await
        .map_err(|error| ledger_error(&error))?;
    check(&mut connection, copy).await?;
    let none = || {
        LedgerError::Address(format!(
            "there are no books in {}; check the path",
            copy.display()
        ))
    };
    let schema_version = schema::version(&mut connection).await?.ok_or_else(none)?;
    admit(
        schema_version,
        schema::known(),
        schema::oldest_program(&mut connection).await?,
    )?;
    let position = history::position(&mut connection, None).await?;
    connection.close().await.map_err(|error| ledger_error(&error))?;
    Ok(Copied {
        schema_version,
        position,
    })
}

/// Marks a copy as restored. Servers refuse to serve it until an operator accepts it.
///
/// # Errors
/// The copy cannot be written.
pub async fn mark_as_restored(copy: &Path, new: HistoryId, at: LedgerTime) -> Result<(), LedgerError> {
    let options = SqliteConnectOptions::new()
        .filename(copy)
        .create_if_missing(false)
        .synchronous(SqliteSynchronous::Full);
    let options = options.journal_mode(SqliteJournalMode::Delete);
    let mut connection = options.connect().await.map_err(|error| ledger_error(&error))?;
    history::begin(&mut connection, new, at, false)
        .await
        .map_err(|error| ledger_error(&error))?;
    connection.close().await.map_err(|error| ledger_error(&error))?;
    sync(copy).map_err(|error| LedgerError::Unavailable(format!("{}: {error}", copy.display())))
}

/// Renames a copy to `books`. Existing books get the name `kept`.
///
/// # Errors
/// Another process uses the books, or their write-ahead log cannot be merged because they cannot be read;
/// they are unchanged then. Or a file operation fails.
pub async fn replace(books: &Path, copy: &Path, kept: &Path) -> Result<Replaced, LedgerError> {
    let _alone = lock::alone(books)?;
    let is_there = books.is_file();
    if is_there {
        merge_log(books).await?;
    }
    let log = lock::beside(books, "-wal");
    if log.exists() {
        let log = log.display();
        return Err(LedgerError::Address(format!(
            "{log} belongs to books that cannot be read; move it and the books elsewhere first"
        )));
    }
    let swap = || {
        if is_there {
            // A second name first, so that there is always a file under the books' own name.
            fs::hard_link(books, kept)?;
        }
        fs::rename(copy, books)?;
        sync(books.parent().unwrap_or(Path::new("/")))
    };
    swap().map_err(|error| LedgerError::Unavailable(format!("{}: {error}", books.display())))?;
    Ok(if is_there {
        Replaced::Kept
    } else {
        Replaced::Nothing
    })
}

/// Merges the write-ahead log into the file and removes it. Otherwise SQLite would apply it to the new file
/// of the same name.
async fn merge_log(books: &Path) -> Result<(), LedgerError> {
    let options = open::options(books).journal_mode(SqliteJournalMode::Delete);
    let merged = async { options.connect().await?.close().await };
    merged.await.map_err(|error| {
        let text = format!(
            "the write-ahead log of the books at {} cannot be merged ({error}); if the books are damaged, move them elsewhere",
            books.display()
        );
        LedgerError::InUse(text)
    })
}

/// Options for a file that nobody writes: SQLite takes no lock and looks for no write-ahead log.
fn at_rest(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .immutable(true)
}

async fn check(copy: &mut SqliteConnection, path: &Path) -> Result<(), LedgerError> {
    let query = sqlx::query_scalar("PRAGMA integrity_check").fetch_all(copy).await;
    let findings: Vec<String> = query.map_err(|error| ledger_error(&error))?;
    if findings == ["ok"] {
        return Ok(());
    }
    Err(LedgerError::corrupt(
        format!("database {}", path.display()),
        findings.join("; "),
    ))
}

pub(crate) fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
