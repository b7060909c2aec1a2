//! The read-only interface through which an audit reads a store.

use async_trait::async_trait;

use crate::{AuditFacts, Pass};
use opencoin_ledger::{LedgerError, LedgerTime, StoredBlind, TransactionNo};

/// The maximum number of acceptances in one page.
pub const ACCEPTANCES_PER_PAGE_MAX: usize = 100;

/// A store that can be audited. No method writes to it.
#[async_trait]
pub trait AuditSource: Send + Sync {
    /// The name of the database system, for the report.
    fn database(&self) -> &'static str;

    /// Reads what the pass asks for in one consistent snapshot. Commands can be applied meanwhile.
    ///
    /// # Errors
    /// The store cannot be read; then discard the pass. An invalid row is a fact, not an error.
    async fn read(&self, pass: &mut Pass) -> Result<(), LedgerError>;

    /// Reads everything that [`check`](crate::check) needs, in one consistent snapshot.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn audit_facts(&self) -> Result<AuditFacts, LedgerError> {
        let mut pass = Pass::full(None, None);
        self.read(&mut pass).await?;
        Ok(pass.facts())
    }

    /// Reads at most [`ACCEPTANCES_PER_PAGE_MAX`] mints, renews and recoups whose blinds were not deleted.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn acceptances(&self, wanted: Wanted<'_>) -> Result<Vec<StoredAcceptance>, LedgerError>;
}

/// Selects acceptances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// The next ones with higher numbers than this, in ascending order.
    After(TransactionNo),
    /// Those with these numbers, in any order. Numbers without an acceptance are skipped.
    Numbers(&'a [TransactionNo]),
}

/// The stored record of a mint, renew or recoup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAcceptance {
    /// The number of the record.
    pub no: TransactionNo,
    /// The stored code of the record's [`Kind`](opencoin_ledger::journal::Kind).
    pub kind: i16,
    /// The digest of the request's content.
    pub content: Vec<u8>,
    /// The account that gives the amount.
    pub debit: Option<i64>,
    /// When the issuer accepted the request, by its clock.
    pub at: LedgerTime,
    /// The blinds, or signatures in place of blinds. `Err` says why they cannot be decoded.
    pub blinds: Result<Vec<StoredBlind>, String>,
}

impl StoredAcceptance {
    /// Converts a stored row: `id`, `kind`, `content`, `debit_account` and `applied_at` of `transactions`, and its
    /// `blinds`.
    #[must_use]
    pub fn new(id: i64, kind: i16, content: Vec<u8>, debit: Option<i64>, at: i64, blinds: &[u8]) -> Self {
        let blinds = opencoin_ledger::decode_blinds(blinds).map_err(|error| error.to_string());
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
