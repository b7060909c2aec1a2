//! `POST /add-checkpoint`.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONNECTION, RETRY_AFTER};
use axum::http::{Response, StatusCode};
use opencoin_connections::{PLAIN_TEXT, plain_answer, plain_text, set_header};
use opencoin_log::signature_line::SignatureLine;
use opencoin_log::witness::{SIZE_CONTENT_TYPE, size_body};

use super::body::{self, BodyError};
use super::server::WitnessServer;
use crate::decide::CheckpointRefusal;
use crate::witness::AddError;

/// When to send a request again that was refused for a reason within the witness, in seconds.
const RETRY_AFTER_S: &str = "5";

/// Cosigns a checkpoint, or says why not.
pub(super) async fn add_checkpoint(State(server): State<Arc<WitnessServer>>, body: Body) -> Response<Body> {
    let begun = Instant::now();
    let (origin, response) = match body::read(body, server.options().body_duration_max).await {
        Ok(body) => {
            let answered = server.witness().add_checkpoint(&body).await;
            (answered.origin, answered.result.map_or_else(refused, cosigned))
        }
        Err(error) => (None, not_received(error)),
    };
    server
        .metrics()
        .answered(origin, response.status().as_u16(), begun.elapsed());
    response
}

fn cosigned(lines: Vec<SignatureLine>) -> Response<Body> {
    let mut body = String::new();
    for line in lines {
        writeln!(body, "{line}").expect("writing to a string does not fail");
    }
    plain_answer(StatusCode::OK, PLAIN_TEXT, body)
}

fn refused(error: AddError) -> Response<Body> {
    let status = match &error {
        AddError::Malformed(_) | AddError::Refused(CheckpointRefusal::OldTooLarge { .. }) => {
            StatusCode::BAD_REQUEST
        }
        AddError::UnknownOrigin => StatusCode::NOT_FOUND,
        AddError::Signature => StatusCode::FORBIDDEN,
        AddError::Refused(CheckpointRefusal::Conflict(size)) => {
            return plain_answer(StatusCode::CONFLICT, SIZE_CONTENT_TYPE, size_body(*size));
        }
        AddError::Refused(CheckpointRefusal::OtherRoot(_) | CheckpointRefusal::Proof(_)) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        AddError::Clock | AddError::Unavailable => {
            let mut response = plain_text(StatusCode::SERVICE_UNAVAILABLE, &error.to_string());
            set_header(&mut response, RETRY_AFTER, RETRY_AFTER_S);
            return response;
        }
    };
    plain_text(status, &error.to_string())
}

fn not_received(error: BodyError) -> Response<Body> {
    let (status, why) = match error {
        BodyError::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "the request is too long"),
        BodyError::Slow => (StatusCode::REQUEST_TIMEOUT, "the request took too long"),
        BodyError::Broken => (StatusCode::BAD_REQUEST, "the request ended early"),
    };
    let mut response = plain_text(status, why);
    // The rest of the body may still come, and is no request.
    set_header(&mut response, CONNECTION, "close");
    response
}
