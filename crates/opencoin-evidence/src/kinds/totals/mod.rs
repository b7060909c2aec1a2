//! Totals in batch leaves that contradict each other, or the leaves that they count.

mod batch;
mod chain;
mod closing;
mod counts;
mod keys_root;
mod value;

use opencoin_log::signed_checkpoint::SignedCheckpoint;
use serde::{Deserialize, Serialize};

use crate::error::EvidenceError;
use crate::keys::LogKeys;
use crate::tree::SignedTree;

pub use batch::{OneBatch, TwoBatches};
pub use closing::ClosingCounts;
pub use counts::{CountedKey, KeyCount, KeyLeaves, UncountedLeaf};
pub use keys_root::WrongKeysRoot;
pub use value::CoinsValue;

/// Batch leaves, and the rule for totals that they break.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrongTotals {
    pub(crate) checkpoint: String,
    pub(crate) rule: TotalsRule,
}

/// Which rule for totals is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "broken")]
pub enum TotalsRule {
    /// A batch leaf contradicts itself or its place.
    #[serde(rename = "batch")]
    Batch(OneBatch),
    /// A batch leaf contradicts an earlier leaf.
    #[serde(rename = "sequence")]
    Sequence(TwoBatches),
    /// A key was closed with other counts than a batch leaf has.
    #[serde(rename = "closing")]
    Closing(ClosingCounts),
    /// A count of a key does not grow by the number of its leaves.
    #[serde(rename = "count")]
    Count(Box<KeyCount>),
    /// A batch has a leaf of a key that it does not count.
    #[serde(rename = "uncounted")]
    Uncounted(UncountedLeaf),
    /// The value of outstanding coins does not follow from the counts.
    #[serde(rename = "value")]
    Value(CoinsValue),
    /// The root over the mint keys does not follow from their leaves.
    #[serde(rename = "keys root")]
    KeysRoot(Box<WrongKeysRoot>),
}

impl WrongTotals {
    /// The leaves are of the tree of this checkpoint.
    #[must_use]
    pub fn new(checkpoint: &SignedCheckpoint, rule: TotalsRule) -> Self {
        let checkpoint = checkpoint.to_string();
        Self { checkpoint, rule }
    }

    pub(crate) fn check(&self, keys: &LogKeys) -> Result<String, EvidenceError> {
        let tree = SignedTree::of(keys, &self.checkpoint)?;
        match &self.rule {
            TotalsRule::Batch(rule) => rule.check(&tree),
            TotalsRule::Sequence(rule) => rule.check(&tree),
            TotalsRule::Closing(rule) => rule.check(&tree),
            TotalsRule::Count(rule) => rule.check(&tree),
            TotalsRule::Uncounted(rule) => rule.check(&tree),
            TotalsRule::Value(rule) => rule.check(&tree),
            TotalsRule::KeysRoot(rule) => rule.check(&tree),
        }
    }

    /// The index of the last leaf that shows the fault.
    pub(crate) const fn index(&self) -> u64 {
        match &self.rule {
            TotalsRule::Batch(rule) => rule.batch.index,
            TotalsRule::Sequence(rule) => rule.batch.index,
            TotalsRule::Closing(rule) => rule.index(),
            TotalsRule::Count(rule) => rule.batch.index,
            TotalsRule::Uncounted(rule) => rule.batch.index,
            TotalsRule::Value(rule) => rule.batch.index,
            TotalsRule::KeysRoot(rule) => rule.batch.index,
        }
    }
}
