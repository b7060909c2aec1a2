//! The rules of a witness: whether a checkpoint continues what was cosigned last. No I/O.
//!
//! The order of the checks is part of the protocol, because a client learns the witness's size from a conflict and must
//! not be told that its proof is wrong instead. Source: C2SP tlog-witness, "add-checkpoint".

use opencoin_log::checkpoint::Checkpoint;
use opencoin_log::hash::Hash;
use opencoin_log::tree::{ProofError, verify_consistency};
use opencoin_log::witness::AddCheckpoint;
use thiserror::Error;

/// A tree of a log: its size and root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tree {
    pub(crate) size: u64,
    pub(crate) root: Hash,
}

/// Why a checkpoint that the log has signed is not cosigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CheckpointRefusal {
    /// The request says that the old tree is larger than the new one.
    #[error("the old size {old} is larger than the checkpoint's size {new}")]
    OldTooLarge {
        /// The old size of the request.
        old: u64,
        /// The size of the checkpoint.
        new: u64,
    },
    /// The witness has cosigned a tree of another size last.
    #[error("the witness has cosigned size {0} last")]
    Conflict(u64),
    /// The root is not that of the cosigned tree of this size, or not that of the empty tree.
    #[error("a tree of size {0} has another root")]
    OtherRoot(u64),
    /// The proof does not lead from the old root to the new one.
    #[error("the consistency proof does not verify: {0}")]
    Proof(ProofError),
}

impl Tree {
    /// The tree that a witness knows of a log of which it has cosigned nothing.
    pub(crate) const EMPTY: Self = Self {
        size: 0,
        root: Hash::EMPTY_TREE,
    };

    pub(crate) fn of(checkpoint: &Checkpoint) -> Self {
        Self {
            size: checkpoint.size(),
            root: *checkpoint.root(),
        }
    }

    /// Whether no log can have both trees.
    pub(crate) fn contradicts(&self, other: &Self) -> bool {
        self.size == other.size && self.root != other.root
    }
}

/// Decides whether the checkpoint of a request continues the tree that was cosigned last.
///
/// # Errors
/// See [`CheckpointRefusal`], in this order.
pub(crate) fn decide(known: &Tree, request: &AddCheckpoint) -> Result<(), CheckpointRefusal> {
    let (old, new) = (request.old_size, Tree::of(request.checkpoint.checkpoint()));
    if old > new.size {
        return Err(CheckpointRefusal::OldTooLarge { old, new: new.size });
    }
    if old != known.size {
        return Err(CheckpointRefusal::Conflict(known.size));
    }
    if new.contradicts(known) {
        return Err(CheckpointRefusal::OtherRoot(new.size));
    }
    verify_consistency(old, new.size, &known.root, &new.root, &request.proof)
        .map_err(CheckpointRefusal::Proof)
}
