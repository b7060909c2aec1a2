//! Runs a witness server: both listeners, and the shutdown.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use opencoin_connections::{OpenConnections, accept_until};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::http::{WitnessServer, operator_router, router};

/// How long accepted requests may still run during a shutdown.
const SHUTDOWN_DURATION_MAX: Duration = Duration::from_secs(30);

/// Serves logs and monitors on one listener, and operators on another one if there is one, until `shutdown` completes.
/// Then it accepts no more connections, finishes the accepted requests, and closes the database.
///
/// Requests that still run after 30 seconds are dropped; the database holds what they did.
pub async fn serve(
    listener: TcpListener,
    operators: Option<TcpListener>,
    server: Arc<WitnessServer>,
    shutdown: impl Future<Output = ()>,
) {
    let (stop, stopped) = watch::channel(false);
    let stopping = async {
        shutdown.await;
        tracing::info!("stopping: no more requests are accepted, accepted requests are finished");
        server.stop();
    };
    let clients = async {
        let limits = server.options().connections;
        let connected = || server.metrics().connected();
        let open = accept_until(
            listener,
            None,
            router(Arc::clone(&server)),
            limits,
            stopping,
            connected,
        )
        .await;
        finish(open).await;
        // Operators can watch the shutdown.
        let _ = stop.send(true);
    };
    let operators = async {
        let Some(operators) = operators else { return };
        let mut stopped = stopped.clone();
        let until = async move {
            if stopped.wait_for(|stopped| *stopped).await.is_err() {
                pending::<()>().await;
            }
        };
        let limits = server.options().connections;
        let router = operator_router(Arc::clone(&server));
        finish(accept_until(operators, None, router, limits, until, || ()).await).await;
    };
    tokio::join!(clients, operators);
    server.witness().store().close().await;
}

async fn finish(open: OpenConnections) {
    if tokio::time::timeout(SHUTDOWN_DURATION_MAX, open.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests did not finish in time and were dropped");
    }
}
