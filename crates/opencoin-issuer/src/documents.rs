//! The certificates of a running issuer, and the list of stopped mint keys. Other processes may change both.
//!
//! The file of a certificate never changes, so a new certificate has a new path. A server looks for new files every
//! second, and at once when a request names an unknown mint key, which another process may have published a moment
//! ago. It reads the stopped keys from the books. After an error, which it logs, the server goes on with the
//! documents that it has.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use opencoin_crypto::Signer;
use opencoin_keys::{
    CertifiedMintKey, Clock, Currency, Directory, DirectoryError, alarm_of_late_key, register_documents,
    register_mint_keys,
};
use opencoin_ledger::view::MintKeyNo;
use opencoin_ledger::{Ledger, MintKeyId, MintKeyStatus};
use opencoin_logging::FailureThrottle;

/// How often a server looks for changes.
pub(crate) const FOLLOW_INTERVAL: Duration = Duration::from_secs(1);
/// Once in so many looks the server makes the signer drop keys whose private halves were destroyed.
const LOOKS_PER_REFRESH: u64 = 30;
/// The shortest pause between two looks that requests with an unknown mint key cause.
const LOOK_PAUSE: Duration = Duration::from_millis(100);

static FAILURES: FailureThrottle = FailureThrottle::new();

/// What a request looks for that this process may not know yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sought {
    /// A certificate in the folder.
    Certificates,
    /// A mint key that another process may have published a moment ago.
    PublishedKeys,
}

/// The published documents of an issuer.
pub(crate) struct Documents {
    published: RwLock<Published>,
    folder: Option<Folder>,
    looks: AtomicU64,
    /// Keys that are not in the books yet, and were not late at the last look.
    waiting: Mutex<BTreeSet<MintKeyId>>,
}

#[derive(Clone)]
struct Published {
    currency: Arc<Currency>,
    stopped: Arc<BTreeSet<MintKeyId>>,
    /// Keys that are not in the published log yet.
    awaiting: Arc<BTreeSet<MintKeyId>>,
    /// Keys that do not sign now: stopped ones, and those that are not in the published log yet.
    unpublished: Arc<BTreeSet<MintKeyId>>,
    numbers: Arc<HashMap<MintKeyId, MintKeyNo>>,
}

/// The folder of the certificates.
struct Folder {
    directory: Directory,
    seen: Mutex<Seen>,
    /// Held while certificates are loaded, so that one task does it at a time.
    turn: tokio::sync::Mutex<()>,
}

struct Seen {
    files: BTreeSet<PathBuf>,
    looked: Option<Instant>,
}

impl Documents {
    pub(crate) fn new(currency: Currency, statuses: &[MintKeyStatus]) -> Self {
        let published = Published {
            currency: Arc::new(currency),
            stopped: Arc::new(stopped(statuses)),
            awaiting: Arc::new(awaiting(statuses)),
            unpublished: Arc::new(unpublished(statuses)),
            numbers: Arc::new(numbers(statuses)),
        };
        Self {
            published: RwLock::new(published),
            folder: None,
            looks: AtomicU64::new(1),
            waiting: Mutex::default(),
        }
    }

    /// Sets the folder from which new certificates are loaded.
    pub(crate) fn set_folder(&mut self, directory: Directory) {
        // Empty, so that the first look finds certificates that were added after the currency was loaded.
        let seen = Mutex::new(Seen {
            files: BTreeSet::new(),
            looked: None,
        });
        self.folder = Some(Folder {
            directory,
            seen,
            turn: tokio::sync::Mutex::default(),
        });
    }

    /// The folder from which new certificates are loaded.
    pub(crate) fn directory(&self) -> Option<&Directory> {
        self.folder.as_ref().map(|folder| &folder.directory)
    }

    pub(crate) fn currency(&self) -> Arc<Currency> {
        Arc::clone(&self.read().currency)
    }

    /// The stopped mint keys that this process knows of. Used for publishing only: the books decide what is accepted.
    pub(crate) fn stopped(&self) -> Arc<BTreeSet<MintKeyId>> {
        Arc::clone(&self.read().stopped)
    }

    /// Whether the books have this mint key, and it waits for no public log.
    pub(crate) fn is_logged(&self, id: MintKeyId) -> bool {
        let published = self.read();
        published.numbers.contains_key(&id) && !published.awaiting.contains(&id)
    }

    /// The mint keys that this process does not publish as current.
    pub(crate) fn unpublished(&self) -> Arc<BTreeSet<MintKeyId>> {
        Arc::clone(&self.read().unpublished)
    }

    /// The numbers of mint keys in the books and in the log.
    pub(crate) fn numbers(&self) -> Arc<HashMap<MintKeyId, MintKeyNo>> {
        Arc::clone(&self.read().numbers)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Published> {
        self.published.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Published> {
        self.published.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The current currency. If `is_enough` is false for it, looks for this first. Concurrent calls share one look.
    pub(crate) async fn with(
        &self,
        is_enough: impl Fn(&Currency) -> bool,
        sought: Sought,
        ledger: &dyn Ledger,
        signer: &Arc<dyn Signer>,
        clock: &dyn Clock,
        seals_soon: bool,
    ) -> Arc<Currency> {
        let currency = self.currency();
        let Some(folder) = self.folder.as_ref().filter(|_| !is_enough(&currency)) else {
            return currency;
        };
        let asked = Instant::now();
        let _turn = folder.turn.lock().await;
        let looked = folder.seen().looked;
        if looked.is_none_or(|looked| looked < asked) {
            if let Some(looked) = looked {
                tokio::time::sleep(LOOK_PAUSE.saturating_sub(looked.elapsed())).await;
            }
            folder.seen().looked = Some(Instant::now());
            let has_loaded = self.load_new(folder, ledger, signer, clock, seals_soon).await;
            if has_loaded || sought == Sought::PublishedKeys {
                self.read_statuses(ledger).await;
            }
        }
        self.currency()
    }

    /// Looks for new certificates and newly stopped keys. Only a server that seals the public log soon registers its mint
    /// keys.
    pub(crate) async fn follow(
        &self,
        ledger: &dyn Ledger,
        signer: &Arc<dyn Signer>,
        clock: &dyn Clock,
        seals_soon: bool,
    ) {
        let turn = match &self.folder {
            Some(folder) => {
                let turn = folder.turn.lock().await;
                self.load_new(folder, ledger, signer, clock, seals_soon).await;
                Some(turn)
            }
            None => None,
        };
        // In the turn, so that no older answer of the books takes the place of a newer one.
        self.read_statuses(ledger).await;
        drop(turn);
        if self
            .looks
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(LOOKS_PER_REFRESH)
        {
            refresh(signer).await;
        }
        if seals_soon {
            self.register_waiting(ledger, clock).await;
        }
        self.tell_of_late_keys(clock);
    }

    /// Raises an alarm when a key that waited for its registration has become too late.
    fn tell_of_late_keys(&self, clock: &dyn Clock) {
        let (currency, numbers, now) = (self.currency(), self.numbers(), clock.now());
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|id| !numbers.contains_key(id));
        let is_missing = |key: &&CertifiedMintKey| !numbers.contains_key(&key.ledger_id);
        for key in currency.mint_keys().filter(is_missing) {
            if !currency.is_late(key, now) {
                waiting.insert(key.ledger_id);
            } else if waiting.remove(&key.ledger_id) {
                alarm_of_late_key(key.ledger_id);
            }
        }
    }

    /// Takes over what the books say about the mint keys.
    pub(crate) fn set_statuses(&self, statuses: &[MintKeyStatus]) {
        let before = self.stopped();
        for status in statuses {
            if let Some(reason) = status.stopped.as_ref().filter(|_| !before.contains(&status.id)) {
                let (mint_key, denomination) = (status.id.to_string(), status.terms.denomination().units());
                let reason = reason.as_str();
                tracing::error!(
                    mint_key,
                    denomination,
                    reason,
                    "ALARM: a mint key was stopped; its coins are accepted by recoup only"
                );
            }
        }
        let (stopped, unpublished, numbers) = (stopped(statuses), unpublished(statuses), numbers(statuses));
        let awaiting = awaiting(statuses);
        let published = self.read().clone();
        if stopped != *published.stopped
            || awaiting != *published.awaiting
            || unpublished != *published.unpublished
            || numbers != *published.numbers
        {
            let mut published = self.write();
            published.stopped = Arc::new(stopped);
            published.awaiting = Arc::new(awaiting);
            published.unpublished = Arc::new(unpublished);
            published.numbers = Arc::new(numbers);
        }
    }

    /// Registers mint keys that wait for a server which seals the public log. Only such a server calls this.
    pub(crate) async fn register_waiting(&self, ledger: &dyn Ledger, clock: &dyn Clock) {
        let (currency, numbers, now) = (self.currency(), self.numbers(), clock.now());
        let waits =
            |key: &CertifiedMintKey| !numbers.contains_key(&key.ledger_id) && !currency.is_late(key, now);
        if !currency.mint_keys().any(waits) {
            return;
        }
        if let Err(error) = register_mint_keys(&currency, ledger, clock).await {
            return log_failure("new mint keys cannot be registered in the books", &error);
        }
        self.read_statuses(ledger).await;
    }

    /// Takes over new certificates. Returns whether there were some; then the statuses of mint keys are to be read.
    async fn load_new(
        &self,
        folder: &Folder,
        ledger: &dyn Ledger,
        signer: &Arc<dyn Signer>,
        clock: &dyn Clock,
        seals_soon: bool,
    ) -> bool {
        let (directory, seen) = (folder.directory.clone(), folder.seen().files.clone());
        let signer = Arc::clone(signer);
        let loaded = tokio::task::spawn_blocking(move || load(&directory, &seen, signer.as_ref())).await;
        let (currency, files) = match loaded {
            Ok(Ok(Some(new))) => new,
            Ok(Ok(None)) => return false,
            Ok(Err(error)) => {
                log_failure("new certificates cannot be loaded", &error);
                return false;
            }
            Err(panic) => {
                log_failure("new certificates cannot be loaded", &panic);
                return false;
            }
        };
        // Before the sealer sees the new documents, and looks for their leaves.
        let registered = if seals_soon {
            register_mint_keys(&currency, ledger, clock).await
        } else {
            register_documents(&currency, ledger, clock).await
        };
        if let Err(error) = registered {
            log_failure("new mint keys cannot be registered in the books", &error);
            return false;
        }
        let is_news = !folder.seen().files.is_empty();
        folder.seen().files = files;
        if is_news {
            let (serial, mint_keys) = (currency.current().cdd().cdd_serial, currency.mint_keys().count());
            tracing::info!(serial, mint_keys, "new certificates are in force");
        }
        self.write().currency = Arc::new(currency);
        true
    }

    async fn read_statuses(&self, ledger: &dyn Ledger) {
        match ledger.mint_keys().await {
            Ok(statuses) => self.set_statuses(&statuses),
            Err(error) => log_failure("the mint keys cannot be read from the books", &error),
        }
    }
}

impl Folder {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn refresh(signer: &Arc<dyn Signer>) {
    let signer = Arc::clone(signer);
    match tokio::task::spawn_blocking(move || signer.refresh()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log_failure("the private halves of mint keys cannot be read", &error),
        Err(panic) => log_failure("the private halves of mint keys cannot be read", &panic),
    }
}

/// Loads the currency if its files have changed. The signer has loaded its keys before.
fn load(
    directory: &Directory,
    seen: &BTreeSet<PathBuf>,
    signer: &dyn Signer,
) -> Result<Option<(Currency, BTreeSet<PathBuf>)>, DirectoryError> {
    let files = directory.certificate_files()?;
    if files == *seen {
        return Ok(None);
    }
    let currency = directory.currency()?;
    if let Err(error) = signer.refresh() {
        log_failure("the private halves of new mint keys cannot be read", &error);
    }
    Ok(Some((currency, files)))
}

fn stopped(statuses: &[MintKeyStatus]) -> BTreeSet<MintKeyId> {
    statuses
        .iter()
        .filter(|status| status.stopped.is_some())
        .map(|status| status.id)
        .collect()
}

fn awaiting(statuses: &[MintKeyStatus]) -> BTreeSet<MintKeyId> {
    let awaiting = statuses.iter().filter(|status| status.awaits_log);
    awaiting.map(|status| status.id).collect()
}

fn unpublished(statuses: &[MintKeyStatus]) -> BTreeSet<MintKeyId> {
    let is_out = |status: &&MintKeyStatus| status.stopped.is_some() || status.awaits_log;
    statuses.iter().filter(is_out).map(|status| status.id).collect()
}

/// The number of each mint key in the books and in the log.
pub(crate) fn numbers(statuses: &[MintKeyStatus]) -> HashMap<MintKeyId, MintKeyNo> {
    statuses.iter().map(|status| (status.id, status.no)).collect()
}

/// Logs an error, after which the server goes on with the documents that it has.
fn log_failure(what: &str, error: &dyn std::fmt::Display) {
    if let Some(times) = FAILURES.count(&format!("{what}: {error}"), Instant::now()) {
        tracing::error!(%error, times, "{what}");
    }
}
