//! Runs an auditor: follows the currencies, serves both listeners, and shuts down.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use opencoin_connections::{OpenConnections, accept_until};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::followers::{MakeRng, follow_all};
use crate::gossip::talk;
use crate::http::{AuditorServer, operator_router, router};

/// How long accepted requests may still run during a shutdown.
const SHUTDOWN_DURATION_MAX: Duration = Duration::from_secs(30);

/// Follows the currencies and serves everybody on one listener, and operators on another one if there is one, until
/// `shutdown` completes. Then it accepts no more connections, finishes the accepted requests, makes the state of the
/// replays durable, and closes the database.
pub async fn serve(
    listener: TcpListener,
    operators: Option<TcpListener>,
    server: Arc<AuditorServer>,
    make_rng: MakeRng,
    shutdown: impl Future<Output = ()>,
) {
    let (stop, stopped) = watch::channel(false);
    let auditor = Arc::clone(server.auditor());
    let following = follow_all(Arc::clone(&auditor), make_rng, stopped.clone());
    let talking = talk(Arc::clone(&auditor), stopped.clone());
    let stopping = async {
        shutdown.await;
        tracing::info!("stopping: no more requests are accepted, accepted requests are finished");
        server.stop();
        stop.send_replace(true);
    };
    let (clients_done, mut clients_are_done) = watch::channel(false);
    let clients = async {
        let limits = server.options().connections;
        let connected = || server.metrics().connected();
        let router = router(Arc::clone(&server));
        finish(accept_until(listener, None, router, limits, stopping, connected).await).await;
        // Operators can watch the shutdown.
        clients_done.send_replace(true);
    };
    let operators = async {
        let Some(operators) = operators else { return };
        let until = async move {
            if clients_are_done.wait_for(|done| *done).await.is_err() {
                pending::<()>().await;
            }
        };
        let limits = server.options().connections;
        let router = operator_router(Arc::clone(&server));
        finish(accept_until(operators, None, router, limits, until, || ()).await).await;
    };
    tokio::join!(clients, operators, following, talking);
    auditor.store().close().await;
}

async fn finish(open: OpenConnections) {
    if tokio::time::timeout(SHUTDOWN_DURATION_MAX, open.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests did not finish in time and were dropped");
    }
}
