//! The counts with which a key was closed.

use opencoin_log::leaf::{CloseReason, Leaf};
use serde::{Deserialize, Serialize};

use crate::error::{EvidenceError, fails};
use crate::tree::{Included, SignedTree};

/// A closing whose counts are not those of an earlier or later batch leaf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClosingCounts {
    /// The leaf that closes the key.
    pub closing: Included,
    /// A batch leaf that has counts of the key.
    pub batch: Included,
}

impl ClosingCounts {
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
        let counts = batch.keys.iter().find(|counts| counts.key_no == key_no);
        let counts = counts.ok_or_else(|| fails("the batch leaf does not have the key"))?;
        let is_possible = if self.batch.index < closed_at {
            counts.issued <= issued && counts.spent <= spent
        } else if batch.first <= closed_at {
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
            "Leaf {closed_at} of the log closes mint key {} with {issued} coins signed and {spent} back, but the batch \
             leaf {} says {} and {}.",
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
