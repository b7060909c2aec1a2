//! A leaf that was promised is not in the log.

use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log_reader::checkpoint::is_later_than;
use serde::{Deserialize, Serialize};

use super::promised::{ShownPromise, VerifiedPromise};
use crate::error::{EvidenceError, fails};
use crate::keys::LogKeys;
use crate::tree::{Included, SignedTree};
use crate::words::date;

/// A promise, and a checkpoint that a quorum cosigned after it was due, whose tree does not have the leaf.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OmittedLeaf {
    promised: ShownPromise,
    /// Cosigned by a quorum after the promise was due.
    pub(crate) checkpoint: String,
    /// The batches of the promise that exist, in their order.
    batches: Vec<Absence>,
    /// The batch leaf at the end of the tree. Needed when batches of the promise do not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<Included>,
}

/// The leaf is missing in a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Absence {
    /// The batch leaf.
    pub batch: Included,
    /// The leaf before the missing one's place; none if that is the first of the batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Included>,
    /// The leaf after that place.
    pub right: Included,
}

impl OmittedLeaf {
    /// `batches` are those of the promise that exist, in their order. `last` is the batch leaf at the end of the tree,
    /// needed when batches of the promise do not exist.
    #[must_use]
    pub fn new(
        promised: ShownPromise,
        checkpoint: &SignedCheckpoint,
        batches: Vec<Absence>,
        last: Option<Included>,
    ) -> Self {
        Self {
            promised,
            checkpoint: checkpoint.to_string(),
            batches,
            last,
        }
    }

    pub(crate) fn check(&self, keys: &LogKeys) -> Result<String, EvidenceError> {
        let promised = self.promised.verify(keys)?;
        let checkpoint = keys.cosigned(&self.checkpoint)?;
        let deadline = promised.promise.deadline();
        if !is_later_than(keys.block.policy(), &checkpoint, deadline) {
            return Err(fails("the promise was not due when the checkpoint was cosigned"));
        }
        let tree = SignedTree::verified(checkpoint.checkpoint);
        self.check_absent(&promised, &tree)?;
        Ok(format!(
            "The issuer promised on {} that a leaf ({}) would be in the log before {}. It is not, in a log of {} \
             entries that a quorum of witnesses cosigned after that time.",
            date(promised.promise.time),
            promised.what,
            date(deadline),
            tree.size()
        ))
    }

    /// Verifies that the leaf is in no batch of its promise.
    fn check_absent(&self, promised: &VerifiedPromise<'_>, tree: &SignedTree) -> Result<(), EvidenceError> {
        let (first, mut last) = (promised.promise.batch, promised.last_batch);
        if let Some(included) = &self.last {
            let number = tree.batch(included)?.batch;
            if included.index + 1 != tree.size() {
                return Err(fails("the last batch is not at the end of the log"));
            }
            last = last.min(number);
        }
        // An empty log has no batches at all.
        let count = match tree.size() {
            0 => 0,
            _ => last.saturating_add(1).saturating_sub(first),
        };
        if self.batches.len() as u64 != count {
            return Err(fails("a batch that may have the leaf is left out"));
        }
        for (number, absence) in (first..).zip(&self.batches) {
            absence.check(promised.leaf, number, tree)?;
        }
        Ok(())
    }
}

impl Absence {
    /// Verifies that the leaf is not in this batch: two neighbours enclose it, or it would be before the first leaf.
    fn check(&self, leaf: &[u8], number: u64, tree: &SignedTree) -> Result<(), EvidenceError> {
        let batch = tree.batch(&self.batch)?;
        let right = &self.right;
        tree.include(right)?;
        let is_adjacent = match &self.left {
            Some(left) => {
                tree.include(left)?;
                left.index >= batch.first && left.index + 1 == right.index && left.leaf() < leaf
            }
            None => right.index == batch.first,
        };
        let is_inside = right.index <= self.batch.index && leaf < right.leaf();
        if batch.batch == number && is_adjacent && is_inside {
            Ok(())
        } else {
            Err(fails(format!(
                "it does not show that batch {number} lacks the leaf"
            )))
        }
    }
}
