//! The way to an issuer: HTTP, or a test's own.
//!
//! Requests with an account's token and requests without one use different connections. A renew that shared
//! the connection of a redeem would tell the issuer whose coins it renews.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;

use crate::network::{self, ANSWER_DURATION_MAX, Authorities, HttpAnswer, WAIT_MAX, reason};
use crate::secret::Secret;

/// A `response mint` of 1,000 signatures of 8192-bit keys has 2.2 MB.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
const TOO_MANY_REQUESTS: u16 = 429;
/// How often a request is sent when the issuer asks to come back later.
const ATTEMPTS_MAX: u32 = 4;

/// No answer came.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no answer from {url}: {reason}")]
pub struct NoAnswer {
    /// Where the request went.
    pub url: String,
    /// What happened.
    pub reason: String,
    /// Whether the request may have arrived: then it is not known what became of it. `false` when there was
    /// no connection, or no request could be made: then nothing was done.
    pub was_sent: bool,
}

/// The way to an issuer.
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
    async fn get(&self, url: &str, token: Option<&Secret>) -> Result<HttpAnswer, NoAnswer>;
}

/// HTTP with TLS where the URL says so.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    /// For requests that carry a token.
    of_account: reqwest::Client,
    /// For requests that do not.
    anonymous: reqwest::Client,
}

impl HttpTransport {
    /// A transport that trusts the system's certificate authorities.
    ///
    /// # Errors
    /// When the system's certificates cannot be read.
    pub fn new() -> Result<Self, NoAnswer> {
        Self::trusting(&Authorities::default())
    }

    /// A transport that trusts these authorities as well.
    ///
    /// # Errors
    /// When the system's certificates cannot be read.
    pub fn trusting(authorities: &Authorities) -> Result<Self, NoAnswer> {
        let client = || {
            network::client(authorities).map_err(|error| NoAnswer {
                url: "the network".to_owned(),
                reason: reason(&error),
                was_sent: false,
            })
        };
        Ok(Self {
            of_account: client()?,
            anonymous: client()?,
        })
    }

    fn client(&self, token: Option<&Secret>) -> &reqwest::Client {
        match token {
            Some(_) => &self.of_account,
            None => &self.anonymous,
        }
    }

    /// Sends a request, and again when the issuer asks to come back a little later: it has done nothing then.
    async fn send(
        &self,
        url: &str,
        token: Option<&Secret>,
        request: impl Fn() -> reqwest::RequestBuilder,
    ) -> Result<HttpAnswer, NoAnswer> {
        let request = || match token {
            Some(token) => request().bearer_auth(token.expose()),
            None => request(),
        };
        for _ in 1..ATTEMPTS_MAX {
            let answer = send_once(url, request()).await?;
            match answer.retry_after {
                Some(wait) if answer.status == TOO_MANY_REQUESTS && wait <= WAIT_MAX => {
                    tokio::time::sleep(wait).await
                }
                Some(_) | None => return Ok(answer),
            }
        }
        send_once(url, request()).await
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn post(&self, url: &str, token: Option<&Secret>, body: &str) -> Result<HttpAnswer, NoAnswer> {
        let request = || {
            self.client(token)
                .post(url)
                .header("content-type", "application/json")
                .body(body.to_owned())
        };
        self.send(url, token, request).await
    }

    async fn get(&self, url: &str, token: Option<&Secret>) -> Result<HttpAnswer, NoAnswer> {
        self.send(url, token, || self.client(token).get(url)).await
    }
}

async fn send_once(url: &str, request: reqwest::RequestBuilder) -> Result<HttpAnswer, NoAnswer> {
    let no_answer = |reason: String, was_sent: bool| NoAnswer {
        url: url.to_owned(),
        reason,
        was_sent,
    };
    let response = request
        .timeout(ANSWER_DURATION_MAX)
        .send()
        .await
        .map_err(|error| no_answer(reason(&error), !(error.is_connect() || error.is_builder())))?;
    network::read_answer(response, ANSWER_BYTES_MAX)
        .await
        .map_err(|reason| no_answer(reason, true))
}

/// A transport that remembers how far the issuer's clock is from this one.
pub(crate) struct ClockedTransport {
    inner: Arc<dyn Transport>,
    clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    /// The issuer's time less this machine's, at the last answer that named a time.
    difference: Mutex<Option<TimeDelta>>,
}

impl ClockedTransport {
    pub(crate) fn new(
        inner: Arc<dyn Transport>,
        clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    ) -> Self {
        Self {
            inner,
            clock,
            difference: Mutex::default(),
        }
    }

    /// The issuer's time less this machine's; `None` before the first answer.
    pub(crate) fn difference(&self) -> Option<TimeDelta> {
        *self.difference.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, answer: Result<HttpAnswer, NoAnswer>) -> Result<HttpAnswer, NoAnswer> {
        if let Ok(date) = answer.as_ref().map(|answer| answer.date)
            && let Some(date) = date
        {
            let difference = Some(date - (self.clock)());
            *self.difference.lock().unwrap_or_else(PoisonError::into_inner) = difference;
        }
        answer
    }
}

#[async_trait]
impl Transport for ClockedTransport {
    async fn post(&self, url: &str, token: Option<&Secret>, body: &str) -> Result<HttpAnswer, NoAnswer> {
        let answer = self.inner.post(url, token, body).await;
        self.note(answer)
    }

    async fn get(&self, url: &str, token: Option<&Secret>) -> Result<HttpAnswer, NoAnswer> {
        let answer = self.inner.get(url, token).await;
        self.note(answer)
    }
}

/// The transport of a wallet that is only looked at: it reaches nobody.
pub(crate) struct NoTransport;

#[async_trait]
impl Transport for NoTransport {
    async fn post(&self, url: &str, _: Option<&Secret>, _: &str) -> Result<HttpAnswer, NoAnswer> {
        Err(unreachable(url))
    }

    async fn get(&self, url: &str, _: Option<&Secret>) -> Result<HttpAnswer, NoAnswer> {
        Err(unreachable(url))
    }
}

fn unreachable(url: &str) -> NoAnswer {
    NoAnswer {
        url: url.to_owned(),
        reason: "the wallet was opened to be read only".to_owned(),
        was_sent: false,
    }
}
