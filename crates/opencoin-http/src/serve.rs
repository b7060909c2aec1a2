//! Serving: the work in the background, and shutting down.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinSet};

use super::connections;
use super::listener::Listener;
use super::router::router;
use super::server::{Phase, Server};

/// How long requests that were begun may take once the server is told to stop.
pub(super) const SHUTDOWN_DURATION_MAX: Duration = Duration::from_secs(30);

/// A background task has ended, which is a fault of the program. The process should exit, so that its supervisor
/// starts it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} has ended in a panic; start the server again")]
pub struct TaskEnded(&'static str);

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
/// A background task ended by itself: the committer, say, or the watch over the books. The server says at once
/// that it is not ready, and stops. The task may have left the process in a bad state, so a new process is safer
/// than a new task.
pub async fn serve(
    listener: impl Into<Listener>,
    server: Arc<Server>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), TaskEnded> {
    let router = router(Arc::clone(&server));
    let mut background = Background::start(&server);
    let mut ended = None;
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
            task = background.first_ended() => {
                tracing::error!("ALARM: {task}; the server stops");
                server.break_down(task.to_string());
                ended = Some(task);
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
    background.tasks.shutdown().await;
    server.end();
    ended.map_or(Ok(()), Err)
}

/// The tasks that run beside requests, each on its own, so that none holds up another. None ends by itself.
#[derive(Default)]
struct Background {
    tasks: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

impl Background {
    fn start(server: &Arc<Server>) -> Self {
        let mut background = Self::default();
        let [commit, watch, follow, mints, tidy] = [(); 5].map(|()| Arc::clone(server));
        background.spawn("the committer", async move {
            commit.issuer().committer_ended().await;
        });
        background.spawn("the watch over the books", async move {
            watch.issuer().watch_books().await;
        });
        background.spawn("following the documents", async move {
            follow.issuer().follow_documents().await;
        });
        background.spawn("deciding waiting mints", async move {
            mints.issuer().decide_waiting_mints().await;
        });
        background.spawn("tidying", async move { tidy.issuer().tidy().await });
        background
    }

    fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let id = self.tasks.spawn(task).id();
        self.names.insert(id, name);
    }

    /// Waits until one ends, and says which.
    async fn first_ended(&mut self) -> TaskEnded {
        let id = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(panic)) => panic.id(),
            None => unreachable!("the first task that ends stops the server"),
        };
        TaskEnded(self.names[&id])
    }
}
