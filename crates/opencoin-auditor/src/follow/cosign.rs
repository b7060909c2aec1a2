//! Cosigns the newest checkpoint if every rule holds up to it.

use opencoin_log::note::Note;
use opencoin_log::signature_line::SignatureLine;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_witness::cosigning_time;

use super::{FollowError, Follower};
use crate::store::{LastCosignature, StoreError};
use crate::worker::{NotReplayed, ReplayedTree};

impl Follower {
    /// Cosigns the newest checkpoint, or says why not.
    pub(super) async fn cosign(&mut self) -> Result<(), FollowError> {
        let Some(newest) = self.newest.clone() else {
            return Ok(());
        };
        let refusal = self.try_cosign(&newest).await?;
        self.auditor.statuses.change(self.currency.no, |status| {
            status.refusal = refusal;
        });
        Ok(())
    }

    /// Cosigns and remembers it, in this order: what was not remembered never leaves. Or says why not.
    ///
    /// What is known of the tree is looked at under the write lock, so nothing that is found meanwhile is overlooked.
    async fn try_cosign(&self, newest: &SignedCheckpoint) -> Result<Option<String>, FollowError> {
        let auditor = &self.auditor;
        if auditor.options.is_light {
            return Ok(Some(
                "this auditor takes samples only, and cosigns nothing".to_owned(),
            ));
        }
        let (size, root) = (newest.checkpoint().size(), *newest.checkpoint().root());
        let mut writing = auditor.store.write().await?;
        if let Some(text) = writing.broken_rule(self.currency.no, size).await? {
            return Ok(Some(format!("a rule is broken: {text}")));
        }
        let nothing = NotReplayed::Size { replayed: 0, size };
        let worker = self.worker.as_ref().ok_or(nothing);
        let tree = match worker.and_then(|worker| worker.replayed_tree(size, &root)) {
            Ok(tree) => tree,
            Err(refusal) => return Ok(Some(refusal.to_string())),
        };
        let last = writing.cosigned(self.currency.no).await?;
        if let Some(last) = &last {
            if last.size > size {
                return Ok(Some(format!("{} entries were cosigned before", last.size)));
            }
            if last.size == size && last.root != root {
                return Ok(Some("another tree of this size was cosigned before".to_owned()));
            }
            if last.size == size && self.has_same_lines(newest, &last.checkpoint) {
                return Ok(None);
            }
        }
        let time = match cosigning_time(auditor.now_s(), last.map(|last| last.time)) {
            Ok(time) => time,
            Err(error) => return Ok(Some(error.to_string())),
        };
        let checkpoint = self.cosigned_note(newest, &tree, time)?;
        let next = LastCosignature {
            size,
            root,
            time,
            checkpoint,
        };
        writing.put_cosigned(self.currency.no, &next).await?;
        writing.commit().await?;
        Ok(None)
    }

    /// The checkpoint with the signatures of log, witnesses and this auditor. This is the one place where an auditor signs.
    fn cosigned_note(
        &self,
        newest: &SignedCheckpoint,
        tree: &ReplayedTree,
        time: u64,
    ) -> Result<String, FollowError> {
        let checkpoint = newest.checkpoint();
        assert!(
            tree.is(checkpoint.size(), checkpoint.root()),
            "only a tree that was replayed and breaks no rule is cosigned"
        );
        let failed = |error: String| FollowError::Store(StoreError::Corrupt(error));
        let text = newest.note().text();
        let mut note = Note::new(text).map_err(|error| failed(error.to_string()))?;
        for line in newest.note().signatures() {
            if self.is_known(line) {
                note.add(line.clone())
                    .map_err(|error| failed(error.to_string()))?;
            }
        }
        let lines = self.auditor.keys.cosign(time, text);
        for line in lines.map_err(|error| failed(error.to_string()))? {
            note.add(line).map_err(|error| failed(error.to_string()))?;
        }
        Ok(note.to_string())
    }

    /// Whether the lines of log and witnesses are those that were there when the checkpoint was cosigned.
    fn has_same_lines(&self, newest: &SignedCheckpoint, cosigned: &str) -> bool {
        let Ok(cosigned) = cosigned.parse::<SignedCheckpoint>() else {
            return false;
        };
        let before = cosigned.note().signatures();
        let mut lines = newest.note().signatures().iter();
        lines.all(|line| !self.is_known(line) || before.contains(line))
    }

    /// Whether the line names a key of the log or of a witness other than this auditor.
    fn is_known(&self, line: &SignatureLine) -> bool {
        let policy = self.description.block().policy();
        let logs = policy.logs().iter().map(|log| &log.key);
        let witnesses = policy.witnesses().iter().map(|witness| &witness.key);
        let own = self.auditor.keys.vkeys();
        let mut known = logs.chain(witnesses);
        known.any(|key| line.names(key) && !own.contains(key))
    }
}
