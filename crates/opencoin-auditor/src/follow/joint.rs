//! Auditors of the joint group whose cosignature says that every rule holds, although one is broken.

use opencoin_evidence::EvidenceBuilder;
use opencoin_log::key::VerifierKey;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_text::printable;

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
        let Some(key) = self.joint_key(name) else {
            return Ok(());
        };
        if self.accused.contains(&key) || note.note().verify(std::slice::from_ref(&key)).is_err() {
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
        // The name is the issuer's label, which may be anybody's name.
        let text = format!(
            "the auditor with key {} has cosigned what breaks a rule",
            printable(&key.to_string())
        );
        self.accused.insert(key);
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

    /// The key of another auditor of the joint group, by its name in the description.
    fn joint_key(&self, name: &str) -> Option<VerifierKey> {
        let block = self.description.block();
        let policy = block.policy();
        if !policy.names_in(block.joint()?).contains(name) {
            return None;
        }
        let mut witnesses = policy.witnesses().iter();
        let key = &witnesses.find(|witness| witness.name == name)?.key;
        (!self.auditor.keys.vkeys().contains(key)).then(|| key.clone())
    }
}
