//! Rows in a SQLite file, `wallet.db` in the wallet's folder.
//!
//! A commit is a transaction with a rollback journal and `synchronous = FULL`: a confirmed commit survives a power
//! failure, and after a crash the file has all changes of a commit or none. There is no write-ahead log, because it
//! would keep secrets that were removed from the file; `secure_delete` overwrites them there.
//!
//! Only one process can write; it holds the lock on a separate file. Others can read at the same time, also on a
//! read-only disk. A new file is written beside its place and renamed, so that there is a whole wallet or none.

use std::fs::{self, File, TryLockError};
use std::future::Future;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use opencoin_private_files::{self as private_files, FileError};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};

use super::{Change, OnRow, Storage, StorageError, Table};

/// The name of the file.
pub(crate) const FILE: &str = "wallet.db";
const LOCK_FILE: &str = "wallet.lock";
/// The mode bits that give access to users other than the owner.
const MODE_OF_OTHERS: u32 = 0o077;
/// How long a statement waits for a process that reads or writes.
const BUSY_DURATION_MAX: Duration = Duration::from_secs(5);
/// So that other programs can tell what the file is: "OCwa".
const APPLICATION_ID: &str = "PRAGMA application_id = 0x4f437761";
/// The length of the header of a SQLite file.
const SQLITE_HEADER_BYTES: usize = 100;

/// A wallet's rows in a SQLite file.
pub struct SqliteStorage {
    folder: PathBuf,
    access: Mutex<Access>,
}

enum Access {
    Read(SqliteConnection),
    /// The folder has no wallet. The first commit makes it, so that a wallet without rows leaves no files.
    New {
        /// Locked while the state of an older wallet is moved here.
        lock: Option<File>,
    },
    Write {
        connection: SqliteConnection,
        /// Locked while the wallet is open.
        _lock: File,
    },
    /// A write failed, so it is not known what was written.
    Broken,
}

impl SqliteStorage {
    /// Opens the wallet in this folder. If there is none, the first commit makes it.
    ///
    /// # Errors
    /// Another process uses the wallet, or the file is damaged.
    pub fn open(folder: &Path) -> Result<Self, StorageError> {
        let access = if Self::is_in(folder) {
            let lock = lock_wallet(folder)?;
            check_length(folder)?;
            let mut connection = connect(folder, options(&folder.join(FILE)))?;
            wait_for(make_tables(&mut connection)).map_err(failed(folder))?;
            Access::Write {
                connection,
                _lock: lock,
            }
        } else {
            Access::New { lock: None }
        };
        Ok(Self::new(folder, access))
    }

    /// Opens the wallet in this folder to read it, also while another process writes to it. Writes nothing.
    ///
    /// # Errors
    /// There is no wallet, or the file is damaged.
    pub fn open_to_read(folder: &Path) -> Result<Self, StorageError> {
        if !Self::is_in(folder) {
            return Err(StorageError::NoWallet(folder.to_owned()));
        }
        check_length(folder)?;
        let file = folder.join(FILE);
        let connection = connect(folder, options(&file).read_only(true)).or_else(|error| {
            // What a process that was killed has left is undone first, which needs write access.
            connect(folder, options(&file).pragma("query_only", "ON")).map_err(|_| error)
        })?;
        Ok(Self::new(folder, Access::Read(connection)))
    }

    /// Locks the wallet before its first commit.
    pub(crate) fn lock(&self) -> Result<(), StorageError> {
        if let Access::New { lock: lock @ None } = &mut *self.access() {
            *lock = Some(lock_wallet(&self.folder)?);
        }
        Ok(())
    }

    /// Whether there is a wallet in this folder.
    #[must_use]
    pub fn is_in(folder: &Path) -> bool {
        folder.join(FILE).exists()
    }

    fn new(folder: &Path, access: Access) -> Self {
        Self {
            folder: folder.to_owned(),
            access: Mutex::new(access),
        }
    }

    fn access(&self) -> MutexGuard<'_, Access> {
        self.access.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self) -> impl Fn(sqlx::Error) -> StorageError + Copy {
        failed(&self.folder)
    }

    /// Makes the folder, unless it is there, and a file with these rows in it.
    fn create(&self, lock: Option<File>, changes: &[Change]) -> Result<Access, StorageError> {
        private_files::make_private_folders(&self.folder)?;
        let lock = lock.map_or_else(|| lock_wallet(&self.folder), Ok)?;
        // Another process has made a wallet here since the folder was looked at.
        if Self::is_in(&self.folder) {
            return Err(StorageError::InUse(self.folder.clone()));
        }
        let file = self.folder.join(FILE);
        let unfinished = private_files::unfinished(&file);
        // What a crash has left of another attempt. Its rollback journal would be applied to the new file.
        private_files::remove(&unfinished)?;
        private_files::remove(&journal_of(&unfinished))?;
        drop(private_files::open_or_make(&unfinished).map_err(FileError::of(&unfinished))?);
        let mut connection = connect(&self.folder, options(&unfinished))?;
        let made = wait_for(async {
            let mut transaction = connection.begin().await?;
            sqlx::raw_sql(APPLICATION_ID).execute(&mut *transaction).await?;
            make_tables(&mut transaction).await?;
            write(&mut transaction, changes).await?;
            transaction.commit().await?;
            connection.close().await
        });
        made.map_err(self.failed())?;
        private_files::remove(&journal_of(&unfinished))?;
        fs::rename(&unfinished, &file).map_err(FileError::of(&file))?;
        private_files::sync_parent(&file)?;
        Ok(Access::Write {
            connection: connect(&self.folder, options(&file))?,
            _lock: lock,
        })
    }
}

impl Storage for SqliteStorage {
    fn read(&self, tables: &[Table], row: OnRow<'_>) -> Result<(), StorageError> {
        let mut access = self.access();
        let (connection, is_complete) = match &mut *access {
            Access::Read(connection) => (connection, false),
            Access::Write { connection, .. } => (connection, true),
            Access::New { .. } => return Ok(()),
            Access::Broken => return Err(StorageError::Broken),
        };
        let failed = self.failed();
        wait_for(async {
            let mut transaction = connection.begin().await.map_err(failed)?;
            for table in tables {
                if !is_complete && !has_table(&mut transaction, *table).await.map_err(failed)? {
                    continue;
                }
                let mut after = i64::MIN;
                while let Some(last) = read_some(&mut transaction, *table, after, failed, row).await? {
                    after = last;
                }
            }
            transaction.commit().await.map_err(failed)
        })
    }

    fn get(&self, table: Table, no: u64) -> Result<Option<Vec<u8>>, StorageError> {
        let mut access = self.access();
        let (connection, is_complete) = match &mut *access {
            Access::Read(connection) => (connection, false),
            Access::Write { connection, .. } => (connection, true),
            Access::New { .. } => return Ok(None),
            Access::Broken => return Err(StorageError::Broken),
        };
        let found = wait_for(async {
            if !is_complete && !has_table(connection, table).await? {
                return Ok(None);
            }
            let query = sqlx::query_scalar(statements(table).get).bind(no.cast_signed());
            query.fetch_optional(connection).await
        });
        found.map_err(self.failed())
    }

    fn commit(&self, changes: &[Change]) -> Result<(), StorageError> {
        let mut access = self.access();
        if let Access::New { lock } = &mut *access {
            *access = self.create(lock.take(), changes)?;
            return Ok(());
        }
        let connection = match &mut *access {
            Access::Write { connection, .. } => connection,
            Access::Read(_) => return Err(StorageError::ReadOnly(self.folder.clone())),
            Access::New { .. } | Access::Broken => return Err(StorageError::Broken),
        };
        let written = wait_for(async {
            let mut transaction = connection.begin().await?;
            write(&mut transaction, changes).await?;
            transaction.commit().await
        });
        written.map_err(|error| {
            *access = Access::Broken;
            failed(&self.folder)(error)
        })
    }

    fn exposed(&self) -> Option<PathBuf> {
        let file = self.folder.join(FILE);
        let mode = fs::metadata(&file).ok()?.permissions().mode();
        (mode & MODE_OF_OTHERS != 0).then_some(file)
    }
}

/// The statements for one table.
struct Statements {
    name: &'static str,
    create: &'static str,
    get: &'static str,
    /// Packs many rows into one, because a row by itself costs more than its reading. SQLite has no longer texts than
    /// 1,000 MB, so tables with long rows are read in smaller parts.
    read: &'static str,
    put: &'static str,
    remove: &'static str,
}

macro_rules! statements {
    ($table:literal, $rows_read_max:literal) => {
        Statements {
            name: $table,
            create: concat!(
                "CREATE TABLE IF NOT EXISTS ",
                $table,
                " (no INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT"
            ),
            get: concat!("SELECT body FROM ", $table, " WHERE no = ?"),
            read: concat!(
                "SELECT count(*), max(no), group_concat(no || ':' || hex(body), ';') FROM ",
                "(SELECT no, body FROM ",
                $table,
                " WHERE no > ? ORDER BY no LIMIT ",
                $rows_read_max,
                ")"
            ),
            put: concat!("INSERT OR REPLACE INTO ", $table, " (no, body) VALUES (?, ?)"),
            remove: concat!("DELETE FROM ", $table, " WHERE no = ?"),
        }
    };
}

fn statements(table: Table) -> Statements {
    match table {
        Table::Header => statements!("header", "64"),
        Table::Settings => statements!("settings", "64"),
        Table::Currencies => statements!("currencies", "64"),
        Table::Coins => statements!("coins", "4096"),
        Table::CoinSecrets => statements!("coin_secrets", "64"),
        Table::Operations => statements!("operations", "64"),
        Table::Sends => statements!("sends", "64"),
        Table::History => statements!("history", "4096"),
        Table::Received => statements!("received", "4096"),
        Table::Logs => statements!("logs", "64"),
        Table::Promises => statements!("promises", "64"),
        Table::Transfers => statements!("transfers", "64"),
        Table::Receipts => statements!("receipts", "64"),
        Table::Keys => statements!("keys", "64"),
        Table::KeySeeds => statements!("key_seeds", "64"),
        Table::KeyPayments => statements!("key_payments", "64"),
        Table::KeyPaymentsOver => statements!("key_payments_over", "64"),
    }
}

/// Makes the tables that are not there. A file of an earlier version does not have all of them.
async fn make_tables(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    for table in Table::ALL {
        sqlx::raw_sql(statements(table).create)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Whether the file has the table. One that was opened to be read may be of an earlier version.
async fn has_table(connection: &mut SqliteConnection, table: Table) -> Result<bool, sqlx::Error> {
    let query = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = ?");
    let count: i64 = query.bind(statements(table).name).fetch_one(connection).await?;
    Ok(count > 0)
}

async fn write(connection: &mut SqliteConnection, changes: &[Change]) -> Result<(), sqlx::Error> {
    for change in changes {
        let (statements, no) = (statements(change.table), change.no.cast_signed());
        let query = match &change.body {
            Some(body) => sqlx::query(statements.put).bind(no).bind(body.as_slice()),
            None => sqlx::query(statements.remove).bind(no),
        };
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Reads the next rows, after this number. Returns the number of the last one; `None` if there are no more.
async fn read_some(
    connection: &mut SqliteConnection,
    table: Table,
    after: i64,
    failed: impl Fn(sqlx::Error) -> StorageError + Copy,
    row: OnRow<'_>,
) -> Result<Option<i64>, StorageError> {
    let packed = sqlx::query(statements(table).read)
        .bind(after)
        .fetch_one(connection)
        .await
        .map_err(failed)?;
    let count: i64 = packed.try_get(0).map_err(failed)?;
    if count == 0 {
        return Ok(None);
    }
    let text: &str = packed.try_get(2).map_err(failed)?;
    let damaged = || StorageError::Damaged {
        place: format!("the table {table:?}"),
        reason: "a row is not what the database wrote".to_owned(),
    };
    for part in text.split(';') {
        let (no, body) = part.split_once(':').ok_or_else(damaged)?;
        let no: i64 = no.parse().map_err(|_| damaged())?;
        let body = const_hex::decode(body).map_err(|_| damaged())?;
        row(table, no.cast_unsigned(), &body)?;
    }
    packed.try_get(1).map(Some).map_err(failed)
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(false)
        .busy_timeout(BUSY_DURATION_MAX)
        .journal_mode(SqliteJournalMode::Truncate)
        .synchronous(SqliteSynchronous::Full)
        .pragma("secure_delete", "ON")
        .disable_statement_logging()
}

/// Opens the file and reads from it, because opening alone does not show whether reading works.
fn connect(folder: &Path, options: SqliteConnectOptions) -> Result<SqliteConnection, StorageError> {
    let connected = wait_for(async {
        let mut connection = SqliteConnection::connect_with(&options).await?;
        sqlx::query("SELECT count(*) FROM sqlite_schema")
            .execute(&mut connection)
            .await?;
        Ok(connection)
    });
    connected.map_err(failed(folder))
}

/// Returns SQLite's rollback journal of a file.
fn journal_of(file: &Path) -> PathBuf {
    let mut journal = file.to_owned().into_os_string();
    journal.push("-journal");
    journal.into()
}

/// Compares the length of the file with that in its header: SQLite itself notices a file that was cut off only when
/// it needs a page that is missing.
fn check_length(folder: &Path) -> Result<(), StorageError> {
    let path = folder.join(FILE);
    let damaged = |reason: &str| StorageError::Damaged {
        place: path.display().to_string(),
        reason: reason.to_owned(),
    };
    if fs::metadata(journal_of(&path)).is_ok_and(|journal| journal.len() > 0) {
        // A commit is under way, or is undone when the file is opened.
        return Ok(());
    }
    let mut header = [0; SQLITE_HEADER_BYTES];
    let mut file = File::open(&path).map_err(FileError::of(&path))?;
    match file.read_exact(&mut header) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(damaged("the file was cut off"));
        }
        Err(error) => return Err(FileError::of(&path)(error).into()),
    }
    // Read after the header, so that a commit that makes the file longer does not look like damage.
    let length = file.metadata().map_err(FileError::of(&path))?.len();
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    // Section 1.3 of the SQLite file format: the page size, 1 for 65,536, and the number of pages.
    let page_bytes = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        bytes => u64::from(bytes),
    };
    if !header.starts_with(b"SQLite format 3\0") {
        return Err(damaged("this is not a SQLite file"));
    }
    if length < page_bytes * u64::from(number(28)) {
        return Err(damaged("the file was cut off"));
    }
    Ok(())
}

fn failed(folder: &Path) -> impl Fn(sqlx::Error) -> StorageError + Copy {
    move |error| {
        let place = folder.join(FILE).display().to_string();
        let code = error.as_database_error().and_then(|error| error.code());
        // The low byte of an extended code is the primary one: SQLITE_CORRUPT, SQLITE_NOTADB.
        let primary = code
            .and_then(|code| code.parse::<u32>().ok())
            .map(|code| code & 0xff);
        let reason = error
            .as_database_error()
            .map_or_else(|| error.to_string(), |error| error.message().to_owned());
        match primary {
            Some(11 | 26) => StorageError::Damaged { place, reason },
            _ => StorageError::Failed { place, reason },
        }
    }
}

fn lock_wallet(folder: &Path) -> Result<File, StorageError> {
    lock(&folder.join(LOCK_FILE))?.ok_or_else(|| StorageError::InUse(folder.to_owned()))
}

/// Makes a lock file if need be and locks it until it is dropped; `None` if another process has the lock.
pub(crate) fn lock(path: &Path) -> Result<Option<File>, FileError> {
    let file = private_files::open_or_make(path).map_err(FileError::of(path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(FileError::of(path)(error)),
    }
}

/// Blocks until a future is ready. SQLite runs on a thread of its own, so this needs no runtime, and works within any.
fn wait_for<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(result) => return result,
            Poll::Pending => thread::park(),
        }
    }
}
