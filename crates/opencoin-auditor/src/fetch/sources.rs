//! The servers that have a log.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use opencoin_log::bundle::ENTRY_BYTES_MAX;
use opencoin_log::tile::{Resource, TILE_BYTES, TILE_HASHES, TilePath, TileWidth};
use opencoin_log_reader::Download;
use thiserror::Error;

const OK: u16 = 200;
const TOO_MANY_REQUESTS: u16 = 429;
/// How often a server is asked again that wants fewer requests.
const BUSY_ATTEMPTS_MAX: u32 = 5;
/// The wait before it is asked again, which doubles each time.
const BUSY_PAUSE: Duration = Duration::from_millis(500);
/// The longest bundle.
const BUNDLE_BYTES_MAX: usize = TILE_HASHES as usize * (2 + ENTRY_BYTES_MAX);

/// A log cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum FetchError {
    /// No server has the file.
    #[error("{0}")]
    Unreachable(String),
    /// The files of all servers belong to another tree.
    #[error("{0}: the file does not belong to the checkpoint")]
    OtherFiles(String),
}

/// Servers that may have a log: the prefixes of its files. One that answered well is asked first the next time.
pub(crate) struct Sources {
    files: Arc<dyn Download>,
    /// Without slashes at their ends.
    prefixes: Vec<String>,
    preferred: AtomicUsize,
}

impl Sources {
    pub(crate) fn new(files: Arc<dyn Download>, prefixes: impl IntoIterator<Item = String>) -> Self {
        let mut unique: Vec<String> = Vec::new();
        for prefix in prefixes {
            let prefix = prefix.trim_end_matches('/').to_owned();
            if !unique.contains(&prefix) {
                unique.push(prefix);
            }
        }
        Self {
            files,
            prefixes: unique,
            preferred: AtomicUsize::new(0),
        }
    }

    /// What gets the files.
    pub(crate) fn files(&self) -> Arc<dyn Download> {
        Arc::clone(&self.files)
    }

    /// All prefixes, in the order in which they are asked.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = &str> {
        let first = self.preferred.load(Ordering::Relaxed);
        let (before, from) = self.prefixes.split_at(first.min(self.prefixes.len()));
        from.iter().chain(before).map(String::as_str)
    }

    /// Gets a file from the first server whose file `check` accepts.
    ///
    /// # Errors
    /// No server has it.
    pub(crate) async fn get<T>(
        &self,
        path: TilePath,
        check: impl Fn(Vec<u8>) -> Option<T>,
    ) -> Result<T, FetchError> {
        let mut failure = FetchError::Unreachable("nobody is known who has the log".to_owned());
        for prefix in self.prefixes() {
            match self.get_from(prefix, path).await {
                Ok(bytes) => match check(bytes) {
                    Some(checked) => {
                        let place = self.prefixes.iter().position(|other| other == prefix);
                        self.preferred.store(place.unwrap_or(0), Ordering::Relaxed);
                        return Ok(checked);
                    }
                    None => failure = FetchError::OtherFiles(format!("{prefix}/{path}")),
                },
                // Wrong files say more than a server that is away.
                Err(error) if matches!(failure, FetchError::Unreachable(_)) => failure = error,
                Err(_) => {}
            }
        }
        Err(failure)
    }

    /// Gets a file, or the full one that begins with it.
    async fn get_from(&self, prefix: &str, path: TilePath) -> Result<Vec<u8>, FetchError> {
        let full = TilePath {
            width: TileWidth::FULL,
            ..path
        };
        match self.get_one(prefix, path).await {
            Err(_) if full != path => self.get_one(prefix, full).await,
            got => got,
        }
    }

    async fn get_one(&self, prefix: &str, path: TilePath) -> Result<Vec<u8>, FetchError> {
        let bytes_max = match path.resource {
            Resource::Tile(_) => TILE_BYTES,
            Resource::Entries(_) => BUNDLE_BYTES_MAX,
        };
        let url = format!("{prefix}/{path}");
        let mut pause = BUSY_PAUSE;
        for _ in 0..BUSY_ATTEMPTS_MAX {
            let answer = self.files.download(&url, bytes_max).await;
            let answer = answer.map_err(|error| FetchError::Unreachable(format!("{url}: {error}")))?;
            match answer.status {
                OK => return Ok(answer.body),
                TOO_MANY_REQUESTS => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                status => return Err(FetchError::Unreachable(format!("{url}: HTTP status {status}"))),
            }
        }
        Err(FetchError::Unreachable(format!(
            "{url}: the server wants fewer requests"
        )))
    }
}
