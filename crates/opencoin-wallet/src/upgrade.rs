//! Connections that become another protocol, such as WebSocket, over the same network as all requests.

use std::fmt;

use reqwest::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue, UPGRADE};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::network::{self, ANSWER_DURATION_MAX, Network, NoAnswer, reason};
use crate::proxy::ConnectionKind;

/// The longest part of a refusal that is read.
const REFUSAL_BYTES_MAX: usize = 8 * 1024;

/// Opens connections that become another protocol.
#[derive(Debug, Clone)]
pub struct Upgrader {
    client: reqwest::Client,
}

/// A connection that speaks the other protocol now.
pub trait Upgraded: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Upgraded for T {}

/// The result of a request for another protocol.
pub enum Upgrade {
    /// The server has switched, with these headers.
    Switched(Box<dyn Upgraded>, HeaderMap),
    /// The server has not switched.
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the server says, for the user.
        text: String,
    },
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switched(..) => formatter.write_str("Switched(..)"),
            Self::Refused { status, .. } => write!(formatter, "Refused({status})"),
        }
    }
}

impl Network {
    /// Makes what opens such connections.
    ///
    /// # Errors
    /// The certificate authorities of the system cannot be used.
    pub fn upgrader(&self) -> Result<Upgrader, NoAnswer> {
        let client = network::client(self, ConnectionKind::Live).map_err(|error| NoAnswer {
            url: "the network".to_owned(),
            reason: reason(&error),
            was_sent: false,
        })?;
        Ok(Upgrader { client })
    }
}

impl Upgrader {
    /// Asks the server at this URL to switch to `protocol`.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn upgrade(
        &self,
        url: &str,
        protocol: &'static str,
        headers: &[(&'static str, String)],
    ) -> Result<Upgrade, NoAnswer> {
        let no_answer = |reason: String| NoAnswer {
            url: url.to_owned(),
            reason,
            was_sent: true,
        };
        let mut request = self
            .client
            .get(url)
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, protocol);
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).map_err(|error| no_answer(error.to_string()))?;
            request = request.header(HeaderName::from_static(name), value);
        }
        let answered = tokio::time::timeout(ANSWER_DURATION_MAX, network::send(url, request)).await;
        let response = answered.map_err(|_| no_answer("it takes too long".to_owned()))??;
        if response.status() != reqwest::StatusCode::SWITCHING_PROTOCOLS {
            let status = response.status().as_u16();
            let answer = network::read_at_most(url, response, REFUSAL_BYTES_MAX).await?;
            let text = answer.description();
            return Ok(Upgrade::Refused { status, text });
        }
        let headers = response.headers().clone();
        let upgraded = response
            .upgrade()
            .await
            .map_err(|error| no_answer(reason(&error)))?;
        Ok(Upgrade::Switched(Box::new(upgraded), headers))
    }
}
