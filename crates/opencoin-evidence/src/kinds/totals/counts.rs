//! The counts of a mint key against its leaves.
//!
//! Leaves of a batch stand in the order of their bytes, so those of a type and key follow each other. Two pairs of
//! neighbours show where they begin and end. Each pair has a leaf of the key, if there are any: otherwise leaves of other
//! keys beside them would be counted too.

use std::ops::RangeInclusive;

use opencoin_log::batch::KeyCounts;
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::Leaf;
use serde::{Deserialize, Serialize};

use super::chain::BatchesBefore;
use crate::error::{EvidenceError, fails};
use crate::tree::{Included, SignedTree};

/// Version, type and number of the key: the first bytes of a leaf about a coin.
type Header = [u8; 6];

/// A count of a key that does not grow by the number of the key's leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyCount {
    pub(crate) batch: Included,
    before: BatchesBefore,
    counted: CountedKey,
    key_no: KeyNo,
    leaves: KeyLeaves,
}

/// Where the counted leaves of a key begin and end in a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyLeaves {
    /// The first leaf of the key; none if the batch has no such leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Included>,
    /// The last leaf of the key, which may be the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Included>,
    /// The leaf before those of the key; none if they, or the place where they would be, begin the batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Included>,
    /// The leaf after those of the key.
    pub right: Included,
}

/// Which count of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CountedKey {
    /// Blinds that were accepted.
    Issued,
    /// Coins that came back.
    Spent,
}

/// A leaf of a key in a batch whose batch leaf does not name the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UncountedLeaf {
    /// The leaf.
    pub leaf: Included,
    /// The batch leaf of its batch.
    pub batch: Included,
}

impl KeyCount {
    /// `before` are the batch leaves before `batch`, the newest first, back to one that names the key or to the first one.
    #[must_use]
    pub const fn new(
        (key_no, counted): (KeyNo, CountedKey),
        batch: Included,
        before: Vec<Included>,
        leaves: KeyLeaves,
    ) -> Self {
        let before = BatchesBefore(before);
        Self {
            batch,
            before,
            counted,
            key_no,
            leaves,
        }
    }

    pub(super) fn check(&self, tree: &SignedTree) -> Result<String, EvidenceError> {
        let batch = tree.batch(&self.batch)?;
        if batch.opening {
            return Err(fails(
                "the first batch of this log declares counts from before the log",
            ));
        }
        let declared = batch.keys.iter().find(|counts| counts.key_no == self.key_no);
        let declared = declared.ok_or_else(|| fails("the batch leaf does not have the key"))?;
        let (counts, _) = self.before.counts(tree, &batch, [self.key_no])?;
        let before = counts.get(&self.key_no).map_or(0, |counts| self.count(counts));
        let change = i128::from(self.count(declared)) - i128::from(before);
        let header = self.counted.header(self.key_no);
        let leaves = self.leaves.count(tree, header, batch.first..=self.batch.index)?;
        if change == i128::from(leaves) {
            return Err(fails("the count grows by the number of leaves"));
        }
        let what = match self.counted {
            CountedKey::Issued => "signed",
            CountedKey::Spent => "back",
        };
        Ok(format!(
            "The batch leaf {} of the log counts {change} more coins {what} of mint key {}, but its batch has {leaves} \
             such leaves.",
            self.batch.index,
            self.key_no.get()
        ))
    }

    const fn count(&self, counts: &KeyCounts) -> u64 {
        match self.counted {
            CountedKey::Issued => counts.issued,
            CountedKey::Spent => counts.spent,
        }
    }
}

impl KeyLeaves {
    /// Returns the number of the leaves with this header in a batch. The last leaf of the batch is its batch leaf.
    fn count(
        &self,
        tree: &SignedTree,
        header: Header,
        batch: RangeInclusive<u64>,
    ) -> Result<u64, EvidenceError> {
        let run = match (&self.first, &self.last) {
            (Some(first), Some(last)) => {
                for leaf in [first, last] {
                    tree.include(leaf)?;
                    if !leaf.leaf().starts_with(&header) {
                        return Err(fails(format!("leaf {} is not one of the key", leaf.index)));
                    }
                }
                first.index..last.index.saturating_add(1)
            }
            (None, None) => self.right.index..self.right.index,
            _ => return Err(fails("the first or the last leaf of the key is missing")),
        };
        let begins = match &self.left {
            Some(left) => {
                tree.include(left)?;
                let is_before = batch.contains(&left.index) && left.leaf() < header.as_slice();
                is_before && left.index.checked_add(1) == Some(run.start)
            }
            None => *batch.start() == run.start,
        };
        if !begins {
            return Err(fails("the leaves of the key do not begin there"));
        }
        let right = &self.right;
        tree.include(right)?;
        let is_after = right.leaf() > header.as_slice() && !right.leaf().starts_with(&header);
        let ends = is_after && right.index == run.end && batch.contains(&right.index);
        run.end
            .checked_sub(run.start)
            .filter(|_| ends)
            .ok_or_else(|| fails("the leaves of the key do not end there"))
    }
}

impl CountedKey {
    /// The first bytes of the key's leaves that are counted.
    pub(crate) const fn header(self, key_no: KeyNo) -> Header {
        let leaf_type = match self {
            Self::Issued => 0x10,
            Self::Spent => 0x11,
        };
        let [a, b, c, d] = key_no.get().to_be_bytes();
        [0x01, leaf_type, a, b, c, d]
    }
}

impl UncountedLeaf {
    pub(super) fn check(&self, tree: &SignedTree) -> Result<String, EvidenceError> {
        let (Leaf::Issued { key_no, .. } | Leaf::Spent { key_no, .. }) = tree.leaf(&self.leaf)? else {
            return Err(fails("the leaf is not one that counts"));
        };
        let batch = tree.batch_of(self.leaf.index, &self.batch)?;
        if batch.keys.iter().any(|counts| counts.key_no == key_no) {
            return Err(fails("the batch leaf has counts of the key"));
        }
        Ok(format!(
            "Leaf {} of the log is of mint key {}, which the batch leaf {} of its batch does not count.",
            self.leaf.index,
            key_no.get(),
            self.batch.index
        ))
    }
}
