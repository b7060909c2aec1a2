//! The arrival of a body: within its bounds, and not while the server stops.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use opencoin_issuer::{Reason, Refusal};

use super::answer;
use super::bodies::{BodyError, Counted};
use super::server::Server;

/// A whole body of at most so many bytes, or the answer to one that cannot be had.
pub(super) async fn arrived(
    server: &Server,
    body: Body,
    bytes_max: usize,
) -> Result<Counted, Response<Body>> {
    tokio::select! {
        read = server.bodies().read(body, bytes_max) => read.map_err(unreadable),
        // Nothing of it was accepted, and whoever sends slowly must not hold up a server that stops.
        () = server.shutting_down() => Err(answer::problem(&shutting_down())),
    }
}

pub(super) fn shutting_down() -> Refusal {
    Refusal::new(
        Reason::Unavailable,
        "the issuer is shutting down; send the same request again later",
    )
}

/// The answer to a body that cannot be read.
pub(super) fn unreadable(error: BodyError) -> Response<Body> {
    let malformed = |description: String| Refusal::new(Reason::Malformed, description);
    match error {
        BodyError::TooLarge(limit) => {
            let description = format!("a body has at most {limit} bytes; make several requests of it");
            answer::problem(&Refusal::new(Reason::TooLarge, description))
        }
        BodyError::Broken => answer::problem(&malformed("the body did not arrive whole".to_owned())),
        BodyError::Slow(limit) => {
            let refusal = malformed(format!(
                "the body did not arrive within {} seconds",
                limit.as_secs()
            ));
            answer::problem_with_status(StatusCode::REQUEST_TIMEOUT, &refusal)
        }
        BodyError::Overloaded => answer::problem(&Refusal::new(
            Reason::Unavailable,
            "too much is asked at once; send the same request again later",
        )),
    }
}
