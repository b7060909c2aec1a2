//! Makes evidence from the files of a log.
//!
//! The caller has found a fault and knows the leaves that show it. The builder reads these leaves, looks for what else the
//! file needs, and verifies the file. What it returns convinces everybody.

mod leaves;
mod payments;
mod totals;

use opencoin_log::leaf::Leaf;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log_reader::{LogReadError, LogTree};
use opencoin_schema::Cddc;
use thiserror::Error;

use crate::claim::Claim;
use crate::error::EvidenceError;
use crate::evidence::{EVIDENCE_BYTES_MAX, Evidence, too_long};
use crate::tree::{Included, IncludedRun};

/// Makes evidence of faults in one tree of a log.
pub struct EvidenceBuilder<'tree> {
    tree: &'tree mut LogTree,
    checkpoint: SignedCheckpoint,
    cddc: Cddc,
}

/// Evidence cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BuildError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] LogReadError),
    /// What was found proves nothing, or the file would be too long.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// A leaf is not of the kind that the fault is about.
    #[error("leaf {0} is not one that this evidence is about")]
    OtherLeaf(u64),
}

impl<'tree> EvidenceBuilder<'tree> {
    /// `tree` is the tree of the checkpoint, and `cddc` the description that names the log's keys.
    #[must_use]
    pub const fn new(tree: &'tree mut LogTree, checkpoint: SignedCheckpoint, cddc: Cddc) -> Self {
        Self {
            tree,
            checkpoint,
            cddc,
        }
    }

    fn evidence(&self, claim: Claim) -> Result<Evidence, BuildError> {
        Ok(Evidence::new(self.cddc.clone(), claim)?)
    }

    async fn included(&mut self, index: u64) -> Result<Included, BuildError> {
        Ok(included(self.tree, index).await?)
    }

    /// The leaves `first..=last`. A hostile batch may have more than fit into a file, or into memory.
    async fn run(&mut self, first: u64, last: u64) -> Result<IncludedRun, BuildError> {
        let (mut leaves, mut bytes) = (Vec::new(), 0);
        for index in first..=last {
            let leaf = self.tree.leaf(index).await?.to_vec();
            bytes += leaf.len();
            if bytes > EVIDENCE_BYTES_MAX {
                return Err(too_long().into());
            }
            leaves.push(leaf);
        }
        let proof = self.tree.run_proof(first, last.saturating_add(1)).await?;
        Ok(IncludedRun::new(first, leaves, &proof))
    }

    async fn leaf(&mut self, index: u64) -> Result<Leaf, BuildError> {
        let leaf = Leaf::decode(self.tree.leaf(index).await?);
        leaf.map_err(|_| BuildError::OtherLeaf(index))
    }

    /// The first leaf from `first` on, up to the batch leaf at `end`, that is not smaller than `bytes`.
    async fn first_from(&mut self, first: u64, end: u64, bytes: &[u8]) -> Result<u64, BuildError> {
        let (mut low, mut high) = (first, end);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.tree.leaf(middle).await? < bytes {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }
}

/// Reads a leaf with its inclusion proof.
///
/// # Errors
/// The log cannot be read, its files belong to another tree, or the tree has no such leaf.
pub async fn included(tree: &mut LogTree, index: u64) -> Result<Included, LogReadError> {
    let leaf = tree.leaf(index).await?.to_vec();
    Ok(Included::new(index, leaf, &tree.proof(index).await?))
}
