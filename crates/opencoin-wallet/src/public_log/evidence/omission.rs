//! The parts of a proof that a leaf is missing: the promise, and the places where the leaf would be.

use opencoin_log::batch::BatchLeaf;
use opencoin_log::checkpoint::Checkpoint;
use opencoin_log::hash::leaf_hash;
use opencoin_log::leaf::Leaf;
use opencoin_log::promise::{LeafPath, Promise};
use opencoin_log::tree::verify_inclusion;

use super::keys::{LogKeys, fails};
use super::{Absence, Base64Bytes, EvidenceError, Included, OmittedLeaf, PromisedLeaf};

/// A promise that was verified for a leaf.
pub(super) struct VerifiedPromise<'claim> {
    pub(super) promise: Promise,
    leaf: &'claim [u8],
    /// The last batch that may have the leaf.
    last_batch: u64,
    /// What the leaf says, for people.
    pub(super) what: &'static str,
}

/// Verifies that the leaf was promised.
pub(super) fn promised<'claim>(
    keys: &LogKeys,
    claim: &'claim PromisedLeaf,
) -> Result<VerifiedPromise<'claim>, EvidenceError> {
    let of_promise = claim.cdd.as_deref().map(LogKeys::of).transpose()?;
    if let Some(other) = &of_promise
        && (other.cddc.master_key() != keys.cddc.master_key() || other.block.origin() != keys.block.origin())
    {
        return Err(fails("the promise is of another currency or log"));
    }
    let block = of_promise.as_ref().map_or(&keys.block, |keys| &keys.block);
    let promise: Promise = claim
        .promise
        .parse()
        .map_err(|_| fails("the promise cannot be read"))?;
    let what = match Leaf::decode(&claim.leaf.0) {
        Ok(Leaf::Issued { .. }) => "a blinded coin that was accepted for signing",
        Ok(Leaf::Spent { .. }) => "a coin that came back",
        Ok(_) | Err(_) => return Err(fails("the leaf is not one about a coin")),
    };
    let path = LeafPath {
        index: claim.index,
        count: claim.count,
        path: Base64Bytes::hashes(&claim.path).ok_or_else(|| fails("the path is not of hashes"))?,
    };
    promise
        .verify_leaf(
            block.promise_key(),
            block.origin().as_str(),
            &leaf_hash(&claim.leaf.0),
            &path,
        )
        .map_err(|error| fails(error.to_string()))?;
    Ok(VerifiedPromise {
        last_batch: *promise.batches(block.batches()).end(),
        promise,
        leaf: &claim.leaf.0,
        what,
    })
}

/// Verifies that the leaf is in no batch of its promise.
pub(super) fn check_absent(
    promised: &VerifiedPromise<'_>,
    checkpoint: &Checkpoint,
    claim: &OmittedLeaf,
) -> Result<(), EvidenceError> {
    let (first, mut last) = (promised.promise.batch, promised.last_batch);
    if let Some(included) = &claim.last {
        let number = batch_leaf(checkpoint, included)?.batch;
        if included.index + 1 != checkpoint.size() {
            return Err(fails("the last batch is not at the end of the log"));
        }
        last = last.min(number);
    }
    // An empty log has no batches at all.
    let count = match checkpoint.size() {
        0 => 0,
        _ => last.saturating_add(1).saturating_sub(first),
    };
    if claim.batches.len() as u64 != count {
        return Err(fails("a batch that may have the leaf is left out"));
    }
    for (number, absence) in (first..).zip(&claim.batches) {
        check_absence(promised.leaf, number, checkpoint, absence)?;
    }
    Ok(())
}

/// Verifies that the leaf is not in this batch: two neighbours enclose it, or it would be before the first leaf.
fn check_absence(
    leaf: &[u8],
    number: u64,
    checkpoint: &Checkpoint,
    absence: &Absence,
) -> Result<(), EvidenceError> {
    let batch = batch_leaf(checkpoint, &absence.batch)?;
    let right = &absence.right;
    check_included(checkpoint, right)?;
    let is_adjacent = match &absence.left {
        Some(left) => {
            check_included(checkpoint, left)?;
            left.index >= batch.first && left.index + 1 == right.index && left.leaf.0.as_slice() < leaf
        }
        None => right.index == batch.first,
    };
    let is_inside = right.index <= absence.batch.index && leaf < right.leaf.0.as_slice();
    if batch.batch == number && is_adjacent && is_inside {
        Ok(())
    } else {
        Err(fails(format!(
            "it does not show that batch {number} lacks the leaf"
        )))
    }
}

fn batch_leaf(checkpoint: &Checkpoint, included: &Included) -> Result<BatchLeaf, EvidenceError> {
    check_included(checkpoint, included)?;
    match Leaf::decode(&included.leaf.0) {
        Ok(Leaf::Batch(batch)) => Ok(*batch),
        Ok(_) | Err(_) => Err(fails("the end of a batch is not a batch leaf")),
    }
}

fn check_included(checkpoint: &Checkpoint, included: &Included) -> Result<(), EvidenceError> {
    let proof = Base64Bytes::hashes(&included.proof).ok_or_else(|| fails("a proof is not of hashes"))?;
    let hash = leaf_hash(&included.leaf.0);
    verify_inclusion(
        included.index,
        checkpoint.size(),
        &hash,
        &proof,
        checkpoint.root(),
    )
    .map_err(|error| fails(format!("leaf {}: {error}", included.index)))
}
