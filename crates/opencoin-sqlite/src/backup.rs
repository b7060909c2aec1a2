//! Copies of the books: made while they are in use, looked at, and put in place of others.
//!
//! A copy is one consistent moment of the books (`VACUUM INTO`), checked, and on the disk when this says so.
//! What is put in place of other books gets their name in one step, so whoever dies on the way leaves the old
//! ones or the new ones, each whole.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use opencoin_ledger::{BooksPosition, HistoryId, LedgerError, LedgerTime, admit};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use crate::fault::ledger_error;
use crate::{history, lock, open, schema};

/// What a copy holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The version of its tables.
    pub schema_version: i64,
    /// Which books they are and how far they have come.
    pub position: BooksPosition,
}

/// What became of the books that were there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// There were none.
    Nothing,
    /// They are kept under the other name.
    Kept,
}

/// Copies the books at `address` into a new file at `target`, for its owner alone to read, while they are in
/// use.
///
/// # Errors
/// There are no books, the disk is full, the copy is damaged. Then what is at `target` is of no use.
pub async fn copy_into(address: &str, target: &Path) -> Result<(), LedgerError> {
    let path = open::path(address)?;
    if !path.is_file() {
        return Err(LedgerError::Address(format!(
            "there is no database at {}",
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

/// The same by a connection to the books.
pub(crate) async fn copy(books: &mut SqliteConnection, target: &Path) -> Result<(), LedgerError> {
    let name = target
        .to_str()
        .ok_or_else(|| LedgerError::Address("a path must be valid UTF-8".to_owned()))?;
    // Made before SQLite does, which would let everybody read it; it takes a file that is empty.
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

/// Looks into a copy that nobody uses: whether it is whole, and which books it holds.
///
/// # Errors
/// It is damaged, or of a version that this program does not work with.
pub async fn inspect(copy: &Path) -> Result<Copied, LedgerError> {
    let mut connection = at_rest(copy)
        .connect()
        .await
        .map_err(|error| ledger_error(&error))?;
    check(&mut connection, copy).await?;
    let none = || LedgerError::Address(format!("there are no books in {}", copy.display()));
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

/// Writes into a copy that it was restored: no server serves it until an operator accepts that.
///
/// # Errors
/// It cannot be written.
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

/// Gives a copy the name of the books, and books that are there the name `kept`.
///
/// # Errors
/// Somebody uses the books, or they cannot be read, so that their write-ahead log cannot be folded into them.
/// Then they are there as before. Or the system refuses.
pub async fn replace(books: &Path, copy: &Path, kept: &Path) -> Result<Replaced, LedgerError> {
    let _alone = lock::alone(books)?;
    let is_there = books.is_file();
    if is_there {
        fold(books).await?;
    }
    let log = lock::beside(books, "-wal");
    if log.exists() {
        let log = log.display();
        return Err(LedgerError::Address(format!(
            "{log} belongs to books that cannot be read; move it and them elsewhere first"
        )));
    }
    let swap = || {
        if is_there {
            // A second name first: at no moment is there no file under the books' own.
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

/// Puts the write-ahead log into the file and removes it: SQLite would apply it to whatever has that file's
/// name later.
async fn fold(books: &Path) -> Result<(), LedgerError> {
    let options = open::options(books).journal_mode(SqliteJournalMode::Delete);
    let folded = async { options.connect().await?.close().await };
    folded.await.map_err(|error| {
        let text = format!(
            "the books at {} cannot be closed ({error}); if they cannot be read, move them elsewhere",
            books.display()
        );
        LedgerError::InUse(text)
    })
}

/// A file that nobody writes: no lock is taken and no log beside it is looked for.
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
