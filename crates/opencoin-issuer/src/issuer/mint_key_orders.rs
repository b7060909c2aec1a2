//! The mint keys as operators see and stop them.

use opencoin_config::RotationPolicy;
use opencoin_keys::policy_in_force;
use opencoin_ledger::{OperatorName, StopReason};
use opencoin_schema::BigInt;

use super::Issuer;
use crate::operator::Operator;
use crate::overview::{MintKeyOverview, MintKeysOverview};
use crate::refusal::{Reason, Refusal, unavailable};

impl Issuer {
    /// Plans new mint keys by this policy, by default that of a new currency.
    #[must_use]
    pub fn with_rotation(mut self, policy: RotationPolicy) -> Self {
        self.rotation = policy;
        self
    }

    /// The policy as it holds for the currency that is served.
    pub(super) fn rotation_in_force(&self) -> RotationPolicy {
        match self.documents.directory() {
            Some(directory) => policy_in_force(&self.rotation, directory, &self.currency()),
            None => self.rotation.clone(),
        }
    }

    /// All mint keys. Every denomination of the description is there, also without keys.
    ///
    /// # Errors
    /// When the books cannot be read.
    pub async fn mint_key_overview(&self) -> Result<MintKeysOverview, Refusal> {
        let (currency, rotation) = (self.currency(), self.rotation_in_force());
        let source = self.overview_source(&currency, &rotation);
        MintKeysOverview::read(&source).await.map_err(unavailable)
    }

    /// Stops a mint key for good, for every process at these books, and returns it as it is then. A key that was stopped
    /// before stays stopped for its first reason.
    ///
    /// # Errors
    /// When there is no such key, the books do not know it because it came too late for the public log, or the books cannot
    /// be changed.
    pub async fn stop_mint_key(
        &self,
        operator: &OperatorName,
        id: &BigInt,
        reason: StopReason,
    ) -> Result<MintKeyOverview, Refusal> {
        let unknown = || Refusal::new(Reason::NotFound, format!("there is no mint key {id}"));
        let currency = self.currency_with_keys([id].into_iter()).await;
        let key = currency.mint_key(id).ok_or_else(unknown)?;
        let operator = self.operator(operator);
        // Of a key that came too late, the books say that they do not know it.
        operator.enter(&currency, key).await?;
        operator.revoke(key.ledger_id, reason).await?;
        // From now on this process does not publish the key as current. Other processes look every second.
        self.documents.set_statuses(&self.mint_key_statuses().await?);
        let overview = self.mint_key_overview().await?;
        let stopped = overview.keys().find(|key| key.id == *id);
        stopped.cloned().ok_or_else(unknown)
    }

    /// Pauses or resumes the signing of coins, for every process at these books.
    ///
    /// # Errors
    /// When the books cannot be changed.
    pub async fn set_signing_paused(&self, operator: &OperatorName, paused: bool) -> Result<(), Refusal> {
        self.operator(operator).set_signing_paused(paused).await?;
        Ok(())
    }

    /// Changes these books for an operator.
    pub(crate) fn operator(&self, name: &OperatorName) -> Operator {
        Operator::new(self.books.clone(), self.clock.clone(), name.clone())
    }
}
