//! Serving: the work in the background, and shutting down.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::connections;
use super::listener::Listener;
use super::router::router;
use super::server::{Phase, Server};

/// How long requests that were begun may take once the server is told to stop.
pub(super) const SHUTDOWN_DURATION_MAX: Duration = Duration::from_secs(30);

/// What goes on beside requests has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the work in the background has ended in a panic, and with it the watch over the books; start the server again"
)]
pub struct Unwatched;

/// Serves until `shutdown` is done and the grace is over, then takes no more connections, finishes what was
/// accepted, and returns.
///
/// Requests that are still running after 30 seconds are dropped: what they moved is in the ledger, and the
/// client gets the same answer by asking again.
///
/// All the while the issuer follows new certificates and stopped mint keys, and the listener new files for
/// its TLS.
///
/// A listener that fails (too few open files, say) is tried again.
///
/// # Errors
/// The work in the background ended by itself, which is a fault of the program: without it nobody notices
/// books that are set back.
pub async fn serve(
    listener: impl Into<Listener>,
    server: Arc<Server>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Unwatched> {
    let router = router(Arc::clone(&server));
    let mut background = background(&server);
    let mut is_unwatched = false;
    let told_to_stop = async {
        shutdown.await;
        if server.shutdown_grace() > Duration::ZERO {
            server.enter(Phase::Leaving);
            tracing::info!(grace = ?server.shutdown_grace(), "stopping soon: not ready from now on, requests are taken for a while");
            tokio::time::sleep(server.shutdown_grace()).await;
        }
    };
    let stopping = async {
        tokio::select! {
            () = told_to_stop => {}
            _ended = background.join_next() => {
                tracing::error!("ALARM: the work in the background has ended in a panic; the server stops");
                is_unwatched = true;
            }
        }
        tracing::info!("stopping: no more requests are taken, those that were accepted are finished");
        server.enter(Phase::ShuttingDown);
    };
    let connected = || Some(server.issuer().metrics().connected());
    let open = connections::accept_until(listener.into(), router, server.limits(), stopping, connected).await;
    if tokio::time::timeout(SHUTDOWN_DURATION_MAX, open.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests were still running and were dropped");
    }
    if tokio::time::timeout(SHUTDOWN_DURATION_MAX, server.issuer().close())
        .await
        .is_err()
    {
        tracing::warn!("the ledger did not confirm what was in the queue");
    }
    background.shutdown().await;
    server.end();
    if is_unwatched { Err(Unwatched) } else { Ok(()) }
}

/// What goes on beside requests: each on its own, so that none holds up another. None ends by itself.
fn background(server: &Arc<Server>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let [watching, following] = [Arc::clone(server), Arc::clone(server)];
    tasks.spawn(async move { watching.issuer().watch_books().await });
    tasks.spawn(async move { following.issuer().follow().await });
    tasks
}
