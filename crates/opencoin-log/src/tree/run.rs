//! Proofs that several leaves follow each other in a tree.
//!
//! The hashes of such a proof are the roots of the subtrees beside the run, from left to right. One proof for a long run
//! is much shorter than one for each leaf.

use super::span::{Span, left_half};
use super::verify::ProofError;
use crate::hash::{Hash, node_hash};

/// The spans of the proof that the leaves `first..end` follow each other in a tree of `size` leaves, from left to right.
/// `None` when the run is empty or the tree does not have it.
#[must_use]
pub fn run_spans(first: u64, end: u64, size: u64) -> Option<Vec<Span>> {
    if first >= end || end > size {
        return None;
    }
    let mut spans = Vec::new();
    collect(Span::of_tree(size), Span { start: first, end }, &mut spans);
    Some(spans)
}

fn collect(node: Span, run: Span, spans: &mut Vec<Span>) {
    if is_outside(node, run) {
        spans.push(node);
    } else if !is_inside(node, run) {
        let (left, right) = halves(node);
        collect(left, run, spans);
        collect(right, run, spans);
    }
}

/// Checks that leaves with these hashes follow each other from `first` on in the tree with `size` leaves and this root.
///
/// # Errors
/// There are no leaves, the tree does not have so many, or the proof is too short, too long or leads elsewhere.
pub fn verify_run(
    first: u64,
    leaf_hashes: &[Hash],
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    let end = first.checked_add(leaf_hashes.len() as u64);
    let end = end.filter(|end| first < *end && *end <= size);
    let run = Span {
        start: first,
        end: end.ok_or(ProofError::OutOfTree)?,
    };
    let mut proof = proof.iter();
    let found = fold(Span::of_tree(size), run, leaf_hashes, &mut proof)?;
    if proof.next().is_some() {
        Err(ProofError::Length)
    } else if found == *root {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}

/// Each level of the tree halves a node, so this goes 64 deep at most.
fn fold<'proof>(
    node: Span,
    run: Span,
    leaf_hashes: &[Hash],
    proof: &mut impl Iterator<Item = &'proof Hash>,
) -> Result<Hash, ProofError> {
    if is_outside(node, run) {
        return proof.next().copied().ok_or(ProofError::Length);
    }
    if node.end - node.start == 1 {
        let place = usize::try_from(node.start - run.start).map_err(|_| ProofError::OutOfTree)?;
        return leaf_hashes.get(place).copied().ok_or(ProofError::OutOfTree);
    }
    let (left, right) = halves(node);
    let left = fold(left, run, leaf_hashes, proof)?;
    Ok(node_hash(&left, &fold(right, run, leaf_hashes, proof)?))
}

const fn is_outside(node: Span, run: Span) -> bool {
    node.end <= run.start || run.end <= node.start
}

const fn is_inside(node: Span, run: Span) -> bool {
    run.start <= node.start && node.end <= run.end
}

fn halves(node: Span) -> (Span, Span) {
    let middle = node.start + left_half(node.end - node.start);
    (
        Span { end: middle, ..node },
        Span {
            start: middle,
            ..node
        },
    )
}
