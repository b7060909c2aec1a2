//! Proofs and roots from tiles.
//!
//! A caller first learns which tiles a proof needs, fetches them from wherever they are, then makes the proof. Tiles
//! are not trusted: a proof from wrong tiles does not verify against the root of a signed checkpoint.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::hash::Hash;
use crate::tile::{MissingTile, TileId, Tiles, root_of_subtree, tile_of_subtree};
use crate::tree::{Span, consistency_spans, inclusion_spans, run_spans};

/// A proof cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TileProofError {
    /// The tree has no such leaf, or the old tree is larger than the new one.
    #[error("outside the tree")]
    OutOfTree,
    /// A tile is needed.
    #[error(transparent)]
    Missing(#[from] MissingTile),
}

/// The tiles for the inclusion proof of leaf `index` in the tree of `size` leaves; `None` when it has no such leaf.
///
/// [`TileId::width_in`] gives the widths.
#[must_use]
pub fn tiles_of_inclusion(index: u64, size: u64) -> Option<Vec<TileId>> {
    Some(tiles_of(&inclusion_spans(index, size)?))
}

/// The inclusion proof of leaf `index` in the tree of `size` leaves, the leaf's sibling first.
///
/// # Errors
/// The tree has no such leaf, or a tile is missing.
pub fn inclusion_proof(index: u64, size: u64, tiles: &impl Tiles) -> Result<Vec<Hash>, TileProofError> {
    proof(inclusion_spans(index, size), tiles)
}

/// The tiles for the consistency proof from `old` to `new` leaves; `None` when `old` is larger.
#[must_use]
pub fn tiles_of_consistency(old: u64, new: u64) -> Option<Vec<TileId>> {
    Some(tiles_of(&consistency_spans(old, new)?))
}

/// The proof that the tree of `new` leaves begins with the tree of `old` leaves.
///
/// # Errors
/// `old` is larger than `new`, or a tile is missing.
pub fn consistency_proof(old: u64, new: u64, tiles: &impl Tiles) -> Result<Vec<Hash>, TileProofError> {
    proof(consistency_spans(old, new), tiles)
}

/// The tiles for the proof that the leaves `first..end` follow each other in the tree of `size` leaves; `None` when it does
/// not have them.
#[must_use]
pub fn tiles_of_run(first: u64, end: u64, size: u64) -> Option<Vec<TileId>> {
    Some(tiles_of(&run_spans(first, end, size)?))
}

/// The proof that the leaves `first..end` follow each other in the tree of `size` leaves.
///
/// # Errors
/// The tree does not have them, or a tile is missing.
pub fn run_proof(first: u64, end: u64, size: u64, tiles: &impl Tiles) -> Result<Vec<Hash>, TileProofError> {
    proof(run_spans(first, end, size), tiles)
}

/// The tiles for the root of the tree of `size` leaves.
#[must_use]
pub fn tiles_of_root(size: u64) -> Vec<TileId> {
    tiles_of(&[Span::of_tree(size)])
}

/// The root of the tree of `size` leaves.
///
/// # Errors
/// A tile is missing.
pub fn root_of(size: u64, tiles: &impl Tiles) -> Result<Hash, MissingTile> {
    root_of_span(Span::of_tree(size), tiles)
}

/// Each tile once, in the order of levels and indices.
fn tiles_of(spans: &[Span]) -> Vec<TileId> {
    let subtrees = spans.iter().flat_map(|span| span.subtrees());
    let tiles: BTreeSet<TileId> = subtrees.map(|subtree| tile_of_subtree(subtree).0).collect();
    tiles.into_iter().collect()
}

fn proof(spans: Option<Vec<Span>>, tiles: &impl Tiles) -> Result<Vec<Hash>, TileProofError> {
    let spans = spans.ok_or(TileProofError::OutOfTree)?;
    let hashes = spans.into_iter().map(|span| root_of_span(span, tiles));
    Ok(hashes.collect::<Result<_, MissingTile>>()?)
}

fn root_of_span(span: Span, tiles: &impl Tiles) -> Result<Hash, MissingTile> {
    let roots: Result<Vec<Hash>, MissingTile> = span
        .subtrees()
        .map(|subtree| root_of_subtree(subtree, tiles))
        .collect();
    Ok(Span::fold(&roots?))
}
