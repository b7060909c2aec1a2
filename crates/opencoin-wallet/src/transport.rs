//! The wallet's connection to an issuer: HTTP, or a test double.
//!
//! Requests of an account, requests of a key account and requests of nobody use different connections. A renew that
//! shared the connection of a redeem would tell the issuer whose coins it renews. Files of the public log have a
//! connection of their own too, so that a look at the log is not tied to a request.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use opencoin_api::KEY_SCHEME;
use reqwest::header::AUTHORIZATION;

use crate::clock::Clock;
use crate::network::{self, HttpAnswer, Network, NoAnswer, Repeat, reason};
use crate::proxy::{ConnectionKind, SocksProxy};
use opencoin_api::Secret;

/// On whose behalf a request is sent.
#[derive(Debug, Clone, Copy)]
pub enum OnBehalf<'call> {
    /// Nobody's: it is about coins or documents.
    Nobody,
    /// An account's, with its token.
    Account(&'call Secret),
    /// A key account's. The order that its key has signed, if the header carries it and not the body.
    Key(Option<&'call str>),
}

/// Sends requests to issuers.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends a POST request with this body, or a GET request if there is no body.
    ///
    /// # Errors
    /// No answer arrived.
    async fn send(
        &self,
        url: &str,
        on_behalf: OnBehalf<'_>,
        body: Option<&str>,
    ) -> Result<HttpAnswer, NoAnswer>;

    /// Gets a file that anybody may read, once and without following redirects. Its body has at most `bytes_max`.
    ///
    /// # Errors
    /// No answer arrived, or a longer one.
    async fn download(&self, url: &str, bytes_max: usize) -> Result<HttpAnswer, NoAnswer>;
}

/// Sends requests over HTTP, with TLS if the URL says so.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    /// For requests that carry a token.
    of_account: reqwest::Client,
    /// For requests of key accounts.
    of_key: reqwest::Client,
    /// For requests that do not.
    anonymous: reqwest::Client,
    /// For files that anybody may read.
    of_files: reqwest::Client,
    /// For error texts.
    proxy: Option<SocksProxy>,
}

impl HttpTransport {
    /// Makes a transport for this network.
    ///
    /// # Errors
    /// The system's certificates cannot be read.
    pub fn new(network: &Network) -> Result<Self, NoAnswer> {
        let client = |kind| {
            network::client(network, kind).map_err(|error| NoAnswer {
                url: "the network".to_owned(),
                reason: reason(&error),
                was_sent: false,
            })
        };
        Ok(Self {
            of_account: client(ConnectionKind::Account)?,
            of_key: client(ConnectionKind::Key)?,
            anonymous: client(ConnectionKind::Anonymous)?,
            of_files: client(ConnectionKind::Files)?,
            proxy: network.proxy.clone(),
        })
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(
        &self,
        url: &str,
        on_behalf: OnBehalf<'_>,
        body: Option<&str>,
    ) -> Result<HttpAnswer, NoAnswer> {
        let request = || {
            let client = match on_behalf {
                OnBehalf::Nobody => &self.anonymous,
                OnBehalf::Account(_) => &self.of_account,
                OnBehalf::Key(_) => &self.of_key,
            };
            let request = match body {
                Some(body) => client
                    .post(url)
                    .header("content-type", "application/json")
                    .body(body.to_owned()),
                None => client.get(url),
            };
            match on_behalf {
                OnBehalf::Account(token) => request.bearer_auth(token.expose()),
                OnBehalf::Key(Some(order)) => {
                    request.header(AUTHORIZATION, format!("{KEY_SCHEME} {}", STANDARD.encode(order)))
                }
                OnBehalf::Nobody | OnBehalf::Key(None) => request,
            }
        };
        // The wallet itself repeats requests whose outcome is unknown, after a restart too.
        let exchanged = network::exchange(url, Repeat::Never, request).await;
        exchanged
            .answer
            .map_err(|error| error.through(self.proxy.as_ref()))
    }

    async fn download(&self, url: &str, bytes_max: usize) -> Result<HttpAnswer, NoAnswer> {
        let downloaded = network::download(url, self.of_files.get(url), bytes_max).await;
        downloaded.map_err(|error| error.through(self.proxy.as_ref()))
    }
}

/// A transport that measures the difference between the issuer's clock and the wallet's.
pub(crate) struct ClockedTransport {
    inner: Arc<dyn Transport>,
    clock: Clock,
    /// The issuer's time minus the wallet's, from the last answer with a date.
    difference: Mutex<Option<TimeDelta>>,
}

impl ClockedTransport {
    pub(crate) fn new(inner: Arc<dyn Transport>, clock: Clock) -> Self {
        Self {
            inner,
            clock,
            difference: Mutex::default(),
        }
    }

    /// Returns what sends the requests, for files whose dates do not matter.
    pub(crate) fn inner(&self) -> Arc<dyn Transport> {
        Arc::clone(&self.inner)
    }

    /// Returns the issuer's time minus the wallet's; `None` before the first answer.
    pub(crate) fn difference(&self) -> Option<TimeDelta> {
        *self.difference.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Transport for ClockedTransport {
    async fn send(
        &self,
        url: &str,
        on_behalf: OnBehalf<'_>,
        body: Option<&str>,
    ) -> Result<HttpAnswer, NoAnswer> {
        let answer = self.inner.send(url, on_behalf, body).await?;
        if let Some(date) = answer.date {
            let difference = Some(date - (self.clock)());
            *self.difference.lock().unwrap_or_else(PoisonError::into_inner) = difference;
        }
        Ok(answer)
    }

    async fn download(&self, url: &str, bytes_max: usize) -> Result<HttpAnswer, NoAnswer> {
        self.inner.download(url, bytes_max).await
    }
}

/// Why [`NoTransport`] sends nothing.
const READ_ONLY: &str = "the wallet was opened to be read only";

/// The transport of a wallet that was opened to be read: every request fails.
pub(crate) struct NoTransport;

#[async_trait]
impl Transport for NoTransport {
    async fn send(&self, url: &str, _: OnBehalf<'_>, _: Option<&str>) -> Result<HttpAnswer, NoAnswer> {
        Err(NoAnswer {
            url: url.to_owned(),
            reason: READ_ONLY.to_owned(),
            was_sent: false,
        })
    }

    async fn download(&self, url: &str, _: usize) -> Result<HttpAnswer, NoAnswer> {
        Err(NoAnswer {
            url: url.to_owned(),
            reason: READ_ONLY.to_owned(),
            was_sent: false,
        })
    }
}
