//! Opens the books at a database address.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use opencoin_audit::AuditSource;
use opencoin_config::{ADDRESS_FORMS, SQLITE_SCHEME, is_shared};
use opencoin_ledger::bank::BankStore;
use opencoin_ledger::{
    Accounts, HasAccounts, HasLog, HasOperators, History, Ledger, LedgerError, LogStore, Operators,
    SchemaState,
};
pub use opencoin_postgres::Layout;
use opencoin_postgres::{PostgresLedger, Protection};
pub use opencoin_sqlite::Migrated as MigratedBooks;
use opencoin_sqlite::SqliteLedger;

use crate::audits::OpenedSource;

/// How to open books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreMode {
    /// Create them if there are none.
    Create,
    /// As [`Self::Create`], with the tables that grow distributed over the servers of Citus.
    CreateDistributed,
    /// Fail if there are none.
    Existing,
    /// Open them read-only, and fail if there are none. On PostgreSQL a role that can only read suffices.
    Reading,
}

/// The books of a currency: one store behind several interfaces.
#[derive(Clone)]
pub struct Books {
    /// The transactions.
    pub ledger: Arc<dyn Ledger>,
    /// The accounts.
    pub accounts: Arc<dyn Accounts>,
    /// The public log.
    pub log: Arc<dyn LogStore>,
    /// What operators have done.
    pub operators: Arc<dyn Operators>,
    /// Statements of the bank.
    pub bank: Arc<dyn BankStore>,
}

impl<S: Ledger + HasAccounts + HasLog + HasOperators + 'static> From<Arc<S>> for Books {
    fn from(store: Arc<S>) -> Self {
        Self {
            accounts: store.accounts(),
            log: store.log(),
            operators: store.operators(),
            bank: store.bank(),
            ledger: store,
        }
    }
}

/// Books with their history.
#[derive(Clone)]
pub struct OpenedBooks {
    /// The books.
    pub books: Books,
    /// Their history and position.
    pub history: Arc<dyn History>,
}

impl<S: Ledger + HasAccounts + HasLog + HasOperators + History + 'static> From<S> for OpenedBooks {
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

/// Opens the books at `sqlite:PATH` (relative to `root`) or `postgres://...`.
///
/// # Errors
/// When the address is malformed or the database cannot be used.
pub async fn open_books(database: &str, root: &Path, mode: StoreMode) -> Result<OpenedBooks, LedgerError> {
    match Address::of(database, root)? {
        Address::Sqlite(path) => Ok(match mode {
            StoreMode::Create => SqliteLedger::open(&path, opencoin_sqlite::Mode::Create).await?,
            StoreMode::CreateDistributed => return Err(not_distributed()),
            StoreMode::Existing => SqliteLedger::open(&path, opencoin_sqlite::Mode::Existing).await?,
            StoreMode::Reading => SqliteLedger::open_to_read(&path).await?,
        }
        .into()),
        Address::Postgres(url) => Ok(match mode {
            StoreMode::Create => PostgresLedger::connect(url).await?,
            StoreMode::CreateDistributed => PostgresLedger::connect_distributed(url).await?,
            StoreMode::Existing => PostgresLedger::connect_to_existing(url).await?,
            StoreMode::Reading => PostgresLedger::connect_to_read(url).await?,
        }
        .into()),
    }
}

/// Opens only the ledger of the books.
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

/// Opens the books read-only for an audit. The address may also be that of a standby.
///
/// # Errors
/// As [`open_books`]; also when the schema is not up to date.
pub async fn open_audit_source(database: &str, root: &Path) -> Result<Arc<dyn AuditSource>, LedgerError> {
    match Address::of(database, root)? {
        Address::Sqlite(path) => Ok(Arc::new(SqliteLedger::open_to_read(&path).await?)),
        Address::Postgres(url) => Ok(Arc::new(PostgresLedger::connect_to_read(url).await?)),
    }
}

/// Opens the books for each audit that [`Issuer::with_audits`](crate::Issuer::with_audits) makes.
pub fn audit_opener(
    database: &str,
    root: &Path,
) -> impl Fn() -> OpenedSource + Send + Sync + use<> + 'static {
    let (database, root) = (database.to_owned(), root.to_owned());
    move || {
        let (database, root) = (database.clone(), root.clone());
        Box::pin(async move { open_audit_source(&database, &root).await })
    }
}

/// The protection of connections to the database; `None` for a file.
///
/// # Errors
/// When the address is malformed or the database does not answer.
pub async fn database_protection(database: &str, root: &Path) -> Result<Option<Protection>, LedgerError> {
    match Address::of(database, root)? {
        Address::Sqlite(_) => Ok(None),
        Address::Postgres(url) => PostgresLedger::protection(url).await.map(Some),
    }
}

/// The version of the schema.
///
/// # Errors
/// When the address is malformed or the database cannot be used.
pub async fn schema_state(database: &str, root: &Path) -> Result<SchemaState, LedgerError> {
    match Address::of(database, root)? {
        Address::Sqlite(path) => opencoin_sqlite::schema_state(&path).await,
        Address::Postgres(url) => PostgresLedger::schema_state(url).await,
    }
}

/// Migrates the schema to the newest version.
///
/// # Errors
/// When there are no books, a SQLite file is in use, or a migration fails.
pub async fn migrate_books(database: &str, root: &Path) -> Result<MigratedBooks, LedgerError> {
    match Address::of(database, root)? {
        Address::Sqlite(path) => opencoin_sqlite::migrate(&path).await,
        Address::Postgres(url) => Ok(MigratedBooks {
            before: PostgresLedger::migrate(url).await?,
            copy: None,
        }),
    }
}

/// Where the tables are; `None` for a file.
///
/// # Errors
/// When the address is malformed or the database does not answer.
pub async fn books_layout(database: &str, root: &Path) -> Result<Option<Layout>, LedgerError> {
    match Address::of(database, root)? {
        Address::Sqlite(_) => Ok(None),
        Address::Postgres(url) => PostgresLedger::layout_at(url).await.map(Some),
    }
}

/// Distributes the tables that grow over the servers of Citus. No other process may use the books meanwhile.
///
/// # Errors
/// When there are no books or no Citus, or Citus fails. Nothing is changed then.
pub async fn distribute_books(database: &str, root: &Path) -> Result<Layout, LedgerError> {
    match Address::of(database, root)? {
        Address::Sqlite(_) => Err(not_distributed()),
        Address::Postgres(url) => PostgresLedger::distribute(url).await,
    }
}

fn not_distributed() -> LedgerError {
    LedgerError::Address("only the tables of a PostgreSQL database with Citus can be distributed".to_owned())
}

/// The path of a SQLite file; `None` for PostgreSQL.
///
/// # Errors
/// When the address is malformed.
pub fn books_file(database: &str, root: &Path) -> Result<Option<PathBuf>, LedgerError> {
    Ok(match Address::of(database, root)? {
        Address::Sqlite(path) => Some(PathBuf::from(path)),
        Address::Postgres(_) => None,
    })
}

/// A parsed database address.
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
