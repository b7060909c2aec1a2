//! Which ledger an address means.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use opencoin_audit::AuditSource;
use opencoin_config::{ADDRESS_FORMS, SQLITE_SCHEME, is_shared};
use opencoin_ledger::{Accounts, HasAccounts, History, Ledger, LedgerError, SchemaState};
use opencoin_postgres::{PostgresLedger, Protection};
use opencoin_sqlite::SqliteLedger;

/// What to do when there are no books yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreMode {
    /// Make them.
    Create,
    /// Say so.
    Existing,
    /// Say so, and read them only: on PostgreSQL a role that may do no more is enough.
    Reading,
}

/// One store, by what is done with it.
#[derive(Clone)]
pub struct Books {
    /// Money.
    pub ledger: Arc<dyn Ledger>,
    /// Who may act, and what waits.
    pub accounts: Arc<dyn Accounts>,
}

impl<S: Ledger + HasAccounts + 'static> From<Arc<S>> for Books {
    fn from(store: Arc<S>) -> Self {
        Self {
            accounts: store.accounts(),
            ledger: store,
        }
    }
}

/// Books that were opened at an address.
#[derive(Clone)]
pub struct OpenedBooks {
    /// The books.
    pub books: Books,
    /// Which they are, and how far they have come.
    pub history: Arc<dyn History>,
}

impl<S: Ledger + HasAccounts + History + 'static> From<S> for OpenedBooks {
    fn from(store: S) -> Self {
        let store = Arc::new(store);
        Self {
            books: Arc::clone(&store).into(),
            history: store,
        }
    }
}

impl From<OpenedBooks> for Books {
    fn from(opened: OpenedBooks) -> Self {
        opened.books
    }
}

/// What a migration has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigratedBooks {
    /// The tables before it.
    pub before: SchemaState,
    /// The copy of the books before it, where this program makes one.
    pub copy: Option<PathBuf>,
}

/// Opens the books at `sqlite:PATH` (relative to `root`) or `postgres://...`.
///
/// # Errors
/// When the address is of neither kind, or the database cannot be used.
pub async fn open_books(database: &str, root: &Path, mode: StoreMode) -> Result<OpenedBooks, LedgerError> {
    match Address::of(database, root)? {
        Address::Sqlite(path) => Ok(match mode {
            StoreMode::Create => SqliteLedger::open(&path, opencoin_sqlite::Mode::Create).await?,
            StoreMode::Existing => SqliteLedger::open(&path, opencoin_sqlite::Mode::Existing).await?,
            StoreMode::Reading => SqliteLedger::open_to_read(&path).await?,
        }
        .into()),
        Address::Postgres(url) => Ok(match mode {
            StoreMode::Create => PostgresLedger::connect(url).await?,
            StoreMode::Existing => PostgresLedger::connect_to_existing(url).await?,
            StoreMode::Reading => PostgresLedger::connect_to_read(url).await?,
        }
        .into()),
    }
}

/// The same where nothing but the money is of interest.
///
/// # Errors
/// As [`open_books`].
pub async fn open_ledger(
    database: &str,
    root: &Path,
    mode: StoreMode,
) -> Result<Arc<dyn Ledger>, LedgerError> {
    open_books(database, root, mode)
        .await
        .map(|opened| opened.books.ledger)
}

/// Opens the books for an audit, to be read and no more: the same addresses, or that of a standby.
///
/// # Errors
/// As [`open_books`]; also when the tables are not up to date.
pub async fn open_audit_source(database: &str, root: &Path) -> Result<Arc<dyn AuditSource>, LedgerError> {
    match Address::of(database, root)? {
        Address::Sqlite(path) => Ok(Arc::new(SqliteLedger::open_to_read(&path).await?)),
        Address::Postgres(url) => Ok(Arc::new(PostgresLedger::connect_to_read(url).await?)),
    }
}

/// How connections to the books are protected on their way; nothing where they are a file.
///
/// # Errors
/// When the address is of neither kind, or the database does not answer.
pub async fn database_protection(database: &str, root: &Path) -> Result<Option<Protection>, LedgerError> {
    match Address::of(database, root)? {
        Address::Sqlite(_) => Ok(None),
        Address::Postgres(url) => PostgresLedger::protection(url).await.map(Some),
    }
}

/// The version of the tables of the books.
///
/// # Errors
/// When the address is of neither kind, or the database cannot be used.
pub async fn schema_state(database: &str, root: &Path) -> Result<SchemaState, LedgerError> {
    match Address::of(database, root)? {
        Address::Sqlite(path) => opencoin_sqlite::schema_state(&path).await,
        Address::Postgres(url) => PostgresLedger::schema_state(url).await,
    }
}

/// Brings the tables of the books up to date.
///
/// # Errors
/// When there are no books, SQLite's are in use, or a migration failed.
pub async fn migrate_books(database: &str, root: &Path) -> Result<MigratedBooks, LedgerError> {
    match Address::of(database, root)? {
        Address::Sqlite(path) => {
            let opencoin_sqlite::Migrated { before, copy } = opencoin_sqlite::migrate(&path).await?;
            Ok(MigratedBooks { before, copy })
        }
        Address::Postgres(url) => Ok(MigratedBooks {
            before: PostgresLedger::migrate(url).await?,
            copy: None,
        }),
    }
}

/// The file of books that are one; nothing where they lie on a server.
///
/// # Errors
/// When the address is of neither kind.
pub fn books_file(database: &str, root: &Path) -> Result<Option<PathBuf>, LedgerError> {
    Ok(match Address::of(database, root)? {
        Address::Sqlite(path) => Some(PathBuf::from(path)),
        Address::Postgres(_) => None,
    })
}

/// Where books are.
enum Address<'text> {
    Sqlite(String),
    Postgres(&'text str),
}

impl<'text> Address<'text> {
    fn of(database: &'text str, root: &Path) -> Result<Self, LedgerError> {
        if let Some(path) = database.strip_prefix(SQLITE_SCHEME) {
            let path = root
                .join(path.strip_prefix("//").unwrap_or(path))
                .into_os_string()
                .into_string();
            return path
                .map(Self::Sqlite)
                .map_err(|_| LedgerError::Address("a path must be valid UTF-8".to_owned()));
        }
        if is_shared(database) {
            Ok(Self::Postgres(database))
        } else {
            Err(LedgerError::Address(ADDRESS_FORMS.to_owned()))
        }
    }
}
