//! The paths of a relay.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use opencoin_connections::{ClientAddress, PeerAddress, plain_answer, plain_text};
use opencoin_transfer::relay::{CloseCode, JOIN_BYTES_MAX};

use crate::connection;
use crate::limits::RelayLimits;
use crate::metrics::METRICS_CONTENT_TYPE;
use crate::relay::Relay;

/// How much of what a client sends is read at once. A connection has a buffer of this size.
const READ_BUFFER_BYTES: usize = 512;
/// A message that is longer than that is sent at once, without another copy.
const WRITE_BUFFER_BYTES: usize = 0;
/// What may wait in a connection's own buffer: one frame.
const WRITE_BUFFER_BYTES_MAX: usize = 2 * RelayLimits::FRAME_BYTES_MAX;

/// What a browser shows to somebody who opens an invitation in it.
const FOR_PEOPLE: &str = "This is an invitation to a transfer of coins. It is opened with a wallet, not with a browser: \
    run `opencoin wallet receive LINK` if you were offered money, or `opencoin wallet pay LINK` if you were asked for \
    it, with the whole link in quotes.";

impl Relay {
    /// The path of the relay, `/relay`, for participants.
    pub fn router<S: Clone + Send + Sync + 'static>(self: &Arc<Self>) -> Router<S> {
        Router::new()
            .route("/relay", get(enter))
            .with_state(Arc::clone(self))
    }

    /// The path of the relay, and its health.
    pub(crate) fn own_router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/health/live", get(live))
            .route("/health/ready", get(ready))
            .fallback(unknown_path)
            .with_state(Arc::clone(self))
            .merge(self.router())
    }

    /// The paths for operators.
    pub(crate) fn operator_router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/metrics", get(metrics))
            .route("/health/live", get(live))
            .route("/health/ready", get(ready))
            .fallback(unknown_path)
            .with_state(Arc::clone(self))
    }
}

async fn enter(
    State(relay): State<Arc<Relay>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    headers: HeaderMap,
    request: Request,
) -> Response<Body> {
    let Ok(upgrade) = upgrade else {
        return plain_text(StatusCode::UPGRADE_REQUIRED, FOR_PEOPLE);
    };
    if relay.is_stopping() {
        return plain_text(StatusCode::SERVICE_UNAVAILABLE, CloseCode::Stopping.text());
    }
    // A request without a connection comes from this process.
    let peer = request.extensions().get::<PeerAddress>().copied();
    let present = match peer {
        Some(peer) => {
            let (client, _) = ClientAddress::of(peer, &headers, &relay.options.trusted_proxies);
            let Some(present) = relay.presence.enter(client.0) else {
                relay.metrics.closed(CloseCode::TooManyConnections);
                return plain_text(
                    StatusCode::TOO_MANY_REQUESTS,
                    CloseCode::TooManyConnections.text(),
                );
            };
            Some(present)
        }
        None => None,
    };
    upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .max_message_size(RelayLimits::FRAME_BYTES_MAX.max(JOIN_BYTES_MAX))
        .max_frame_size(RelayLimits::FRAME_BYTES_MAX.max(JOIN_BYTES_MAX))
        .on_upgrade(move |socket| async move {
            connection::serve(&relay, socket).await;
            drop(present);
        })
        .into_response()
}

async fn live() -> Response<Body> {
    plain_text(StatusCode::OK, "live")
}

async fn ready(State(relay): State<Arc<Relay>>) -> Response<Body> {
    if relay.is_stopping() {
        plain_text(StatusCode::SERVICE_UNAVAILABLE, "the relay is shutting down")
    } else {
        plain_text(StatusCode::OK, "ready")
    }
}

async fn metrics(State(relay): State<Arc<Relay>>) -> Response<Body> {
    let mut metrics = relay.metrics_text();
    metrics.push_str("# EOF\n");
    plain_answer(StatusCode::OK, METRICS_CONTENT_TYPE, metrics)
}

async fn unknown_path() -> Response<Body> {
    plain_text(StatusCode::NOT_FOUND, "there is nothing at this path")
}
