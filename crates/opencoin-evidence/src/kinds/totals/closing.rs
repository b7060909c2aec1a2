//! The counts with which a key was closed.

use opencoin_log::batch::KeyCounts;
use opencoin_log::leaf::{CloseReason, Leaf};
use serde::{Deserialize, Serialize};

use super::chain::BatchesBefore;
use crate::error::{EvidenceError, fails};
use crate::tree::{Included, SignedTree};

/// A closing whose counts are not those of a batch leaf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClosingCounts {
    /// The leaf that closes the key.
    closing: Included,
    /// A batch leaf that has counts of the key, or that of the closing's batch.
    batch: Included,
    /// If that of the closing's batch does not have the key: the batch leaves before it.
    #[serde(default, skip_serializing_if = "BatchesBefore::is_empty")]
    before: BatchesBefore,
}

impl ClosingCounts {
    /// `before` are the batch leaves before `batch`, the newest first, back to one that names the key or to the first one;
    /// none if `batch` names the key.
    #[must_use]
    pub const fn new(closing: Included, batch: Included, before: Vec<Included>) -> Self {
        let before = BatchesBefore(before);
        Self {
            closing,
            batch,
            before,
        }
    }

    pub(super) fn check(&self, tree: &SignedTree) -> Result<String, EvidenceError> {
        let Leaf::KeyClosed {
            key_no,
            reason,
            issued,
            spent,
        } = tree.leaf(&self.closing)?
        else {
            return Err(fails("the leaf closes no key"));
        };
        let (batch, closed_at) = (tree.batch(&self.batch)?, self.closing.index);
        let named = batch.keys.iter().find(|counts| counts.key_no == key_no);
        let is_own_batch = (batch.first..self.batch.index).contains(&closed_at);
        let counts = match named {
            Some(counts) if self.before.is_empty() => *counts,
            // What the key had before did not change in this batch.
            None if is_own_batch => {
                let (counts, _) = self.before.counts(tree, &batch, [key_no])?;
                let none = KeyCounts {
                    key_no,
                    issued: 0,
                    spent: 0,
                };
                counts.get(&key_no).copied().unwrap_or(none)
            }
            _ => return Err(fails("the batch leaf does not have the key")),
        };
        let is_possible = if self.batch.index < closed_at {
            counts.issued <= issued && counts.spent <= spent
        } else if is_own_batch {
            (counts.issued, counts.spent) == (issued, spent)
        } else {
            // Nothing more is signed, and coins come back only if the time for signing is over and nothing else.
            let may_spend = reason == CloseReason::WindowOver && counts.spent >= spent;
            counts.issued == issued && (counts.spent == spent || may_spend)
        };
        if is_possible {
            return Err(fails("the counts do not contradict each other"));
        }
        Ok(format!(
            "Leaf {closed_at} of the log closes mint key {} with {issued} coins signed and {spent} back, but by the batch \
             leaf {} they are {} and {}.",
            key_no.get(),
            self.batch.index,
            counts.issued,
            counts.spent
        ))
    }

    pub(super) const fn index(&self) -> u64 {
        if self.batch.index < self.closing.index {
            self.closing.index
        } else {
            self.batch.index
        }
    }
}
