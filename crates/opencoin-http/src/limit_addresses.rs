//! Limits the rate of requests per client address, before anything but the head of a request is read.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method, Response};
use opencoin_connections::{ClientAddress, PeerAddress, Route};
use opencoin_issuer::Refusal;
use opencoin_logging::LogThrottle;
use sha2::{Digest, Sha256};

use super::address_limits::HeaderDigest;
use super::answer;

use super::server::Server;

/// The paths of log-ins, of the API and of pages.
const LOGIN_PATHS: [&str; 6] = [
    "/v1/sessions",
    "/v1/sessions/start",
    "/v1/services/session",
    "/v1/services/key",
    "/account/login",
    "/account/start",
];

static UNTRUSTED_PROXIES: LogThrottle = LogThrottle::new();

/// Refuses a request whose address has reached a limit.
pub(super) async fn limit<Answer: Future<Output = Response<Body>>>(
    server: &Server,
    mut request: Request,
    next: impl FnOnce(Request) -> Answer,
) -> Response<Body> {
    let limits = server.address_limits();
    // A request without a connection comes from this process.
    let Some(peer) = request.extensions().get::<PeerAddress>().copied() else {
        return next(request).await;
    };
    let (client, route) = ClientAddress::of(peer, request.headers(), &limits.trusted);
    if route == Route::Untrusted {
        warn_of_proxy(client);
    }
    request.extensions_mut().insert(client);
    if route == Route::Direct && client.0.is_loopback() {
        return next(request).await;
    }
    let token = header_digest(request.headers());
    let is_verified = token
        .as_ref()
        .is_some_and(|token| limits.is_verified(token, Instant::now()));
    let is_login = request.method() == Method::POST && LOGIN_PATHS.contains(&request.uri().path());
    if let Err(wait) = limits.admit(client, is_login, is_verified, Instant::now()) {
        server.issuer().metrics().rate_limited();
        return too_many(wait);
    }
    let answer = next(request).await;
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
    let description =
        format!("too many requests from this address; send the same request again in {seconds} s");
    answer::problem(&Refusal::too_many_requests(
        u32::try_from(seconds).unwrap_or(u32::MAX),
        description,
    ))
}

/// Warns of a proxy that is not trusted if its address is local: that is a mistake in the settings. From other addresses
/// anybody can send the header.
fn warn_of_proxy(proxy: ClientAddress) {
    let is_local = match proxy.0 {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    };
    if is_local && let Some(requests) = UNTRUSTED_PROXIES.count(Instant::now()) {
        tracing::warn!(
            requests,
            "a proxy that is not in `proxy.trusted` sends X-Forwarded-For: the header is ignored, and all clients of the proxy share one limit; add the proxy to `proxy.trusted`"
        );
    }
}
