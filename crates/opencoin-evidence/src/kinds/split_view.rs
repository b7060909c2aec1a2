//! The log has signed two histories.

use opencoin_log::hash::Hash;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log::tree::verify_consistency;
use opencoin_log_reader::Beginning;
use serde::{Deserialize, Serialize};

use crate::base64_bytes::Base64Bytes;
use crate::error::{EvidenceError, fails};
use crate::keys::LogKeys;

/// Two checkpoints that the log has signed, of trees of which neither begins with the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitView {
    /// The checkpoint of the smaller tree, or of one of two trees of the same size.
    pub(crate) first: String,
    pub(crate) second: String,
    /// For trees of different sizes: the root of the second tree's first leaves, as many as the first tree has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root: Option<Base64Bytes>,
    /// Proves that the second tree begins with the tree of that root.
    proof: Vec<Base64Bytes>,
}

impl SplitView {
    /// `beginning` is what the larger tree says about its first leaves, as many as the smaller one has. For two trees of
    /// the same size it does not matter.
    #[must_use]
    pub fn new(smaller: &SignedCheckpoint, larger: &SignedCheckpoint, beginning: &Beginning) -> Self {
        let is_same_size = smaller.checkpoint().size() == larger.checkpoint().size();
        Self {
            first: smaller.to_string(),
            second: larger.to_string(),
            root: (!is_same_size).then(|| beginning.root.into()),
            proof: if is_same_size {
                Vec::new()
            } else {
                Base64Bytes::of_hashes(&beginning.proof)
            },
        }
    }

    pub(crate) fn check(&self, keys: &LogKeys) -> Result<String, EvidenceError> {
        let (first, second) = (keys.signed(&self.first)?, keys.signed(&self.second)?);
        let (first, second) = (first.checkpoint(), second.checkpoint());
        let (small, large) = (first.size(), second.size());
        let root_in_second = match &self.root {
            None if small == large && self.proof.is_empty() => *second.root(),
            Some(root) if small < large => {
                let root: Hash = root.hash().ok_or_else(|| fails("a root is not a hash"))?;
                let proof =
                    Base64Bytes::hashes(&self.proof).ok_or_else(|| fails("a proof is not of hashes"))?;
                verify_consistency(small, large, &root, second.root(), &proof)
                    .map_err(|error| fails(error.to_string()))?;
                root
            }
            None | Some(_) => return Err(fails("the sizes do not fit the proof")),
        };
        if root_in_second == *first.root() {
            return Err(fails("both checkpoints are of the same history"));
        }
        Ok(format!(
            "The log has signed two histories: the first {small} entries of one are not those of the other, which \
             has {large} entries."
        ))
    }
}
