//! The mint keys as operators see and stop them: all of them, with what the books count, and when new ones are due.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use opencoin_config::RotationPolicy;
use opencoin_keys::{Due, KeyState, plan, policy_in_force, state_in};
use opencoin_ledger::{OperatorName, StopReason};
use opencoin_schema::BigInt;

use super::Issuer;
use crate::operator::Operator;
use crate::refusal::{Reason, Refusal};

/// The mint keys at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MintKeysOverview {
    /// The issuer's time.
    pub at: DateTime<Utc>,
    /// The keys of each denomination, also of those that the description no longer has; by the begin of signing.
    pub denominations: BTreeMap<u64, Vec<MintKeyOverview>>,
    /// When the next key of each denomination of the description is due. A moment that has passed: it is overdue.
    pub rotations: BTreeMap<u64, DateTime<Utc>>,
    /// When the description of the currency expires.
    pub description_expires: DateTime<Utc>,
    /// When the next description is due.
    pub description_due: DateTime<Utc>,
    /// Whether an operator has paused signing.
    pub is_signing_paused: bool,
}

/// A mint key as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MintKeyOverview {
    /// Its id.
    pub id: BigInt,
    /// The value of its coins.
    pub denomination: u64,
    /// What it does now, if it need not wait for the public log.
    pub state: KeyState,
    /// Whether it does not sign yet because the published log does not have it.
    pub awaits_log: bool,
    /// The begin of signing.
    pub signs_from: DateTime<Utc>,
    /// The end of signing.
    pub signs_until: DateTime<Utc>,
    /// Its coins are taken until then.
    pub coins_expire: DateTime<Utc>,
    /// The number of its coins that were signed.
    pub issued: u64,
    /// The number of its coins that came back.
    pub returned: u64,
    /// The number of its coins that were recouped after it was stopped.
    pub recouped: u64,
    /// Why it was stopped, if it was.
    pub stopped: Option<StopReason>,
}

impl MintKeysOverview {
    /// The keys by denomination and begin of signing.
    pub fn keys(&self) -> impl Iterator<Item = &MintKeyOverview> {
        self.denominations.values().flatten()
    }

    /// The number of denominations for which a new key is due.
    #[must_use]
    pub fn rotations_due(&self) -> usize {
        self.rotations.values().filter(|due| **due <= self.at).count()
    }
}

impl Issuer {
    /// Plans new mint keys by this policy, by default that of a new currency.
    #[must_use]
    pub fn with_rotation(mut self, policy: RotationPolicy) -> Self {
        self.rotation = policy;
        self
    }

    /// All mint keys. Every denomination of the description is there, also without keys.
    ///
    /// # Errors
    /// When the books cannot be read.
    pub async fn mint_key_overview(&self) -> Result<MintKeysOverview, Refusal> {
        let statuses = self.mint_key_statuses().await?;
        let is_signing_paused = self.is_signing_paused().await?;
        let (currency, at) = (self.currency(), self.clock.now());
        let mut denominations: BTreeMap<u64, Vec<MintKeyOverview>> = BTreeMap::new();
        for denomination in &currency.current().cdd().denominations {
            denominations.entry(*denomination).or_default();
        }
        for key in currency.mint_keys() {
            let mint_key = key.verified.mint_key();
            let status = statuses.iter().find(|status| status.id == key.ledger_id);
            let keys = denominations.entry(mint_key.denomination).or_default();
            keys.push(MintKeyOverview {
                id: mint_key.id.clone(),
                denomination: mint_key.denomination,
                state: state_in(&currency, &statuses, key, at),
                awaits_log: status.map_or(self.log.is_some(), |status| status.awaits_log),
                signs_from: mint_key.sign_coins_not_before.to_utc(),
                signs_until: mint_key.sign_coins_not_after.to_utc(),
                coins_expire: mint_key.coins_expiry_date.to_utc(),
                issued: status.map_or(0, |status| status.issued),
                returned: status.map_or(0, |status| status.returned),
                recouped: status.map_or(0, |status| status.recouped),
                stopped: status.and_then(|status| status.stopped.clone()),
            });
        }
        for keys in denominations.values_mut() {
            keys.sort_by_key(|key| key.signs_from);
        }
        let policy = match self.documents.directory() {
            Some(directory) => policy_in_force(&self.rotation, directory, &currency),
            None => self.rotation.clone(),
        };
        let description_expires = currency.current().cdd().cdd_expiry_date.to_utc();
        let (mut rotations, mut description_due) = (BTreeMap::new(), description_expires);
        for step in plan(&currency, &statuses, &BTreeSet::new(), &policy, at) {
            match step.what {
                Due::MakeKey { denomination, .. } => {
                    rotations.insert(denomination, step.at);
                }
                Due::ChangeCdd => description_due = step.at,
                Due::DestroyKey { .. } | Due::Prune { .. } => {}
            }
        }
        Ok(MintKeysOverview {
            at,
            denominations,
            rotations,
            description_expires,
            description_due,
            is_signing_paused,
        })
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
