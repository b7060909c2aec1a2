//! Auditors of the joint group whose cosignature says that every rule holds, although one is broken.

use opencoin_evidence::EvidenceBuilder;
use opencoin_log::signed_checkpoint::SignedCheckpoint;

use super::catch_up::joined;
use super::{FollowError, Follower};
use crate::prove::{Surroundings, SurroundingsOf, prove};

impl Follower {
    /// Looks at the checkpoint that a witness of the policy shows. If it is of the joint group and has cosigned what breaks
    /// a rule, evidence against it is kept.
    pub(super) async fn look_at_cosigner(
        &mut self,
        name: &str,
        note: &SignedCheckpoint,
    ) -> Result<(), FollowError> {
        if self.accused.contains(name) || !self.is_in_joint_group(name) || !self.has_cosigned(name, note) {
            return Ok(());
        }
        let (size, root) = (note.checkpoint().size(), *note.checkpoint().root());
        if size > self.copied() {
            return Ok(());
        }
        let findings = self.auditor.store.findings(self.currency.no).await?;
        let in_tree = findings
            .into_iter()
            .find(|finding| finding.evidence.is_some() && finding.finding.is_some() && finding.leaf < size);
        let Some(stored) = in_tree else {
            return Ok(());
        };
        let Some(finding) = &stored.finding else {
            return Ok(());
        };
        let of_own_history = self.own_tree(size, root).beginning(size).await.is_ok();
        if !of_own_history {
            return Ok(());
        }
        self.accused.insert(name.to_owned());
        let of = SurroundingsOf {
            copy: self.auditor.copy_of(&self.currency),
            size,
            at: finding.index,
            origin: self.description.origin().to_owned(),
            within_s: self.description.block().within_s(),
        };
        let around = joined(tokio::task::spawn_blocking(move || Surroundings::read(&of)).await)?;
        let Some((description, cddc)) = around.description().cloned() else {
            return Ok(());
        };
        let mut tree = self.own_tree(size, root);
        // The fault is proven under the checkpoint that the auditor has cosigned.
        let mut builder = EvidenceBuilder::new(&mut tree, note.clone(), cddc);
        let Some(Ok(fault)) = prove(&mut builder, &around, finding).await else {
            return Ok(());
        };
        match builder.false_joint_signature(name, &fault, description).await {
            Ok(evidence) => {
                if let Ok(checked) = evidence.check() {
                    let kept = self
                        .auditor
                        .keep_evidence(&self.currency, &evidence, &checked, false);
                    let id = kept.await?.id;
                    let text = format!("the auditor {name} has cosigned what breaks a rule");
                    let (no, now) = (self.currency.no, self.auditor.now_s());
                    let store = &self.auditor.store;
                    store
                        .put_other_finding(no, stored.leaf, &text, false, now)
                        .await?;
                    store
                        .put_finding_evidence(no, stored.leaf, &text, id.as_ref())
                        .await?;
                }
            }
            Err(error) => {
                tracing::debug!(name, %error, "there is no evidence against a cosigner");
            }
        }
        Ok(())
    }

    fn is_in_joint_group(&self, name: &str) -> bool {
        let block = self.description.block();
        let own = self.auditor.keys.vkeys();
        let mut witnesses = block.policy().witnesses().iter();
        let is_own = witnesses.any(|witness| witness.name == name && own.contains(&witness.key));
        let joint = block.joint();
        !is_own && joint.is_some_and(|joint| block.policy().names_in(joint).contains(name))
    }

    fn has_cosigned(&self, name: &str, note: &SignedCheckpoint) -> bool {
        let policy = self.description.block().policy();
        let mut witnesses = policy.witnesses().iter();
        let key = witnesses
            .find(|witness| witness.name == name)
            .map(|witness| witness.key.clone());
        key.is_some_and(|key| note.note().verify(&[key]).is_ok())
    }
}
