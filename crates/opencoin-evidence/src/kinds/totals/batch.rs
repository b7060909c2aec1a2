//! Batch leaves by themselves.

use opencoin_log::batch::{BatchLeaf, KeyCounts};
use opencoin_log::leaf::Leaf;
use serde::{Deserialize, Serialize};

use crate::error::{EvidenceError, fails};
use crate::tree::{Included, SignedTree};

/// A batch leaf that contradicts itself or its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneBatch {
    /// The batch leaf.
    pub batch: Included,
}

/// A batch leaf that contradicts an earlier leaf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TwoBatches {
    /// An earlier batch leaf, or another leaf that stands where the batch leaf says that the one before it does.
    pub earlier: Included,
    /// The batch leaf.
    pub batch: Included,
}

impl OneBatch {
    pub(super) fn check(&self, tree: &SignedTree) -> Result<String, EvidenceError> {
        let (leaf, at) = (tree.batch(&self.batch)?, self.batch.index);
        let first = match leaf.previous {
            Some(previous) => previous.checked_add(1),
            None => Some(0),
        };
        let is_first = leaf.previous.is_none();
        let fault = if !leaf.is_balanced() {
            format!(
                "{} was paid in, {} recouped and {} paid out, but {} is said to be in accounts and in coins",
                leaf.paid_in,
                leaf.recouped,
                leaf.paid_out,
                owed(&leaf)
            )
        } else if first != Some(leaf.first) || leaf.first > at {
            format!(
                "its batch begins with leaf {}, which is not the one after the batch before",
                leaf.first
            )
        } else if is_first != (leaf.batch == 1) {
            format!("it has the number {} in a wrong place", leaf.batch)
        } else if let Some(counts) = leaf.keys.iter().find(|counts| has_no_coins(counts)) {
            let key_no = counts.key_no.get();
            format!("it lists mint key {key_no}, of which no coin was ever signed or came back")
        } else {
            return Err(fails("the batch leaf does not contradict itself"));
        };
        Ok(format!("The batch leaf {at} of the log cannot be true: {fault}."))
    }
}

fn has_no_coins(counts: &KeyCounts) -> bool {
    (counts.issued, counts.spent) == (0, 0)
}

fn owed(leaf: &BatchLeaf) -> u128 {
    let owed = [leaf.accounts, leaf.key_accounts, leaf.coins, leaf.expired];
    owed.iter().map(|amount| u128::from(*amount)).sum()
}

impl TwoBatches {
    pub(super) fn check(&self, tree: &SignedTree) -> Result<String, EvidenceError> {
        let (leaf, at) = (tree.batch(&self.batch)?, self.batch.index);
        let before = self.earlier.index;
        tree.include(&self.earlier)?;
        if before >= at {
            return Err(fails("the leaves are in the wrong order"));
        }
        let is_previous = leaf.previous == Some(before);
        let fault = match Leaf::decode(self.earlier.leaf()) {
            Ok(Leaf::Batch(earlier)) => contradiction(&earlier, &leaf, before, is_previous),
            Ok(_) | Err(_) => is_previous.then(|| "that is no batch leaf".to_owned()),
        };
        let fault = fault.ok_or_else(|| fails("the batch leaf does not contradict the earlier leaf"))?;
        Ok(format!(
            "The batch leaf {at} of the log cannot be true after leaf {before}: {fault}."
        ))
    }
}

/// What of a later batch leaf contradicts an earlier one.
fn contradiction(earlier: &BatchLeaf, later: &BatchLeaf, before: u64, is_previous: bool) -> Option<String> {
    let totals = [
        ("what was paid in", earlier.paid_in, later.paid_in),
        ("what was paid out", earlier.paid_out, later.paid_out),
        ("what was recouped", earlier.recouped, later.recouped),
        ("the time", earlier.time, later.time),
    ];
    if let Some((total, was, is)) = totals.into_iter().find(|(_, was, is)| is < was) {
        return Some(format!("{total} falls from {was} to {is}"));
    }
    let is_next = earlier.batch.checked_add(1) == Some(later.batch);
    if later.batch <= earlier.batch || is_previous && !is_next {
        return Some(format!(
            "batch {} comes after batch {}",
            later.batch, earlier.batch
        ));
    }
    if later.first <= before {
        return Some("the earlier batch leaf stands within this batch".to_owned());
    }
    let listed = later.keys.iter();
    let mut listed_twice = listed.filter_map(|counts| {
        let was = earlier.keys.iter().find(|was| was.key_no == counts.key_no)?;
        Some((was, counts))
    });
    listed_twice.find_map(|(was, is)| {
        let key_no = is.key_no.get();
        if is.issued < was.issued || is.spent < was.spent {
            Some(format!("the counts of mint key {key_no} fall"))
        } else if is == was && !later.opening {
            Some(format!(
                "mint key {key_no} is listed although its counts have not changed"
            ))
        } else {
            None
        }
    })
}
