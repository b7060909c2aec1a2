//! How files reach this machine: over HTTP, or from a folder.

use async_trait::async_trait;
use thiserror::Error;

/// Gets files that anybody may read.
#[async_trait]
pub trait Download: Send + Sync {
    /// Gets the file once, without following redirects. Its body has at most `bytes_max` bytes.
    ///
    /// # Errors
    /// No answer arrived, or a longer one.
    async fn download(&self, url: &str, bytes_max: usize) -> Result<Downloaded, DownloadError>;
}

/// What a server has answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Downloaded {
    /// The HTTP status, or the one that fits.
    pub status: u16,
    /// The target of a redirect.
    pub location: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// No answer arrived, for the reason that this text gives.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct DownloadError(pub String);
