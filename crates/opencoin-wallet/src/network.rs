//! What every connection to an issuer has in common: whom it trusts, and how long it waits.

use std::time::Duration;

use thiserror::Error;

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

/// How long the issuer asks to wait (`Retry-After` in seconds).
pub(crate) fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let seconds = response
        .headers()
        .get(reqwest::header::RETRY_AFTER)?
        .to_str()
        .ok()?;
    seconds.parse().ok().map(Duration::from_secs)
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
