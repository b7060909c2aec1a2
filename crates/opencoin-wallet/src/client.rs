//! Talking to an issuer over HTTP, and what its answers mean.

use std::time::Duration;

use async_trait::async_trait;
use opencoin_schema::{
    BlindSignature, Cddc, Document, Mkc, RequestCddSerial, RequestCddc, RequestMintKeyCertificates,
    ResponseCddSerial, ResponseCddc, ResponseDelay, ResponseMint, ResponseMintKeyCertificates,
    ResponseRedeem, TypeName, WeightedUrl, from_json, text,
};
use opencoin_text::printable;
use serde::Deserialize;
use thiserror::Error;

use crate::event::RevokedKey;
use crate::network::{self, ANSWER_DURATION_MAX, Authorities, WAIT_MAX, reason};
use crate::secret::Secret;

/// A `response mint` of 1,000 signatures of 8192-bit keys has 2.2 MB.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// What is shown of an issuer's words.
pub(crate) const SHOWN_CHARS_MAX: usize = 500;
/// Carries the fixed word of a refusal.
pub(crate) const ERROR_HEADER: &str = "opencoin-error";
const OK: u16 = 200;
const ACCEPTED: u16 = 202;
const NOT_FOUND: u16 = 404;
const TOO_MANY_REQUESTS: u16 = 429;
/// How often a request is sent when the issuer asks to come back later.
const ATTEMPTS_MAX: u32 = 4;
/// The fixed word of what was accepted and will not be signed, because mint keys were revoked since.
const RECOUP: &str = "recoup";
/// The fixed words that say that nothing was done (all but `unavailable` and `recoup`).
pub(crate) const REFUSALS: [&str; 13] = [
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
];
/// Those that are about who asks, and how often: they say nothing about what was done at an earlier attempt.
pub(crate) const ABOUT_THE_ASKER: [&str; 3] = ["unauthorized", "forbidden", "too-many-requests"];

/// What came back over HTTP.
#[derive(Debug, Clone)]
pub struct HttpAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The header `OpenCoin-Error`.
    pub error_word: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// No answer came: whether the request arrived, and what became of it, is not known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no answer from {url}: {reason}")]
pub struct NoAnswer {
    /// Where the request went.
    pub url: String,
    /// What happened.
    pub reason: String,
}

/// The way to an issuer: HTTP, or a test's own.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Posts `body` to `url`.
    ///
    /// # Errors
    /// When no answer came.
    async fn post(&self, url: &str, token: Option<&Secret>, body: &str) -> Result<HttpAnswer, NoAnswer>;

    /// Gets `url`.
    ///
    /// # Errors
    /// When no answer came.
    async fn get(&self, url: &str) -> Result<HttpAnswer, NoAnswer>;
}

/// HTTP with TLS where the URL says so.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    client: reqwest::Client,
}

impl HttpTransport {
    /// A client that trusts the system's certificate authorities.
    ///
    /// # Errors
    /// When the system's certificates cannot be read.
    pub fn new() -> Result<Self, NoAnswer> {
        Self::trusting(&Authorities::default())
    }

    /// A client that trusts these authorities as well.
    ///
    /// # Errors
    /// When the system's certificates cannot be read.
    pub fn trusting(authorities: &Authorities) -> Result<Self, NoAnswer> {
        let no_network = |error| NoAnswer {
            url: "the network".to_owned(),
            reason: reason(&error),
        };
        Ok(Self {
            client: network::client(authorities).map_err(no_network)?,
        })
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn post(&self, url: &str, token: Option<&Secret>, body: &str) -> Result<HttpAnswer, NoAnswer> {
        let request = || {
            let request = self
                .client
                .post(url)
                .header("content-type", "application/json")
                .body(body.to_owned());
            token
                .iter()
                .fold(request, |request, token| request.bearer_auth(token.expose()))
        };
        self.send(url, request).await
    }

    async fn get(&self, url: &str) -> Result<HttpAnswer, NoAnswer> {
        self.send(url, || self.client.get(url)).await
    }
}

impl HttpTransport {
    /// Sends a request, and again when the issuer asks to come back a little later: it has done nothing then.
    async fn send(
        &self,
        url: &str,
        request: impl Fn() -> reqwest::RequestBuilder,
    ) -> Result<HttpAnswer, NoAnswer> {
        for _ in 1..ATTEMPTS_MAX {
            let (answer, retry_after) = self.send_once(url, request()).await?;
            match retry_after {
                Some(wait) if answer.status == TOO_MANY_REQUESTS && wait <= WAIT_MAX => {
                    tokio::time::sleep(wait).await
                }
                Some(_) | None => return Ok(answer),
            }
        }
        self.send_once(url, request()).await.map(|(answer, _)| answer)
    }

    async fn send_once(
        &self,
        url: &str,
        request: reqwest::RequestBuilder,
    ) -> Result<(HttpAnswer, Option<Duration>), NoAnswer> {
        let no_answer = |reason: String| NoAnswer {
            url: url.to_owned(),
            reason,
        };
        let mut response = request
            .timeout(ANSWER_DURATION_MAX)
            .send()
            .await
            .map_err(|error| no_answer(reason(&error)))?;
        let error_word = response
            .headers()
            .get(ERROR_HEADER)
            .and_then(|word| word.to_str().ok())
            .map(str::to_owned);
        let (status, retry_after) = (response.status().as_u16(), network::retry_after(&response));
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| no_answer(reason(&error)))?
        {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_BYTES_MAX {
                return Err(no_answer(format!(
                    "the answer has more than {ANSWER_BYTES_MAX} bytes"
                )));
            }
        }
        Ok((
            HttpAnswer {
                status,
                error_word,
                body,
            },
            retry_after,
        ))
    }
}

/// Why a message was not answered with what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExchangeError {
    /// The issuer says no: nothing was done.
    #[error("the issuer refuses: {description}")]
    Refused {
        /// The fixed word.
        word: String,
        /// The issuer's words, which begin with the fixed word.
        description: String,
    },
    /// The signatures come later: the request is accepted, or a mint waits until its account has enough.
    #[error("the issuer will sign later ({description})")]
    Delayed {
        /// The issuer's words: for what it waits.
        description: String,
    },
    /// Accepted; mint keys were revoked since, and what they were to sign is honoured by a recoup.
    #[error(
        "the issuer has accepted the request and has revoked mint keys since; `opencoin wallet recoup` makes fresh coins of it"
    )]
    Recoup,
    /// No answer, or one that says nothing about what was done. The same request must be sent again.
    #[error("{0}")]
    Unknown(String),
}

/// Posts to a path of one of the services; the lower weight first, the next one when there is no connection.
pub(crate) async fn post(
    transport: &dyn Transport,
    services: &[WeightedUrl],
    path: &str,
    token: Option<&Secret>,
    body: &str,
) -> Result<HttpAnswer, ExchangeError> {
    let mut unanswered = None;
    for url in urls(services, path) {
        match (transport.post(&url, token, body).await, &unanswered) {
            // Another service may have carried it out without a word.
            (Ok(answer), Some(earlier)) if is_about_the_asker(&answer) => {
                return Err(ExchangeError::Unknown(format!(
                    "{earlier}, and HTTP status {} from another service",
                    answer.status
                )));
            }
            (Ok(answer), _) => return Ok(answer),
            (Err(error), _) => unanswered = Some(error.to_string()),
        }
    }
    Err(ExchangeError::Unknown(unanswered.unwrap_or_else(|| {
        "the currency names no service for this".to_owned()
    })))
}

fn is_about_the_asker(answer: &HttpAnswer) -> bool {
    answer
        .error_word
        .as_ref()
        .is_some_and(|word| ABOUT_THE_ASKER.contains(&word.as_str()))
}

fn urls(services: &[WeightedUrl], path: &str) -> impl Iterator<Item = String> {
    let mut services: Vec<&WeightedUrl> = services.iter().collect();
    services.sort_by_key(|service| service.0);
    services
        .into_iter()
        .map(move |WeightedUrl(_, base)| format!("{}{path}", base.trim_end_matches('/')))
}

/// The serial of the CDD that an issuer calls current.
pub(crate) async fn fetch_cdd_serial(
    transport: &dyn Transport,
    services: &[WeightedUrl],
) -> Result<u64, ExchangeError> {
    let request = RequestCddSerial { message_reference: 0 };
    let answer = post(
        transport,
        services,
        "/cddc/serial",
        None,
        &text::compact(&request),
    )
    .await?;
    Ok(document::<ResponseCddSerial>(&answer)?.cdd_serial)
}

/// The CDDC of a serial; 0 asks for the one that the issuer calls current.
pub(crate) async fn fetch_cddc(
    transport: &dyn Transport,
    services: &[WeightedUrl],
    cdd_serial: u64,
) -> Result<Cddc, ExchangeError> {
    let request = RequestCddc {
        cdd_serial,
        message_reference: 0,
    };
    let answer = post(transport, services, "/cddc", None, &text::compact(&request)).await?;
    let cddc = document::<ResponseCddc>(&answer)?
        .cddc
        .filter(|cddc| [0, cddc.cdd.cdd_serial].contains(&cdd_serial));
    cddc.ok_or_else(|| ExchangeError::Unknown("the issuer has answered without the CDDC".to_owned()))
}

/// The mint keys that an issuer has revoked. One that does not know the question has revoked none.
pub(crate) async fn fetch_revocations(
    transport: &dyn Transport,
    services: &[WeightedUrl],
) -> Result<Vec<RevokedKey>, ExchangeError> {
    #[derive(Deserialize)]
    struct Revocations {
        mint_keys: Vec<RevokedKey>,
    }
    let mut last = "the currency names no service for this".to_owned();
    for url in urls(services, "/v1/revocations") {
        match transport.get(&url).await {
            Ok(answer) if answer.status == NOT_FOUND => return Ok(Vec::new()),
            Ok(answer) if answer.status == OK => {
                let read = serde_json::from_slice::<Revocations>(&answer.body);
                let wrong =
                    |error| ExchangeError::Unknown(format!("not a list of revoked mint keys: {error}"));
                return read.map(|revocations| revocations.mint_keys).map_err(wrong);
            }
            Ok(answer) => last = format!("no revocations from {url}: HTTP status {}", answer.status),
            Err(error) => last = error.to_string(),
        }
    }
    Err(ExchangeError::Unknown(last))
}

/// Mint key certificates; those with these ids, or all current ones.
pub(crate) async fn fetch_mkcs(
    transport: &dyn Transport,
    services: &[WeightedUrl],
    mint_key_ids: Vec<opencoin_schema::BigInt>,
) -> Result<Vec<Mkc>, ExchangeError> {
    let request = RequestMintKeyCertificates {
        denominations: Vec::new(),
        message_reference: 0,
        mint_key_ids,
    };
    let answer = post(transport, services, "/mkcs", None, &text::compact(&request)).await?;
    Ok(document::<ResponseMintKeyCertificates>(&answer)?.keys)
}

/// The signatures of a `response mint`.
pub(crate) fn signatures(answer: &HttpAnswer) -> Result<Vec<BlindSignature>, ExchangeError> {
    if answer.status == ACCEPTED
        && let Ok(delay) = from_json::<ResponseDelay>(&answer.body)
    {
        return Err(ExchangeError::Delayed {
            description: printable(&delay.status_description),
        });
    }
    Ok(document::<ResponseMint>(answer)?.blind_signatures)
}

/// A `response redeem`.
pub(crate) fn redeemed(answer: &HttpAnswer) -> Result<(), ExchangeError> {
    document::<ResponseRedeem>(answer).map(|_| ())
}

fn document<D: Document>(answer: &HttpAnswer) -> Result<D, ExchangeError> {
    /// What every response has.
    #[derive(Deserialize)]
    struct Status {
        status_description: Option<String>,
        detail: Option<String>,
    }
    if answer.status == OK {
        return from_json(&answer.body)
            .map_err(|error| ExchangeError::Unknown(format!("not a {:?}: {error}", <D as TypeName>::TYPE)));
    }
    let status: Option<Status> = serde_json::from_slice(&answer.body).ok();
    let said = status.and_then(|status| status.status_description.or(status.detail));
    let said = said.map(|said| printable(&said.chars().take(SHOWN_CHARS_MAX).collect::<String>()));
    let description = said.unwrap_or_else(|| format!("HTTP status {}", answer.status));
    match &answer.error_word {
        Some(word) if word == RECOUP => Err(ExchangeError::Recoup),
        Some(word) if REFUSALS.contains(&word.as_str()) && (400..500).contains(&answer.status) => {
            Err(ExchangeError::Refused {
                word: word.clone(),
                description,
            })
        }
        // Without a fixed word it is not the issuer that speaks, but something between.
        Some(_) | None => Err(ExchangeError::Unknown(description)),
    }
}
