//! Accepts connections as the settings say, and picks up new TLS files meanwhile.

use std::future::{Future, pending};
use std::num::NonZeroU32;
use std::time::Duration;

use axum::Router;
use opencoin_config::LimitsConfig;
use opencoin_connections::{ConnectionLimits, OpenConnections};
use opencoin_issuer::Present;

use super::listener::Listener;
use super::tls::Tls;

/// Accepts and serves connections until `stopping` completes. Returns the connections that are still open. Each
/// connection holds a value of `connected` until it ends. The ledger holds what the requests of a connection did that
/// ends early.
pub(super) async fn accept_until(
    listener: Listener,
    router: Router,
    limits: &LimitsConfig,
    stopping: impl Future<Output = ()>,
    connected: impl Fn() -> Option<Present>,
) -> OpenConnections {
    let Listener { tcp, tls } = listener;
    let following = async {
        match &tls {
            Some(tls) => tls.follow().await,
            None => pending().await,
        }
    };
    let acceptor = tls.as_ref().map(Tls::acceptor);
    let limits = connection_limits(limits);
    tokio::select! {
        open = opencoin_connections::accept_until(tcp, acceptor, router, limits, stopping, connected) => open,
        () = following => unreachable!("following the files never ends"),
    }
}

fn connection_limits(limits: &LimitsConfig) -> ConnectionLimits {
    let seconds = |number: NonZeroU32| Duration::from_secs(number.get().into());
    ConnectionLimits {
        connections_max: limits.connections_max,
        head_duration_max: seconds(limits.head_seconds_max),
        // The same as for a body.
        answer_duration_max: seconds(limits.body_seconds_max),
    }
}
