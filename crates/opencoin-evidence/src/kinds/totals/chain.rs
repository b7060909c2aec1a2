//! The batch leaves before a batch, back to where counts are known.
//!
//! A batch leaf names the keys whose counts have changed. What a key had before is in the last batch leaf that names it,
//! and in none between, so those between are shown too.

use std::collections::BTreeMap;

use opencoin_log::batch::{BatchLeaf, KeyCounts};
use opencoin_log::key_no::KeyNo;
use serde::{Deserialize, Serialize};

use crate::error::{EvidenceError, fails};
use crate::tree::{Included, SignedTree};

/// Batch leaves, each the one before the last, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct BatchesBefore(pub(super) Vec<Included>);

impl BatchesBefore {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the counts of some keys before a batch, and the batch leaf before it. There are none and no leaf before the
    /// first batch. The chain must not be longer than needed.
    pub(super) fn counts(
        &self,
        tree: &SignedTree,
        batch: &BatchLeaf,
        keys: impl IntoIterator<Item = KeyNo>,
    ) -> Result<(BTreeMap<KeyNo, KeyCounts>, Option<BatchLeaf>), EvidenceError> {
        let mut missing: Vec<KeyNo> = keys.into_iter().collect();
        let (mut found, mut previous, mut newest) = (BTreeMap::new(), batch.previous, None);
        for (place, included) in self.0.iter().enumerate() {
            let is_needed = place == 0 || !missing.is_empty();
            if previous != Some(included.index) || !is_needed {
                return Err(fails("the batch leaves before the batch are not as they must be"));
            }
            let leaf = tree.batch(included)?;
            missing.retain(|key_no| {
                let counts = leaf.keys.iter().find(|counts| counts.key_no == *key_no);
                found.extend(counts.map(|counts| (*key_no, *counts)));
                counts.is_none()
            });
            previous = leaf.previous;
            newest.get_or_insert(leaf);
        }
        let reaches_first = previous.is_none();
        if !reaches_first && (newest.is_none() || !missing.is_empty()) {
            return Err(fails("a batch leaf is missing that may have the counts before"));
        }
        Ok((found, newest))
    }
}
