//! What a proof consists of: the leaves below each of its hashes.
//!
//! The functions only count leaves, so a caller learns what to fetch before it has any hash.

use crate::hash::{Hash, node_hash};

/// A complete subtree: 2^`level` leaves, beginning at leaf `index` * 2^`level`. Its root never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subtree {
    /// The height: 0 for a leaf, at most 63.
    pub level: u8,
    /// The position among the subtrees of this level, from the left.
    pub index: u64,
}

/// The leaves `start..end` below one node of a tree. At the right edge the node may be incomplete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// The first leaf.
    pub start: u64,
    /// The leaf after the last one.
    pub end: u64,
}

impl Span {
    /// The leaves of a whole tree.
    #[must_use]
    pub const fn of_tree(size: u64) -> Self {
        Self { start: 0, end: size }
    }

    /// The complete subtrees that the node consists of, from left to right, the largest first: one when the node is
    /// complete, at most 64.
    pub fn subtrees(self) -> impl Iterator<Item = Subtree> {
        let mut start = self.start;
        std::iter::from_fn(move || {
            let leaves = self.end.checked_sub(start).filter(|leaves| *leaves > 0)?;
            let level = leaves.ilog2().min(start.trailing_zeros());
            let index = start >> level;
            start += 1 << level;
            let level = level as u8; // below 64
            Some(Subtree { level, index })
        })
    }

    /// The hash of the node, from the roots of its [`subtrees`](Self::subtrees) in their order.
    ///
    /// No roots give the root of the empty tree.
    #[must_use]
    pub fn fold(roots: &[Hash]) -> Hash {
        let Some((last, others)) = roots.split_last() else {
            return Hash::EMPTY_TREE;
        };
        others
            .iter()
            .rev()
            .fold(*last, |right, left| node_hash(left, &right))
    }
}

/// The leaves of the left half of a node with `leaves` leaves: the largest power of two below it.
pub(super) fn left_half(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// The spans of the inclusion proof of leaf `index` in a tree of `size` leaves, the leaf's sibling first (RFC 6962
/// section 2.1.1). `None` when the tree does not have the leaf.
#[must_use]
pub fn inclusion_spans(index: u64, size: u64) -> Option<Vec<Span>> {
    if index >= size {
        return None;
    }
    let mut spans = Vec::new();
    let Span { mut start, mut end } = Span::of_tree(size);
    while end - start > 1 {
        let middle = start + left_half(end - start);
        if index < middle {
            spans.push(Span { start: middle, end });
            end = middle;
        } else {
            spans.push(Span { start, end: middle });
            start = middle;
        }
    }
    spans.reverse();
    Some(spans)
}

/// The spans of the proof that a tree of `new` leaves begins with the tree of its first `old` leaves (RFC 6962 section
/// 2.1.2). Empty when `old` is 0 or `new`; `None` when `old` is larger than `new`.
#[must_use]
pub fn consistency_spans(old: u64, new: u64) -> Option<Vec<Span>> {
    if old > new {
        return None;
    }
    let mut spans = Vec::new();
    if old == 0 {
        return Some(spans);
    }
    let Span { mut start, mut end } = Span::of_tree(new);
    while end != old {
        let middle = start + left_half(end - start);
        if old <= middle {
            spans.push(Span { start: middle, end });
            end = middle;
        } else {
            spans.push(Span { start, end: middle });
            start = middle;
        }
    }
    // When this is the whole old tree, the verifier knows its root.
    if start > 0 {
        spans.push(Span { start, end });
    }
    spans.reverse();
    Some(spans)
}
