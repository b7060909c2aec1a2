//! Whether a gossiped checkpoint is the log's, and the form in which it is kept and passed on.

use opencoin_log::hash::Hash;
use opencoin_log::key::VerifierKey;
use opencoin_log::log_block::LogBlock;
use opencoin_log::note::Note;
use opencoin_log::signature_line::SignatureLine;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use thiserror::Error;

use crate::message::{GossipKind, GossipMessage, content_id};

/// A checkpoint says nothing to this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CheckpointRefused {
    /// It is of another log.
    #[error("a checkpoint of another log")]
    Origin,
    /// No key that the currency's description names for the log has signed it. The sender may know another description.
    #[error("not signed by a known key of the log")]
    UnknownKey,
    /// The signature by a key of the log is wrong. Nobody honest sends such a checkpoint.
    #[error("the signature of the log does not verify")]
    Signature,
}

/// What a checkpoint says, without who has signed it, as a hash. A node passes each on once, whatever signatures it has.
#[must_use]
pub fn subject_of(signed: &SignedCheckpoint) -> Hash {
    content_id(signed.note().text())
}

/// Verifies the log's signature. Returns the checkpoint with the good signatures of the log and of its witnesses only, one
/// for each key, as many as fit into a message.
///
/// For each key only the first line that names it is verified, so the work is bounded by the number of known keys.
///
/// # Errors
/// The log has not signed it.
pub fn tidy_checkpoint(
    signed: &SignedCheckpoint,
    block: &LogBlock,
) -> Result<SignedCheckpoint, CheckpointRefused> {
    let mut tidy = without_cosignatures(signed, block)?;
    for witness in block.policy().witnesses() {
        let Some(line) = good_line(signed.note(), &witness.key) else {
            continue;
        };
        let mut longer = tidy.clone();
        let is_added = longer.add(line.clone()).is_ok();
        if is_added && GossipMessage::new(GossipKind::Checkpoint, longer.to_string()).is_ok() {
            tidy = longer;
        }
    }
    Ok(tidy)
}

/// Like [`tidy_checkpoint`], with the signatures of the log alone. Two of these fit into evidence that can be gossiped.
///
/// # Errors
/// The log has not signed it.
pub fn without_cosignatures(
    signed: &SignedCheckpoint,
    block: &LogBlock,
) -> Result<SignedCheckpoint, CheckpointRefused> {
    if signed.checkpoint().origin() != block.origin().as_str() {
        return Err(CheckpointRefused::Origin);
    }
    let mut bare = SignedCheckpoint::new(signed.checkpoint().clone()).expect("it was read from a note");
    let mut is_named = false;
    for log in block.policy().logs() {
        is_named |= signed.note().signatures().iter().any(|line| line.names(&log.key));
        if let Some(line) = good_line(signed.note(), &log.key) {
            bare.add(line.clone()).expect("a policy names fewer logs");
        }
    }
    match (bare.note().signatures().is_empty(), is_named) {
        (false, _) => Ok(bare),
        (true, true) => Err(CheckpointRefused::Signature),
        (true, false) => Err(CheckpointRefused::UnknownKey),
    }
}

/// The first line that names the key, if it verifies.
fn good_line<'note>(note: &'note Note, key: &VerifierKey) -> Option<&'note SignatureLine> {
    let line = note.signatures().iter().find(|line| line.names(key))?;
    let mut alone = Note::new(note.text()).ok()?;
    alone.add(line.clone()).ok()?;
    alone.verify(std::slice::from_ref(key)).ok()?;
    Some(line)
}
