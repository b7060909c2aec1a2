//! The mint keys as operators see them: all of them, with what the books count, and when new ones are due.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use opencoin_keys::{Due, KeyState, plan, state_in};
use opencoin_ledger::{LedgerError, StopReason};
use opencoin_schema::BigInt;

use super::OverviewSource;

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
    /// All mint keys. Every denomination of the description is there, also without keys.
    ///
    /// # Errors
    /// When the books cannot be read.
    pub async fn read(source: &OverviewSource<'_>) -> Result<Self, LedgerError> {
        let ledger = &source.books.ledger;
        let (statuses, is_signing_paused) = (ledger.mint_keys().await?, ledger.signing_paused().await?);
        let (currency, at) = (source.currency, source.at);
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
                state: state_in(currency, &statuses, key, at),
                awaits_log: status.map_or(source.log_promise.is_some(), |status| status.awaits_log),
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
        let description_expires = currency.current().cdd().cdd_expiry_date.to_utc();
        let (mut rotations, mut description_due) = (BTreeMap::new(), description_expires);
        for step in plan(currency, &statuses, &BTreeSet::new(), source.rotation, at) {
            match step.what {
                Due::MakeKey { denomination, .. } => {
                    rotations.insert(denomination, step.at);
                }
                Due::ChangeCdd => description_due = step.at,
                Due::DestroyKey { .. } | Due::Prune { .. } => {}
            }
        }
        Ok(Self {
            at,
            denominations,
            rotations,
            description_expires,
            description_due,
            is_signing_paused,
        })
    }

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
