//! Follows the log of one currency.
//!
//! In each round the newest checkpoint is read, compared with the last one, and verified. Then the entries up to it are
//! downloaded and replayed, and it is cosigned if every rule holds. A round that fails changes nothing that the next one
//! needs, so the next one simply tries again.

mod catch_up;
mod compare;
mod cosign;
mod evidence;
mod files;
mod joint;
mod polls;
mod published;
mod samples;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opencoin_log::hash::Hash;
use opencoin_log::key::VerifierKey;
use opencoin_log::policy::CosignedBy;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log_reader::LogReadError;
use rand::RngCore;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::auditor::{Auditor, Candidate, News};
use crate::description::Description;
use crate::disk_error::DiskError;
use crate::fetch::{CurrencyFiles, FetchError, Sources};
use crate::store::{AuditedCurrency, StoreError};
use crate::worker::{WorkError, Worker};
use compare::Compared;
use published::Published;

/// The longest pause after rounds that failed, in pauses between two rounds. It doubles each time.
const TROUBLE_PAUSES_MAX: u32 = 16;
/// How often the description of the currency is read again.
const DESCRIPTION_PAUSE: Duration = Duration::from_secs(60);
/// How often it is read again when a checkpoint lacks the quorum, which may be another one now.
const DESCRIPTION_PAUSE_MIN: Duration = Duration::from_secs(5);

/// Why a round could not be finished.
#[derive(Debug, Error)]
pub(crate) enum FollowError {
    /// The log cannot be read, or is not believed.
    #[error(transparent)]
    Log(#[from] LogReadError),
    /// No server has the entries.
    #[error("the public log cannot be read: {0}")]
    Fetch(#[from] FetchError),
    /// The log has signed two histories. What follows the first one that was seen is not known.
    #[error("the log has signed two histories")]
    OtherHistory,
    /// The copy or the replay cannot go on.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl FollowError {
    /// What everybody may read. The error itself may name servers and files that only the operator should know.
    const fn public_text(&self) -> &'static str {
        match self {
            Self::Log(error) if error.is_temporary() => "the log cannot be read",
            Self::Log(_) => "the log is not believed",
            Self::Fetch(_) => "the log cannot be read",
            Self::OtherHistory => "the log has signed two histories",
            Self::Work(_) | Self::Store(_) => "the auditor cannot use its files",
        }
    }
}

impl From<DiskError> for FollowError {
    fn from(error: DiskError) -> Self {
        Self::Work(error.into())
    }
}

/// Follows one currency.
pub(crate) struct Follower {
    auditor: Arc<Auditor>,
    /// Gets what the description names.
    files: Arc<CurrencyFiles>,
    currency: AuditedCurrency,
    description: Description,
    described_at: Option<Instant>,
    /// The newest checkpoint that was verified.
    newest: Option<SignedCheckpoint>,
    /// The copy and the replay; `None` until they are opened, and after a failure.
    worker: Option<Worker>,
    /// The worker while it works; it is given back unless it has failed.
    working: Option<JoinHandle<Option<Worker>>>,
    candidates: mpsc::Receiver<Candidate>,
    /// Those of them that wait for the next round.
    waiting: Vec<Candidate>,
    /// Checkpoints that the log has signed and that cannot be compared yet, and when each was first seen, in seconds since
    /// 1970.
    foreign: Vec<(SignedCheckpoint, u64)>,
    polled_at: Option<Instant>,
    published: Published,
    /// How often evidence of two histories was made.
    splits: u32,
    /// The findings for which evidence was made or could not be made.
    attempted: BTreeSet<i64>,
    /// The cosigners against whom evidence was made or could not be made.
    accused: BTreeSet<VerifierKey>,
    /// The root of the tree of which samples were taken last.
    sampled: Option<Hash>,
    rng: Box<dyn RngCore + Send + Sync>,
}

impl Follower {
    /// # Errors
    /// The database cannot be read, or has a description that cannot be used.
    pub(crate) async fn new(
        auditor: Arc<Auditor>,
        currency: AuditedCurrency,
        rng: Box<dyn RngCore + Send + Sync>,
    ) -> Result<Self, StoreError> {
        let description = Description::of(&currency.cddc);
        let description = description.map_err(|error| StoreError::Corrupt(error.to_string()))?;
        // Before anything is cosigned.
        auditor.find_what_is_proven(&currency).await?;
        let newest = auditor.store.newest_checkpoint(currency.no).await?;
        let follower = Self {
            candidates: auditor.take_candidates(&currency.origin),
            files: Arc::new(auditor.files.of_currency(&currency.url, &auditor.options.peers)),
            auditor,
            currency,
            description,
            described_at: None,
            newest,
            worker: None,
            working: None,
            waiting: Vec::new(),
            foreign: Vec::new(),
            polled_at: None,
            published: Published::default(),
            splits: 0,
            attempted: BTreeSet::new(),
            accused: BTreeSet::new(),
            sampled: None,
            rng,
        };
        // The log may have no newer checkpoint for long.
        if let Some(newest) = &follower.newest {
            let by = follower
                .verify_quorum(newest)
                .map(|verified| verified.cosigned_by);
            follower.show_newest(newest, by.unwrap_or_default());
        }
        Ok(follower)
    }

    /// Shows what is the newest checkpoint, and which witnesses have cosigned it.
    fn show_newest(&self, note: &SignedCheckpoint, cosigned_by: Vec<CosignedBy>) {
        self.auditor.statuses.change(self.currency.no, |status| {
            status.checkpoint_size = note.checkpoint().size();
            let by = cosigned_by.into_iter();
            status.cosigned_by = by.map(|by| (by.witness, by.time)).collect();
        });
    }

    /// Follows until it is told to stop, then makes everything durable.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut pause = self.auditor.options.look_every;
        loop {
            tokio::select! {
                round = self.round() => pause = self.note(round, pause),
                _ = stop.wait_for(|stop| *stop) => break,
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                Some(candidate) = self.candidates.recv() => self.put_off(candidate),
                _ = stop.wait_for(|stop| *stop) => break,
            }
        }
        if let Err(error) = self.store_all().await {
            tracing::error!(origin = self.currency.origin, %error, "the state of the replay was not stored");
        }
    }

    /// Says how the round went, and how long to wait for the next one.
    fn note(&self, round: Result<(), FollowError>, pause: Duration) -> Duration {
        let now = self.auditor.now_s();
        let trouble = round.err();
        if let Some(error) = &trouble {
            tracing::warn!(origin = self.currency.origin, %error, "a log was not followed; trying again");
        }
        let text = trouble.as_ref().map(FollowError::public_text);
        self.auditor.statuses.change(self.currency.no, |status| {
            if text.is_none() {
                status.read_at = Some(now);
            }
            status.trouble = text;
        });
        match trouble {
            None => self.auditor.options.look_every,
            Some(_) => (2 * pause).min(TROUBLE_PAUSES_MAX * self.auditor.options.look_every),
        }
    }

    async fn round(&mut self) -> Result<(), FollowError> {
        self.describe_if_due(DESCRIPTION_PAUSE).await?;
        if !self.auditor.options.is_light {
            self.open_worker().await?;
            self.replay_stored().await?;
        }
        let read = self.read_newest().await;
        self.poll_others().await?;
        self.compare_candidates().await?;
        let caught_up = self.catch_up().await;
        self.compare_foreign().await?;
        self.check_published().await?;
        self.make_evidence().await?;
        caught_up?;
        read?;
        self.cosign().await
    }

    /// Reads the newest checkpoint of the log, or of a copy if the log does not answer.
    async fn read_newest(&mut self) -> Result<(), FollowError> {
        let mut failure = None;
        let prefixes: Vec<String> = self.sources().prefixes().map(str::to_owned).collect();
        for prefix in prefixes {
            match self.reader(&prefix).checkpoint().await {
                Ok(note) => return self.see_newest(note, &prefix).await,
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        let nobody = || LogReadError::Unreachable {
            url: self.currency.url.clone(),
            reason: "the description of the currency does not say where its public log is".to_owned(),
        };
        Err(failure.unwrap_or_else(nobody).into())
    }

    /// Takes the newest checkpoint, if it continues the one before. One of the same tree may have newer cosignatures.
    async fn see_newest(&mut self, note: SignedCheckpoint, prefix: &str) -> Result<(), FollowError> {
        if self.newest.as_ref() == Some(&note) {
            return Ok(());
        }
        match self.compare(&note, prefix).await? {
            Compared::Same | Compared::Newer => self.follow(note).await,
            Compared::Older => Ok(()),
            Compared::OtherHistory => Err(FollowError::OtherHistory),
            Compared::Later => {
                self.keep_foreign(note);
                Ok(())
            }
        }
    }

    /// Takes a checkpoint as the newest one if the quorum has cosigned it.
    async fn follow(&mut self, note: SignedCheckpoint) -> Result<(), FollowError> {
        let mut verified = self.verify_quorum(&note);
        if verified.is_err() && self.describe_if_due(DESCRIPTION_PAUSE_MIN).await? {
            verified = self.verify_quorum(&note);
        }
        let verified = verified?;
        let text = note.to_string();
        let now = self.auditor.now_s();
        self.auditor
            .store
            .put_checkpoint(self.currency.no, &text, now)
            .await?;
        let size = note.checkpoint().size();
        let is_larger = self
            .newest
            .as_ref()
            .is_none_or(|newest| newest.checkpoint().size() < size);
        self.show_newest(&note, verified.cosigned_by);
        self.newest = Some(note);
        if is_larger {
            self.auditor.tell(News::Checkpoint(text));
        }
        Ok(())
    }

    /// Reads the description again if that was long ago. Returns whether there is a new one.
    async fn describe_if_due(&mut self, pause: Duration) -> Result<bool, FollowError> {
        if self.described_at.is_some_and(|at| at.elapsed() < pause) {
            return Ok(false);
        }
        self.described_at = Some(Instant::now());
        let found = Description::download(self.auditor.files.as_ref(), &self.currency.url).await;
        match found {
            Ok(found) => {
                self.published.see_description(&found, self.auditor.now_s());
                self.describe(found).await
            }
            Err(error) => {
                tracing::debug!(origin = self.currency.origin, %error, "the description was not read again");
                Ok(false)
            }
        }
    }

    /// Takes a newer description of the same currency.
    async fn describe(&mut self, found: Description) -> Result<bool, FollowError> {
        if !found.replaces(&self.description) {
            return Ok(false);
        }
        let store = &self.auditor.store;
        store.put_description(self.currency.no, found.cddc()).await?;
        tracing::info!(
            origin = self.currency.origin,
            serial = found.serial(),
            "the currency has a new description"
        );
        self.currency.cddc = found.cddc().clone();
        self.description = found;
        Ok(true)
    }

    /// The servers that may have the log: the issuer, then other auditors.
    fn sources(&self) -> Sources {
        let peers = self.auditor.options.peers.iter();
        let origin = self.description.origin();
        let mirrors = peers.map(|peer| Auditor::mirror_prefix(peer, origin));
        let files = Arc::clone(&self.files);
        Sources::new(files, self.description.prefixes().chain(mirrors))
    }
}
