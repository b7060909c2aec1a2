//! The files of a log, over the wallet's transport.

use std::sync::Arc;

use async_trait::async_trait;
use opencoin_log_reader::{Download, DownloadError, Downloaded};

use crate::transport::Transport;

/// Downloads over a transport.
pub(crate) struct LogFiles(pub(crate) Arc<dyn Transport>);

#[async_trait]
impl Download for LogFiles {
    async fn download(&self, url: &str, bytes_max: usize) -> Result<Downloaded, DownloadError> {
        let answer = self.0.download(url, bytes_max).await;
        let answer = answer.map_err(|error| DownloadError(error.reason))?;
        Ok(Downloaded {
            status: answer.status,
            location: answer.location,
            body: answer.body,
        })
    }
}
