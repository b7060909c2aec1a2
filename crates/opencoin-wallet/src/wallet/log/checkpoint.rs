//! The newest checkpoint, which must continue the last one that this wallet has seen.
//!
//! A log must never sign two checkpoints of which one does not begin with the other. If it does, both notes and the
//! proof are kept. A smaller checkpoint may be an old copy; it is kept as well, and it is evidence of an incident if a
//! quorum cosigned it later than the larger one.

use std::sync::Arc;

use chrono::TimeDelta;
use opencoin_evidence::{Claim, Rollback, SplitView};
use opencoin_log::log_block::LogBlock;
use opencoin_log::policy::VerifiedCheckpoint;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log_reader::checkpoint::{verify_log_signature, verify_quorum};
use opencoin_log_reader::{Beginning, LogReader, LogTree};
use opencoin_schema::BigInt;

use super::{Wallet, evidence};
use crate::clock::CLOCK_DIFFERENCE_MAX;
use crate::error::WalletError;
use crate::public_log::LogError;
use crate::public_log::files::LogFiles;
use crate::public_log::memory::LogEvent;

/// An unchanged checkpoint is not noted again within this time.
const SAME_CHECKPOINT_PAUSE: TimeDelta = TimeDelta::minutes(10);

/// A checkpoint that was verified, and its tree.
pub(in super::super) struct NewestLog {
    pub(in super::super) tree: LogTree,
    pub(super) note: SignedCheckpoint,
    pub(in super::super) verified: VerifiedCheckpoint,
}

impl Wallet {
    /// Reads and verifies the newest checkpoint, from the log or from a copy of it.
    pub(in super::super) async fn newest_log(
        &mut self,
        id: &BigInt,
        block: &LogBlock,
        from: Option<&str>,
    ) -> Result<NewestLog, WalletError> {
        let of_log = || block.policy().logs().iter().find_map(|log| log.url.as_deref());
        let prefix = from.or_else(of_log).ok_or(LogError::NoUrl)?;
        let mut reader = LogReader::new(Arc::new(LogFiles(self.transport.inner())), prefix);
        let note = reader.checkpoint().await?;
        verify_log_signature(block, &note)?;
        let (size, root) = (note.checkpoint().size(), *note.checkpoint().root());
        let seen = self.seen_checkpoint(id, block);
        let mut tree = match &seen {
            Some(seen) if seen.checkpoint().size() > size => {
                return Err(self.smaller(id, reader, seen, &note, from.is_some()).await);
            }
            _ => LogTree::new(reader, size, root),
        };
        if let Some(seen) = seen.filter(|seen| seen.checkpoint() != note.checkpoint()) {
            let beginning = tree.beginning(seen.checkpoint().size()).await?;
            if beginning.root != *seen.checkpoint().root() {
                return Err(self.split_view(id, &seen, &note, &beginning));
            }
        }
        let latest = (self.now + CLOCK_DIFFERENCE_MAX).timestamp();
        let verified = verify_quorum(block, &note, u64::try_from(latest).ok())?;
        let last = self.log_memory(id).and_then(|memory| memory.newest.as_ref());
        if last.is_none_or(|last| last.note != note || self.now - last.at > SAME_CHECKPOINT_PAUSE) {
            let (checkpoint, at) = (note.to_string(), self.now);
            self.record_log(id, LogEvent::Checkpoint { checkpoint, at })?;
        }
        Ok(NewestLog { tree, note, verified })
    }

    /// Returns the last checkpoint of this log that the wallet has verified.
    fn seen_checkpoint(&self, id: &BigInt, block: &LogBlock) -> Option<SignedCheckpoint> {
        let seen = &self.log_memory(id)?.newest.as_ref()?.note;
        (seen.checkpoint().origin() == block.origin().as_str()).then(|| seen.clone())
    }

    /// Notes that the log is smaller than before, or that it has another history.
    async fn smaller(
        &mut self,
        id: &BigInt,
        reader: LogReader,
        seen: &SignedCheckpoint,
        note: &SignedCheckpoint,
        is_copy: bool,
    ) -> WalletError {
        let (before, now) = (seen.checkpoint().size(), note.checkpoint().size());
        let mut larger = LogTree::new(reader, before, *seen.checkpoint().root());
        let beginning = larger.beginning(now).await.ok();
        if let Some(beginning) = beginning.filter(|found| found.root != *note.checkpoint().root()) {
            return self.split_view(id, note, seen, &beginning);
        }
        let claim = Claim::Rollback(Rollback::new(seen, note));
        let error = LogError::Smaller { before, now };
        // A copy may simply be old. The log itself should not be, so its note is kept even if it proves nothing.
        if !is_copy
            || self
                .currency(id)
                .is_ok_and(|currency| evidence(currency, claim.clone()).is_some())
        {
            let noted = self.note_fault(id, None, error.to_string(), Some(note.to_string()), Some(claim));
            if let Err(failed) = noted {
                return failed;
            }
        }
        error.into()
    }

    /// Notes two histories. `beginning` is what the larger tree says about the smaller one.
    fn split_view(
        &mut self,
        id: &BigInt,
        smaller: &SignedCheckpoint,
        larger: &SignedCheckpoint,
        beginning: &Beginning,
    ) -> WalletError {
        let claim = Claim::SplitView(SplitView::new(smaller, larger, beginning));
        // Which of the two is new does not matter; the newest one that was seen before is known already.
        let seen = self.log_memory(id).and_then(|memory| memory.newest.as_ref());
        let is_new = |note: &&SignedCheckpoint| seen.is_none_or(|seen| seen.note != **note);
        let shown = [larger, smaller]
            .into_iter()
            .find(is_new)
            .map(ToString::to_string);
        let noted = self.note_fault(id, None, LogError::SplitView.to_string(), shown, Some(claim));
        noted.err().unwrap_or_else(|| LogError::SplitView.into())
    }
}
