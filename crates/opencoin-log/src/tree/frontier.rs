//! The right edge of a tree: enough to append leaves and to know the root.

use super::span::{Span, Subtree};
use crate::hash::{Hash, node_hash};

/// The roots of the complete subtrees that a tree consists of: at most 64 hashes, whatever its size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// From left to right, one for each set bit of `size`.
    roots: Vec<Hash>,
}

impl Frontier {
    /// The empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The tree of `size` leaves whose complete subtrees, from left to right, have these roots; `None` when their
    /// number does not fit the size. [`subtrees`](Self::subtrees) says which they are.
    #[must_use]
    pub fn from_roots(size: u64, roots: Vec<Hash>) -> Option<Self> {
        (roots.len() == size.count_ones() as usize).then_some(Self { size, roots })
    }

    /// The complete subtrees of a tree with `size` leaves, from left to right.
    pub fn subtrees(size: u64) -> impl Iterator<Item = Subtree> {
        Span::of_tree(size).subtrees()
    }

    /// The number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, from left to right.
    #[must_use]
    pub fn roots(&self) -> &[Hash] {
        &self.roots
    }

    /// Appends a leaf.
    ///
    /// # Panics
    /// The tree has 2^64 - 1 leaves.
    pub fn append(&mut self, leaf_hash: Hash) {
        let mut hash = leaf_hash;
        for _ in 0..self.size.trailing_ones() {
            let left = self.roots.pop().expect("one root for each set bit");
            hash = node_hash(&left, &hash);
        }
        self.roots.push(hash);
        self.size = self.size.checked_add(1).expect("fewer than 2^64 leaves");
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        Span::fold(&self.roots)
    }
}
