//! Which ledger an address means.

use std::path::Path;
use std::sync::Arc;

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
    if let Some(path) = database.strip_prefix(SQLITE_SCHEME) {
        let path = root.join(path.strip_prefix("//").unwrap_or(path));
        let mode = match mode {
            StoreMode::Create => opencoin_sqlite::Mode::Create,
            StoreMode::Existing | StoreMode::Reading => opencoin_sqlite::Mode::Existing,
        };
        let path = path.to_str().ok_or_else(|| LedgerError::Address("a path must be valid UTF-8".to_owned()))?;
        return Ok(Arc::new(SqliteLedger::open(path, mode).await?).into());
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

/// Whether an address is of either kind.
pub(crate) fn is_address(database: &str) -> bool {
    database.starts_with(SQLITE_SCHEME) || is_shared(database)
}

/// Whether the books lie on a server, where those of another currency may be already.
#[must_use]
pub fn is_shared(database: &str) -> bool {
    POSTGRES_SCHEMES.iter().any(|scheme| database.starts_with(scheme))
}
