//! The documents that a running issuer works with, and how it follows those who change them.
//!
//! Certificates are files that never change once they are there, so other names are other certificates. A
//! server looks for them every second, and at once when a request names a mint key that it does not know:
//! another process may have published it a moment ago. Which keys were stopped it reads from the books, where
//! every process stops them for all others. What cannot be read or does not verify changes nothing: the
//! server goes on with what it has, and says so in its log.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use opencoin_crypto::Signer;
use opencoin_keys::{Clock, Currency, Directory, DirectoryError, register_mint_keys};
use opencoin_ledger::{Ledger, MintKeyId, MintKeyStatus};
use opencoin_log::FailureThrottle;

/// How often a server looks for changes.
pub(crate) const FOLLOW_INTERVAL: Duration = Duration::from_secs(1);
/// After how many looks it asks the signer to drop keys whose private halves were destroyed.
const LOOKS_PER_REFRESH: u64 = 30;
/// How often it looks, at most, because of requests that name an unknown mint key.
const LOOK_PAUSE: Duration = Duration::from_millis(100);

static FAILURES: FailureThrottle = FailureThrottle::new();

/// What the issuer publishes and goes by.
pub(crate) struct Documents {
    published: RwLock<Published>,
    folder: Option<Folder>,
    looks: AtomicU64,
}

#[derive(Clone)]
struct Published {
    currency: Arc<Currency>,
    stopped: Arc<BTreeSet<MintKeyId>>,
}

/// Where new certificates appear.
struct Folder {
    directory: Directory,
    seen: Mutex<Seen>,
    /// Held while certificates are taken up, so that two do not do it at a time.
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
        };
        Self {
            published: RwLock::new(published),
            folder: None,
            looks: AtomicU64::new(1),
        }
    }

    /// Takes up certificates that appear in this folder from now on.
    pub(crate) fn set_folder(&mut self, directory: Directory) {
        // Nothing is known to be seen: what came since the currency was read is found at the first look.
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

    pub(crate) fn currency(&self) -> Arc<Currency> {
        Arc::clone(&self.read().currency)
    }

    /// The mint keys that were stopped, as far as is known here: for what is published. What is accepted the
    /// books decide.
    pub(crate) fn stopped(&self) -> Arc<BTreeSet<MintKeyId>> {
        Arc::clone(&self.read().stopped)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Published> {
        self.published.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Published> {
        self.published.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is in force, after another look where `is_enough` says that something is missing: another process
    /// may have published it a moment ago. However many ask at a time, few looks answer them all.
    pub(crate) async fn with(
        &self,
        is_enough: impl Fn(&Currency) -> bool,
        ledger: &dyn Ledger,
        signer: &Arc<dyn Signer>,
        clock: &dyn Clock,
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
            self.take_up(folder, ledger, signer, clock).await;
        }
        self.currency()
    }

    /// Looks for new certificates and newly stopped keys.
    pub(crate) async fn follow(&self, ledger: &dyn Ledger, signer: &Arc<dyn Signer>, clock: &dyn Clock) {
        if let Some(folder) = &self.folder {
            let _turn = folder.turn.lock().await;
            self.take_up(folder, ledger, signer, clock).await;
        }
        if self
            .looks
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(LOOKS_PER_REFRESH)
        {
            refresh(signer).await;
        }
        match ledger.mint_keys().await {
            Ok(statuses) => self.set_stopped(&statuses),
            Err(error) => {
                complain("the mint keys cannot be read from the books", &error);
            }
        }
    }

    fn set_stopped(&self, statuses: &[MintKeyStatus]) {
        let before = self.stopped();
        for status in statuses {
            if let Some(reason) = status.stopped.as_ref().filter(|_| !before.contains(&status.id)) {
                let (mint_key, denomination) = (status.id.to_string(), status.terms.denomination().units());
                let reason = reason.as_str();
                tracing::error!(
                    mint_key,
                    denomination,
                    reason,
                    "ALARM: a mint key was stopped; its coins are taken back by recoup alone"
                );
            }
        }
        let now = stopped(statuses);
        if now != *before {
            self.write().stopped = Arc::new(now);
        }
    }

    async fn take_up(
        &self,
        folder: &Folder,
        ledger: &dyn Ledger,
        signer: &Arc<dyn Signer>,
        clock: &dyn Clock,
    ) -> bool {
        let (directory, seen) = (folder.directory.clone(), folder.seen().files.clone());
        let signer = Arc::clone(signer);
        let loaded = tokio::task::spawn_blocking(move || load(&directory, &seen, signer.as_ref())).await;
        let (currency, files) = match loaded {
            Ok(Ok(Some(new))) => new,
            Ok(Ok(None)) => return false,
            Ok(Err(error)) => return complain("new certificates cannot be taken up", &error),
            Err(panic) => return complain("new certificates cannot be taken up", &panic),
        };
        if let Err(error) = register_mint_keys(&currency, ledger, clock).await {
            return complain("new mint keys cannot be made known to the books", &error);
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
        Ok(Err(error)) => drop(complain("the private halves of mint keys cannot be read", &error)),
        Err(panic) => drop(complain("the private halves of mint keys cannot be read", &panic)),
    }
}

/// The currency, where there are other files than those that were seen; the signer has their keys by then.
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
        complain("the private halves of new mint keys cannot be read", &error);
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

/// The server goes on with what it has. Always false.
fn complain(what: &str, error: &dyn std::fmt::Display) -> bool {
    if let Some(times) = FAILURES.count(&format!("{what}: {error}"), Instant::now()) {
        tracing::error!(%error, times, "{what}");
    }
    false
}
