//! What all tasks of an auditor share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opencoin_evidence::{CheckedEvidence, Evidence};
use opencoin_gossip::TooManyPeers;
use opencoin_log::hash::Hash;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log::witness::checkpoint_path;
use opencoin_witness::{Now, WitnessKeys};
use sha2::{Digest, Sha256};
use tokio::sync::{broadcast, mpsc};

use crate::fetch::HttpFiles;
use crate::gossip_node::GossipNode;
use crate::log_files::LogCopy;
use crate::status::Statuses;
use crate::store::{AuditedCurrency, AuditorStore, EvidenceKept, KeptEvidence, StoreError};
use crate::worker::copy_folder;

/// An issuer has a new checkpoint every minute, and looks for the auditor's cosignature every second.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many checkpoints of others may wait to be compared. More are dropped; they come again.
const CANDIDATES_MAX: usize = 64;
/// The most of the auditor's own pieces of evidence of two histories of one log.
const SPLITS_MAX: usize = 8;
/// Their kind.
const SPLIT_VIEW: &str = "split view";
/// How much news may wait for a slow listener.
const NEWS_MAX: usize = 256;

/// An auditor: its keys, its memory, and what it does now.
pub struct Auditor {
    pub(crate) keys: WitnessKeys,
    pub(crate) store: AuditorStore,
    pub(crate) folder: PathBuf,
    pub(crate) files: Arc<HttpFiles>,
    pub(crate) now: Now,
    pub(crate) options: AuditorOptions,
    pub(crate) statuses: Statuses,
    pub(crate) gossip: GossipNode,
    /// Where the followers of currencies take checkpoints that others have shown, by the origin of the log.
    candidates: Mutex<BTreeMap<String, mpsc::Sender<Candidate>>>,
    news: broadcast::Sender<News>,
}

/// What an auditor is told when it starts.
#[derive(Debug, Clone)]
pub struct AuditorOptions {
    /// The pause between two looks at the newest checkpoint of a log.
    pub look_every: Duration,
    /// Whether it follows checkpoints and takes samples, and replays nothing.
    pub is_light: bool,
    /// The URLs of other auditors, at most 16.
    pub peers: Vec<String>,
}

impl Default for AuditorOptions {
    fn default() -> Self {
        Self {
            look_every: LOOK_EVERY,
            is_light: false,
            peers: Vec::new(),
        }
    }
}

/// A checkpoint that somebody has shown, signed by its log.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The checkpoint.
    pub note: SignedCheckpoint,
    /// Where files of its tree may be.
    pub prefix: Option<String>,
}

/// What has become of verified evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeptFile {
    /// Its id; `None` if there was no room for it, so nothing may refer to it.
    pub(crate) id: Option<Hash>,
    /// Whether it was not kept before.
    pub(crate) is_new: bool,
}

/// What others should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A checkpoint that was verified and is new, as text.
    Checkpoint(String),
    /// Evidence that this auditor has made, as text.
    Evidence(String),
}

impl Auditor {
    pub(crate) fn new(
        keys: WitnessKeys,
        store: AuditorStore,
        folder: PathBuf,
        files: HttpFiles,
        now: Now,
        options: AuditorOptions,
    ) -> Result<Self, TooManyPeers> {
        Ok(Self {
            gossip: GossipNode::new(options.peers.len())?,
            keys,
            store,
            folder,
            files: Arc::new(files),
            now,
            options,
            statuses: Statuses::default(),
            candidates: Mutex::default(),
            news: broadcast::Sender::new(NEWS_MAX),
        })
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &WitnessKeys {
        &self.keys
    }

    /// The database.
    #[must_use]
    pub fn store(&self) -> &AuditorStore {
        &self.store
    }

    /// What it was told when it started.
    #[must_use]
    pub fn options(&self) -> &AuditorOptions {
        &self.options
    }

    /// The present time, in seconds since 1970.
    pub(crate) fn now_s(&self) -> u64 {
        (self.now)()
    }

    /// The folder of a currency.
    pub(crate) fn folder_of(&self, currency: &AuditedCurrency) -> PathBuf {
        self.folder.join(currency.origin_hash.to_string())
    }

    /// The copy of a currency's log.
    pub(crate) fn copy_of(&self, currency: &AuditedCurrency) -> LogCopy {
        LogCopy::new(&copy_folder(&self.folder_of(currency)))
    }

    /// The prefix of the copy of a log that another auditor has.
    pub(crate) fn mirror_prefix(peer: &str, origin: &str) -> String {
        format!("{}/log", Self::monitoring_prefix(peer, origin))
    }

    /// The prefix under which another auditor, or a witness, shows what it has cosigned of a log.
    pub(crate) fn monitoring_prefix(peer: &str, origin: &str) -> String {
        let path = checkpoint_path(origin);
        let hash = path.split_once('/').map_or("", |(hash, _)| hash);
        format!("{}/{hash}", peer.trim_end_matches('/'))
    }

    /// Begins to take checkpoints of others for a log.
    pub(crate) fn take_candidates(&self, origin: &str) -> mpsc::Receiver<Candidate> {
        let (sender, receiver) = mpsc::channel(CANDIDATES_MAX);
        let mut candidates = self.candidates.lock().unwrap_or_else(PoisonError::into_inner);
        candidates.insert(origin.to_owned(), sender);
        drop(candidates);
        self.gossip.forget_offers();
        receiver
    }

    /// Hands a checkpoint to the follower of its log, which compares it with its own. Returns whether it was taken: there is
    /// a follower, and its queue is not full.
    pub fn offer(&self, candidate: Candidate) -> bool {
        let candidates = self.candidates.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = candidates.get(candidate.note.checkpoint().origin());
        sender.is_some_and(|sender| sender.try_send(candidate).is_ok())
    }

    /// What is new from now on.
    #[must_use]
    pub fn news(&self) -> broadcast::Receiver<News> {
        self.news.subscribe()
    }

    pub(crate) fn tell(&self, news: News) {
        // Nobody may listen.
        let _ = self.news.send(news);
    }

    /// Keeps verified evidence against a currency if there is room for it, and tells others.
    ///
    /// # Errors
    /// The database cannot be written.
    pub(crate) async fn keep_evidence(
        &self,
        currency: &AuditedCurrency,
        evidence: &Evidence,
        checked: &CheckedEvidence,
        is_received: bool,
    ) -> Result<KeptFile, StoreError> {
        let text = evidence.to_json();
        let id = content_id(&text);
        let kept = KeptEvidence {
            id,
            kind: checked.kind.to_owned(),
            statement: checked.statement.clone(),
            verdict: checked.verdict.word().to_owned(),
            kept_at: self.now_s(),
            is_received,
        };
        let put = self.store.put_evidence(currency.no, &kept, &text).await?;
        if put == EvidenceKept::NoRoom {
            tracing::warn!(
                origin = currency.origin,
                kind = kept.kind,
                statement = kept.statement,
                "there is no room for more evidence against this log"
            );
        }
        let is_new = put == EvidenceKept::New;
        if is_new {
            tracing::error!(
                origin = currency.origin,
                kind = kept.kind,
                id = %id,
                statement = kept.statement,
                "ALARM: there is evidence against a log"
            );
            // What is received is passed on as a message.
            if !is_received {
                self.tell(News::Evidence(text));
            }
        }
        let id = (put != EvidenceKept::NoRoom).then_some(id);
        Ok(KeptFile { id, is_new })
    }

    /// Whether enough of the auditor's own evidence shows that a log has two histories. It goes on to sign checkpoints of
    /// both, and other evidence needs room too.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(crate) async fn has_enough_splits(&self, currency: &AuditedCurrency) -> Result<bool, StoreError> {
        let kept = self.store.evidence_of(currency.no).await?.into_iter();
        let splits = kept.filter(|file| !file.is_received && file.kind == SPLIT_VIEW);
        Ok(splits.count() >= SPLITS_MAX)
    }
}

/// The id of a text: its SHA-256.
#[must_use]
pub fn content_id(text: &str) -> Hash {
    Hash::new(Sha256::digest(text).into())
}
