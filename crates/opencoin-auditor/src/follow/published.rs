//! What the issuer hands out to everybody and the log does not have: mint keys and descriptions of the currency.
//!
//! An issuer could give coins of a key that it hides from the log, and nobody could count them. So the auditor asks for
//! keys and description as any holder does, and compares them with the log once the merge delay has passed since it first
//! saw them. They are remembered in memory: after a restart the delay begins anew.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use opencoin_crypto::verify_mint_key_of_issuer;
use opencoin_evidence::{Evidence, EvidenceBuilder};
use opencoin_log::digest::KeyFingerprint;
use opencoin_log::hash::{Hash, leaf_hash};
use opencoin_log::policy::VerifiedCheckpoint;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log_reader::checkpoint::is_later_than;
use opencoin_log_reader::{Download, DownloadError};
use opencoin_schema::{Cddc, Mkc, Timestamp, from_json, text};

use super::catch_up::joined;
use super::{DESCRIPTION_PAUSE, FollowError, Follower};
use crate::description::Description;
use crate::prove::{Surroundings, SurroundingsOf};

/// The longest list of mint keys.
const MINT_KEYS_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The most mint keys that are remembered until the log has them.
const KEYS_MAX: usize = 256;
/// The most descriptions that are remembered until the log has them.
const DESCRIPTIONS_MAX: usize = 16;
const OK: u16 = 200;
const MICROS_PER_SECOND: i64 = 1_000_000;

/// What the issuer has shown and the log did not have yet.
#[derive(Default)]
pub(super) struct Published {
    read_at: Option<Instant>,
    /// By the SHA-256 of the key.
    keys: BTreeMap<Hash, Seen<Mkc>>,
    /// By the hash of the text.
    descriptions: BTreeMap<Hash, Seen<Cddc>>,
}

/// A certified document, and when it was first seen, in seconds since 1970.
struct Seen<T> {
    document: T,
    at: u64,
}

impl Published {
    /// Remembers a description.
    pub(super) fn see_description(&mut self, description: &Description, now_s: u64) {
        let cddc = description.cddc();
        let hash = leaf_hash(text::compact(&cddc.cdd).as_bytes());
        if self.descriptions.len() < DESCRIPTIONS_MAX {
            self.descriptions.entry(hash).or_insert_with(|| Seen {
                document: cddc.clone(),
                at: now_s,
            });
        }
    }

    fn see_key(&mut self, certificate: Mkc, now_s: u64) {
        let fingerprint = Hash::new(*KeyFingerprint::of(&certificate.mint_key.public_mint_key).as_bytes());
        let is_over = seconds(certificate.mint_key.sign_coins_not_after) < now_s;
        if self.keys.len() < KEYS_MAX && !is_over {
            self.keys.entry(fingerprint).or_insert(Seen {
                document: certificate,
                at: now_s,
            });
        }
    }
}

impl Follower {
    /// Compares what the issuer hands out with the log, if the whole log was replayed.
    pub(super) async fn check_published(&mut self) -> Result<(), FollowError> {
        let Some(newest) = self.newest.clone() else {
            return Ok(());
        };
        let size = newest.checkpoint().size();
        let Some(worker) = self
            .worker
            .as_ref()
            .filter(|worker| worker.replay().size() == size)
        else {
            return Ok(());
        };
        let logged: BTreeSet<Hash> = worker
            .replay()
            .keys()
            .values()
            .map(|key| key.fingerprint)
            .collect();
        self.read_mint_keys_if_due(&logged).await;
        let Ok(verified) = self.verify_quorum(&newest) else {
            return Ok(());
        };
        self.published
            .keys
            .retain(|fingerprint, _| !logged.contains(fingerprint));
        let due = |seen: &Seen<Mkc>| {
            let from = seconds(seen.document.mint_key.sign_coins_not_before);
            self.is_due(&verified, seen.at.max(from))
        };
        let keys = self.published.keys.iter().filter(|(_, seen)| due(seen));
        let keys: Vec<(Hash, Mkc)> = keys.map(|(hash, seen)| (*hash, seen.document.clone())).collect();
        for (fingerprint, certificate) in keys {
            self.accuse_of_secret_key(&newest, &certificate, &logged).await?;
            self.published.keys.remove(&fingerprint);
        }
        self.check_descriptions(&newest, &verified).await
    }

    /// Whether the log must have by now what was to enter it at this time.
    fn is_due(&self, verified: &VerifiedCheckpoint, from_s: u64) -> bool {
        let block = self.description.block();
        let due_s = from_s.saturating_add(block.within_s().into());
        is_later_than(block.policy(), verified, due_s)
    }

    /// Asks for the mint keys that sign now, if that was long ago, and remembers those that the log does not have.
    async fn read_mint_keys_if_due(&mut self, logged: &BTreeSet<Hash>) {
        let read_at = self.published.read_at;
        if read_at.is_some_and(|at| at.elapsed() < DESCRIPTION_PAUSE) {
            return;
        }
        self.published.read_at = Some(Instant::now());
        let certificates = match self.download_mint_keys().await {
            Ok(certificates) => certificates,
            Err(error) => {
                tracing::debug!(origin = self.currency.origin, %error, "the mint keys were not read");
                return;
            }
        };
        let Ok(cddc) = opencoin_crypto::verify_cddc(self.description.cddc()) else {
            return;
        };
        let now_s = self.auditor.now_s();
        for certificate in certificates {
            let fingerprint = KeyFingerprint::of(&certificate.mint_key.public_mint_key);
            let is_logged = logged.contains(&Hash::new(*fingerprint.as_bytes()));
            if !is_logged && verify_mint_key_of_issuer(&certificate, &cddc).is_ok() {
                self.published.see_key(certificate, now_s);
            }
        }
    }

    async fn download_mint_keys(&self) -> Result<Vec<Mkc>, DownloadError> {
        let url = format!("{}/mkcs", self.currency.url.trim_end_matches('/'));
        let answer = self.auditor.files.download(&url, MINT_KEYS_BYTES_MAX).await?;
        if answer.status != OK {
            return Err(DownloadError(format!("HTTP status {}", answer.status)));
        }
        from_json(&answer.body).map_err(|error| DownloadError(error.to_string()))
    }

    /// Keeps the evidence that a certified mint key is not in the log.
    async fn accuse_of_secret_key(
        &self,
        newest: &SignedCheckpoint,
        certificate: &Mkc,
        logged: &BTreeSet<Hash>,
    ) -> Result<(), FollowError> {
        let (size, root) = (newest.checkpoint().size(), *newest.checkpoint().root());
        let (id, denomination) = (&certificate.mint_key.id, certificate.mint_key.denomination);
        let text = format!(
            "the issuer hands out the mint key {id} for coins of {denomination}, which is not in the log"
        );
        if self.is_found(&text).await? {
            return Ok(());
        }
        let keys = logged
            .iter()
            .map(|hash| KeyFingerprint::new(*hash.as_bytes()))
            .collect();
        let mut tree = self.own_tree(size, root);
        let cddc = self.description.cddc().clone();
        let mut builder = EvidenceBuilder::new(&mut tree, newest.clone(), cddc);
        let evidence = builder.secret_key(certificate.clone(), keys).await;
        if let Err(error) = &evidence {
            tracing::warn!(text, %error, "there is no evidence for a finding");
        }
        self.keep_published(size, &text, evidence.ok()).await
    }

    async fn is_found(&self, text: &str) -> Result<bool, FollowError> {
        let findings = self.auditor.store.findings(self.currency.no).await?;
        Ok(findings.iter().any(|finding| finding.text == text))
    }

    /// Keeps the evidence for a broken rule, then the finding, at the last leaf of a tree of this size.
    async fn keep_published(
        &self,
        size: u64,
        text: &str,
        evidence: Option<Evidence>,
    ) -> Result<(), FollowError> {
        let (store, no, now_s) = (&self.auditor.store, self.currency.no, self.auditor.now_s());
        let leaf = size.saturating_sub(1);
        let evidence = evidence.and_then(|evidence| Some((evidence.check().ok()?, evidence)));
        let id = match evidence {
            Some((checked, evidence)) => {
                let kept = self
                    .auditor
                    .keep_evidence(&self.currency, &evidence, &checked, false);
                kept.await?.id
            }
            None => None,
        };
        store.put_other_finding(no, leaf, text, true, now_s).await?;
        tracing::error!(
            origin = self.currency.origin,
            text,
            "ALARM: an issuer breaks a rule"
        );
        store.put_finding_evidence(no, leaf, text, id.as_ref()).await?;
        Ok(())
    }

    async fn check_descriptions(
        &mut self,
        newest: &SignedCheckpoint,
        verified: &VerifiedCheckpoint,
    ) -> Result<(), FollowError> {
        let size = newest.checkpoint().size();
        let Some(worker) = &self.worker else {
            return Ok(());
        };
        let (mut missing, mut other, mut done) = (Vec::new(), Vec::new(), Vec::new());
        for (hash, seen) in &self.published.descriptions {
            match worker.replay().has_description(&seen.document) {
                Some(true) => done.push(*hash),
                Some(false) => other.push((*hash, seen.document.clone())),
                None if self.is_due(verified, seen.at) => {
                    missing.push((*hash, seen.document.cdd.cdd_serial));
                }
                None => {}
            }
        }
        for (hash, serial) in missing {
            // No root is over the descriptions of a log, so no file shows that one is missing.
            let text =
                format!("the issuer hands out description {serial} of the currency, which is not in the log");
            if !self.is_found(&text).await? {
                let (leaf, now_s) = (size.saturating_sub(1), self.auditor.now_s());
                let store = &self.auditor.store;
                store
                    .put_other_finding(self.currency.no, leaf, &text, false, now_s)
                    .await?;
            }
            done.push(hash);
        }
        for (hash, cddc) in other {
            self.accuse_of_two_descriptions(newest, cddc).await?;
            done.push(hash);
        }
        for hash in done {
            self.published.descriptions.remove(&hash);
        }
        Ok(())
    }

    /// Keeps the evidence that the log has another description with the number of this one.
    async fn accuse_of_two_descriptions(
        &self,
        newest: &SignedCheckpoint,
        cddc: Cddc,
    ) -> Result<(), FollowError> {
        let (size, root) = (newest.checkpoint().size(), *newest.checkpoint().root());
        let serial = cddc.cdd.cdd_serial;
        let text = format!(
            "the issuer hands out a description of the currency with the number {serial}, and the log has another one"
        );
        if self.is_found(&text).await? {
            return Ok(());
        }
        let of = SurroundingsOf {
            copy: self.auditor.copy_of(&self.currency),
            size,
            at: size.saturating_sub(1),
            origin: self.description.origin().to_owned(),
            within_s: self.description.block().within_s(),
        };
        let around = joined(tokio::task::spawn_blocking(move || Surroundings::read(&of)).await)?;
        let logged = around
            .description()
            .filter(|(_, logged)| logged.cdd.cdd_serial == serial);
        let mut evidence = None;
        if let Some((index, _)) = logged {
            let mut tree = self.own_tree(size, root);
            let mut builder = EvidenceBuilder::new(&mut tree, newest.clone(), cddc);
            evidence = builder.wrong_description(*index).await.ok();
        }
        self.keep_published(size, &text, evidence).await
    }
}

/// Whole seconds since 1970.
fn seconds(time: Timestamp) -> u64 {
    u64::try_from(time.unix_us() / MICROS_PER_SECOND).unwrap_or_default()
}
