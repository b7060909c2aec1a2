//! The public log of an issuer: what it accepts and takes back becomes leaves of a Merkle tree that witnesses cosign
//! (docs/LOG.md).
//!
//! Accepting writes the leaves, in the ledger. The rest is here. One process at a time *seals*: it moves what waits into
//! the tree (`sealer.rs`), signs the checkpoint, asks the witnesses and publishes it (`publisher.rs`). Every process
//! makes promises (`promises.rs`) and serves the tree (`reader.rs`).

mod auditors;
pub mod copy;
mod counts;
pub mod export;
mod former;
mod joint;
mod key_accounts;
mod peers;
mod promises;
mod publisher;
mod reader;
pub mod recovery;
mod rhythm;
mod sealer;
mod shown;
mod signed_mark;
mod status;
#[cfg(test)]
mod tests;
mod witnesses;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use opencoin_keys::{CertifiedMintKey, ChallengeKey, Clock, Currency, LogKeys};
use opencoin_ledger::recovered::RecoveredRequest;
use opencoin_ledger::recovery::find_request;
use opencoin_ledger::view::MintKeyNo;
use opencoin_ledger::{
    Command, HistoryId, LedgerError, LogBatch, LogBatchNo, LogHead, LogStore, LogTerms, MintKeyId,
    MintKeyIdentity, PublishedCheckpoint, SpentDigest,
};
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::{Leaf, spent_leaf};
use opencoin_log::log_block::LogBlock;
use opencoin_log::tile::TilePath;
use opencoin_schema::BigInt;
use rand::RngCore;

pub(crate) use counts::PublishedCounts;
pub use key_accounts::{AccountsAtBatch, KeyPaymentStatus, LoggedAccounts, ProvenBatch};
pub(crate) use promises::Promises;
pub use rhythm::Rhythm;
pub use status::{Incident, LogStatus, WitnessStatus};

use auditors::Auditors;
use key_accounts::KnownAccounts;
use shown::ShownCheckpoint;
use signed_mark::SignedMark;
use status::Recorder;
use witnesses::Witnesses;

/// What a batch must know of the description of its log.
fn terms_of(block: &LogBlock) -> LogTerms {
    LogTerms {
        origin: block.origin().to_string(),
        within_s: block.within_s(),
    }
}

/// What an issuer needs for its public log.
pub struct LogOptions<'a> {
    /// The keys of the log.
    pub keys: LogKeys,
    /// The description of the log in the current CDD.
    pub block: LogBlock,
    /// When batches are sealed.
    pub rhythm: Rhythm,
    /// The folder of the keys, in which the last signed checkpoint is remembered.
    pub folder: &'a Path,
    /// The history of the books.
    pub history: HistoryId,
}

/// The public log of an issuer.
pub struct IssuerLog {
    log_key: opencoin_log::key::SigningKey,
    promises: Arc<Promises>,
    terms: LogTerms,
    store: Arc<dyn LogStore>,
    clock: Arc<dyn Clock>,
    rhythm: Rhythm,
    signed: SignedMark,
    witnesses: Witnesses,
    auditors: Auditors,
    /// The name of this process in the lease.
    holder: [u8; opencoin_ledger::LEASE_HOLDER_BYTES],
    /// Where the leaves of mint keys are, as far as they were looked for. They never move.
    key_indices: Mutex<HashMap<KeyNo, u64>>,
    published_shown: ShownCheckpoint,
    joint_shown: ShownCheckpoint,
    challenges: ChallengeKey,
    key_accounts: tokio::sync::Mutex<Option<KnownAccounts>>,
    counts: Mutex<Option<Arc<PublishedCounts>>>,
    /// Whether this process holds the lease of the sealer.
    seals: AtomicBool,
    /// Whether a quorum of witnesses has seen nothing newer than the books, since this process started.
    confirmed: AtomicBool,
    /// Whether nothing can be promised, because something waits for too long.
    is_stuck: AtomicBool,
    /// Whether batches of a lost time were recovered before this process started.
    has_recovered: AtomicBool,
    /// Why nothing is accepted any more.
    closed: OnceLock<String>,
    recorder: Recorder,
}

impl IssuerLog {
    /// Opens the log.
    ///
    /// # Errors
    /// When the client for witnesses cannot be made.
    pub fn new(
        options: LogOptions<'_>,
        store: Arc<dyn LogStore>,
        clock: Arc<dyn Clock>,
        rng: &mut dyn RngCore,
    ) -> Result<Self, LedgerError> {
        let LogOptions {
            keys,
            block,
            rhythm,
            folder,
            history,
        } = options;
        let mut holder = [0; opencoin_ledger::LEASE_HOLDER_BYTES];
        rng.fill_bytes(&mut holder);
        let origin = keys.log.verifier().name().to_string();
        let terms = terms_of(&block);
        let promises = Promises::new(
            keys.promise,
            origin,
            block.within_s(),
            Arc::clone(&store),
            Arc::clone(&clock),
        );
        let no_client = |error| LedgerError::Address(format!("witnesses cannot be asked: {error}"));
        let witnesses = Witnesses::new(Arc::clone(&store)).map_err(no_client)?;
        let auditors = Auditors::new().map_err(no_client)?;
        Ok(Self {
            log_key: keys.log,
            promises: Arc::new(promises),
            terms,
            store,
            clock,
            rhythm,
            signed: SignedMark::in_folder(folder, history),
            witnesses,
            auditors,
            holder,
            key_indices: Mutex::default(),
            published_shown: ShownCheckpoint::default(),
            joint_shown: ShownCheckpoint::default(),
            challenges: keys.challenges,
            key_accounts: tokio::sync::Mutex::default(),
            counts: Mutex::default(),
            seals: AtomicBool::new(false),
            confirmed: AtomicBool::new(false),
            is_stuck: AtomicBool::new(false),
            has_recovered: AtomicBool::new(false),
            closed: OnceLock::new(),
            recorder: Recorder::default(),
        })
    }

    /// The origin of the log.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.log_key.verifier().name().as_str()
    }

    /// Whether what is registered now is sealed soon: the books were found to be the newest ones, so nothing but a crash
    /// keeps the sealers from working.
    pub(crate) fn seals_soon(&self) -> bool {
        self.confirmed.load(Ordering::Relaxed) && self.closed().is_none()
    }

    /// Makes challenges for introductions of keys.
    pub(crate) fn challenges(&self) -> &ChallengeKey {
        &self.challenges
    }

    pub(crate) fn promises(&self) -> Arc<Promises> {
        Arc::clone(&self.promises)
    }

    /// Why nothing is accepted any more: the books are older than what the world has seen. Until the process is
    /// restarted.
    #[must_use]
    pub fn closed(&self) -> Option<&str> {
        self.closed.get().map(String::as_str)
    }

    /// The end of the log.
    ///
    /// # Errors
    /// When the books cannot be read.
    pub async fn head(&self) -> Result<Option<LogHead>, LedgerError> {
        self.store.head().await
    }

    /// The checkpoint that is published; `None` before the first one.
    ///
    /// # Errors
    /// When the books cannot be read.
    pub async fn checkpoint(&self) -> Result<Option<Arc<PublishedCheckpoint>>, LedgerError> {
        self.published_shown.get(self.store.published()).await
    }

    /// The newest checkpoint with the joint signature of the auditors that this description names; `None` before the first
    /// one, and if it names none.
    ///
    /// # Errors
    /// When the books cannot be read.
    pub async fn joint(&self, block: &LogBlock) -> Result<Option<Arc<PublishedCheckpoint>>, LedgerError> {
        if block.joint().is_none() {
            return Ok(None);
        }
        let stored = self.joint_shown.get(self.store.joint()).await?;
        // The description may name other auditors by now.
        let is_signed = |joint: &Arc<PublishedCheckpoint>| {
            let signed = joint.note.parse().ok();
            signed.is_some_and(|signed| block.verify_joint(&signed, None).is_ok())
        };
        Ok(stored.filter(is_signed))
    }

    async fn published_size(&self) -> Result<u64, LedgerError> {
        Ok(self.checkpoint().await?.map_or(0, |published| published.size))
    }

    /// A tile or bundle of the published tree; `None` if it has none there.
    ///
    /// # Errors
    /// When the books cannot be read.
    pub async fn resource(&self, path: &TilePath) -> Result<Option<Vec<u8>>, LedgerError> {
        let Some(shown) = self.checkpoint().await? else {
            return Ok(None);
        };
        let found = reader::resource(self.store.as_ref(), path, shown.size).await?;
        if found.is_some() {
            return Ok(found);
        }
        // Another process may have published the checkpoint of whoever asks, a moment ago.
        let newest = self.published_shown.get_newest(self.store.published()).await?;
        match newest.map(|newest| newest.size) {
            Some(size) if size > shown.size => reader::resource(self.store.as_ref(), path, size).await,
            _ => Ok(None),
        }
    }

    /// Where a published batch is.
    ///
    /// # Errors
    /// When the books cannot be read.
    pub async fn batch(&self, no: LogBatchNo) -> Result<Option<LogBatch>, LedgerError> {
        let size = self.published_size().await?;
        let batch = self.store.batch(no).await?;
        Ok(batch.filter(|batch| batch.end() <= size))
    }

    /// The index of the leaf that begins like this and was written while `from` was open, if it is published.
    ///
    /// # Errors
    /// When the books cannot be read.
    pub(crate) async fn index_of(&self, start: &[u8], from: LogBatchNo) -> Result<Option<u64>, LedgerError> {
        let size = self.published_size().await?;
        let found = reader::locate(self.store.as_ref(), start, from).await?;
        Ok(found
            .filter(|(batch, _)| batch.end() <= size)
            .map(|(_, index)| index))
    }

    /// The index of the leaf of a spent coin, if it is published.
    ///
    /// # Errors
    /// When the books cannot be read.
    pub(crate) async fn index_of_spent(
        &self,
        mint_key: MintKeyNo,
        coin: SpentDigest,
    ) -> Result<Option<u64>, LedgerError> {
        let Some(batch) = self.store.batch_of_spent(mint_key, coin).await? else {
            return Ok(None);
        };
        self.index_of(&spent_leaf(mint_key.key_no(), &coin), batch).await
    }

    /// Whether requests of a lost time may be sent again.
    pub(crate) fn has_recovered(&self) -> bool {
        self.has_recovered.load(Ordering::Relaxed)
    }

    /// Where the log has a request of a lost time whose signatures nobody has got.
    ///
    /// # Errors
    /// When the books cannot be read.
    pub(crate) async fn find_request(
        &self,
        request: &Command,
        key: impl Fn(MintKeyId) -> Option<(MintKeyNo, MintKeyIdentity)>,
    ) -> Result<Option<RecoveredRequest>, LedgerError> {
        find_request(self.store.as_ref(), request, key).await
    }

    /// The mint keys in the published log: id, number, and index of the leaf.
    ///
    /// # Errors
    /// When the books cannot be read.
    pub(crate) async fn mint_keys(
        &self,
        currency: &Currency,
        numbers: &HashMap<MintKeyId, MintKeyNo>,
    ) -> Result<Vec<(BigInt, u32, u64)>, LedgerError> {
        let size = self.published_size().await?;
        let mut found = self.key_indices().clone();
        let numbered = |key: &CertifiedMintKey| numbers.get(&key.ledger_id).map(|no| no.key_no());
        let is_missing = |no: KeyNo| !found.contains_key(&no);
        let batches = if currency.mint_keys().filter_map(numbered).any(is_missing) {
            self.store.key_batches().await?
        } else {
            Vec::new()
        };
        let mut keys = Vec::new();
        for key in currency.mint_keys() {
            let Some(no) = numbered(key) else {
                continue;
            };
            if let Entry::Vacant(vacant) = found.entry(no) {
                let batch = batches.iter().find(|(key_no, _)| *key_no == no);
                let certificate = Box::new(key.verified.mkc().clone());
                let leaf = Leaf::MintKey {
                    key_no: no,
                    certificate,
                };
                if let (Some((_, batch)), Ok(leaf)) = (batch, leaf.encode())
                    && let Some(at) = reader::locate(self.store.as_ref(), &leaf, *batch).await?
                {
                    vacant.insert(at.1);
                }
            }
            if let Some(index) = found.get(&no).filter(|index| **index < size) {
                keys.push((key.verified.mint_key().id.clone(), no.get(), *index));
            }
        }
        *self.key_indices() = found;
        keys.sort_unstable_by_key(|(_, no, _)| *no);
        Ok(keys)
    }

    fn key_indices(&self) -> std::sync::MutexGuard<'_, HashMap<KeyNo, u64>> {
        self.key_indices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When batches are sealed.
    #[must_use]
    pub fn rhythm(&self) -> Rhythm {
        self.rhythm
    }

    /// What this process knows about sealing and the witnesses.
    #[must_use]
    pub fn status(&self) -> LogStatus {
        self.recorder.status()
    }

    /// Accepts nothing more until the process is restarted.
    fn close(&self, reason: String) {
        if self.closed.set(reason.clone()).is_ok() {
            self.recorder.incident(self.clock.now(), reason.clone());
            tracing::error!(
                reason,
                "ALARM: nothing is accepted until this server is restarted"
            );
        }
    }
}
