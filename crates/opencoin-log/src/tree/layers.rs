//! A small tree in memory, for the proofs of many of its leaves.

use crate::hash::{Hash, node_hash};

/// All nodes of a tree: twice as many hashes as leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layers {
    /// The leaf hashes first, the root alone last. A last node without a sibling stands in the next layer unchanged,
    /// which gives the tree of RFC 6962.
    layers: Vec<Vec<Hash>>,
}

impl Layers {
    /// The tree with these leaf hashes.
    #[must_use]
    pub fn new(leaf_hashes: Vec<Hash>) -> Self {
        let mut layers = vec![leaf_hashes];
        while let Some(below) = layers.last().filter(|layer| layer.len() > 1) {
            let parent = |pair: &[Hash]| match pair {
                [left, right] => node_hash(left, right),
                _ => pair[0],
            };
            let layer = below.chunks(2).map(parent).collect();
            layers.push(layer);
        }
        Self { layers }
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        let last = self.layers.last().and_then(|layer| layer.first());
        last.copied().unwrap_or(Hash::EMPTY_TREE)
    }

    /// The inclusion proof of a leaf, its sibling first; `None` when the tree does not have it.
    #[must_use]
    pub fn inclusion_proof(&self, index: usize) -> Option<Vec<Hash>> {
        self.layers[0].get(index)?;
        let sibling = |(level, layer): (usize, &Vec<Hash>)| layer.get((index >> level) ^ 1).copied();
        Some(self.layers.iter().enumerate().filter_map(sibling).collect())
    }
}
