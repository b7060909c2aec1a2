//! How many coins there are, for everybody to see.
//!
//! The figures are those of a published batch of the public log, so they say no more than the log does. Live figures would
//! tell what happened between two looks, and with that who minted or paid (docs/SECURITY.md). A currency without a
//! log shows figures that change once a day.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, NaiveDate, Utc};
use opencoin_api::{DenominationSupply, Supply};
use opencoin_keys::ledger_time;
use opencoin_ledger::{LedgerError, MintKeyStatus};

use crate::log::PublishedCounts;

/// The last figures of a currency without a log, and the day on which they were counted.
#[derive(Default)]
pub(crate) struct DailySupply(Mutex<Option<(NaiveDate, Arc<Supply>)>>);

impl DailySupply {
    pub(crate) fn of_day(&self, day: NaiveDate) -> Option<Arc<Supply>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (counted_on, supply) = known.as_ref()?;
        (*counted_on == day).then(|| Arc::clone(supply))
    }

    pub(crate) fn remember(&self, day: NaiveDate, supply: Arc<Supply>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((day, supply));
    }
}

/// The figures of a batch.
pub(crate) fn logged(counts: &PublishedCounts, statuses: &[MintKeyStatus]) -> Result<Supply, LedgerError> {
    let missing = || LedgerError::corrupt("log", "a mint key of the log is not in the books");
    let out_of_range = || LedgerError::corrupt("log", "the time of a batch is out of range");
    let at = i64::try_from(counts.time_s)
        .ok()
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let at = at.ok_or_else(out_of_range)?;
    let by_no: HashMap<_, _> = statuses
        .iter()
        .map(|status| (status.no.key_no(), status))
        .collect();
    let mut sums = Sums::default();
    for key in &counts.keys {
        let status = by_no.get(&key.key_no).ok_or_else(missing)?;
        sums.add(status, key.issued, key.spent, at);
    }
    Ok(sums.supply(at, Some(counts.batch)))
}

/// The figures of the books at this moment.
pub(crate) fn counted(statuses: &[MintKeyStatus], now: DateTime<Utc>) -> Supply {
    let mut sums = Sums::default();
    for status in statuses {
        sums.add(status, status.issued, status.returned, now);
    }
    sums.supply(now, None)
}

#[derive(Default)]
struct Sums(BTreeMap<u64, DenominationSupply>);

impl Sums {
    fn add(&mut self, status: &MintKeyStatus, signed: u64, returned: u64, at: DateTime<Utc>) {
        let denomination = status.terms.denomination().units();
        let sum = self.0.entry(denomination).or_insert(DenominationSupply {
            denomination,
            expired: 0,
            outstanding: 0,
            returned: 0,
            signed: 0,
        });
        sum.signed += signed;
        sum.returned += returned;
        let left = signed.saturating_sub(returned);
        // As in the batch leaf, which counts in seconds: its moment has none beside them.
        if status.terms.coins_expiry() < ledger_time(at) {
            sum.expired += left;
        } else {
            sum.outstanding += left;
        }
    }

    fn supply(self, at: DateTime<Utc>, batch: Option<u64>) -> Supply {
        let denominations: Vec<_> = self.0.into_values().filter(|sum| sum.signed > 0).collect();
        let value = |sum: &DenominationSupply| sum.outstanding.saturating_mul(sum.denomination);
        Supply {
            at,
            batch,
            outstanding: denominations.iter().map(value).fold(0, u64::saturating_add),
            denominations,
        }
    }
}
