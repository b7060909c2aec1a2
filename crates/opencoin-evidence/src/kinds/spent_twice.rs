//! The same coin came back twice, or the same blind was recouped twice.

use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::Leaf;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use serde::{Deserialize, Serialize};

use crate::error::{EvidenceError, fails};
use crate::keys::LogKeys;
use crate::tree::{Included, SignedTree};

/// Two leaves of the same coin or recouped blind, at different places of one tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpentTwice {
    pub(crate) checkpoint: String,
    /// The one with the smaller index.
    pub(crate) first: Included,
    pub(crate) second: Included,
}

/// What can be used once. Coins that are spent and coins that are recouped are the same coins.
#[derive(Debug, PartialEq, Eq)]
enum Used {
    Coin(KeyNo, [u8; 32]),
    Blind(KeyNo, [u8; 32]),
}

impl SpentTwice {
    /// `first` has the smaller index.
    #[must_use]
    pub fn new(checkpoint: &SignedCheckpoint, first: Included, second: Included) -> Self {
        let checkpoint = checkpoint.to_string();
        Self {
            checkpoint,
            first,
            second,
        }
    }

    pub(crate) fn check(&self, keys: &LogKeys) -> Result<String, EvidenceError> {
        let tree = SignedTree::of(keys, &self.checkpoint)?;
        let (first, second) = (used(&tree, &self.first)?, used(&tree, &self.second)?);
        if self.first.index >= self.second.index || first != second {
            return Err(fails("the leaves are not two of the same coin"));
        }
        let (Used::Coin(key_no, _) | Used::Blind(key_no, _)) = first;
        let what = match first {
            Used::Coin(..) => "A coin",
            Used::Blind(..) => "A blind that was recouped",
        };
        Ok(format!(
            "{what} of mint key {} was accepted twice: leaves {} and {} of the log are the same one.",
            key_no.get(),
            self.first.index,
            self.second.index
        ))
    }
}

fn used(tree: &SignedTree, included: &Included) -> Result<Used, EvidenceError> {
    match tree.leaf(included)? {
        Leaf::Spent { key_no, digest } | Leaf::CoinRecouped { key_no, digest } => {
            Ok(Used::Coin(key_no, *digest.as_bytes()))
        }
        Leaf::BlindRecouped { key_no, digest } => Ok(Used::Blind(key_no, *digest.as_bytes())),
        _ => Err(fails(format!(
            "leaf {} is not about something that can be used once",
            included.index
        ))),
    }
}
