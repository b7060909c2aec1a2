//! The signatures of a log on a checkpoint.

use opencoin_log::key::VerifierKey;
use opencoin_log::signature_line::SignatureLine;
use opencoin_log::signed_checkpoint::SignedCheckpoint;

use crate::log_key::LogKey;

/// The lines by the log's keys, if there is one and all of them verify; `None` otherwise.
///
/// Lines after the root are not covered by ML-DSA signatures. A checkpoint with such lines needs an Ed25519 signature,
/// or somebody else could have added them.
pub(crate) fn log_signatures(keys: &[LogKey], signed: &SignedCheckpoint) -> Option<Vec<SignatureLine>> {
    let verifiers: Vec<VerifierKey> = keys.iter().map(|key| key.verifier().clone()).collect();
    let verified = signed.note().verify(&verifiers).ok()?;
    let is_covered = signed.checkpoint().extensions().is_empty()
        || verified.iter().any(|line| keys[line.key].covers_extensions());
    let is_of_log = |line: &&SignatureLine| verifiers.iter().any(|key| line.names(key));
    is_covered.then(|| {
        signed
            .note()
            .signatures()
            .iter()
            .filter(is_of_log)
            .cloned()
            .collect()
    })
}
