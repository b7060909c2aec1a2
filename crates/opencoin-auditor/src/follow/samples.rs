//! What a light auditor looks at: a few random bundles of each new tree.
//!
//! Every entry of a bundle must be readable, and the leaves of a batch must be in order, so a log that is wrong in many
//! places is found out. One that is wrong in a single place is usually not: that is what full auditors are for.

use opencoin_log::hash::Hash;
use opencoin_log::leaf::Leaf;
use opencoin_log::tile::TILE_HASHES;
use opencoin_log_reader::LogTree;
use rand::Rng;

use super::{FollowError, Follower};

/// The bundles that are looked at for each new checkpoint, besides the last one.
const SAMPLES: usize = 3;

impl Follower {
    /// Looks at some bundles of the tree, from any server that has them.
    pub(super) async fn take_samples(&mut self, size: u64, root: Hash) -> Result<(), FollowError> {
        if size == 0 || self.sampled == Some(root) {
            return Ok(());
        }
        let bundles = size.div_ceil(u64::from(TILE_HASHES));
        let mut chosen = vec![bundles - 1];
        chosen.extend((0..SAMPLES).map(|_| self.rng.gen_range(0..bundles)));
        chosen.dedup();
        let sources = self.sources();
        let mut failure = None;
        for prefix in sources.prefixes() {
            let mut tree = LogTree::new(self.reader(prefix), size, root);
            match self.look_at(&mut tree, &chosen).await {
                Ok(looked) => {
                    self.sampled = Some(root);
                    self.auditor.statuses.change(self.currency.no, |status| {
                        status.sampled += looked;
                    });
                    return Ok(());
                }
                Err(error @ FollowError::Store(_)) => return Err(error),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Looks at these bundles. Returns how many entries they have.
    async fn look_at(&self, tree: &mut LogTree, bundles: &[u64]) -> Result<u64, FollowError> {
        let mut looked = 0;
        for bundle in bundles {
            let entries = tree.bundle(*bundle).await?.to_vec();
            looked += entries.len() as u64;
            let first = bundle * u64::from(TILE_HASHES);
            if let Some((index, text)) = fault(&entries, first) {
                let now = self.auditor.now_s();
                let store = &self.auditor.store;
                store
                    .put_other_finding(self.currency.no, index, &text, true, now)
                    .await?;
            }
        }
        let last = tree.size() - 1;
        if !matches!(Leaf::decode(tree.leaf(last).await?), Ok(Leaf::Batch(_))) {
            let now = self.auditor.now_s();
            let text = format!("leaf {last}: the log ends within a batch");
            let store = &self.auditor.store;
            store
                .put_other_finding(self.currency.no, last, &text, true, now)
                .await?;
        }
        Ok(looked)
    }
}

/// The first entry of a bundle that breaks a rule, and which.
fn fault(entries: &[Vec<u8>], first: u64) -> Option<(u64, String)> {
    let mut before: Option<&[u8]> = None;
    for (index, entry) in (first..).zip(entries) {
        let leaf = match Leaf::decode(entry) {
            Ok(leaf) => leaf,
            Err(error) => return Some((index, format!("leaf {index}: {error}"))),
        };
        let may_repeat = matches!(leaf, Leaf::Issued { .. });
        let is_after = before.is_none_or(|before| before < entry.as_slice() || may_repeat && before == entry);
        if !is_after {
            return Some((
                index,
                format!("leaf {index}: the leaf is not after the one before it"),
            ));
        }
        match leaf {
            Leaf::Batch(batch) if !batch.is_balanced() => {
                let text =
                    "what was paid in and recouped, less what was paid out, is not what the issuer owes";
                return Some((index, format!("leaf {index}: {text}")));
            }
            Leaf::Batch(_) => before = None,
            _ => before = Some(entry),
        }
    }
    None
}
