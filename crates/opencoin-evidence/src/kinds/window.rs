//! A leaf about a coin that stands outside the time of its mint key.
//!
//! A leaf has no time of its own. What was accepted in time is sealed within the grace of the log, which its promises name
//! too, so the time of the batch decides. An issuer that seals later has broken a promise.

use opencoin_log::batch::BatchLeaf;
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::{CloseReason, Leaf};
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_schema::MintKey;
use serde::{Deserialize, Serialize};

use super::time::unix_s;
use crate::error::{EvidenceError, fails};
use crate::keys::LogKeys;
use crate::tree::{Included, SignedTree};
use crate::words::date;

/// A leaf about a coin, and what shows that it should not be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutsideWindow {
    pub(crate) checkpoint: String,
    pub(crate) leaf: Included,
    pub(crate) rule: WindowRule,
}

/// Why the leaf should not be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "broken")]
pub enum WindowRule {
    /// Its batch was sealed before the key signed, after it signed, or after its coins had expired.
    #[serde(rename = "dates")]
    Dates(OutsideDates),
    /// The leaf of the key comes later, or, for a signature, in the same batch.
    #[serde(rename = "key unknown")]
    KeyUnknown(KeyUnknown),
    /// The key was closed in an earlier batch.
    #[serde(rename = "key closed")]
    KeyClosed(AfterClosing),
}

/// The batch was sealed at a time when the key was not used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutsideDates {
    /// The leaf of the mint key.
    pub key: Included,
    /// The batch leaf of the batch that has the coin's leaf.
    pub batch: Included,
}

/// The key's own leaf was not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyUnknown {
    /// The leaf of the mint key.
    pub key: Included,
    /// The batch leaf of the batch that has both leaves, if the key's leaf comes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<Included>,
}

/// The key was closed before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AfterClosing {
    /// The leaf that closes the key.
    pub closing: Included,
    /// A batch leaf between the two.
    pub batch: Included,
}

/// What a leaf about a coin says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Issued,
    Spent,
    Recouped,
}

impl OutsideWindow {
    /// `leaf` is one about a coin or a blind.
    #[must_use]
    pub fn new(checkpoint: &SignedCheckpoint, leaf: Included, rule: WindowRule) -> Self {
        let checkpoint = checkpoint.to_string();
        Self {
            checkpoint,
            leaf,
            rule,
        }
    }

    pub(crate) fn check(&self, keys: &LogKeys) -> Result<String, EvidenceError> {
        let tree = SignedTree::of(keys, &self.checkpoint)?;
        let (key_no, used) = match tree.leaf(&self.leaf)? {
            Leaf::Issued { key_no, .. } => (key_no, Use::Issued),
            Leaf::Spent { key_no, .. } => (key_no, Use::Spent),
            Leaf::CoinRecouped { key_no, .. } | Leaf::BlindRecouped { key_no, .. } => (key_no, Use::Recouped),
            _ => return Err(fails("the leaf is not one about a coin")),
        };
        let at = self.leaf.index;
        let why = match &self.rule {
            WindowRule::Dates(why) => why.check(&tree, at, key_no, used, keys.within_s())?,
            WindowRule::KeyUnknown(why) => why.check(&tree, at, key_no, used)?,
            WindowRule::KeyClosed(why) => why.check(&tree, at, key_no, used)?,
        };
        let what = match used {
            Use::Issued => "a coin was signed",
            Use::Spent => "a coin was taken",
            Use::Recouped => "a coin was recouped",
        };
        Ok(format!(
            "Leaf {at} of the log says that {what} with mint key {}, but {why}.",
            key_no.get()
        ))
    }

    /// The index of the last leaf that shows the fault.
    pub(crate) fn index(&self) -> u64 {
        self.leaf.index.max(self.rule.index())
    }
}

impl WindowRule {
    /// The index of the last leaf that shows the fault, besides the leaf about a coin.
    fn index(&self) -> u64 {
        match self {
            Self::Dates(rule) => rule.key.index.max(rule.batch.index),
            Self::KeyUnknown(rule) => {
                let batch = rule.batch.as_ref().map_or(0, Included::index);
                rule.key.index.max(batch)
            }
            Self::KeyClosed(rule) => rule.closing.index.max(rule.batch.index),
        }
    }
}

impl OutsideDates {
    fn check(
        &self,
        tree: &SignedTree,
        at: u64,
        key_no: KeyNo,
        used: Use,
        within_s: u64,
    ) -> Result<String, EvidenceError> {
        let BatchLeaf { time, .. } = tree.batch_of(at, &self.batch)?;
        let key = mint_key(tree, &self.key, key_no)?;
        let begin = unix_s(key.sign_coins_not_before);
        // The grace is for clocks that differ.
        if time.saturating_add(within_s) < begin {
            return Ok(format!(
                "the key did not sign before {}, and the batch was sealed on {}, more than {within_s} seconds earlier",
                date(begin),
                date(time)
            ));
        }
        let end = unix_s(match used {
            Use::Issued => key.sign_coins_not_after,
            Use::Spent | Use::Recouped => key.coins_expiry_date,
        });
        if time <= end.saturating_add(within_s) {
            return Err(fails("the batch was sealed while the key was used"));
        }
        let what = match used {
            Use::Issued => "the key signed",
            Use::Spent | Use::Recouped => "its coins were valid",
        };
        Ok(format!(
            "{what} until {}, and the batch was sealed on {}, more than {within_s} seconds later",
            date(end),
            date(time)
        ))
    }
}

impl KeyUnknown {
    fn check(&self, tree: &SignedTree, at: u64, key_no: KeyNo, used: Use) -> Result<String, EvidenceError> {
        mint_key(tree, &self.key, key_no)?;
        let key_at = self.key.index;
        match &self.batch {
            None if at < key_at => Ok(format!("the key is not in the log before leaf {key_at}")),
            // A signature needs the key's leaf under a checkpoint that witnesses have seen.
            Some(batch) if used == Use::Issued && key_at < at => {
                let both = tree.batch_of(at, batch)?;
                if key_at < both.first {
                    return Err(fails("the key was in an earlier batch"));
                }
                Ok(format!(
                    "the key is not in the log before this batch, with leaf {key_at}"
                ))
            }
            _ => Err(fails("the key was in the log before")),
        }
    }
}

impl AfterClosing {
    fn check(&self, tree: &SignedTree, at: u64, key_no: KeyNo, used: Use) -> Result<String, EvidenceError> {
        let closed_for = match tree.leaf(&self.closing)? {
            Leaf::KeyClosed {
                key_no: closed,
                reason,
                ..
            } if closed == key_no => reason,
            _ => return Err(fails("the key was not closed by this leaf")),
        };
        tree.batch(&self.batch)?;
        let (closed_at, between) = (self.closing.index, self.batch.index);
        if !(closed_at < between && between < at) {
            return Err(fails("the key was not closed in an earlier batch"));
        }
        let is_over = match used {
            Use::Issued => true,
            Use::Spent => closed_for != CloseReason::WindowOver,
            // Coins of a stopped key are recouped.
            Use::Recouped => closed_for == CloseReason::CoinsExpired,
        };
        if is_over {
            Ok(format!(
                "leaf {closed_at}, in an earlier batch, has closed the key"
            ))
        } else {
            Err(fails("the key was not closed for this use"))
        }
    }
}

fn mint_key(tree: &SignedTree, included: &Included, key_no: KeyNo) -> Result<MintKey, EvidenceError> {
    match tree.leaf(included)? {
        Leaf::MintKey {
            key_no: found,
            certificate,
        } if found == key_no => Ok(certificate.mint_key),
        _ => Err(fails(format!(
            "leaf {} is not that of the mint key",
            included.index
        ))),
    }
}
