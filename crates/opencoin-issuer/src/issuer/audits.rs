//! Audits that operators start; see [`crate::audits`].

use std::sync::Arc;

use opencoin_ledger::OperatorName;

use super::Issuer;
use crate::audits::{AuditState, Audits, OpenedSource};
use crate::refusal::{Reason, Refusal, unavailable};

impl Issuer {
    /// Lets operators audit the books, which this opens for each audit.
    #[must_use]
    pub fn with_audits(mut self, open: impl Fn() -> OpenedSource + Send + Sync + 'static) -> Self {
        let operators = Arc::clone(&self.books.operators);
        self.audits = Some(Audits::new(Box::new(open), operators, Arc::clone(&self.clock)));
        self
    }

    /// Whether operators can start audits here.
    #[must_use]
    pub const fn makes_audits(&self) -> bool {
        self.audits.is_some()
    }

    /// The audit that runs in this process, and the last one of the books.
    ///
    /// # Errors
    /// When the books cannot be read.
    pub async fn audit_state(&self) -> Result<AuditState, Refusal> {
        match &self.audits {
            Some(audits) => audits.state().await.map_err(unavailable),
            None => Ok(AuditState::default()),
        }
    }

    /// Starts an audit unless one runs in this process, and returns what runs then.
    ///
    /// # Errors
    /// When the books cannot be read or written.
    pub async fn start_audit(&self, operator: &OperatorName) -> Result<AuditState, Refusal> {
        let none = || Refusal::new(Reason::NotFound, "this server makes no audits");
        let audits = self.audits.as_ref().ok_or_else(none)?;
        let (directory, loaded) = (self.documents.directory().cloned(), self.currency());
        let read = move || match directory {
            Some(directory) => directory.currency().map(Arc::new),
            None => Ok(loaded),
        };
        let started = audits.start(operator, Box::new(read)).await;
        started.map_err(unavailable)?;
        self.audit_state().await
    }
}
