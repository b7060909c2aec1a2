//! Examines what somebody has sent or shown. Nothing is fetched meanwhile.

use opencoin_evidence::{
    Accused, CheckedEvidence, Claim, Evidence, EvidenceError, SplitView, Verdict, check_evidence,
};
use opencoin_gossip::{
    Arrived, CheckpointRefused, Content, EvidenceSubject, LogPlace, Novelty, Remembered, Worth, place,
    subject_of,
};
use opencoin_log::hash::Hash;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log_reader::Beginning;

use crate::auditor::{Auditor, Candidate, content_id};
use crate::description::Description;
use crate::store::{AuditedCurrency, StoreError};

impl Auditor {
    /// Examines a message, and passes on what is new.
    ///
    /// # Errors
    /// The database cannot be used. The message may come again.
    pub(crate) async fn examine(&self, mut arrived: Box<Arrived>) -> Result<Worth, StoreError> {
        let worth = match arrived.content() {
            Content::Evidence(text) => {
                let text = text.clone();
                self.take_evidence(text).await?
            }
            Content::Checkpoint(signed) => {
                let origin = signed.checkpoint().origin().to_owned();
                let currency = self
                    .followed()
                    .await?
                    .into_iter()
                    .find(|one| one.origin == origin);
                self.examine_checkpoint(currency.as_ref(), &mut arrived).await?
            }
        };
        self.gossip
            .gossip()
            .examined(*arrived, &worth, std::time::Instant::now());
        self.gossip.wake();
        Ok(worth)
    }

    async fn examine_checkpoint(
        &self,
        currency: Option<&AuditedCurrency>,
        arrived: &mut Arrived,
    ) -> Result<Worth, StoreError> {
        let Some(currency) = currency else {
            return Ok(Worth::Foreign);
        };
        let Ok(description) = Description::of(&currency.cddc) else {
            return Ok(Worth::Foreign);
        };
        match arrived.tidy(description.block()) {
            Ok(tidy) => {
                let tidy = tidy.clone();
                self.take_checkpoint(currency, tidy).await
            }
            Err(CheckpointRefused::Origin | CheckpointRefused::UnknownKey) => Ok(Worth::Foreign),
            Err(CheckpointRefused::Signature) => Ok(Worth::Worthless),
        }
    }

    /// Compares a checkpoint that the log has signed with what is known of the log.
    async fn take_checkpoint(
        &self,
        currency: &AuditedCurrency,
        signed: SignedCheckpoint,
    ) -> Result<Worth, StoreError> {
        match self.place_of(currency, &signed).await? {
            LogPlace::Same | LogPlace::Older => Ok(Worth::Known),
            LogPlace::Contradiction | LogPlace::Unknown => {
                self.gossip
                    .offer_once(subject_of(&signed), || self.offer_without_files(signed));
                Ok(Worth::Known)
            }
            LogPlace::Newer => self.remember(currency, signed).await,
        }
    }

    /// Where a checkpoint stands beside the newest one, as far as the copy on the disk tells.
    pub(super) async fn place_of(
        &self,
        currency: &AuditedCurrency,
        signed: &SignedCheckpoint,
    ) -> Result<LogPlace, StoreError> {
        let newest = self.store.newest_checkpoint(currency.no).await?;
        let newest = newest.as_ref().map(SignedCheckpoint::checkpoint);
        let size = signed.checkpoint().size();
        let is_older = newest.is_some_and(|newest| size < newest.size());
        let own = if is_older {
            self.own_root(currency, size).await?
        } else {
            None
        };
        let root_at = |_| Ok::<_, StoreError>(own);
        place(signed.checkpoint(), newest, root_at)
    }

    /// The root that the copy on the disk has at this size, if it is there.
    async fn own_root(&self, currency: &AuditedCurrency, size: u64) -> Result<Option<Hash>, StoreError> {
        if size > self.store.copied_size(currency.no).await? {
            return Ok(None);
        }
        let copy = self.copy_of(currency);
        let root = tokio::task::spawn_blocking(move || copy.root(size)).await;
        // The follower of the log sees to a copy that is damaged.
        Ok(root.ok().and_then(Result::ok))
    }

    /// Returns whether the follower of the log has taken it.
    pub(super) fn offer_without_files(&self, note: SignedCheckpoint) -> bool {
        self.offer(Candidate { note, prefix: None })
    }

    /// Remembers a checkpoint that is larger than what the log shows.
    async fn remember(
        &self,
        currency: &AuditedCurrency,
        signed: SignedCheckpoint,
    ) -> Result<Worth, StoreError> {
        let _held = self.gossip.unresolved.lock().await;
        let mut unresolved = self.store.unresolved(currency.no).await?;
        match unresolved.remember(signed.clone(), self.now_s()) {
            Remembered::Added => {
                self.store.put_unresolved(currency.no, &unresolved).await?;
                self.offer_without_files(signed);
                Ok(Worth::Unresolved)
            }
            Remembered::Known | Remembered::Full => Ok(Worth::Known),
            Remembered::Contradiction(other) => {
                self.keep_two_roots(currency, &other, &signed).await?;
                Ok(Worth::Known)
            }
        }
    }

    /// Keeps the evidence that the log has signed two roots of one size.
    async fn keep_two_roots(
        &self,
        currency: &AuditedCurrency,
        first: &SignedCheckpoint,
        second: &SignedCheckpoint,
    ) -> Result<(), StoreError> {
        if self.has_enough_splits(currency).await? {
            return Ok(());
        }
        let beginning = Beginning {
            root: *second.checkpoint().root(),
            proof: Vec::new(),
        };
        let claim = Claim::SplitView(SplitView::new(first, second, &beginning));
        let Ok(evidence) = Evidence::new(currency.cddc.clone(), claim) else {
            return Ok(());
        };
        if let Ok(checked) = evidence.check() {
            let kept = self.keep_evidence(currency, &evidence, &checked, false).await?;
            self.put_proven(currency, &checked.statement, kept.id.as_ref())
                .await?;
        }
        Ok(())
    }

    /// Keeps evidence of others if it holds and says something new.
    pub(super) async fn take_evidence(&self, text: String) -> Result<Worth, StoreError> {
        let Ok(evidence) = Evidence::parse(text.as_bytes()) else {
            return Ok(Worth::Worthless);
        };
        let key = &evidence.cdd().cdd.issuer_public_master_key;
        let mut followed = self.followed().await?.into_iter();
        let Some(currency) = followed.find(|one| one.cddc.cdd.issuer_public_master_key == *key) else {
            return Ok(Worth::Foreign);
        };
        if self
            .store
            .evidence_text(&content_id(&evidence.to_json()))
            .await?
            .is_some()
        {
            return Ok(Worth::Known);
        }
        let (evidence, checked) = match checked(evidence).await {
            Some((evidence, Ok(checked))) => (evidence, checked),
            Some((_, Err(_))) => return Ok(Worth::Worthless),
            None => return Ok(Worth::Foreign),
        };
        if checked.log != currency.origin {
            return Ok(Worth::Foreign);
        }
        let subject = EvidenceSubject {
            master_key: &checked.master_key_fingerprint,
            kind: checked.kind,
            statement: &checked.statement,
        };
        if self.gossip.known().novelty(subject) != Novelty::New {
            return Ok(Worth::Known);
        }
        let kept = self.keep_evidence(&currency, &evidence, &checked, true).await?;
        if kept.is_new {
            self.gossip.known().add(subject);
        } else if kept.id.is_some() {
            return Ok(Worth::Known);
        }
        if checked.verdict == Verdict::Fault && checked.accused == Accused::Issuer {
            self.put_proven(&currency, &checked.statement, kept.id.as_ref())
                .await?;
        }
        Ok(if kept.is_new { Worth::New } else { Worth::Known })
    }

    /// Writes down what stored evidence proves, if that was interrupted after the evidence was stored.
    pub(crate) async fn find_what_is_proven(&self, currency: &AuditedCurrency) -> Result<(), StoreError> {
        let findings = self.store.findings(currency.no).await?;
        for evidence in self.store.evidence_of(currency.no).await? {
            let is_found = findings
                .iter()
                .any(|finding| finding.evidence == Some(evidence.id));
            if is_found || evidence.verdict != Verdict::Fault.word() {
                continue;
            }
            let text = self.store.evidence_text(&evidence.id).await?.unwrap_or_default();
            let checked = check_evidence(text.as_bytes());
            if checked.is_ok_and(|checked| checked.accused == Accused::Issuer) {
                self.put_proven(currency, &evidence.statement, Some(&evidence.id))
                    .await?;
            }
        }
        Ok(())
    }

    /// Writes down that a rule is broken, so that nothing more is cosigned. Of what is proven by evidence that is not kept,
    /// one finding is enough.
    async fn put_proven(
        &self,
        currency: &AuditedCurrency,
        statement: &str,
        evidence: Option<&Hash>,
    ) -> Result<(), StoreError> {
        let newest = self.store.newest_checkpoint(currency.no).await?;
        let size = newest.map_or(0, |newest| newest.checkpoint().size());
        let text = format!("proven by evidence: {statement}");
        let (leaf, now) = (size.saturating_sub(1), self.now_s());
        if evidence.is_none() {
            let findings = self.store.findings(currency.no).await?;
            if findings
                .iter()
                .any(|finding| finding.is_broken && finding.leaf <= leaf)
            {
                return Ok(());
            }
        }
        self.store
            .put_other_finding(currency.no, leaf, &text, true, now)
            .await?;
        self.store
            .put_finding_evidence(currency.no, leaf, &text, evidence)
            .await
    }
}

type Checked = Result<CheckedEvidence, EvidenceError>;

/// Verifies evidence on a thread that may block. `None` if that has failed.
async fn checked(evidence: Evidence) -> Option<(Evidence, Checked)> {
    let check = move || {
        let checked = evidence.check();
        (evidence, checked)
    };
    tokio::task::spawn_blocking(check).await.ok()
}
