//! What every connection to an issuer has in common: whom it trusts, how long it waits, and how an answer is
//! read.

use std::time::Duration;

use chrono::{DateTime, Utc};
use opencoin_api::COINS_HEADER;
use reqwest::header::{DATE, LOCATION, RETRY_AFTER};
use thiserror::Error;

/// Carries the fixed word of a refusal.
const ERROR_HEADER: &str = "opencoin-error";

const CONNECT_DURATION_MAX: Duration = Duration::from_secs(10);
/// How long an answer may take to arrive.
pub(crate) const ANSWER_DURATION_MAX: Duration = Duration::from_secs(60);
/// The longest wait that an issuer may ask for; beyond it a person is told.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(10);

/// Certificate authorities that are trusted besides those of the system: a test currency has its own.
#[derive(Debug, Clone, Default)]
pub struct Authorities(Vec<reqwest::Certificate>);

/// These are not certificates of authorities.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AuthoritiesError {
    /// The text has none.
    #[error("no certificate is in it (PEM, \"-----BEGIN CERTIFICATE-----\")")]
    Empty,
    /// One of them cannot be read.
    #[error("a certificate in it cannot be read")]
    Unreadable,
}

impl Authorities {
    /// The certificates in this PEM text.
    ///
    /// # Errors
    /// There are none, or one cannot be read.
    pub fn from_pem(pem: &[u8]) -> Result<Self, AuthoritiesError> {
        let certificates =
            reqwest::Certificate::from_pem_bundle(pem).map_err(|_| AuthoritiesError::Unreadable)?;
        if certificates.is_empty() {
            Err(AuthoritiesError::Empty)
        } else {
            Ok(Self(certificates))
        }
    }
}

/// A client that follows no redirects: a token goes to nobody else. It sets no limit to the time of an
/// answer.
pub(crate) fn client(authorities: &Authorities) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_DURATION_MAX)
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_merge(authorities.0.iter().cloned())
        .build()
}

/// What came back over HTTP.
#[derive(Debug, Clone, Default)]
pub struct HttpAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The fixed word of a refusal (`OpenCoin-Error`).
    pub error_word: Option<String>,
    /// The indices of the coins that a refusal is about (`OpenCoin-Coins`).
    pub coins: Option<String>,
    /// The time of the server (`Date`).
    pub date: Option<DateTime<Utc>>,
    /// Where a redirect points to (`Location`).
    pub location: Option<String>,
    /// How long the issuer asks to wait (`Retry-After` in seconds).
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Vec<u8>,
}

/// Reads an answer to its end, up to `bytes_max` bytes.
///
/// # Errors
/// The connection broke, or the body is longer. The text says which.
pub(crate) async fn read_answer(
    mut response: reqwest::Response,
    bytes_max: usize,
) -> Result<HttpAnswer, String> {
    let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
    let date = header(DATE.as_str()).and_then(|text| DateTime::parse_from_rfc2822(&text).ok());
    let retry_after = header(RETRY_AFTER.as_str()).and_then(|text| text.parse().ok());
    let mut answer = HttpAnswer {
        status: response.status().as_u16(),
        error_word: header(ERROR_HEADER),
        coins: header(COINS_HEADER),
        date: date.map(|date| date.to_utc()),
        location: header(LOCATION.as_str()),
        retry_after: retry_after.map(Duration::from_secs),
        body: Vec::new(),
    };
    while let Some(chunk) = response.chunk().await.map_err(|error| reason(&error))? {
        answer.body.extend_from_slice(&chunk);
        if answer.body.len() > bytes_max {
            return Err(format!("the answer has more than {bytes_max} bytes"));
        }
    }
    Ok(answer)
}

/// The cause at the bottom: "connection refused" helps, "error sending request" does not.
pub(crate) fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_refused() {
        assert_eq!(Authorities::from_pem(b"").unwrap_err(), AuthoritiesError::Empty);
        assert_eq!(
            Authorities::from_pem(b"nonsense").unwrap_err(),
            AuthoritiesError::Empty
        );
        let cut = b"-----BEGIN CERTIFICATE-----\nMIIB";
        assert_eq!(
            Authorities::from_pem(cut).unwrap_err(),
            AuthoritiesError::Unreadable
        );
    }
}
