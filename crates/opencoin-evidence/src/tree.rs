//! Leaves of a tree that the log has signed.

use opencoin_log::batch::BatchLeaf;
use opencoin_log::checkpoint::Checkpoint;
use opencoin_log::hash::{Hash, leaf_hash};
use opencoin_log::leaf::Leaf;
use opencoin_log::tree::{verify_inclusion, verify_run};
use serde::{Deserialize, Serialize};

use crate::base64_bytes::Base64Bytes;
use crate::error::{EvidenceError, fails};
use crate::keys::LogKeys;

/// A leaf of a tree, with its inclusion proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Included {
    pub(crate) index: u64,
    pub(crate) leaf: Base64Bytes,
    pub(crate) proof: Vec<Base64Bytes>,
}

/// Leaves that follow each other in a tree, with one proof for all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncludedRun {
    /// The index of the first one.
    pub(crate) first: u64,
    pub(crate) leaves: Vec<Base64Bytes>,
    pub(crate) proof: Vec<Base64Bytes>,
}

/// A tree that the log has signed.
#[derive(Debug)]
pub(crate) struct SignedTree(Checkpoint);

impl Included {
    /// The leaf at `index`. The proof is for the checkpoint of the evidence, the leaf's sibling first.
    #[must_use]
    pub fn new(index: u64, leaf: Vec<u8>, proof: &[Hash]) -> Self {
        Self {
            index,
            leaf: Base64Bytes(leaf),
            proof: Base64Bytes::of_hashes(proof),
        }
    }

    /// The place of the leaf.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The bytes of the leaf.
    #[must_use]
    pub fn leaf(&self) -> &[u8] {
        &self.leaf.0
    }
}

impl IncludedRun {
    /// The leaves from `first` on. The proof is that of [`run_spans`](opencoin_log::tree::run_spans), for the checkpoint of
    /// the evidence.
    #[must_use]
    pub fn new(first: u64, leaves: Vec<Vec<u8>>, proof: &[Hash]) -> Self {
        Self {
            first,
            leaves: leaves.into_iter().map(Base64Bytes).collect(),
            proof: Base64Bytes::of_hashes(proof),
        }
    }
}

impl SignedTree {
    /// The tree of a checkpoint that the log has signed.
    pub(crate) fn of(keys: &LogKeys, note: &str) -> Result<Self, EvidenceError> {
        Ok(Self(keys.signed(note)?.checkpoint().clone()))
    }

    /// The tree of a checkpoint whose signatures were checked.
    pub(crate) const fn verified(checkpoint: Checkpoint) -> Self {
        Self(checkpoint)
    }

    /// The number of leaves.
    pub(crate) const fn size(&self) -> u64 {
        self.0.size()
    }

    /// The checkpoint's root.
    pub(crate) const fn root(&self) -> &Hash {
        self.0.root()
    }

    /// Checks that the tree has the leaf.
    pub(crate) fn include(&self, included: &Included) -> Result<(), EvidenceError> {
        let proof = Base64Bytes::hashes(&included.proof).ok_or_else(|| fails("a proof is not of hashes"))?;
        let hash = leaf_hash(included.leaf());
        verify_inclusion(included.index, self.size(), &hash, &proof, self.root())
            .map_err(|error| fails(format!("leaf {}: {error}", included.index)))
    }

    /// Checks that the leaves follow each other in the tree, and returns them with their indices.
    pub(crate) fn include_run<'run>(
        &self,
        run: &'run IncludedRun,
    ) -> Result<Vec<(u64, &'run [u8])>, EvidenceError> {
        let proof = Base64Bytes::hashes(&run.proof).ok_or_else(|| fails("a proof is not of hashes"))?;
        let leaves = || run.leaves.iter().map(|leaf| leaf.0.as_slice());
        let hashes: Vec<Hash> = leaves().map(leaf_hash).collect();
        verify_run(run.first, &hashes, self.size(), &proof, self.root())
            .map_err(|error| fails(format!("the leaves from {} on: {error}", run.first)))?;
        Ok((run.first..).zip(leaves()).collect())
    }

    /// Reads a leaf of the tree.
    pub(crate) fn leaf(&self, included: &Included) -> Result<Leaf, EvidenceError> {
        self.include(included)?;
        Leaf::decode(included.leaf()).map_err(|error| fails(format!("leaf {}: {error}", included.index)))
    }

    /// Reads a batch leaf of the tree.
    pub(crate) fn batch(&self, included: &Included) -> Result<BatchLeaf, EvidenceError> {
        match self.leaf(included)? {
            Leaf::Batch(batch) => Ok(*batch),
            _ => Err(fails(format!("leaf {} is not a batch leaf", included.index))),
        }
    }

    /// Reads the batch leaf of the batch that has this leaf. A batch leaf is not in its own batch.
    pub(crate) fn batch_of(&self, index: u64, end: &Included) -> Result<BatchLeaf, EvidenceError> {
        let batch = self.batch(end)?;
        if (batch.first..end.index).contains(&index) {
            Ok(batch)
        } else {
            Err(fails(format!(
                "leaf {index} is not in the batch that ends at {}",
                end.index
            )))
        }
    }
}
