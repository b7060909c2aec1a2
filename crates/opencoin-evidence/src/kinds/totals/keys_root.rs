//! The root over all mint keys against their leaves.

use opencoin_log::digest::KeyFingerprint;
use opencoin_log::leaf::Leaf;
use serde::{Deserialize, Serialize};

use super::super::key_list::{KeyList, keys_root_of};
use crate::error::{EvidenceError, fails};
use crate::tree::{Included, IncludedRun, SignedTree};

/// The first bytes of the leaf of a mint key.
const MINT_KEY: [u8; 2] = [0x01, 0x02];

/// A batch leaf whose root over the mint keys is not that of the keys before and those in the batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrongKeysRoot {
    pub(crate) batch: Included,
    /// The batch leaf before it; none before the first batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Included>,
    /// All mint keys at the end of the batch before.
    keys: KeyList,
    /// The leaves of mint keys in the batch, and their neighbours: one before, unless the batch begins with them, and one
    /// after.
    run: IncludedRun,
}

impl WrongKeysRoot {
    /// `before` is the batch leaf before `batch`, and `keys` are all mint keys of the log then. `run` has all leaves of mint
    /// keys in the batch, the leaf before them, unless the batch begins with them, and the leaf after them.
    #[must_use]
    pub fn new(
        batch: Included,
        before: Option<Included>,
        keys: Vec<KeyFingerprint>,
        run: IncludedRun,
    ) -> Self {
        let keys = KeyList::new(keys);
        Self {
            batch,
            before,
            keys,
            run,
        }
    }

    pub(super) fn check(&self, tree: &SignedTree) -> Result<String, EvidenceError> {
        let batch = tree.batch(&self.batch)?;
        if batch.previous != self.before.as_ref().map(Included::index) {
            return Err(fails("the batch leaf before is another one"));
        }
        let before = match &self.before {
            Some(before) => tree.batch(before)?.keys_root,
            None => keys_root_of(&[]),
        };
        let mut keys = self.keys.verify(&before)?;
        keys.extend(self.new_keys(tree, batch.first)?);
        keys.sort_unstable();
        if keys_root_of(&keys) == batch.keys_root {
            return Err(fails("the root follows from the leaves of the mint keys"));
        }
        Ok(format!(
            "The batch leaf {} of the log has another root over the mint keys than that of the {} keys in the log, so \
             nobody can show that a key is missing.",
            self.batch.index,
            keys.len()
        ))
    }

    /// Returns the mint keys that the batch adds.
    fn new_keys(&self, tree: &SignedTree, first: u64) -> Result<Vec<KeyFingerprint>, EvidenceError> {
        let leaves = tree.include_run(&self.run)?;
        let incomplete = || fails("not all mint keys of the batch are there");
        let is_key = |leaf: &[u8]| leaf.starts_with(&MINT_KEY);
        let [(begin, one), .., (end, other)] = leaves[..] else {
            // A single leaf is the one after no keys, with which the batch begins.
            let [(at, leaf)] = leaves[..] else {
                return Err(incomplete());
            };
            let is_all = at == first && at <= self.batch.index && leaf > MINT_KEY.as_slice() && !is_key(leaf);
            return if is_all { Ok(Vec::new()) } else { Err(incomplete()) };
        };
        let is_begin = begin == first && is_key(one) || begin >= first && one < MINT_KEY.as_slice();
        let is_end = end <= self.batch.index && other > MINT_KEY.as_slice() && !is_key(other);
        if !is_begin || !is_end {
            return Err(incomplete());
        }
        let between = leaves
            .iter()
            .filter(|(at, _)| *at != end && (*at != begin || is_key(one)));
        between
            .map(|(at, leaf)| match Leaf::decode(leaf) {
                Ok(Leaf::MintKey { certificate, .. }) => {
                    Ok(KeyFingerprint::of(&certificate.mint_key.public_mint_key))
                }
                Ok(_) | Err(_) => Err(fails(format!("leaf {at} is not that of a mint key"))),
            })
            .collect()
    }
}
