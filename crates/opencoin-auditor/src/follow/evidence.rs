//! Evidence for what the replay has found.

use opencoin_evidence::{Evidence, EvidenceBuilder};
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_replay::Finding;

use super::catch_up::joined;
use super::{FollowError, Follower};
use crate::prove::{Surroundings, SurroundingsOf, prove};
use crate::store::StoredFinding;
use crate::worker::Worker;

/// How many findings are proven in a round. The others have their turn in the next ones.
const PROVEN_MAX: usize = 4;

impl Follower {
    /// Makes evidence for findings that have none yet.
    pub(super) async fn make_evidence(&mut self) -> Result<(), FollowError> {
        let Some(newest) = self.newest.clone() else {
            return Ok(());
        };
        let size = newest.checkpoint().size();
        if self
            .worker
            .as_ref()
            .is_none_or(|worker: &Worker| worker.size() < size)
        {
            return Ok(());
        }
        let findings = self.auditor.store.findings(self.currency.no).await?;
        let is_due = |finding: &StoredFinding| {
            let is_shown = finding.is_broken && finding.evidence.is_none() && finding.leaf < size;
            is_shown && !self.attempted.contains(&finding.no)
        };
        let due: Vec<StoredFinding> = findings.into_iter().filter(is_due).take(PROVEN_MAX).collect();
        for stored in due {
            self.attempted.insert(stored.no);
            let Some(finding) = &stored.finding else { continue };
            if let Some(evidence) = self.prove(&newest, finding).await? {
                self.keep_proof(&stored, &evidence).await?;
            }
        }
        Ok(())
    }

    /// The file that proves a finding, if there is one.
    async fn prove(
        &self,
        newest: &SignedCheckpoint,
        finding: &Finding,
    ) -> Result<Option<Evidence>, FollowError> {
        let size = newest.checkpoint().size();
        let of = SurroundingsOf {
            copy: self.auditor.copy_of(&self.currency),
            size,
            at: finding.index,
            origin: self.description.origin().to_owned(),
            within_s: self.description.block().within_s(),
        };
        let around = joined(tokio::task::spawn_blocking(move || Surroundings::read(&of)).await)?;
        let mut tree = self.own_tree(size, *newest.checkpoint().root());
        let cddc = self.description.cddc().clone();
        let mut builder = EvidenceBuilder::new(&mut tree, newest.clone(), cddc);
        match prove(&mut builder, &around, finding).await {
            Some(Ok(evidence)) => Ok(Some(evidence)),
            Some(Err(error)) => {
                tracing::warn!(origin = self.currency.origin, %finding, %error, "there is no evidence for a finding");
                Ok(None)
            }
            None => Ok(None),
        }
    }

    /// Keeps evidence for a finding.
    async fn keep_proof(&self, stored: &StoredFinding, evidence: &Evidence) -> Result<(), FollowError> {
        let Ok(checked) = evidence.check() else {
            return Ok(());
        };
        let kept = self
            .auditor
            .keep_evidence(&self.currency, evidence, &checked, false);
        let id = kept.await?.id;
        let (no, leaf) = (self.currency.no, stored.leaf);
        let store = &self.auditor.store;
        store
            .put_finding_evidence(no, leaf, &stored.text, id.as_ref())
            .await?;
        Ok(())
    }
}
