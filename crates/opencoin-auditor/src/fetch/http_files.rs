//! Files over HTTP.

use std::time::Duration;

use async_trait::async_trait;
use opencoin_log_reader::{Download, DownloadError, Downloaded};
use reqwest::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use reqwest::{Client, ClientBuilder, Response, redirect};
use url::{Origin, Url};

use super::public_addresses::{PublicResolver, is_local, require_public_number};

/// The longest time for a connection.
const CONNECT_DURATION_MAX: Duration = Duration::from_secs(5);
/// The longest time for a file, or for the answer to a message.
const FILE_DURATION_MAX: Duration = Duration::from_secs(10);

/// Gets files over HTTP from servers that the operator of this auditor has named, without following redirects.
#[derive(Debug, Clone)]
pub(crate) struct HttpFiles {
    /// Goes to every address.
    any: Client,
    /// Goes to public addresses only.
    public: Client,
}

/// Gets files from the issuer of a currency and from servers that its description names. The issuer says where these are,
/// so nothing is asked of servers that are not on the public Internet, except of peers that the operator of this auditor
/// has named. A currency that itself is in the operator's network may have everything there.
#[derive(Debug, Clone)]
pub(crate) struct CurrencyFiles {
    files: HttpFiles,
    /// The peers.
    named: Vec<Origin>,
    is_local: bool,
}

impl HttpFiles {
    /// # Errors
    /// TLS cannot be initialized.
    pub(crate) fn new() -> Result<Self, DownloadError> {
        let built = |builder: ClientBuilder| builder.build().map_err(|error| said(&error));
        Ok(Self {
            any: built(client())?,
            // A proxy would resolve the names.
            public: built(client().dns_resolver(PublicResolver).no_proxy())?,
        })
    }

    /// For what the URL of a currency and its description name. The operator has named the peers. Whose name is in the URL
    /// decides where it leads.
    pub(crate) fn of_currency(&self, url: &str, peers: &[String]) -> CurrencyFiles {
        let own = Url::parse(url).ok();
        let peers = peers.iter().filter_map(|peer| Url::parse(peer).ok());
        CurrencyFiles {
            files: self.clone(),
            is_local: own.as_ref().is_some_and(is_local),
            named: peers.map(|url| url.origin()).collect(),
        }
    }

    /// Sends JSON. Returns the status, and when to come again if the server says so. The body is not read.
    pub(crate) async fn post(
        &self,
        url: &str,
        json: String,
    ) -> Result<(u16, Option<Duration>), DownloadError> {
        let request = self
            .any
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .body(json);
        let response = request.send().await.map_err(|error| said(&error))?;
        let retry_after = response.headers().get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
        Ok((response.status().as_u16(), retry_after.map(Duration::from_secs)))
    }
}

#[async_trait]
impl Download for HttpFiles {
    async fn download(&self, url: &str, bytes_max: usize) -> Result<Downloaded, DownloadError> {
        get(&self.any, url, bytes_max).await
    }
}

#[async_trait]
impl Download for CurrencyFiles {
    async fn download(&self, url: &str, bytes_max: usize) -> Result<Downloaded, DownloadError> {
        let parsed = Url::parse(url).map_err(|error| DownloadError(error.to_string()))?;
        if self.is_local || self.named.contains(&parsed.origin()) {
            return self.files.download(url, bytes_max).await;
        }
        require_public_number(&parsed).map_err(|error| DownloadError(error.to_string()))?;
        get(&self.files.public, url, bytes_max).await
    }
}

/// A redirect could lead anywhere.
fn client() -> ClientBuilder {
    Client::builder()
        .connect_timeout(CONNECT_DURATION_MAX)
        .timeout(FILE_DURATION_MAX)
        .redirect(redirect::Policy::none())
}

async fn get(client: &Client, url: &str, bytes_max: usize) -> Result<Downloaded, DownloadError> {
    let response = client.get(url).send().await.map_err(|error| said(&error))?;
    let location = response.headers().get(LOCATION);
    let location = location.and_then(|location| location.to_str().ok());
    Ok(Downloaded {
        status: response.status().as_u16(),
        location: location.map(str::to_owned),
        body: read(response, bytes_max).await?,
    })
}

async fn read(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, DownloadError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| said(&error))? {
        if body.len() + chunk.len() > bytes_max {
            return Err(DownloadError(format!(
                "the answer is longer than {bytes_max} bytes"
            )));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The cause, which the outer error does not name.
fn said(error: &reqwest::Error) -> DownloadError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    DownloadError(opencoin_text::printable(&cause.to_string()))
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::StatusCode;
    use axum::response::Redirect;
    use axum::routing::get;
    use tokio::net::TcpListener;

    use super::super::public_addresses::NotPublic;
    use super::*;

    const BYTES_MAX: usize = 100;

    /// A server on loopback, and its port.
    async fn server() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = Router::new()
            .route("/secret", get(|| async { "secret" }))
            .route("/away", get(|| async { Redirect::temporary("/secret") }));
        tokio::spawn(async move { axum::serve(listener, router).await });
        port
    }

    #[tokio::test]
    async fn a_public_issuer_cannot_send_an_auditor_into_its_own_network() {
        let port = server().await;
        let files = HttpFiles::new()
            .unwrap()
            .of_currency("https://issuer.example", &[]);
        for host in [
            "127.0.0.1",
            "2130706433",
            "[::ffff:127.0.0.1]",
            "0.0.0.0",
            "localhost",
        ] {
            let url = format!("http://{host}:{port}/secret");
            let answer = files.download(&url, BYTES_MAX).await;
            assert_eq!(answer, Err(DownloadError(NotPublic.to_string())), "{url}");
        }
    }

    #[tokio::test]
    async fn what_the_operator_has_named_is_asked_wherever_it_is() {
        let port = server().await;
        let base = format!("http://127.0.0.1:{port}");
        let files = HttpFiles::new().unwrap();
        for files in [
            files.of_currency("http://localhost:1", &[]),
            files.of_currency("https://issuer.example", std::slice::from_ref(&base)),
        ] {
            let answer = files.download(&format!("{base}/secret"), BYTES_MAX).await;
            assert_eq!(answer.unwrap().body, b"secret");
            let answer = files.download(&format!("{base}/away"), BYTES_MAX).await.unwrap();
            assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT.as_u16());
        }
    }
}
