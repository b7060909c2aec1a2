//! What needs a person, with what only this process knows.

use chrono::TimeDelta;
use opencoin_config::RotationPolicy;
use opencoin_keys::{Currency, ledger_time};
use opencoin_ledger::OperatorName;

use super::Issuer;
use crate::overview::{Overview, OverviewSource};
use crate::refusal::{Refusal, unavailable};

impl Issuer {
    /// What needs a person, this operator above all.
    ///
    /// # Errors
    /// When the books cannot be read.
    pub async fn overview(&self, operator: &OperatorName) -> Result<Overview, Refusal> {
        let (currency, rotation) = (self.currency(), self.rotation_in_force());
        let source = self.overview_source(&currency, &rotation);
        let mut overview = Overview::read(&source, operator).await.map_err(unavailable)?;
        overview.audit = self.audit_state().await?;
        if let (Some(of_books), Some(log)) = (&mut overview.log, &self.log) {
            let (status, published) = (log.status(), of_books.published);
            // Another process may have got the quorum since then.
            of_books.without_quorum_since = status
                .without_quorum_since
                .filter(|since| published.is_none_or(|at| at < ledger_time(*since)));
            of_books.incidents = Some(status.incidents.len().try_into().unwrap_or(u64::MAX));
        }
        Ok(overview)
    }

    pub(super) fn overview_source<'a>(
        &'a self,
        currency: &'a Currency,
        rotation: &'a RotationPolicy,
    ) -> OverviewSource<'a> {
        let block = self.log.as_ref().and(currency.log());
        OverviewSource {
            books: &self.books,
            currency,
            rotation,
            log_promise: block.map(|block| TimeDelta::seconds(block.within_s().into())),
            at: self.clock.now(),
        }
    }
}
