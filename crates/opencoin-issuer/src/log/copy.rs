//! A copy of a log: a folder or an HTTP server with the files of tlog-tiles. Whoever has it is not trusted.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use opencoin_log::bundle::{self, ENTRY_BYTES_MAX};
use opencoin_log::note::NOTE_BYTES_MAX;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log::tile::{Resource, TILE_HASHES, TilePath, TileWidth};
use reqwest::{Client, StatusCode, redirect};
use thiserror::Error;

/// The longest time for one file.
const FILE_DURATION_MAX: Duration = Duration::from_secs(30);
/// The longest bundle: 256 of the longest entries, each after its length in two bytes.
const BUNDLE_BYTES_MAX: usize = TILE_HASHES as usize * (2 + ENTRY_BYTES_MAX);

/// A copy of a log.
#[derive(Debug)]
pub struct LogCopy(Place);

#[derive(Debug)]
enum Place {
    Folder(PathBuf),
    /// The prefix of the log, without a slash at its end.
    Server(Client, String),
}

/// A file of a copy cannot be used.
#[derive(Debug, Error)]
#[error("{place}: {reason}")]
pub struct CopyError {
    place: String,
    reason: String,
}

impl LogCopy {
    /// The copy at a URL, which is the prefix of the log, or in a folder.
    ///
    /// # Errors
    /// When TLS cannot be initialized.
    pub fn new(from: &str) -> Result<Self, CopyError> {
        if !from.starts_with("http://") && !from.starts_with("https://") {
            return Ok(Self(Place::Folder(from.into())));
        }
        let client = Client::builder()
            .timeout(FILE_DURATION_MAX)
            .redirect(redirect::Policy::none())
            .build();
        let client = client.map_err(|error| CopyError {
            place: from.to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Self(Place::Server(client, from.trim_end_matches('/').to_owned())))
    }

    /// The newest checkpoint. Nothing about it is verified.
    ///
    /// # Errors
    /// When there is none.
    pub async fn checkpoint(&self) -> Result<SignedCheckpoint, CopyError> {
        const NAME: &str = "checkpoint";
        let bytes = self.file(NAME, NOTE_BYTES_MAX).await?;
        let bytes = bytes.ok_or_else(|| self.error(NAME, "there is no such file"))?;
        let checkpoint = String::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
        checkpoint.ok_or_else(|| self.error(NAME, "it is not a checkpoint"))
    }

    /// The first entries of a bundle. If its partial form is gone, the full one is read, which begins with it.
    ///
    /// # Errors
    /// When they are not there.
    pub async fn entries(&self, index: u64, width: TileWidth) -> Result<Vec<Vec<u8>>, CopyError> {
        let resource = Resource::Entries(index);
        let name = TilePath { resource, width }.to_string();
        let mut bytes = self.file(&name, BUNDLE_BYTES_MAX).await?;
        if bytes.is_none() && !width.is_full() {
            let width = TileWidth::FULL;
            let full = TilePath { resource, width }.to_string();
            bytes = self.file(&full, BUNDLE_BYTES_MAX).await?;
        }
        let bytes = bytes.ok_or_else(|| self.error(&name, "there is no such file"))?;
        let malformed = |_| self.error(&name, "it is not a bundle of entries");
        let prefix = bundle::prefix(&bytes, width).map_err(malformed)?;
        let entries = bundle::decode(prefix, width).map_err(malformed)?;
        Ok(entries.map(<[u8]>::to_vec).collect())
    }

    /// A file; `None` if there is none.
    async fn file(&self, name: &str, bytes_max: usize) -> Result<Option<Vec<u8>>, CopyError> {
        match &self.0 {
            Place::Folder(folder) => match tokio::fs::read(folder.join(name)).await {
                Ok(bytes) if bytes.len() > bytes_max => Err(self.error(name, "it is too long")),
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(self.error(name, error)),
            },
            Place::Server(client, prefix) => {
                let sent = client.get(format!("{prefix}/{name}")).send().await;
                let mut response = sent.map_err(|error| self.error(name, error))?;
                match response.status() {
                    StatusCode::OK => {}
                    StatusCode::NOT_FOUND => return Ok(None),
                    other => return Err(self.error(name, format!("the server answers {other}"))),
                }
                let mut body = Vec::new();
                while let Some(chunk) = response.chunk().await.map_err(|error| self.error(name, error))? {
                    body.extend_from_slice(&chunk);
                    if body.len() > bytes_max {
                        return Err(self.error(name, "it is too long"));
                    }
                }
                Ok(Some(body))
            }
        }
    }

    fn error(&self, name: &str, reason: impl ToString) -> CopyError {
        let place = match &self.0 {
            Place::Folder(folder) => folder.join(name).display().to_string(),
            Place::Server(_, prefix) => format!("{prefix}/{name}"),
        };
        let reason = reason.to_string();
        CopyError { place, reason }
    }
}
