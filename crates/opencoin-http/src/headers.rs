//! Checks of headers that decide what a request means, before anything else of it is read.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, HeaderName};
use axum::http::{HeaderMap, Response};
use axum::middleware::Next;
use opencoin_api::IDEMPOTENCY_KEY_HEADER;
use opencoin_issuer::{Reason, Refusal};

use super::answer;

/// Headers that must not be repeated. They identify the caller or the request, and a proxy and this server could use
/// different values.
const ONCE: [HeaderName; 3] = [
    AUTHORIZATION,
    HeaderName::from_static(IDEMPOTENCY_KEY_HEADER),
    HeaderName::from_static("last-event-id"),
];

/// Refuses a request that repeats one of these headers.
pub(super) async fn once(request: Request, next: Next) -> Response<Body> {
    match ONCE.iter().find(|name| is_repeated(request.headers(), name)) {
        Some(name) => answer::problem(&Refusal::new(
            Reason::Malformed,
            format!("{name}: send this header only once"),
        )),
        None => next.run(request).await,
    }
}

fn is_repeated(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.get_all(name).iter().nth(1).is_some()
}
