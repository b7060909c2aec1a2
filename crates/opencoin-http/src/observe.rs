//! The id, the log line, the metrics and the span of every request.
//!
//! The log line has the kind, the path, the outcome and the duration. It never has an address, a reference or a part of
//! a body. The id is random. It is in the answer and in every log line of the request, so that a client can report it.
//! An id that a client sends is ignored, because it would put the client's text into the log.

use std::borrow::Cow;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::header::{CONNECTION, HeaderName, HeaderValue};
use axum::http::{Method, Response, StatusCode};
use opencoin_issuer::{Reason, Refusal};
use opencoin_logging::spans;
use opencoin_schema::{
    RequestCddSerial, RequestCddc, RequestMint, RequestMintKeyCertificates, RequestRecoup, RequestRedeem,
    RequestRenew, RequestResume, TypeName,
};
use tracing::{Instrument, Span};

use super::answer;
use super::marks::RequestType;
use super::server::Server;

/// The header of an answer with the id of the request.
pub(super) const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

const UNKNOWN: &str = "unknown";
const OK: &str = "ok";
const DELAY: &str = "delay";
/// A browser's question about what a page may send. It is counted apart, because it does not do what its path says.
const PREFLIGHT: &str = "preflight";
/// An error status without a fixed word.
const FAILED: &str = "failed";

/// The files of pages. They would hide other requests in a chart.
const FILES: &str = "/static/";

/// The listener that a request came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// That for wallets, programs and visitors.
    Public,
    /// That of operators.
    Operators,
}

/// Sets the id, writes the log line, counts the request, and closes the connection while the server shuts down.
pub(super) async fn watch<Answer: Future<Output = Response<Body>>>(
    server: &Server,
    side: Side,
    request: Request,
    next: impl FnOnce(Request) -> Answer,
) -> Response<Body> {
    let id = server.request_ids().next();
    let trace = spans::request(&id);
    // The span has the level of errors, so that warnings and errors have the id at every log level.
    let span = tracing::error_span!(parent: &trace, "request", id);
    let mut response = watched(server, side, request, next, &trace)
        .instrument(span)
        .await;
    let id = HeaderValue::try_from(id).expect("hex digits");
    response.headers_mut().insert(REQUEST_ID_HEADER, id);
    response
}

async fn watched<Answer: Future<Output = Response<Body>>>(
    server: &Server,
    side: Side,
    request: Request,
    next: impl FnOnce(Request) -> Answer,
    trace: &Span,
) -> Response<Body> {
    let started = Instant::now();
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let path = path.as_ref().map_or(UNKNOWN, MatchedPath::as_str);
    // Books that were set back must not be served.
    let is_served = is_routine(path) || !server.issuer().is_set_back();
    let mut response = if is_served {
        next(request).await
    } else {
        answer::problem(&Refusal::unavailable())
    };
    if server.is_leaving() {
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let is_preflight = method == Method::OPTIONS;
    let kind = if is_preflight {
        Cow::Borrowed(PREFLIGHT)
    } else {
        kind(path, &response)
    };
    let (outcome, duration) = (outcome(&response), started.elapsed());
    let latency_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let status = response.status().as_u16();
    if is_preflight || is_routine(path) {
        tracing::debug!(kind = &*kind, %method, path, status, outcome, latency_us, "request");
    } else {
        tracing::info!(kind = &*kind, %method, path, status, outcome, latency_us, "request");
    }
    spans::answered(trace, &kind, outcome, status);
    let metrics = server.issuer().metrics();
    if side == Side::Public && !is_preflight && !path.starts_with(FILES) {
        metrics.answered_visitor(!matches!(outcome, OK | DELAY));
    }
    metrics.answered(kind, outcome, duration);
    response
}

/// Requests that monitoring sends every few seconds. Their log lines would hide the others.
fn is_routine(path: &str) -> bool {
    matches!(path, "/metrics" | "/health/live" | "/health/ready")
}

/// The kind of a request: a word for a message, otherwise the template of the path.
fn kind(path: &str, response: &Response<Body>) -> Cow<'static, str> {
    Cow::Borrowed(match path {
        "/" => response
            .extensions()
            .get()
            .map_or(UNKNOWN, |RequestType(type_name)| kind_of_type(type_name)),
        "/cddc/serial" => kind_of_type(RequestCddSerial::TYPE),
        "/cddc" | "/cddc/{serial}" => kind_of_type(RequestCddc::TYPE),
        "/mkcs" | "/mkcs/{id}" => kind_of_type(RequestMintKeyCertificates::TYPE),
        "/mint" => kind_of_type(RequestMint::TYPE),
        "/renew" => kind_of_type(RequestRenew::TYPE),
        "/resume" => kind_of_type(RequestResume::TYPE),
        "/redeem" => kind_of_type(RequestRedeem::TYPE),
        "/v1/recoup" => kind_of_type(RequestRecoup::TYPE),
        UNKNOWN => UNKNOWN,
        template => return Cow::Owned(template.to_owned()),
    })
}

fn kind_of_type(type_name: &str) -> &'static str {
    match type_name {
        RequestCddSerial::TYPE => "cdd_serial",
        RequestCddc::TYPE => "cddc",
        RequestMintKeyCertificates::TYPE => "mkcs",
        RequestMint::TYPE => "mint",
        RequestRenew::TYPE => "renew",
        RequestResume::TYPE => "resume",
        RequestRedeem::TYPE => "redeem",
        RequestRecoup::TYPE => "recoup",
        _ => UNKNOWN,
    }
}

/// `ok`, `delay`, `failed`, or the fixed word of the refusal.
fn outcome(response: &Response<Body>) -> &'static str {
    match response.extensions().get::<Reason>() {
        Some(reason) => reason.word(),
        None if response.status() == StatusCode::ACCEPTED => DELAY,
        None if response.status().is_client_error() || response.status().is_server_error() => FAILED,
        None => OK,
    }
}
