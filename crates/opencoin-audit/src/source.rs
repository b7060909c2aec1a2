//! What an audit needs of a store: to read, and nothing else.

use async_trait::async_trait;

use crate::{AuditFacts, Pass};
use opencoin_ledger::{LedgerError, LedgerTime, StoredBlind, TransactionNo};

/// The most acceptances that are read at a time.
pub const ACCEPTANCES_PER_PAGE_MAX: usize = 100;

/// A store as an auditor sees it.
#[async_trait]
pub trait AuditSource: Send + Sync {
    /// What kind of database it is, in a word.
    fn database(&self) -> &'static str;

    /// Reads what the pass asks for, in one consistent snapshot, while commands go on.
    ///
    /// # Errors
    /// The store cannot be read; the pass is of no use then. A row that makes no sense is a fact and not an
    /// error.
    async fn read(&self, pass: &mut Pass) -> Result<(), LedgerError>;

    /// Reads everything that [`check`](crate::check) needs, in one consistent snapshot, while commands go on.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn audit_facts(&self) -> Result<AuditFacts, LedgerError> {
        let mut pass = Pass::full(None, None);
        self.read(&mut pass).await?;
        Ok(pass.facts())
    }

    /// Reads mints, renews and recoups, by number, at most [`ACCEPTANCES_PER_PAGE_MAX`].
    ///
    /// # Errors
    /// The store cannot be read.
    async fn acceptances(&self, wanted: Wanted<'_>) -> Result<Vec<StoredAcceptance>, LedgerError>;
}

/// Which acceptances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// The next ones after this number.
    After(TransactionNo),
    /// These, as far as they are there.
    Numbers(&'a [TransactionNo]),
}

/// A record that holds blinds, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAcceptance {
    /// Its number.
    pub no: TransactionNo,
    /// The number of its kind.
    pub kind: i16,
    /// The digest of what was asked for.
    pub content: Vec<u8>,
    /// Who gives.
    pub debit: Option<i64>,
    /// The issuer's time.
    pub at: LedgerTime,
    /// The blinds, and signatures in place of blinds; or why they cannot be read.
    pub blinds: Result<Vec<StoredBlind>, String>,
}

impl StoredAcceptance {
    /// The acceptance of a stored row: `id`, `kind`, `content`, `debit_account`, `applied_at`, `blinds`.
    #[must_use]
    pub fn new(
        id: i64,
        kind: i16,
        content: Vec<u8>,
        debit: Option<i64>,
        at: i64,
        blinds: Option<&[u8]>,
    ) -> Self {
        let blinds = blinds.ok_or_else(|| "it has no blinds".to_owned());
        let blinds =
            blinds.and_then(|bytes| opencoin_ledger::decode_blinds(bytes).map_err(|error| error.to_string()));
        Self {
            no: TransactionNo::new(id),
            kind,
            content,
            debit,
            at: LedgerTime::from_unix_micros(at),
            blinds,
        }
    }
}
