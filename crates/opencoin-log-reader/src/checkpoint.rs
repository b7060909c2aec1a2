//! Whether to believe a checkpoint, and when its witnesses have seen it.

use opencoin_log::key::VerifierKey;
use opencoin_log::log_block::LogBlock;
use opencoin_log::policy::{Policy, PolicyError, VerifiedCheckpoint};
use opencoin_log::signed_checkpoint::SignedCheckpoint;

use crate::error::LogReadError;

/// Why cosignatures do not count although they are good.
const OF_THE_FUTURE: &str =
    "their times are later than the clock of this machine; if the clock is wrong, set it right";

/// Checks that the log has signed the checkpoint, whatever its witnesses say.
///
/// # Errors
/// The checkpoint is of another log, or has no good signature of this one.
pub fn verify_log_signature(block: &LogBlock, signed: &SignedCheckpoint) -> Result<(), LogReadError> {
    let keys: Vec<VerifierKey> = block.policy().logs().iter().map(|log| log.key.clone()).collect();
    if signed.checkpoint().origin() != block.origin().as_str() {
        return Err(LogReadError::NotSigned("it is of another log".to_owned()));
    }
    let verified = signed.note().verify(&keys);
    verified
        .map(drop)
        .map_err(|error| LogReadError::NotSigned(error.to_string()))
}

/// Checks the signatures of the log and of its witnesses. Cosignatures later than `latest` do not count.
///
/// # Errors
/// The signature of the log is missing, or too few witnesses have cosigned.
pub fn verify_quorum(
    block: &LogBlock,
    signed: &SignedCheckpoint,
    latest: Option<u64>,
) -> Result<VerifiedCheckpoint, LogReadError> {
    verify_log_signature(block, signed)?;
    let verified = block.policy().verify_checkpoint(signed, latest);
    verified.map_err(|error| match error {
        PolicyError::NotByLog => LogReadError::NotSigned(error.to_string()),
        PolicyError::Quorum if block.policy().verify_checkpoint(signed, None).is_ok() => {
            LogReadError::NoQuorum(OF_THE_FUTURE.to_owned())
        }
        PolicyError::Quorum | PolicyError::Note(_) => LogReadError::NoQuorum(error.to_string()),
    })
}

/// Whether a quorum has cosigned later than `time`, in seconds since 1970, so that none of it had seen a larger tree
/// then. Never for a currency that needs no witnesses, because no one else has dated its checkpoints.
#[must_use]
pub fn is_later_than(policy: &Policy, verified: &VerifiedCheckpoint, time: u64) -> bool {
    let later = verified.witnesses_after(time);
    !later.is_empty() && policy.is_satisfied(&later)
}

/// When the quorum was reached by those who cosigned last, in seconds since 1970; `None` without witnesses.
#[must_use]
pub fn quorum_time(policy: &Policy, verified: &VerifiedCheckpoint) -> Option<u64> {
    let times = verified.cosigned_by.iter().map(|by| by.time);
    times
        .filter(|time| is_later_than(policy, verified, time.saturating_sub(1)))
        .max()
}
