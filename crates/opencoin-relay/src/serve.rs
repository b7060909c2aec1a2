//! Runs a relay by itself: both listeners, and the shutdown.

use std::future::pending;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use opencoin_connections::{ConnectionLimits, OpenConnections, accept_until};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::relay::Relay;

/// The most connections that are not participants yet.
const CONNECTIONS_MAX: NonZeroU32 = NonZeroU32::new(512).expect("it is not zero");
/// The longest time for the head of a request, and between two requests of a connection.
const HEAD_DURATION_MAX: Duration = Duration::from_secs(10);
/// How long the connections may take to end during a shutdown.
const SHUTDOWN_DURATION_MAX: Duration = Duration::from_secs(10);

/// Serves participants on one listener, and operators on another one if there is one, until `shutdown` completes.
pub async fn serve(
    listener: TcpListener,
    operators: Option<TcpListener>,
    relay: Arc<Relay>,
    shutdown: impl Future<Output = ()>,
) {
    let (stop, stopped) = watch::channel(false);
    let limits = ConnectionLimits {
        connections_max: CONNECTIONS_MAX,
        head_duration_max: HEAD_DURATION_MAX,
        answer_duration_max: relay.options.limits.read_duration_max,
    };
    let participants = async {
        let stopping = async {
            shutdown.await;
            tracing::info!("stopping: transfers continue when their participants reach a relay again");
            relay.stop();
        };
        finish(accept_until(listener, None, relay.own_router(), limits, stopping, || ()).await).await;
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
        let router = relay.operator_router();
        finish(accept_until(operators, None, router, limits, until, || ()).await).await;
    };
    tokio::join!(participants, operators);
}

async fn finish(open: OpenConnections) {
    if tokio::time::timeout(SHUTDOWN_DURATION_MAX, open.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests did not finish in time and were dropped");
    }
}
