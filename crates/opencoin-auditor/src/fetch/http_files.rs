//! Files over HTTP.

use std::time::Duration;

use async_trait::async_trait;
use opencoin_log_reader::{Download, DownloadError, Downloaded};
use reqwest::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use reqwest::{Client, Response, redirect};

/// The longest time for a connection.
const CONNECT_DURATION_MAX: Duration = Duration::from_secs(5);
/// The longest time for a file, or for the answer to a message.
const FILE_DURATION_MAX: Duration = Duration::from_secs(10);

/// Gets files over HTTP, without following redirects.
#[derive(Debug, Clone)]
pub(crate) struct HttpFiles(Client);

impl HttpFiles {
    /// # Errors
    /// TLS cannot be initialized.
    pub(crate) fn new() -> Result<Self, DownloadError> {
        let client = Client::builder()
            .connect_timeout(CONNECT_DURATION_MAX)
            .timeout(FILE_DURATION_MAX)
            .redirect(redirect::Policy::none())
            .build();
        client.map(Self).map_err(|error| said(&error))
    }
}

impl HttpFiles {
    /// Sends JSON. Returns the status, and when to come again if the server says so. The body is not read.
    pub(crate) async fn post(
        &self,
        url: &str,
        json: String,
    ) -> Result<(u16, Option<Duration>), DownloadError> {
        let request = self
            .0
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
        let response = self.0.get(url).send().await.map_err(|error| said(&error))?;
        let location = response.headers().get(LOCATION);
        let location = location.and_then(|location| location.to_str().ok());
        Ok(Downloaded {
            status: response.status().as_u16(),
            location: location.map(str::to_owned),
            body: read(response, bytes_max).await?,
        })
    }
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
