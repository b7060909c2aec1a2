//! The auditors of a log, as the issuer sees them: each shows the newest checkpoint that it has signed.
//!
//! An auditor signs a published checkpoint when it has replayed the log up to there and every rule holds. It is asked by
//! `GET <url>/<hash of the origin>/checkpoint` and may answer anything.

use std::time::Duration;

use futures_util::future::join_all;
use opencoin_log::cosignature;
use opencoin_log::key::VerifierKey;
use opencoin_log::log_block::LogBlock;
use opencoin_log::note::NOTE_BYTES_MAX;
use opencoin_log::policy::PolicyWitness;
use opencoin_log::signature_line::SignatureLine;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log::witness::checkpoint_path;
use reqwest::{Client, StatusCode};

use super::peers;

/// How long an auditor may take to answer.
const ANSWER_DURATION_MAX: Duration = Duration::from_secs(1);
/// How much later than the clock of this machine a signature may be dated, in seconds.
const TIME_TOLERANCE_S: u64 = 5 * 60;

/// Asks the auditors.
pub(super) struct Auditors(Client);

/// What an auditor shows.
#[derive(Debug)]
pub(super) struct Shown {
    /// Its name in the policy.
    pub(super) name: String,
    /// Its key.
    pub(super) key: VerifierKey,
    /// The checkpoint, of which nothing is verified, or why there is none.
    pub(super) checkpoint: Result<SignedCheckpoint, String>,
}

impl Auditors {
    /// # Errors
    /// When TLS cannot be initialized.
    pub(super) fn new() -> Result<Self, reqwest::Error> {
        peers::client(ANSWER_DURATION_MAX).map(Self)
    }

    /// Asks all auditors of a log that have a URL, at the same time.
    pub(super) async fn ask(&self, block: &LogBlock) -> Vec<Shown> {
        let auditors = block.auditors();
        let path = &checkpoint_path(block.origin().as_str());
        let asked = block
            .policy()
            .witnesses()
            .iter()
            .filter(|auditor| auditors.contains(auditor.name.as_str()));
        let shown = asked.filter_map(|PolicyWitness { name, key, url }| {
            let url = url.as_deref()?.trim_end_matches('/');
            Some(async move {
                Shown {
                    name: name.clone(),
                    key: key.clone(),
                    checkpoint: self.checkpoint(format!("{url}/{path}")).await,
                }
            })
        });
        join_all(shown).await
    }

    async fn checkpoint(&self, address: String) -> Result<SignedCheckpoint, String> {
        let sent = self.0.get(address).send().await;
        let response = sent.map_err(|error| peers::reason(&error))?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err("it has signed no checkpoint of this log yet".to_owned()),
            other => return Err(format!("it answered {other}")),
        }
        let text = peers::text(response, NOTE_BYTES_MAX).await?;
        text.parse()
            .map_err(|error| format!("it shows no checkpoint: {error}"))
    }
}

impl Shown {
    /// The auditor's newest signature of the checkpoint, and its time. It is verified, and not dated later than `now_s`
    /// allows.
    pub(super) fn signature(
        &self,
        checkpoint: &SignedCheckpoint,
        now_s: u64,
    ) -> Result<(u64, SignatureLine), String> {
        let note = checkpoint.note();
        let ours = note.signatures().iter().filter(|line| line.names(&self.key));
        let dated = ours.filter_map(|line| {
            let time = cosignature::verify(&self.key, note.text(), &line.signature).ok()?;
            Some((time, line))
        });
        let (time, line) = dated
            .max_by_key(|(time, _)| *time)
            .ok_or("its signature is missing or does not verify")?;
        if !(1..=now_s.saturating_add(TIME_TOLERANCE_S)).contains(&time) {
            return Err("its signature is dated later than the clock of this machine".to_owned());
        }
        Ok((time, line.clone()))
    }
}
