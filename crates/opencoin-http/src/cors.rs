//! Cross-origin resource sharing: web pages of every origin may use the API (WHATWG Fetch, "CORS protocol").
//!
//! This gives a page no rights that another program does not have, because the API knows its callers by tokens alone and
//! never by cookies. So the answers allow every origin and never allow credentials.

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderValue,
};
use axum::http::{Response, StatusCode};

const ANY_ORIGIN: HeaderValue = HeaderValue::from_static("*");
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE");
/// By name, because `*` does not include `Authorization`.
const REQUEST_HEADERS: HeaderValue =
    HeaderValue::from_static("authorization, content-type, idempotency-key, last-event-id, if-none-match");
const ANSWER_HEADERS: HeaderValue = HeaderValue::from_static(
    "opencoin-error, opencoin-coins, opencoin-log-promise, opencoin-log-index, opencoin-expected-sequence, retry-after, x-request-id, etag",
);
/// The seconds for which a browser remembers the answer to a preflight. Chromium remembers none for longer.
const MAX_AGE_S: HeaderValue = HeaderValue::from_static("7200");

/// The answer to a preflight, by which a browser asks what a page may send. It carries no token, so it must not count
/// against the limit of its address.
pub(super) fn preflight() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE_S);
    response
}

/// Allows pages of every origin to read an answer, refusals included.
pub(super) fn share(response: &mut Response<Body>) {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY_ORIGIN);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, ANSWER_HEADERS);
}
