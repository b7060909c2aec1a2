//! Receives bodies within their limits, unless the server stops.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use opencoin_issuer::{Reason, Refusal};

use super::answer;
use super::bodies::{BodyError, Counted};
use super::server::Server;

/// Receives a whole body of at most `bytes_max` bytes. The error is the answer to the client.
pub(super) async fn arrived(
    server: &Server,
    body: Body,
    bytes_max: usize,
) -> Result<Counted, Response<Body>> {
    tokio::select! {
        // Most bodies are there already, and are read without a timer and without waiting for the shutdown.
        biased;
        read = server.bodies().read(body, bytes_max) => read.map_err(unreadable),
        // Nothing was accepted yet, and a slow client must not delay the shutdown.
        () = server.shutting_down() => Err(answer::problem(&shutting_down())),
    }
}

pub(super) fn shutting_down() -> Refusal {
    Refusal::new(
        Reason::Unavailable,
        "the issuer is shutting down; send the same request again later",
    )
}

/// The answer to a body that was not received.
pub(super) fn unreadable(error: BodyError) -> Response<Body> {
    let malformed = |description: String| Refusal::new(Reason::Malformed, description);
    match error {
        BodyError::TooLarge(limit) => {
            let description = format!("the body is longer than {limit} bytes; send several smaller requests");
            answer::problem(&Refusal::new(Reason::TooLarge, description))
        }
        BodyError::Broken => answer::problem(&malformed("the body is incomplete".to_owned())),
        BodyError::Slow(limit) => {
            let refusal = malformed(format!(
                "the body did not arrive within {} seconds",
                limit.as_secs()
            ));
            answer::problem_with_status(StatusCode::REQUEST_TIMEOUT, &refusal)
        }
        BodyError::Overloaded => answer::problem(&Refusal::new(
            Reason::Unavailable,
            "the server is overloaded; send the same request again later",
        )),
    }
}
