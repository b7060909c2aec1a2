//! The signer's side: whoever may connect can have signed what the books say was accepted, and nothing else.
//!
//! For each request: read what was accepted under its reference ([`request`]), count it durably
//! ([`SignedCounts`]), sign it, answer. Nothing of the request but the reference is believed. What is under
//! way is bounded by blinds; beyond that the answer is [`SignError::Busy`](opencoin_crypto::SignError). For
//! one that cancels or hangs up, what is not signed yet is dropped.

mod connection;
mod request;
mod signer_server;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opencoin_log::LogThrottle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::listener::{Incoming, Listener};
pub use signer_server::{SignerServer, SignerServerOptions};

/// How many may be about to say who they are; further ones are closed at once.
const STRANGERS_MAX: usize = 64;
/// How long requests that were begun may take once the signer is told to stop.
const SHUTDOWN_DURATION_MAX: Duration = Duration::from_secs(10);

static STRANGERS: LogThrottle = LogThrottle::new();
static ENDS: LogThrottle = LogThrottle::new();

impl SignerServer {
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
