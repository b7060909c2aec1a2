//! The server in the signer process. It signs only what the books have accepted.
//!
//! For each request it reads the accepted blinds of the reference ([`request`]), counts them durably
//! ([`SignedCounts`]), signs them and answers. It trusts nothing in the request but the reference. The blinds of
//! running requests are limited; above the limit the answer is [`SignError::Busy`](opencoin_crypto::SignError). If
//! the issuer cancels a request or hangs up, blinds that are not signed yet are dropped.

mod connection;
mod request;
mod signer_server;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opencoin_logging::LogThrottle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::listener::{Incoming, Listener};
pub use signer_server::{SignerServer, SignerServerOptions};

/// The most connections whose handshake has not ended. Further ones are closed at once.
const STRANGERS_MAX: usize = 64;
/// How long running requests may take after the signer is told to stop.
const SHUTDOWN_DURATION_MAX: Duration = Duration::from_secs(10);

/// The task that counts signed blinds has ended in a panic, so nothing can be signed any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signed blinds are no longer counted because of a panic; start the signer again")]
pub struct CountingEnded;

static STRANGERS: LogThrottle = LogThrottle::new();
static ENDS: LogThrottle = LogThrottle::new();

impl SignerServer {
    /// Serves until `stopped` is done. Then takes no more requests, finishes the running ones for at most ten seconds,
    /// and returns.
    ///
    /// # Errors
    /// When the task that counts signed blinds has ended, which stops the server at once.
    pub async fn serve(
        self: &Arc<Self>,
        listener: Listener,
        stopped: impl Future<Output = ()>,
    ) -> Result<(), CountingEnded> {
        let (stop, stopping) = watch::channel(false);
        let strangers = Arc::new(Semaphore::new(STRANGERS_MAX));
        let mut connections = JoinSet::new();
        let mut stopped = pin!(stopped);
        loop {
            tokio::select! {
                () = &mut stopped => break,
                () = self.counts.ended() => {
                    tracing::error!("ALARM: {CountingEnded}");
                    return Err(CountingEnded);
                }
                Some(_) = connections.join_next() => {}
                incoming = listener.accept() => {
                    let Ok(stranger) = Arc::clone(&strangers).try_acquire_owned() else {
                        if let Some(connections) = STRANGERS.count(Instant::now()) {
                            tracing::warn!(connections, "too many connections without a finished handshake; some were closed");
                        }
                        continue;
                    };
                    connections.spawn(connect(Arc::clone(self), incoming, stranger, stopping.clone()));
                }
            }
        }
        tracing::info!("the signer is stopping: no more requests are taken, running ones are finished");
        drop(listener);
        stop.send_replace(true);
        let finished = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(SHUTDOWN_DURATION_MAX, finished)
            .await
            .is_err()
        {
            tracing::warn!("some requests took too long and were dropped");
        }
        Ok(())
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
