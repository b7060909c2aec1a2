//! The layer that refuses what comes too often from one address.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method, Response};
use axum::middleware::Next;
use opencoin_issuer::Refusal;
use opencoin_log::LogThrottle;
use sha2::{Digest, Sha256};

use super::address_limits::HeaderDigest;
use super::answer;
use super::client_address::{ClientAddress, PeerAddress, Way};
use super::server::Server;

/// Where one logs in.
const LOGIN_PATHS: [&str; 2] = ["/v1/sessions", "/v1/services/session"];

static UNTRUSTED_PROXIES: LogThrottle = LogThrottle::new();

/// Refuses what comes too often.
pub(super) async fn limit(
    State(server): State<Arc<Server>>,
    mut request: Request,
    next: Next,
) -> Response<Body> {
    let limits = server.address_limits();
    // Without a connection there is nobody else: a caller in this process.
    let Some(peer) = request.extensions().get::<PeerAddress>().copied() else {
        return next.run(request).await;
    };
    let (client, way) = ClientAddress::of(peer, request.headers(), &limits.trusted);
    if way == Way::Untrusted {
        warn_of_proxy(client);
    }
    request.extensions_mut().insert(client);
    if way == Way::Direct && client.0.is_loopback() {
        return next.run(request).await;
    }
    let token = header_digest(request.headers());
    let is_proved = token
        .as_ref()
        .is_some_and(|token| limits.is_proved(token, Instant::now()));
    let is_login = request.method() == Method::POST && LOGIN_PATHS.contains(&request.uri().path());
    if let Err(wait) = limits.admit(client, is_login, is_proved, Instant::now()) {
        server.issuer().metrics().rate_limited();
        return too_many(wait);
    }
    let answer = next.run(request).await;
    if let Some(token) = token {
        limits.learn(token, &answer, Instant::now());
    }
    answer
}

fn header_digest(headers: &HeaderMap) -> Option<HeaderDigest> {
    headers
        .get(AUTHORIZATION)
        .map(|value| Sha256::digest(value.as_bytes()).into())
}

fn too_many(wait: Duration) -> Response<Body> {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let description = format!("too much comes from this address; send the same request again in {seconds} s");
    answer::problem(&Refusal::too_many_requests(
        u32::try_from(seconds).unwrap_or(u32::MAX),
        description,
    ))
}

/// A proxy that is not trusted is a mistake in the settings where it is near; elsewhere anybody can pretend
/// to be one.
fn warn_of_proxy(proxy: ClientAddress) {
    let is_near = match proxy.0 {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    };
    if is_near && let Some(requests) = UNTRUSTED_PROXIES.count(Instant::now()) {
        tracing::warn!(
            requests,
            "a proxy that is not in `proxy.trusted` names its clients' addresses: they are not believed, and all its clients share one limit"
        );
    }
}
