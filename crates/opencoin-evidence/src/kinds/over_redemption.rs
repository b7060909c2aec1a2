//! The log itself says that more coins of a key came back than were signed.

use opencoin_log::leaf::Leaf;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use serde::{Deserialize, Serialize};

use crate::error::{EvidenceError, fails};
use crate::keys::LogKeys;
use crate::tree::{Included, SignedTree};

/// A batch leaf, or the closing of a key, with such counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverRedemption {
    pub(crate) checkpoint: String,
    pub(crate) leaf: Included,
}

impl OverRedemption {
    /// `leaf` is a batch leaf, or that of a closed key.
    #[must_use]
    pub fn new(checkpoint: &SignedCheckpoint, leaf: Included) -> Self {
        let checkpoint = checkpoint.to_string();
        Self { checkpoint, leaf }
    }

    pub(crate) fn check(&self, keys: &LogKeys) -> Result<String, EvidenceError> {
        let tree = SignedTree::of(keys, &self.checkpoint)?;
        let (key_no, issued, spent) = match tree.leaf(&self.leaf)? {
            Leaf::Batch(batch) => {
                let found = batch.keys.iter().find(|counts| counts.spent > counts.issued);
                found.map(|counts| (counts.key_no, counts.issued, counts.spent))
            }
            Leaf::KeyClosed {
                key_no,
                issued,
                spent,
                ..
            } if spent > issued => Some((key_no, issued, spent)),
            _ => None,
        }
        .ok_or_else(|| fails("no key has more coins back than were signed"))?;
        Ok(format!(
            "Leaf {} of the log says that {spent} coins of mint key {} came back, but only {issued} were signed.",
            self.leaf.index,
            key_no.get()
        ))
    }
}
