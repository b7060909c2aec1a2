//! The supply of a currency while its log is replayed: the value of outstanding coins of each denomination, for each hour.

use std::collections::BTreeMap;

use opencoin_log::batch::BatchLeaf;
use opencoin_log::key_no::KeyNo;
use opencoin_replay::ReplayedKey;

use crate::store::SupplyPoint;

const SECONDS_PER_HOUR: u64 = 3600;
/// The most points that wait to be stored: more than ten years of ten denominations. A hostile log could have more hours.
const POINTS_MAX: usize = 1_000_000;

/// The points that were not stored yet, by hour and denomination.
#[derive(Debug, Default)]
pub(crate) struct Supply(BTreeMap<(u64, u64), u64>);

impl Supply {
    /// Takes note of a batch. Points of the same hour are replaced.
    pub(crate) fn sealed(&mut self, batch: &BatchLeaf, keys: &BTreeMap<KeyNo, ReplayedKey>) {
        if self.0.len() >= POINTS_MAX {
            return;
        }
        let hour = batch.time / SECONDS_PER_HOUR;
        let mut sums: BTreeMap<u64, u128> = BTreeMap::new();
        for key in keys.values() {
            let sum = sums.entry(key.denomination).or_default();
            if !key.is_expired {
                *sum += key.outstanding();
            }
        }
        for (denomination, sum) in sums {
            self.0.insert((hour, shown(denomination.into())), shown(sum));
        }
    }

    /// Takes the points to store.
    pub(crate) fn take(&mut self) -> Vec<SupplyPoint> {
        let points = std::mem::take(&mut self.0);
        let point = |((hour, denomination), outstanding)| SupplyPoint {
            hour,
            denomination,
            outstanding,
        };
        points.into_iter().map(point).collect()
    }
}

/// A number that the database can have. A hostile log may declare larger ones.
fn shown(number: u128) -> u64 {
    u64::try_from(number.min(i64::MAX as u128)).unwrap_or_default()
}
