//! Checks proofs without the tree.

use thiserror::Error;

use crate::hash::{Hash, node_hash};

/// A proof does not prove what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProofError {
    /// The leaf is not in a tree of this size, or the old tree is larger than the new one.
    #[error("outside the tree")]
    OutOfTree,
    /// The proof has more or fewer hashes than the sizes require.
    #[error("a proof of the wrong length")]
    Length,
    /// The proof leads to another root.
    #[error("a proof of another tree")]
    Root,
}

/// Checks that the leaf with this hash stands at `index` in the tree with `size` leaves and this root (RFC 9162
/// section 2.1.3.2).
///
/// # Errors
/// The tree has no such leaf, or the proof is too short, too long or leads elsewhere.
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf_hash: &Hash,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if root_of_inclusion(index, size, leaf_hash, proof)? == *root {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}

/// The root of the tree for which an inclusion proof holds. Only a comparison with a trusted root proves anything.
///
/// # Errors
/// The tree has no such leaf, or the proof is too short or too long.
pub fn root_of_inclusion(
    index: u64,
    size: u64,
    leaf_hash: &Hash,
    proof: &[Hash],
) -> Result<Hash, ProofError> {
    if index >= size {
        return Err(ProofError::OutOfTree);
    }
    let mut climb = Climb {
        node: index,
        last: size - 1,
    };
    let mut hash = *leaf_hash;
    for sibling in proof {
        hash = match climb.side()? {
            Side::Left => node_hash(sibling, &hash),
            Side::Right => node_hash(&hash, sibling),
        };
    }
    climb.finish()?;
    Ok(hash)
}

/// Checks that the tree of `new` leaves begins with the tree of `old` leaves (RFC 9162 section 2.1.4.2). Equal sizes
/// and the empty old tree have the empty proof.
///
/// # Errors
/// `old` is larger than `new`, or the proof is too short, too long or leads to another root.
pub fn verify_consistency(
    old: u64,
    new: u64,
    old_root: &Hash,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::OutOfTree);
    }
    if old == new || old == 0 {
        let expected = if old == new { new_root } else { &Hash::EMPTY_TREE };
        return match proof {
            [] if old_root == expected && (new > 0 || *new_root == Hash::EMPTY_TREE) => Ok(()),
            [] => Err(ProofError::Root),
            _ => Err(ProofError::Length),
        };
    }
    // The proof begins at the largest complete subtree that ends with the old tree. When it is the old tree, its root
    // is known and left out.
    let level = old.trailing_zeros();
    let (first, rest) = if old.is_power_of_two() {
        (old_root, proof)
    } else {
        proof.split_first().ok_or(ProofError::Length)?
    };
    let mut climb = Climb {
        node: (old - 1) >> level,
        last: (new - 1) >> level,
    };
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in rest {
        match climb.side()? {
            Side::Left => {
                old_hash = node_hash(sibling, &old_hash);
                new_hash = node_hash(sibling, &new_hash);
            }
            Side::Right => new_hash = node_hash(&new_hash, sibling),
        }
    }
    climb.finish()?;
    if old_hash == *old_root && new_hash == *new_root {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}

/// The side on which the sibling stands.
enum Side {
    Left,
    Right,
}

/// The way from a node to the root: the RFC's `fn` and `sn`.
struct Climb {
    /// The node's index in its level.
    node: u64,
    /// The index of the last node in that level.
    last: u64,
}

impl Climb {
    /// Takes one hash of the proof and goes to the parent.
    fn side(&mut self) -> Result<Side, ProofError> {
        if self.last == 0 {
            return Err(ProofError::Length);
        }
        let side = if self.node & 1 == 1 || self.node == self.last {
            // A last node without a sibling is its own parent.
            let levels = self.node.trailing_zeros();
            self.up(levels);
            Side::Left
        } else {
            Side::Right
        };
        self.up(1);
        Ok(side)
    }

    fn up(&mut self, levels: u32) {
        self.node >>= levels;
        self.last >>= levels;
    }

    /// The way must end at the root.
    fn finish(self) -> Result<(), ProofError> {
        if self.last == 0 {
            Ok(())
        } else {
            Err(ProofError::Length)
        }
    }
}
