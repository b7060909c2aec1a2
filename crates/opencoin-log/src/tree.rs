//! The Merkle tree over all entries: its root, and proofs that an entry is in it and that it only grew.
//!
//! A tree of more than one leaf splits at the largest power of two below its size, so it consists of complete subtrees
//! that later leaves never change. Everything here rests on that: a writer keeps the roots of these subtrees
//! ([`Frontier`]), and a proof consists of hashes that the complete subtrees give ([`Span`]).
//!
//! Sources: RFC 6962 section 2.1, RFC 9162 sections 2.1.3.2 and 2.1.4.2.

mod frontier;
mod layers;
mod run;
mod span;
mod verify;

pub use frontier::Frontier;
pub use layers::Layers;
pub use run::{run_spans, verify_run};
pub use span::{Span, Subtree, consistency_spans, inclusion_spans};
pub use verify::{ProofError, root_of_inclusion, verify_consistency, verify_inclusion};

use crate::hash::Hash;

/// The longest proof of inclusion or consistency, in hashes, for sizes below 2^63. Longer ones are refused unread.
pub const PROOF_HASHES_MAX: usize = 63;

/// The root of the tree with these leaf hashes.
#[must_use]
pub fn root(leaf_hashes: &[Hash]) -> Hash {
    let mut frontier = Frontier::new();
    for leaf_hash in leaf_hashes {
        frontier.append(*leaf_hash);
    }
    frontier.root()
}
