//! The signer's side: whoever may connect can have signed what the books say was accepted, and nothing else.
//!
//! For each request: read what was accepted under its reference ([`request`]), count it durably
//! ([`SignedCounts`]), sign it, answer. Nothing of the request but the reference is believed. What is under
//! way is bounded by blinds; beyond that the answer is [`SignError::Busy`](opencoin_crypto::SignError). For
//! one that cancels or hangs up, what is not signed yet is dropped.

mod connection;
mod request;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opencoin_crypto::{LocalSignerOptions, Signer};
use opencoin_ledger::Ledger;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::PublicKeys;
use crate::counts::SignedCounts;
use crate::listener::{Incoming, Listener};
use crate::message::BLINDS_MAX;
use opencoin_log::LogThrottle;

/// How many connections may be open, from issuers that are known.
const CONNECTIONS_MAX: usize = 64;
/// How many may be about to say who they are; further ones are closed at once.
const STRANGERS_MAX: usize = 64;
/// How many requests read the books at one time.
const READS_MAX: usize = 32;
/// How long requests that were begun may take once the signer is told to stop.
const SHUTDOWN_DURATION_MAX: Duration = Duration::from_secs(10);

static STRANGERS: LogThrottle = LogThrottle::new();
static ENDS: LogThrottle = LogThrottle::new();

/// How a [`SignerServer`] uses the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignerServerOptions {
    /// How many blinds may be under way; a request that would make them more is answered as busy. At most
    /// what the engine takes into its own queue.
    pub blinds_in_hand_max: usize,
}

impl Default for SignerServerOptions {
    fn default() -> Self {
        Self {
            blinds_in_hand_max: LocalSignerOptions::BLINDS_QUEUED_MAX,
        }
    }
}

/// Signs for issuers that connect.
pub struct SignerServer {
    ledger: Arc<dyn Ledger>,
    engine: Arc<dyn Signer>,
    public_keys: PublicKeys,
    counts: Arc<SignedCounts>,
    room: Arc<Semaphore>,
    reads: Semaphore,
    places: Arc<Semaphore>,
    /// When the engine was last asked to take up new keys.
    refreshed: Mutex<Option<Instant>>,
}

impl SignerServer {
    /// A signer of what these books have accepted, with the keys of this engine.
    ///
    /// # Panics
    /// When fewer than [`BLINDS_MAX`] blinds may be under way: the largest request would never be signed.
    #[must_use]
    pub fn new(
        ledger: Arc<dyn Ledger>,
        engine: Arc<dyn Signer>,
        public_keys: PublicKeys,
        counts: Arc<SignedCounts>,
        options: SignerServerOptions,
    ) -> Arc<Self> {
        assert!(
            options.blinds_in_hand_max >= BLINDS_MAX,
            "the largest request must fit"
        );
        Arc::new(Self {
            ledger,
            engine,
            public_keys,
            counts,
            room: Arc::new(Semaphore::new(options.blinds_in_hand_max)),
            reads: Semaphore::new(READS_MAX),
            places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            refreshed: Mutex::default(),
        })
    }

    /// Serves until `stopped` is done, then takes no more requests, finishes for at most ten seconds what was
    /// begun, and returns.
    pub async fn serve(self: &Arc<Self>, listener: Listener, stopped: impl Future<Output = ()>) {
        let (stop, stopping) = watch::channel(false);
        let strangers = Arc::new(Semaphore::new(STRANGERS_MAX));
        let mut connections = JoinSet::new();
        let mut stopped = pin!(stopped);
        loop {
            tokio::select! {
                () = &mut stopped => break,
                Some(_) = connections.join_next() => {}
                incoming = listener.accept() => {
                    let Ok(stranger) = Arc::clone(&strangers).try_acquire_owned() else {
                        if let Some(connections) = STRANGERS.count(Instant::now()) {
                            tracing::warn!(connections, "too many connections that do not say who they are; some were closed");
                        }
                        continue;
                    };
                    connections.spawn(connect(Arc::clone(self), incoming, stranger, stopping.clone()));
                }
            }
        }
        tracing::info!(
            "the signer is stopping: no more requests are taken, those that were begun are finished"
        );
        drop(listener);
        stop.send_replace(true);
        let finished = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(SHUTDOWN_DURATION_MAX, finished)
            .await
            .is_err()
        {
            tracing::warn!("some requests were still being signed and were dropped");
        }
    }

    /// Room for so many blinds, if there is any.
    fn room_for(&self, blinds: u32) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).try_acquire_many_owned(blinds.max(1)).ok()
    }
}

async fn connect(
    server: Arc<SignerServer>,
    incoming: Incoming,
    stranger: OwnedSemaphorePermit,
    stopping: watch::Receiver<bool>,
) {
    if let Err(error) = connection::serve(server, incoming, stranger, stopping).await
        && let Some(connections) = ENDS.count(Instant::now())
    {
        tracing::warn!(%error, connections, "a connection to the signer ended");
    }
}
