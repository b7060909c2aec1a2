//! The only trees that an auditor cosigns: those that it has replayed to their end, and in which it knows no broken rule.

use opencoin_log::hash::Hash;
use thiserror::Error;

use super::{Keep, WorkError, Worker};

/// The tree of a checkpoint that this process has replayed to its end, which is the end of a batch, and in which no rule is
/// broken as far as the replay knows. Only [`Worker::replayed_tree`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReplayedTree {
    size: u64,
    root: Hash,
}

impl ReplayedTree {
    /// Whether it has this size and root.
    pub(crate) fn is(&self, size: u64, root: &Hash) -> bool {
        (self.size, &self.root) == (size, root)
    }
}

/// Why a tree must not be cosigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum NotReplayed {
    /// The replay is somewhere else.
    #[error("{replayed} of {size} entries were replayed")]
    Size {
        /// How many were replayed.
        replayed: u64,
        /// How many the tree has.
        size: u64,
    },
    /// It ends within a batch.
    #[error("a rule is broken: the log ends within a batch")]
    WithinBatch,
    /// The replay has found a broken rule.
    #[error("a rule is broken: leaf {0} shows it")]
    Broken(u64),
    /// The entries on the disk are of another tree, or were not compared with this one since the auditor was started.
    #[error("the entries on the disk were not compared with the checkpoint yet")]
    NotCompared,
}

impl Worker {
    /// The tree of a checkpoint ends here: makes the entries durable and what was found in them, also by replaying entries
    /// that were on the disk already. Returns whether the entries on the disk are those of this tree.
    pub(crate) fn end_tree(
        &mut self,
        size: u64,
        root: &Hash,
        keep: &mut impl Keep,
    ) -> Result<bool, WorkError> {
        self.findings.extend(self.replay.end_of_tree());
        self.store(false, keep)?;
        let is_whole = (self.files.size(), &self.files.root()) == (size, root);
        self.ended = is_whole.then_some((size, *root));
        Ok(is_whole)
    }

    /// Whether the tree of this checkpoint was ended here, since the files were opened.
    pub(crate) fn has_ended(&self, size: u64, root: &Hash) -> bool {
        self.ended == Some((size, *root))
    }

    /// The size of the tree that was ended last; 0 if none was since the files were opened.
    pub(crate) fn ended_size(&self) -> u64 {
        self.ended.map_or(0, |(size, _)| size)
    }

    /// The tree of a checkpoint, if every rule holds in it.
    pub(crate) fn replayed_tree(&self, size: u64, root: &Hash) -> Result<ReplayedTree, NotReplayed> {
        let replayed = self.replay.size();
        if replayed != size {
            return Err(NotReplayed::Size { replayed, size });
        }
        if self.replay.end_of_tree().is_some() {
            return Err(NotReplayed::WithinBatch);
        }
        if let Some(leaf) = self.replay.first_broken().filter(|leaf| *leaf < size) {
            return Err(NotReplayed::Broken(leaf));
        }
        if self.files.size() != size || !self.has_ended(size, root) {
            return Err(NotReplayed::NotCompared);
        }
        Ok(ReplayedTree { size, root: *root })
    }
}
