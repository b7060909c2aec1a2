//! The limit of requests from each address, checked before anything but the head of a request is read.
//!
//! Programs on this machine are not limited, unless they send `X-Forwarded-For`: that is a proxy which is not trusted,
//! and all its clients share one limit.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, Response, StatusCode};
use axum::middleware::Next;
use opencoin_connections::{ClientAddress, PeerAddress, Route, plain_text};
use opencoin_logging::LogThrottle;

use super::server::AuditorServer;

static UNTRUSTED_PROXIES: LogThrottle = LogThrottle::new();

/// Refuses a request whose address has sent too many.
pub(super) async fn limit(
    State(server): State<Arc<AuditorServer>>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let peer = request.extensions().get::<PeerAddress>().copied();
    // A request without a connection comes from this process.
    let (Some(limiter), Some(peer)) = (server.limiter(), peer) else {
        return next.run(request).await;
    };
    let (client, route) = ClientAddress::of(peer, request.headers(), &server.options().trusted_proxies);
    if route == Route::Direct && client.0.is_loopback() {
        return next.run(request).await;
    }
    if route == Route::Untrusted
        && client.0.is_loopback()
        && let Some(requests) = UNTRUSTED_PROXIES.count(Instant::now())
    {
        tracing::warn!(
            requests,
            "a proxy on this machine sends X-Forwarded-For and is not trusted, so all its clients share one limit: name it with --proxy-trusted"
        );
    }
    match limiter.take(client.0, Instant::now()) {
        Ok(()) => next.run(request).await,
        Err(wait) => {
            server.metrics().rate_limited();
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            let mut response = plain_text(
                StatusCode::TOO_MANY_REQUESTS,
                "too many requests from this address",
            );
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
    }
}
