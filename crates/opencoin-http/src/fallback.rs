//! Answers to an unknown path or method.

use axum::body::Body;
use axum::http::{Method, Response, StatusCode};
use opencoin_issuer::{Reason, Refusal};

use super::answer;

pub(super) async fn unknown_path() -> Response<Body> {
    answer::problem(&Refusal::new(
        Reason::NotFound,
        "no such path; a request of any type can be sent to POST /",
    ))
}

pub(super) async fn wrong_method(method: Method) -> Response<Body> {
    let refusal = Refusal::new(Reason::Malformed, format!("this path does not accept {method}"));
    answer::problem_with_status(StatusCode::METHOD_NOT_ALLOWED, &refusal)
}
