//! The value of outstanding coins against the counts of keys.

use std::collections::BTreeMap;

use opencoin_log::batch::BatchLeaf;
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::Leaf;
use serde::{Deserialize, Serialize};

use super::chain::BatchesBefore;
use crate::error::{EvidenceError, fails};
use crate::tree::{Included, SignedTree};

/// A batch leaf whose `coins` and `expired` together do not change by the value of what was signed and came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoinsValue {
    pub(crate) batch: Included,
    before: BatchesBefore,
    /// The leaves of the mint keys that the batch leaf names, in their order.
    keys: Vec<Included>,
}

impl CoinsValue {
    /// `before` are the batch leaves before `batch`, the newest first, back to where all keys that it names have been named,
    /// or to the first one. `keys` are the leaves of these keys, in their order.
    #[must_use]
    pub fn new(batch: Included, before: Vec<Included>, keys: Vec<Included>) -> Self {
        let before = BatchesBefore(before);
        Self { batch, before, keys }
    }

    pub(super) fn check(&self, tree: &SignedTree) -> Result<String, EvidenceError> {
        let batch = tree.batch(&self.batch)?;
        let named = batch.keys.iter().map(|counts| counts.key_no);
        let (counts, previous) = self.before.counts(tree, &batch, named)?;
        let denominations = self.denominations(tree, &batch)?;
        let outstanding = |issued: u64, spent: u64| i128::from(issued) - i128::from(spent);
        let mut expected = 0_i128;
        for after in &batch.keys {
            let before = counts.get(&after.key_no);
            let before = before.map_or(0, |before| outstanding(before.issued, before.spent));
            let change = outstanding(after.issued, after.spent) - before;
            expected = change
                .checked_mul(denominations[&after.key_no].into())
                .and_then(|value| expected.checked_add(value))
                .ok_or_else(|| fails("the values are too large"))?;
        }
        let declared = value(&batch) - previous.as_ref().map_or(0, value);
        if declared == expected {
            return Err(fails("the value of coins follows from the counts"));
        }
        Ok(format!(
            "The batch leaf {} of the log lets the value of outstanding coins change by {declared}, but by what was \
             signed and came back it changes by {expected}.",
            self.batch.index
        ))
    }

    fn denominations(
        &self,
        tree: &SignedTree,
        batch: &BatchLeaf,
    ) -> Result<BTreeMap<KeyNo, u64>, EvidenceError> {
        let mut denominations = BTreeMap::new();
        if self.keys.len() != batch.keys.len() {
            return Err(fails("a mint key is missing, or one too many is there"));
        }
        for (included, counts) in self.keys.iter().zip(&batch.keys) {
            match tree.leaf(included)? {
                Leaf::MintKey { key_no, certificate } if key_no == counts.key_no => {
                    denominations.insert(key_no, certificate.mint_key.denomination);
                }
                _ => {
                    return Err(fails(format!(
                        "leaf {} is not that of a mint key",
                        included.index
                    )));
                }
            }
        }
        Ok(denominations)
    }
}

/// The declared value of all outstanding coins.
fn value(batch: &BatchLeaf) -> i128 {
    i128::from(batch.coins) + i128::from(batch.expired)
}
