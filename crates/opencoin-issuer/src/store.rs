//! Which ledger an address means.

use std::path::Path;
use std::sync::Arc;

use opencoin_ledger::audit::AuditSource;
use opencoin_ledger::{Accounts, Ledger, LedgerError};
use opencoin_postgres::PostgresLedger;
use opencoin_sqlite::SqliteLedger;

const SQLITE_SCHEME: &str = "sqlite:";
const POSTGRES_SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// What an address looks like.
pub(crate) const ADDRESS_FORMS: &str = "a database is sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE";

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

/// One store, as what it is for money and as what it is for accounts.
#[derive(Clone)]
pub struct Books {
    /// Money.
    pub ledger: Arc<dyn Ledger>,
    /// Who may act, and what waits.
    pub accounts: Arc<dyn Accounts>,
}

impl<S: Ledger + Accounts + 'static> From<Arc<S>> for Books {
    fn from(store: Arc<S>) -> Self {
        Self { ledger: Arc::clone(&store) as Arc<dyn Ledger>, accounts: store }
    }
}

/// Opens the books at `sqlite:PATH` (relative to `root`) or `postgres://...`.
///
/// # Errors
/// When the address is of neither kind, or the database cannot be used.
pub async fn open_books(database: &str, root: &Path, mode: StoreMode) -> Result<Books, LedgerError> {
    if let Some(path) = sqlite_path(database, root)? {
        let mode = match mode {
            StoreMode::Create => opencoin_sqlite::Mode::Create,
            StoreMode::Existing => opencoin_sqlite::Mode::Existing,
            StoreMode::Reading => opencoin_sqlite::Mode::Reading,
        };
        return Ok(Arc::new(SqliteLedger::open(&path, mode).await?).into());
    }
    if is_shared(database) {
        return Ok(match mode {
            StoreMode::Create | StoreMode::Existing => Arc::new(PostgresLedger::connect(database).await?).into(),
            StoreMode::Reading => Arc::new(PostgresLedger::connect_to_read(database).await?).into(),
        });
    }
    Err(LedgerError::Address(ADDRESS_FORMS.to_owned()))
}

/// As [`open_books`], for who cares for money alone.
///
/// # Errors
/// As [`open_books`].
pub async fn open_ledger(database: &str, root: &Path, mode: StoreMode) -> Result<Arc<dyn Ledger>, LedgerError> {
    Ok(open_books(database, root, mode).await?.ledger)
}

/// Opens the books for an audit, to be read and no more: the same addresses, or that of a standby.
///
/// # Errors
/// As [`open_ledger`]; also when the tables are not up to date.
pub async fn open_audit_source(database: &str, root: &Path) -> Result<Arc<dyn AuditSource>, LedgerError> {
    if let Some(path) = sqlite_path(database, root)? {
        return Ok(Arc::new(SqliteLedger::open_to_read(&path).await?));
    }
    if is_shared(database) {
        return Ok(Arc::new(PostgresLedger::connect_to_read(database).await?));
    }
    Err(LedgerError::Address(ADDRESS_FORMS.to_owned()))
}

/// Where the file is, if the address is that of one.
fn sqlite_path(database: &str, root: &Path) -> Result<Option<String>, LedgerError> {
    let Some(path) = database.strip_prefix(SQLITE_SCHEME) else { return Ok(None) };
    let path = root.join(path.strip_prefix("//").unwrap_or(path)).into_os_string();
    path.into_string().map(Some).map_err(|_| LedgerError::Address("a path must be valid UTF-8".to_owned()))
}

/// Whether an address is of either kind.
pub(crate) fn is_address(database: &str) -> bool {
    database.starts_with(SQLITE_SCHEME) || is_shared(database)
}

/// Whether the books lie on a server, where those of another currency may be already.
#[must_use]
pub fn is_shared(database: &str) -> bool {
    POSTGRES_SCHEMES.iter().any(|scheme| database.starts_with(scheme))
}
