//! Compares checkpoints. A log must never sign two of which one does not begin with the other.

use opencoin_evidence::{Claim, Evidence, Rollback, SplitView};
use opencoin_log::policy::VerifiedCheckpoint;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log_reader::checkpoint::{verify_log_signature, verify_quorum};
use opencoin_log_reader::{Beginning, LogReadError, LogTree};

use super::{FollowError, Follower};
use crate::auditor::{Candidate, KeptFile};
use crate::status::UncomparedCheckpoint;

/// How far clocks may differ, in seconds. Cosignatures that are later do not count.
const CLOCK_DIFFERENCE_MAX_S: u64 = 300;
/// The most checkpoints that wait to be compared.
const FOREIGN_MAX: usize = 64;
/// How often two histories are written down while the auditor runs. A log that has them goes on to sign checkpoints of
/// both.
const SPLITS_MAX: u32 = 8;

/// How a checkpoint stands to the newest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compared {
    /// Of the same tree.
    Same,
    /// Of a larger tree that begins with it.
    Newer,
    /// Of a smaller tree with which it begins.
    Older,
    /// Of another history. Evidence is kept.
    OtherHistory,
    /// Nobody has the files that would tell. It is compared when the log has grown.
    Later,
}

impl Follower {
    /// Checks the signatures of log and witnesses.
    pub(super) fn verify_quorum(&self, note: &SignedCheckpoint) -> Result<VerifiedCheckpoint, LogReadError> {
        let latest = self.auditor.now_s().saturating_add(CLOCK_DIFFERENCE_MAX_S);
        verify_quorum(self.description.block(), note, Some(latest))
    }

    /// Compares a checkpoint, whose files may be at `prefix`, with the newest one.
    pub(super) async fn compare(
        &mut self,
        note: &SignedCheckpoint,
        prefix: &str,
    ) -> Result<Compared, FollowError> {
        verify_log_signature(self.description.block(), note)?;
        let Some(newest) = self.newest.clone() else {
            return Ok(Compared::Newer);
        };
        let (size, root) = (note.checkpoint().size(), *note.checkpoint().root());
        let (newest_size, newest_root) = (newest.checkpoint().size(), *newest.checkpoint().root());
        if size > newest_size {
            let mut tree = LogTree::new(self.reader(prefix), size, root);
            return match tree.beginning(newest_size).await {
                Ok(beginning) if beginning.root == newest_root => Ok(Compared::Newer),
                Ok(beginning) => self.split(&newest, note, &beginning).await,
                // Of the log itself it must be known.
                Err(error) if self.is_of_issuer(prefix) => Err(error.into()),
                Err(_) => Ok(Compared::Later),
            };
        }
        if size == newest_size {
            if root == newest_root {
                return Ok(Compared::Same);
            }
            let beginning = Beginning {
                root,
                proof: Vec::new(),
            };
            return self.split(&newest, note, &beginning).await;
        }
        match self.own_beginning(size).await? {
            None => Ok(Compared::Later),
            Some(beginning) if beginning.root == root => {
                self.keep_rollback(&newest, note).await?;
                Ok(Compared::Older)
            }
            Some(beginning) => self.split(note, &newest, &beginning).await,
        }
    }

    fn is_of_issuer(&self, prefix: &str) -> bool {
        self.description
            .prefixes()
            .any(|of_issuer| of_issuer.trim_end_matches('/') == prefix)
    }

    /// Keeps the evidence of two histories.
    async fn split(
        &mut self,
        smaller: &SignedCheckpoint,
        larger: &SignedCheckpoint,
        beginning: &Beginning,
    ) -> Result<Compared, FollowError> {
        if self.splits >= SPLITS_MAX {
            return Ok(Compared::OtherHistory);
        }
        self.splits += 1;
        let leaf = last_leaf(smaller);
        let text = format!(
            "the log has signed two histories: one of {} entries, and one of {} that does not continue it",
            smaller.checkpoint().size(),
            larger.checkpoint().size()
        );
        let (store, now) = (&self.auditor.store, self.auditor.now_s());
        let no = self.currency.no;
        // Nothing more is cosigned, whether or not there is evidence.
        store.put_other_finding(no, leaf, &text, true, now).await?;
        if self.auditor.has_enough_splits(&self.currency).await? {
            return Ok(Compared::OtherHistory);
        }
        let claim = Claim::SplitView(SplitView::new(smaller, larger, beginning));
        if let Some(kept) = self.keep_claim(claim).await? {
            let store = &self.auditor.store;
            store
                .put_finding_evidence(no, leaf, &text, kept.id.as_ref())
                .await?;
        }
        Ok(Compared::OtherHistory)
    }

    /// Keeps the evidence that the log has lost entries, if the signatures prove it.
    async fn keep_rollback(
        &mut self,
        before: &SignedCheckpoint,
        after: &SignedCheckpoint,
    ) -> Result<(), FollowError> {
        let claim = Claim::Rollback(Rollback::new(before, after));
        let Some(kept) = self.keep_claim(claim).await? else {
            return Ok(());
        };
        let text = "the log was larger before, and a quorum of witnesses has forgotten it".to_owned();
        let leaf = last_leaf(after);
        let (store, now) = (&self.auditor.store, self.auditor.now_s());
        let no = self.currency.no;
        store.put_other_finding(no, leaf, &text, false, now).await?;
        store
            .put_finding_evidence(no, leaf, &text, kept.id.as_ref())
            .await?;
        Ok(())
    }

    /// Keeps evidence, if it holds.
    pub(super) async fn keep_claim(&self, claim: Claim) -> Result<Option<KeptFile>, FollowError> {
        let evidence = Evidence::new(self.description.cddc().clone(), claim);
        let evidence = match evidence {
            Ok(evidence) => evidence,
            Err(error) => {
                tracing::debug!(origin = self.currency.origin, %error, "no evidence");
                return Ok(None);
            }
        };
        match evidence.check() {
            Ok(checked) => {
                let kept = self
                    .auditor
                    .keep_evidence(&self.currency, &evidence, &checked, false)
                    .await?;
                Ok(Some(kept))
            }
            Err(_) => Ok(None),
        }
    }

    /// Remembers a checkpoint of somebody for the next round.
    pub(super) fn put_off(&mut self, candidate: Candidate) {
        self.waiting.push(candidate);
    }

    /// Compares checkpoints that others have shown.
    pub(super) async fn compare_candidates(&mut self) -> Result<(), FollowError> {
        while let Ok(candidate) = self.candidates.try_recv() {
            self.waiting.push(candidate);
        }
        for Candidate { note, prefix } in std::mem::take(&mut self.waiting) {
            let prefix = prefix.or_else(|| self.sources().prefixes().next().map(str::to_owned));
            self.see_of_others(note, &prefix.unwrap_or_default()).await?;
        }
        Ok(())
    }

    /// Compares a checkpoint that somebody else has shown. What is wrong with it is not this log's trouble.
    pub(super) async fn see_of_others(
        &mut self,
        note: SignedCheckpoint,
        prefix: &str,
    ) -> Result<(), FollowError> {
        if verify_log_signature(self.description.block(), &note).is_err() {
            return Ok(());
        }
        let compared = match self.compare(&note, prefix).await {
            Ok(Compared::Newer) => self.follow(note.clone()).await.map(|()| Compared::Newer),
            compared => compared,
        };
        match compared {
            Err(FollowError::Store(error)) => return Err(error.into()),
            Err(_) | Ok(Compared::Later) => self.keep_foreign(note),
            Ok(Compared::Same | Compared::Newer | Compared::Older | Compared::OtherHistory) => {}
        }
        Ok(())
    }

    /// Keeps a checkpoint that cannot be compared yet.
    pub(super) fn keep_foreign(&mut self, note: SignedCheckpoint) {
        let since_s = self.auditor.now_s();
        self.keep_foreign_since(note, since_s);
        self.show_foreign();
    }

    fn keep_foreign_since(&mut self, note: SignedCheckpoint, since_s: u64) {
        let is_known = |(kept, _): &(SignedCheckpoint, u64)| kept.checkpoint() == note.checkpoint();
        if self.foreign.len() < FOREIGN_MAX && !self.foreign.iter().any(is_known) {
            self.foreign.push((note, since_s));
        }
    }

    fn show_foreign(&self) {
        let foreign = self.foreign.iter();
        let waiting: Vec<UncomparedCheckpoint> = foreign
            .map(|(note, since_s)| UncomparedCheckpoint::new(note, *since_s))
            .collect();
        self.auditor.statuses.change(self.currency.no, |status| {
            status.waiting = waiting;
        });
    }

    /// Compares the checkpoints that could not be compared before, now that the log has grown.
    pub(super) async fn compare_foreign(&mut self) -> Result<(), FollowError> {
        let newest = self.newest.as_ref().map_or(0, |note| note.checkpoint().size());
        let (due, later) = std::mem::take(&mut self.foreign)
            .into_iter()
            .partition(|(note, _)| note.checkpoint().size() <= newest);
        self.foreign = later;
        let due: Vec<(SignedCheckpoint, u64)> = due;
        let mut failure = None;
        for (note, since_s) in due {
            // After a failure the others wait for the next round.
            let compared = match failure {
                None => self.compare(&note, "").await,
                Some(_) => Ok(Compared::Later),
            };
            if !compared
                .as_ref()
                .is_ok_and(|compared| *compared != Compared::Later)
            {
                self.keep_foreign_since(note, since_s);
            }
            failure = failure.or(compared.err());
        }
        self.show_foreign();
        failure.map_or(Ok(()), Err)
    }
}

/// The last leaf of the tree of a checkpoint. This tree and all larger ones have it.
fn last_leaf(note: &SignedCheckpoint) -> u64 {
    note.checkpoint().size().saturating_sub(1)
}
