//! Downloads files of a log within limits.
//!
//! Whoever serves the log is not trusted, so each file has a greatest size, and a part of a check has a greatest number
//! of files and of bytes. Redirects are not followed. No path names a leaf: the paths are those of the checkpoint, of
//! tiles and of bundles, and below the issuer's services those of the list of mint keys and of the batches.

use std::sync::Arc;
use std::time::Duration;

use opencoin_log::bundle::ENTRY_BYTES_MAX;
use opencoin_log::note::NOTE_BYTES_MAX;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log::tile::{Resource, TILE_BYTES, TILE_HASHES, TilePath, TileWidth};
use serde::de::DeserializeOwned;

use crate::download::{Download, Downloaded};
use crate::error::LogReadError;

const OK: u16 = 200;
const NOT_FOUND: u16 = 404;
/// The longest time for one file.
const FILE_DURATION_MAX: Duration = Duration::from_secs(10);
/// The most files of one part of a check.
const FILES_MAX: usize = 8192;
/// The most bytes of one part of a check: thirteen thousand bundles of leaves about coins.
const BYTES_MAX: usize = 128 * 1024 * 1024;
/// The longest bundle: 256 of the longest entries, each after its length in two bytes.
const BUNDLE_BYTES_MAX: usize = TILE_HASHES as usize * (2 + ENTRY_BYTES_MAX);
/// The longest answer with positions: the list of some ten thousand mint keys.
const HINT_BYTES_MAX: usize = 1024 * 1024;

/// Reads the files of one log, from the log itself or from a copy.
pub struct LogReader {
    files: Arc<dyn Download>,
    /// Without a slash at its end.
    prefix: String,
    files_left: usize,
    bytes_left: usize,
}

impl LogReader {
    /// Reads the log whose files begin with `prefix`, a URL.
    #[must_use]
    pub fn new(files: Arc<dyn Download>, prefix: &str) -> Self {
        Self {
            files,
            prefix: prefix.trim_end_matches('/').to_owned(),
            files_left: FILES_MAX,
            bytes_left: BYTES_MAX,
        }
    }

    /// Allows as many files and bytes as at the beginning.
    pub fn begin_part(&mut self) {
        (self.files_left, self.bytes_left) = (FILES_MAX, BYTES_MAX);
    }

    /// Downloads the newest checkpoint. Nothing about it is verified.
    ///
    /// # Errors
    /// The log does not answer, or not with a checkpoint, or this part has read too much.
    pub async fn checkpoint(&mut self) -> Result<SignedCheckpoint, LogReadError> {
        let url = format!("{}/checkpoint", self.prefix);
        let answer = self.get(&url, NOTE_BYTES_MAX).await?;
        read_checkpoint(&url, answer)
    }

    /// Downloads the newest checkpoint with the joint signature of a currency's auditors; `None` if the server has none.
    /// Nothing about it is verified.
    ///
    /// # Errors
    /// The log does not answer, or not with a checkpoint, or this part has read too much.
    pub async fn joint_checkpoint(&mut self) -> Result<Option<SignedCheckpoint>, LogReadError> {
        let url = format!("{}/checkpoint.joint", self.prefix);
        let answer = self.get(&url, NOTE_BYTES_MAX).await?;
        match answer.status {
            NOT_FOUND => Ok(None),
            _ => read_checkpoint(&url, answer).map(Some),
        }
    }

    /// Downloads a tile or a bundle. If its partial form is gone, downloads the full one, which begins with it.
    ///
    /// # Errors
    /// The log does not answer, or not with a file of this path, or this part has read too much.
    pub async fn file(&mut self, path: TilePath) -> Result<Vec<u8>, LogReadError> {
        let bytes_max = match path.resource {
            Resource::Tile(_) => TILE_BYTES,
            Resource::Entries(_) => BUNDLE_BYTES_MAX,
        };
        let url = format!("{}/{path}", self.prefix);
        let answer = self.get(&url, bytes_max).await?;
        if answer.status == OK || path.width.is_full() {
            return expect_ok(&url, answer);
        }
        let width = TileWidth::FULL;
        let url = format!("{}/{}", self.prefix, TilePath { width, ..path });
        let answer = self.get(&url, bytes_max).await?;
        expect_ok(&url, answer)
    }

    /// Downloads what says where something is in the log; `None` when the server does not know it.
    ///
    /// # Errors
    /// The server does not answer, or not in this form, or this part has read too much.
    pub async fn hint<D: DeserializeOwned>(&mut self, url: &str) -> Result<Option<D>, LogReadError> {
        let answer = self.get(url, HINT_BYTES_MAX).await?;
        if answer.status == NOT_FOUND {
            return Ok(None);
        }
        let body = expect_ok(url, answer)?;
        let hint = serde_json::from_slice(&body);
        hint.map(Some)
            .map_err(|_| unreachable_because(url, "the answer is not of the expected form"))
    }

    async fn get(&mut self, url: &str, bytes_max: usize) -> Result<Downloaded, LogReadError> {
        self.files_left = self.files_left.checked_sub(1).ok_or(LogReadError::TooMuch)?;
        let download = self.files.download(url, bytes_max);
        let answer = match tokio::time::timeout(FILE_DURATION_MAX, download).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(unreachable_because(url, &error.0)),
            Err(_) => return Err(unreachable_because(url, "no answer in time")),
        };
        let left = self.bytes_left.checked_sub(answer.body.len());
        self.bytes_left = left.ok_or(LogReadError::TooMuch)?;
        Ok(answer)
    }
}

fn read_checkpoint(url: &str, answer: Downloaded) -> Result<SignedCheckpoint, LogReadError> {
    let body = expect_ok(url, answer)?;
    let checkpoint = String::from_utf8(body).ok().and_then(|text| text.parse().ok());
    checkpoint.ok_or_else(|| unreachable_because(url, "the answer is not a checkpoint"))
}

fn expect_ok(url: &str, answer: Downloaded) -> Result<Vec<u8>, LogReadError> {
    match (answer.status, &answer.location) {
        (OK, _) => Ok(answer.body),
        (status, Some(location)) => {
            let reason = format!("HTTP status {status} points to {location}; redirects are not followed");
            Err(unreachable_because(url, &reason))
        }
        (status, None) => Err(unreachable_because(url, &format!("HTTP status {status}"))),
    }
}

fn unreachable_because(url: &str, reason: &str) -> LogReadError {
    LogReadError::Unreachable {
        url: url.to_owned(),
        reason: opencoin_text::printable(reason),
    }
}
