//! Runs a server: the listener, the background tasks, and the shutdown.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinSet};

use super::connections;
use super::listener::Listener;
use super::router::router;
use super::server::{Phase, Server};

/// How long accepted requests may still run during a shutdown.
pub(super) const SHUTDOWN_DURATION_MAX: Duration = Duration::from_secs(30);

/// A background task has ended, which is a bug. The process should exit, so that its supervisor restarts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} has ended in a panic; start the server again")]
pub struct TaskEnded(&'static str);

/// Serves until `shutdown` completes and the grace period is over. Then it accepts no more connections, finishes the
/// accepted requests, and returns.
///
/// Requests that still run after 30 seconds are dropped. The ledger holds what they did, and a client that repeats its
/// request gets the same answer.
///
/// Meanwhile the issuer picks up new certificates and stopped mint keys, and the listener new TLS files. If accepting a
/// connection fails, for example because of too many open files, it is tried again.
///
/// # Errors
/// A background task ended by itself, for example the committer. The server then reports that it is not ready, and
/// stops: the task may have left the process in a bad state, so a new process is safer than a new task.
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
            tracing::info!(grace = ?server.shutdown_grace(), "stopping after the grace period: not ready from now on, requests are still accepted");
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
        tracing::info!("stopping: no more requests are accepted, accepted requests are finished");
        server.enter(Phase::ShuttingDown);
        if let Some(relay) = server.relay() {
            relay.stop();
        }
    };
    let connected = || Some(server.issuer().metrics().connected());
    let open = connections::accept_until(listener.into(), router, server.limits(), stopping, connected).await;
    if tokio::time::timeout(SHUTDOWN_DURATION_MAX, open.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests did not finish in time and were dropped");
    }
    if tokio::time::timeout(SHUTDOWN_DURATION_MAX, server.issuer().close())
        .await
        .is_err()
    {
        tracing::warn!("the ledger did not confirm all queued requests in time");
    }
    background.tasks.shutdown().await;
    server.end();
    ended.map_or(Ok(()), Err)
}

/// The background tasks. Each runs on its own, so that none delays another. None ends by itself.
#[derive(Default)]
struct Background {
    tasks: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

impl Background {
    fn start(server: &Arc<Server>) -> Self {
        let mut background = Self::default();
        let [commit, watch, follow, mints, tidy, log, samples] = [(); 7].map(|()| Arc::clone(server));
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
        background.spawn("taking samples", async move {
            samples.issuer().take_samples().await;
        });
        background.spawn("the public log", async move { log.issuer().run_log().await });
        background
    }

    fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let id = self.tasks.spawn(task).id();
        self.names.insert(id, name);
    }

    /// Waits until a task ends, and returns which one.
    async fn first_ended(&mut self) -> TaskEnded {
        let id = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(panic)) => panic.id(),
            None => unreachable!("the first task that ends stops the server"),
        };
        TaskEnded(self.names[&id])
    }
}
