//! Evidence: files that prove to anybody, without the network, what an issuer did wrong with its log.
//!
//! A file has the currency's description, signed by the master key, which names the keys of the log. All else in it is
//! signed by those keys or follows from what they signed. [`check_evidence`] verifies a file; [`Evidence`] is one.
//!
//! JSON: `type` and `kind`, certificates as in the specification, signed notes as text, promises as in their header,
//! leaves and hashes as base64.

mod base64_bytes;
mod check;
mod keys;
mod omission;

use opencoin_schema::Cddc;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

pub use check::{CheckedEvidence, check_evidence};

pub(crate) use base64_bytes::Base64Bytes;

/// The value of the field `type`.
const TYPE: &str = "log evidence";
/// The longest file: some eight times that of an omission with long certificates and many witnesses.
pub const EVIDENCE_BYTES_MAX: usize = 1024 * 1024;
/// A checkpoint that is smaller than an earlier one counts only if a quorum cosigned it so much later, because clocks
/// may differ.
pub(crate) const ROLLBACK_MARGIN_S: u64 = 600;

/// A proof of a fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct Evidence {
    /// Names the log's keys and witnesses.
    pub(crate) cdd: Box<Cddc>,
    pub(crate) claim: Claim,
}

/// What a file says. The field `kind` names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub(crate) enum Claim {
    /// The log has signed two histories.
    #[serde(rename = "split view")]
    SplitView(SplitView),
    /// A leaf that was promised is not in the log.
    #[serde(rename = "omitted leaf")]
    OmittedLeaf(Box<OmittedLeaf>),
    /// A promise is due, and no later checkpoint is there. A complaint: a newer checkpoint answers it.
    #[serde(rename = "stalled log")]
    StalledLog(Box<StalledLog>),
    /// The log was larger before.
    #[serde(rename = "rollback")]
    Rollback(Rollback),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SplitView {
    /// The checkpoint of the smaller tree, or of one of two trees of the same size.
    pub(crate) first: String,
    pub(crate) second: String,
    /// For trees of different sizes: the root of the second tree's first leaves, as many as the first tree has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) root: Option<Base64Bytes>,
    /// Proves that the second tree begins with the tree of that root.
    pub(crate) proof: Vec<Base64Bytes>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OmittedLeaf {
    pub(crate) promised: PromisedLeaf,
    /// Cosigned by a quorum after the promise was due.
    pub(crate) checkpoint: String,
    /// The batches of the promise that exist, in their order.
    pub(crate) batches: Vec<Absence>,
    /// The batch leaf at the end of the tree. Needed when batches of the promise do not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last: Option<Included>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StalledLog {
    pub(crate) promised: PromisedLeaf,
    /// The newest checkpoint.
    pub(crate) checkpoint: String,
    /// When the wallet saw it, in seconds since 1970. Nobody signed this.
    pub(crate) looked_at: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rollback {
    /// The checkpoint of the larger tree.
    pub(crate) before: String,
    /// The checkpoint of the smaller tree, which was cosigned later.
    pub(crate) after: String,
}

/// A leaf, and the promise that it would be in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PromisedLeaf {
    /// As in the header of the answer.
    pub(crate) promise: String,
    pub(crate) leaf: Base64Bytes,
    /// The place of the leaf in its request.
    pub(crate) index: u32,
    /// The number of leaves in the request.
    pub(crate) count: u32,
    /// From the leaf to the root of the request.
    pub(crate) path: Vec<Base64Bytes>,
    /// The description that names the promise key, if it is another one than that of the log's keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cdd: Option<Box<Cddc>>,
}

/// The leaf is missing in a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Absence {
    /// The batch leaf.
    pub(crate) batch: Included,
    /// The leaf before the missing one's place; none if that is the first of the batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) left: Option<Included>,
    /// The leaf after that place.
    pub(crate) right: Included,
}

/// A leaf of the tree, with its inclusion proof.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Included {
    pub(crate) index: u64,
    pub(crate) leaf: Base64Bytes,
    pub(crate) proof: Vec<Base64Bytes>,
}

/// The file proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EvidenceError {
    /// The file is not of the form of evidence.
    #[error("not a file of evidence: {0}")]
    Form(String),
    /// A signature, a proof or a number does not fit.
    #[error("the evidence does not hold: {0}")]
    DoesNotHold(String),
}

impl Evidence {
    /// What it is evidence of: the field `kind` of its file.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match &self.claim {
            Claim::SplitView(_) => "split view",
            Claim::OmittedLeaf(_) => "omitted leaf",
            Claim::StalledLog(_) => "stalled log",
            Claim::Rollback(_) => "rollback",
        }
    }

    /// The text of its file.
    #[must_use]
    pub fn to_json(&self) -> String {
        let value = Value::from(self.clone());
        format!("{value}\n")
    }
}

impl From<Evidence> for Value {
    fn from(evidence: Evidence) -> Self {
        let mut value = serde_json::to_value(&evidence.claim).expect("claims have string keys");
        value["type"] = TYPE.into();
        value["cdd"] = serde_json::to_value(&evidence.cdd).expect("certificates have string keys");
        value
    }
}

impl TryFrom<Value> for Evidence {
    type Error = String;

    fn try_from(mut value: Value) -> Result<Self, String> {
        let object = value.as_object_mut().ok_or("not a JSON object")?;
        if object.remove("type").is_none_or(|found| found != TYPE) {
            return Err(format!("its type is not {TYPE:?}"));
        }
        let cdd = object
            .remove("cdd")
            .ok_or("it has no description of the currency")?;
        Ok(Self {
            cdd: serde_json::from_value(cdd).map_err(|error| error.to_string())?,
            claim: serde_json::from_value(value).map_err(|error| error.to_string())?,
        })
    }
}
