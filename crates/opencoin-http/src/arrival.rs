//! Receives bodies within their limits, unless the server stops.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use opencoin_issuer::{Reason, Refusal};

use super::answer;
use super::bodies::{BodyError, Counted, Share};
use super::server::Server;

/// Why there is no body.
pub(super) enum Unread {
    /// It could not be read.
    Body(BodyError),
    /// The server stops.
    ShuttingDown,
}

/// Receives a whole body of at most `bytes_max` bytes.
pub(super) async fn arrived(server: &Server, body: Body, bytes_max: usize) -> Result<Counted, Unread> {
    tokio::select! {
        // Most bodies are there already, and are read without a timer and without waiting for the shutdown.
        biased;
        read = server.bodies().read(body, bytes_max) => read.map_err(Unread::Body),
        // Nothing was accepted yet, and a slow client must not delay the shutdown.
        () = server.shutting_down() => Err(Unread::ShuttingDown),
    }
}

/// Keeps the memory of a body from other requests until it is dropped.
pub struct BodyShare {
    _share: Share,
}

impl Server {
    /// The length of the longest body of any request, in bytes.
    pub fn body_bytes_max(&self) -> usize {
        self.bodies().bytes_max()
    }

    /// Reads the body of a form of at most `bytes_max` bytes, within the limits on memory and time.
    ///
    /// # Errors
    /// It is too long, incomplete or slow, or the server is overloaded or stops.
    pub async fn read_form(&self, body: Body, bytes_max: usize) -> Result<Vec<u8>, Refusal> {
        let read = arrived(self, body, bytes_max).await;
        // The parsed form is small, so its share of the memory ends here.
        read.map(|counted| counted.bytes)
            .map_err(|unread| unread.refusal())
    }

    /// As [`Self::read_form`], for a form with a file: it is not small when it is parsed, so its share of the memory is
    /// kept with it.
    ///
    /// # Errors
    /// As [`Self::read_form`].
    pub async fn read_upload(&self, body: Body, bytes_max: usize) -> Result<(Vec<u8>, BodyShare), Refusal> {
        let read = arrived(self, body, bytes_max).await;
        let Counted { bytes, share } = read.map_err(|unread| unread.refusal())?;
        Ok((bytes, BodyShare { _share: share }))
    }
}

impl Unread {
    pub(super) fn refusal(&self) -> Refusal {
        let malformed = |description: String| Refusal::new(Reason::Malformed, description);
        match self {
            Self::Body(BodyError::TooLarge(limit)) => Refusal::new(
                Reason::TooLarge,
                format!("the body is longer than {limit} bytes; send several smaller requests"),
            ),
            Self::Body(BodyError::Broken) => malformed("the body is incomplete".to_owned()),
            Self::Body(BodyError::Slow(limit)) => {
                let seconds = limit.as_secs();
                malformed(format!("the body did not arrive within {seconds} seconds"))
            }
            Self::Body(BodyError::Overloaded) => Refusal::new(
                Reason::Unavailable,
                "the server is overloaded; send the same request again later",
            ),
            Self::ShuttingDown => shutting_down(),
        }
    }

    /// The answer to the client.
    pub(super) fn answer(&self) -> Response<Body> {
        match self {
            Self::Body(BodyError::Slow(_)) => {
                answer::problem_with_status(StatusCode::REQUEST_TIMEOUT, &self.refusal())
            }
            Self::Body(BodyError::TooLarge(_) | BodyError::Broken | BodyError::Overloaded)
            | Self::ShuttingDown => answer::problem(&self.refusal()),
        }
    }
}

pub(super) fn shutting_down() -> Refusal {
    Refusal::new(
        Reason::Unavailable,
        "the issuer is shutting down; send the same request again later",
    )
}
