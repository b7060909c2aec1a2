//! HTTP requests to an issuer: trusted certificates, timeouts, repeated attempts, and the answers.

use std::time::Duration;

use chrono::{DateTime, Utc};
use opencoin_api::COINS_HEADER;
use opencoin_log::promise::PROMISE_HEADER;
use opencoin_text::printable;
use reqwest::header::{DATE, LOCATION, RETRY_AFTER};
use reqwest::{RequestBuilder, Response};
use serde::Deserialize;
use thiserror::Error;

use crate::proxy::{ConnectionKind, SocksProxy};

/// The header with the error word of a refusal.
const ERROR_HEADER: &str = "opencoin-error";
/// The header with the index of the leaf of a coin that was refused as spent.
const LOG_INDEX_HEADER: &str = "opencoin-log-index";
/// A `response mint` of 1,000 signatures of 8192-bit keys has 2.2 MB.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The longest part of an issuer's text that is shown.
const SHOWN_CHARS_MAX: usize = 500;

const CONNECT_DURATION_MAX: Duration = Duration::from_secs(10);
/// The timeout of a request, until its whole answer has arrived.
pub(crate) const ANSWER_DURATION_MAX: Duration = Duration::from_secs(60);
/// The longest `Retry-After` that is obeyed. With a longer one the request fails.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// The most attempts for one request.
const ATTEMPTS_MAX: u32 = 5;
/// The pause after the first attempt; each further one is twice as long.
const PAUSE_FIRST: Duration = Duration::from_millis(250);

/// What the standard library appends to the text of an error, before its number.
const OS_ERROR: &str = " (os error ";

const REQUEST_TIMEOUT: u16 = 408;
const TOO_MANY_REQUESTS: u16 = 429;

/// The error words which say that the request was not carried out (all but `unavailable` and `recoup`).
const REFUSALS: [&str; 26] = [
    "malformed",
    "unauthorized",
    "forbidden",
    "exists",
    "too-many-requests",
    "insufficient-funds",
    "not-found",
    "double-spend",
    "reference-conflict",
    "key-expired",
    "key-revoked",
    "too-large",
    "invalid",
    "unknown-key",
    "wrong-sequence",
    "payment-expired",
    "wrong-domain",
    "wrong-amount",
    "payment-to-itself",
    "wrong-memo",
    "weak-key",
    "wrong-signature",
    "wrong-details",
    "wrong-challenge",
    "challenge-expired",
    "no-proof-of-work",
];
/// The error words for the sender or the request rate. They do not tell the outcome of an earlier attempt.
pub(crate) const SENDER_REFUSALS: [&str; 3] = ["unauthorized", "forbidden", "too-many-requests"];

/// Certificate authorities that are trusted in addition to those of the system, for test currencies.
#[derive(Debug, Clone, Default)]
pub struct Authorities(Vec<reqwest::Certificate>);

/// The text does not hold certificates.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AuthoritiesError {
    /// The text has no certificate.
    #[error("it contains no certificate (PEM, \"-----BEGIN CERTIFICATE-----\")")]
    Empty,
    /// A certificate cannot be read.
    #[error("it contains a certificate that cannot be read")]
    Unreadable,
}

impl Authorities {
    /// Reads the certificates of a PEM text.
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

/// How to reach issuers: whom to trust, and through which proxy.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// Certificate authorities in addition to those of the system.
    pub authorities: Authorities,
    /// The proxy for every request, whose environment variables then do not count. Without one, requests go where the
    /// usual environment variables (`HTTPS_PROXY` and others) send them, or directly.
    pub proxy: Option<SocksProxy>,
}

/// No answer arrived.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no answer from {}: {reason}", origin(url))]
pub struct NoAnswer {
    /// The URL of the request.
    pub url: String,
    /// The cause.
    pub reason: String,
    /// Whether the request may have arrived; then its outcome is unknown. `false` if there was no connection
    /// or the request could not be made.
    pub was_sent: bool,
}

impl NoAnswer {
    /// Names the proxy, which may be what does not answer.
    pub(crate) fn through(mut self, proxy: Option<&SocksProxy>) -> Self {
        if let Some(proxy) = proxy {
            self.reason = format!("{}, through the proxy {proxy}", self.reason);
        }
        self
    }
}

/// An HTTP answer.
#[derive(Debug, Clone, Default)]
pub struct HttpAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The error word of a refusal (`OpenCoin-Error`).
    pub error_word: Option<String>,
    /// The indices of the coins that were refused (`OpenCoin-Coins`).
    pub coins: Option<String>,
    /// The issuer's promise that the request will be in the public log (`OpenCoin-Log-Promise`).
    pub log_promise: Option<String>,
    /// Where the log has the first coin that was refused as spent (`OpenCoin-Log-Index`).
    pub log_index: Option<u64>,
    /// The server's time (`Date`).
    pub date: Option<DateTime<Utc>>,
    /// The target of a redirect (`Location`).
    pub location: Option<String>,
    /// How long to wait before the next attempt (`Retry-After` in seconds).
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Vec<u8>,
}

impl HttpAnswer {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(crate) fn is_too_many_requests(&self) -> bool {
        self.status == TOO_MANY_REQUESTS
    }

    /// Whether the error is temporary: neither success nor a client error. A later attempt may succeed.
    pub(crate) fn is_temporary(&self) -> bool {
        !self.is_success() && (!(400..500).contains(&self.status) || self.status == REQUEST_TIMEOUT)
    }

    /// Whether the issuer refused the request and did not carry it out. An error without an error word may
    /// come from a proxy, which does not know what the issuer has done.
    pub(crate) fn is_refusal(&self) -> bool {
        (400..500).contains(&self.status) && !self.is_temporary() && self.has_word_of(&REFUSALS)
    }

    /// Whether the issuer refused the sender or the request rate, see [`SENDER_REFUSALS`].
    pub(crate) fn is_sender_refusal(&self) -> bool {
        self.has_word_of(&SENDER_REFUSALS)
    }

    fn has_word_of(&self, words: &[&str]) -> bool {
        self.error_word
            .as_deref()
            .is_some_and(|word| words.contains(&word))
    }

    /// Returns the issuer's text for the user, without control characters, or the status if there is none.
    pub(crate) fn description(&self) -> String {
        /// The texts of a protocol response, or of RFC 9457.
        #[derive(Deserialize)]
        struct Texts {
            status_description: Option<String>,
            detail: Option<String>,
            title: Option<String>,
        }
        let texts: Option<Texts> = serde_json::from_slice(&self.body).ok();
        let text = texts
            .and_then(|texts| texts.status_description.or(texts.detail).or(texts.title))
            .filter(|text| !text.is_empty());
        let text = text.unwrap_or_else(|| format!("HTTP status {}", self.status));
        printable(&text.chars().take(SHOWN_CHARS_MAX).collect::<String>())
    }
}

/// Whether a request may be sent again when its outcome is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    Safe,
    Never,
}

/// What [`exchange`] returns.
pub(crate) struct Exchanged {
    pub(crate) answer: Result<HttpAnswer, NoAnswer>,
    /// Whether the outcome of any attempt is unknown.
    pub(crate) is_unknown: bool,
}

/// Makes a client for connections of one kind. It follows no redirects, so that a token is sent to no other server.
pub(crate) fn client(network: &Network, kind: ConnectionKind) -> Result<reqwest::Client, reqwest::Error> {
    let mut builder = reqwest::Client::builder()
        .connect_timeout(CONNECT_DURATION_MAX)
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_merge(network.authorities.0.iter().cloned());
    if let Some(proxy) = &network.proxy {
        builder = builder.proxy(proxy.for_requests(kind)?);
    }
    builder.build()
}

/// Sends a request until an answer tells its outcome or the attempts are used up. Too many requests (429)
/// lead to another attempt, because the request was not carried out; an unknown outcome only with
/// [`Repeat::Safe`]. Errors name `url`.
pub(crate) async fn exchange(
    url: &str,
    repeat: Repeat,
    request: impl Fn() -> RequestBuilder + Sync,
) -> Exchanged {
    let (mut pause, mut is_unknown) = (PAUSE_FIRST, false);
    for attempt in 1.. {
        let answer = send_once(url, request()).await;
        let tells_outcome = |answer: &HttpAnswer| answer.is_success() || answer.is_refusal();
        let is_open = !answer.as_ref().is_ok_and(tells_outcome);
        is_unknown |= is_open;
        let is_limited = answer.as_ref().is_ok_and(HttpAnswer::is_too_many_requests);
        let asked = answer.as_ref().ok().and_then(|answer| answer.retry_after);
        let wait = asked.unwrap_or(pause).max(pause);
        let may_repeat = is_limited || is_open && repeat == Repeat::Safe;
        if !may_repeat || attempt == ATTEMPTS_MAX || wait > WAIT_MAX {
            return Exchanged { answer, is_unknown };
        }
        tokio::time::sleep(wait).await;
        pause *= 2;
    }
    unreachable!("the last attempt returns")
}

async fn send_once(url: &str, request: RequestBuilder) -> Result<HttpAnswer, NoAnswer> {
    let response = send(url, request.timeout(ANSWER_DURATION_MAX)).await?;
    read_answer(url, response).await
}

/// Sends a request and returns when the head of the answer has arrived.
pub(crate) async fn send(url: &str, request: RequestBuilder) -> Result<Response, NoAnswer> {
    request.send().await.map_err(|error| NoAnswer {
        url: url.to_owned(),
        reason: reason(&error),
        was_sent: !(error.is_connect() || error.is_builder()),
    })
}

/// Sends one request for a file that anybody may read, and reads at most `bytes_max` of it.
pub(crate) async fn download(
    url: &str,
    request: RequestBuilder,
    bytes_max: usize,
) -> Result<HttpAnswer, NoAnswer> {
    let response = send(url, request.timeout(ANSWER_DURATION_MAX)).await?;
    read_at_most(url, response, bytes_max).await
}

/// Reads the whole answer. Fails if the connection breaks or the body has more than [`ANSWER_BYTES_MAX`].
pub(crate) async fn read_answer(url: &str, response: Response) -> Result<HttpAnswer, NoAnswer> {
    read_at_most(url, response, ANSWER_BYTES_MAX).await
}

pub(crate) async fn read_at_most(
    url: &str,
    mut response: Response,
    bytes_max: usize,
) -> Result<HttpAnswer, NoAnswer> {
    let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
    let no_answer = |reason: String| NoAnswer {
        url: url.to_owned(),
        reason,
        was_sent: true,
    };
    let date = header(DATE.as_str()).and_then(|text| DateTime::parse_from_rfc2822(&text).ok());
    let retry_after = header(RETRY_AFTER.as_str()).and_then(|text| text.parse().ok());
    let mut answer = HttpAnswer {
        status: response.status().as_u16(),
        error_word: header(ERROR_HEADER),
        coins: header(COINS_HEADER),
        log_promise: header(PROMISE_HEADER),
        log_index: header(LOG_INDEX_HEADER).and_then(|index| index.parse().ok()),
        date: date.map(|date| date.to_utc()),
        location: header(LOCATION.as_str()),
        retry_after: retry_after.map(Duration::from_secs),
        body: Vec::new(),
    };
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| no_answer(reason(&error)))?
    {
        if answer.body.len() + chunk.len() > bytes_max {
            return Err(no_answer(format!("the answer has more than {bytes_max} bytes")));
        }
        answer.body.extend_from_slice(&chunk);
    }
    Ok(answer)
}

/// Returns the innermost cause: "connection refused" helps the user, "error sending request" does not.
pub(crate) fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    let text = cause.to_string();
    match text.split_once(OS_ERROR) {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}

/// Returns the scheme, host and port of a URL: the path says nothing to the user.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |scheme| scheme + "://".len());
    let path = url[host..].find('/').map_or(url.len(), |path| host + path);
    &url[..path]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_sees_the_host_alone() {
        for (url, shown) in [
            ("http://127.0.0.1:80/v1/account/balance", "http://127.0.0.1:80"),
            ("https://issuer.example", "https://issuer.example"),
            ("the network", "the network"),
        ] {
            assert_eq!(origin(url), shown);
        }
    }

    #[test]
    fn text_without_certificates_is_rejected() {
        let cut = b"-----BEGIN CERTIFICATE-----\nMIIB";
        for (text, expected) in [
            (&b""[..], AuthoritiesError::Empty),
            (b"nonsense", AuthoritiesError::Empty),
            (cut, AuthoritiesError::Unreadable),
        ] {
            assert_eq!(Authorities::from_pem(text).unwrap_err(), expected);
        }
    }
}
