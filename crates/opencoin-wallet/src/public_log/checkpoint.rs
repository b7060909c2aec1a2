//! Whether to believe a checkpoint, and when its witnesses have seen it.

use opencoin_log::key::VerifierKey;
use opencoin_log::log_block::LogBlock;
use opencoin_log::policy::{Policy, PolicyError, VerifiedCheckpoint};
use opencoin_log::signed_checkpoint::SignedCheckpoint;

use super::error::LogError;

/// Why cosignatures do not count although they are good.
const OF_THE_FUTURE: &str =
    "their times are later than the clock of this machine; if the clock is wrong, set it right";

/// Checks that the log has signed the checkpoint, whatever its witnesses say.
pub(crate) fn verify_log_signature(block: &LogBlock, signed: &SignedCheckpoint) -> Result<(), LogError> {
    let keys: Vec<VerifierKey> = block.policy().logs().iter().map(|log| log.key.clone()).collect();
    if signed.checkpoint().origin() != block.origin().as_str() {
        return Err(LogError::NotSigned("it is of another log".to_owned()));
    }
    let verified = signed.note().verify(&keys);
    verified
        .map(drop)
        .map_err(|error| LogError::NotSigned(error.to_string()))
}

/// Checks the signatures of the log and of its witnesses. Cosignatures later than `latest` do not count.
pub(crate) fn verify_quorum(
    block: &LogBlock,
    signed: &SignedCheckpoint,
    latest: Option<u64>,
) -> Result<VerifiedCheckpoint, LogError> {
    verify_log_signature(block, signed)?;
    let verified = block.policy().verify_checkpoint(signed, latest);
    verified.map_err(|error| match error {
        PolicyError::NotByLog => LogError::NotSigned(error.to_string()),
        PolicyError::Quorum if block.policy().verify_checkpoint(signed, None).is_ok() => {
            LogError::NoQuorum(OF_THE_FUTURE.to_owned())
        }
        PolicyError::Quorum | PolicyError::Note(_) => LogError::NoQuorum(error.to_string()),
    })
}

/// Whether a quorum has cosigned later than `time`, in seconds since 1970, so that none of it had seen a larger tree
/// then. Never for a currency that needs no witnesses, because no one else has dated its checkpoints.
pub(crate) fn is_later_than(policy: &Policy, verified: &VerifiedCheckpoint, time: u64) -> bool {
    let later = verified.witnesses_after(time);
    !later.is_empty() && policy.is_satisfied(&later)
}

/// When the quorum was reached by those who cosigned last, in seconds since 1970; `None` without witnesses.
pub(crate) fn quorum_time(policy: &Policy, verified: &VerifiedCheckpoint) -> Option<u64> {
    let times = verified.cosigned_by.iter().map(|by| by.time);
    times
        .filter(|time| is_later_than(policy, verified, time.saturating_sub(1)))
        .max()
}
