//! Health checks.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};
use opencoin_issuer::{Reason, Refusal};

use super::answer;
use super::server::Server;

const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// Answers as long as the process runs.
pub(super) async fn live() -> Response<Body> {
    plain(StatusCode::OK, "live\n")
}

/// Answers 200 if the issuer can work: every background task runs, the server does not stop, the database answers, and
/// the books were not set back.
pub(super) async fn ready(State(server): State<Arc<Server>>) -> Response<Body> {
    if let Some(why) = server.broken() {
        return answer::problem(&Refusal::new(Reason::Unavailable, why.to_owned()));
    }
    if server.is_leaving() {
        return answer::problem(&Refusal::new(Reason::Unavailable, "the issuer is shutting down"));
    }
    match server.issuer().ready().await {
        Ok(()) => plain(StatusCode::OK, "ready\n"),
        Err(refusal) => answer::problem(&refusal),
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(PLAIN_TEXT));
    response
}
