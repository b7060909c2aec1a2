//! Verifies files of evidence.

use opencoin_log::hash::Hash;
use opencoin_log::policy::VerifiedCheckpoint;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log::tree::verify_consistency;
use opencoin_log_reader::checkpoint::{is_later_than, quorum_time, verify_log_signature, verify_quorum};
use opencoin_text::printable;

use super::keys::{LogKeys, fails};
use super::{
    Base64Bytes, Claim, EVIDENCE_BYTES_MAX, Evidence, EvidenceError, OmittedLeaf, ROLLBACK_MARGIN_S,
    Rollback, SplitView, StalledLog, omission,
};

/// What a file proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedEvidence {
    /// The field `kind` of the file.
    pub kind: &'static str,
    /// The name of the currency.
    pub currency: String,
    /// The id of the currency's master key. The evidence is against the holder of this key.
    pub master_key: String,
    /// The name of the log.
    pub log: String,
    /// What it proves, for people.
    pub statement: String,
    /// Whether it proves a fault of the issuer. A stalled log is a complaint, which a newer checkpoint answers; a rollback is
    /// an incident.
    pub is_proof: bool,
}

/// Verifies the text of a file, with nothing else than the file. Whether its master key is the issuer's is left to the
/// reader.
///
/// # Errors
/// The text is not evidence, or it proves nothing.
pub fn check_evidence(json: &[u8]) -> Result<CheckedEvidence, EvidenceError> {
    if json.len() > EVIDENCE_BYTES_MAX {
        return Err(EvidenceError::Form("it is too long".to_owned()));
    }
    let evidence: Evidence =
        serde_json::from_slice(json).map_err(|error| EvidenceError::Form(error.to_string()))?;
    evidence.check()
}

impl Evidence {
    /// Verifies the evidence. The wallet writes none that does not pass.
    pub(crate) fn check(&self) -> Result<CheckedEvidence, EvidenceError> {
        let keys = LogKeys::of(&self.cdd)?;
        let (statement, is_proof) = match &self.claim {
            Claim::SplitView(claim) => (split_view(&keys, claim)?, true),
            Claim::OmittedLeaf(claim) => (omitted_leaf(&keys, claim)?, true),
            Claim::StalledLog(claim) => (stalled_log(&keys, claim)?, false),
            Claim::Rollback(claim) => (rollback(&keys, claim)?, false),
        };
        Ok(CheckedEvidence {
            kind: self.kind(),
            currency: printable(&keys.cddc.cdd().currency_name),
            master_key: keys.cddc.master_key().id().to_string(),
            log: keys.block.origin().as_str().to_owned(),
            statement,
            is_proof,
        })
    }
}

/// Reads a checkpoint that the log has signed.
fn signed(keys: &LogKeys, note: &str) -> Result<SignedCheckpoint, EvidenceError> {
    let signed: SignedCheckpoint = note.parse().map_err(|_| fails("a checkpoint cannot be read"))?;
    verify_log_signature(&keys.block, &signed).map_err(|error| fails(error.to_string()))?;
    Ok(signed)
}

/// Reads a checkpoint that the log and a quorum of witnesses have signed.
fn cosigned(keys: &LogKeys, note: &str) -> Result<VerifiedCheckpoint, EvidenceError> {
    let signed = signed(keys, note)?;
    verify_quorum(&keys.block, &signed, None).map_err(|error| fails(error.to_string()))
}

fn split_view(keys: &LogKeys, claim: &SplitView) -> Result<String, EvidenceError> {
    let (first, second) = (signed(keys, &claim.first)?, signed(keys, &claim.second)?);
    let (first, second) = (first.checkpoint(), second.checkpoint());
    let (small, large) = (first.size(), second.size());
    let root_in_second = match &claim.root {
        None if small == large && claim.proof.is_empty() => *second.root(),
        Some(root) if small < large => {
            let root: Hash = root.hash().ok_or_else(|| fails("a root is not a hash"))?;
            let proof = Base64Bytes::hashes(&claim.proof).ok_or_else(|| fails("a proof is not of hashes"))?;
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
        "The log has signed two histories: the first {small} entries of one are not those of the other, which has \
         {large} entries."
    ))
}

fn omitted_leaf(keys: &LogKeys, claim: &OmittedLeaf) -> Result<String, EvidenceError> {
    let promised = omission::promised(keys, &claim.promised)?;
    let checkpoint = cosigned(keys, &claim.checkpoint)?;
    let deadline = promised.promise.deadline();
    if !is_later_than(keys.block.policy(), &checkpoint, deadline) {
        return Err(fails("the promise was not due when the checkpoint was cosigned"));
    }
    omission::check_absent(&promised, &checkpoint.checkpoint, claim)?;
    Ok(format!(
        "The issuer promised on {} that a leaf ({}) would be in the log before {}. It is not, in a log of {} entries \
         that a quorum of witnesses cosigned after that time.",
        date(promised.promise.time),
        promised.what,
        date(deadline),
        checkpoint.checkpoint.size()
    ))
}

fn stalled_log(keys: &LogKeys, claim: &StalledLog) -> Result<String, EvidenceError> {
    let promised = omission::promised(keys, &claim.promised)?;
    let checkpoint = cosigned(keys, &claim.checkpoint)?;
    let deadline = promised.promise.deadline();
    if is_later_than(keys.block.policy(), &checkpoint, deadline) || claim.looked_at <= deadline {
        return Err(fails("the promise was not due, or a later checkpoint was there"));
    }
    Ok(format!(
        "The issuer promised on {} that a leaf ({}) would be in the log before {}. Somebody who looked on {} says that \
         the newest cosigned checkpoint was this one, of {} entries. This is a complaint and not a proof: look whether \
         the log has a newer checkpoint.",
        date(promised.promise.time),
        promised.what,
        date(deadline),
        date(claim.looked_at),
        checkpoint.checkpoint.size()
    ))
}

fn rollback(keys: &LogKeys, claim: &Rollback) -> Result<String, EvidenceError> {
    let (before, after) = (cosigned(keys, &claim.before)?, cosigned(keys, &claim.after)?);
    let policy = keys.block.policy();
    let (large, small) = (before.checkpoint.size(), after.checkpoint.size());
    let seen = quorum_time(policy, &before).ok_or_else(|| fails("no witness has dated the checkpoints"))?;
    // A witness that lags behind may cosign an old checkpoint late; a quorum does not.
    if small >= large || !is_later_than(policy, &after, seen.saturating_add(ROLLBACK_MARGIN_S)) {
        return Err(fails("the smaller checkpoint was not cosigned later"));
    }
    Ok(format!(
        "The log had {large} entries on {}, and a quorum of witnesses has seen no more than {small} later. The log has \
         lost entries, and witnesses have forgotten them. This is an incident and does not say whose fault it is.",
        date(seen)
    ))
}

/// Writes a time in seconds since 1970.
fn date(time: u64) -> String {
    let at = i64::try_from(time)
        .ok()
        .and_then(|time| chrono::DateTime::from_timestamp(time, 0));
    at.map_or_else(
        || format!("second {time}"),
        |at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}
