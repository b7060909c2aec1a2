//! Files of a log: from servers, or from the auditor's own copy.

use std::sync::Arc;

use async_trait::async_trait;
use opencoin_log::hash::Hash;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log::tile::{Resource, TilePath};
use opencoin_log_reader::{Beginning, Download, DownloadError, Downloaded, LogReader, LogTree};

use super::{FollowError, Follower};
use crate::log_files::LogCopy;
use crate::worker::Worker;

/// The prefix of the files of the auditor's own copy.
const COPY: &str = "copy:";
const OK: u16 = 200;
const NOT_FOUND: u16 = 404;

/// Reads the auditor's own copy as if it were a server's.
struct CopiedFiles {
    copy: LogCopy,
    size: u64,
}

#[async_trait]
impl Download for CopiedFiles {
    async fn download(&self, url: &str, bytes_max: usize) -> Result<Downloaded, DownloadError> {
        let path = url.strip_prefix(COPY).and_then(|path| path.strip_prefix('/'));
        let path = path.and_then(|path| path.parse::<TilePath>().ok());
        let Some(TilePath { resource, width }) = path else {
            return Ok(Downloaded {
                status: NOT_FOUND,
                ..Downloaded::default()
            });
        };
        let (copy, size) = (self.copy.clone(), self.size);
        let read = move || match resource {
            Resource::Tile(id) => copy.tile(id, width, size),
            Resource::Entries(index) => copy.bundle(index, width),
        };
        let read = tokio::task::spawn_blocking(read).await;
        let body = read.map_err(|error| DownloadError(error.to_string()))?;
        let body = body.map_err(|error| DownloadError(error.to_string()))?;
        if body.len() > bytes_max {
            return Err(DownloadError("the file is too long".to_owned()));
        }
        Ok(Downloaded {
            status: OK,
            location: None,
            body,
        })
    }
}

impl Follower {
    /// Reads the log from the server with this prefix.
    pub(super) fn reader(&self, prefix: &str) -> LogReader {
        let files = Arc::clone(&self.files);
        LogReader::new(files, prefix)
    }

    /// The tree of the auditor's own copy, of the first `size` entries, which are on the disk.
    pub(super) fn own_tree(&self, size: u64, root: Hash) -> LogTree {
        let copy = self.auditor.copy_of(&self.currency);
        LogTree::new(
            LogReader::new(Arc::new(CopiedFiles { copy, size }), COPY),
            size,
            root,
        )
    }

    /// What the tree of the newest checkpoint says about its first entries; `None` if that cannot be known yet.
    pub(super) async fn own_beginning(&self, size: u64) -> Result<Option<Beginning>, FollowError> {
        let Some(newest) = self.newest.as_ref().map(SignedCheckpoint::checkpoint) else {
            return Ok(None);
        };
        let (newest_size, root) = (newest.size(), *newest.root());
        if size > newest_size {
            return Ok(None);
        }
        if self.copied() >= newest_size {
            let beginning = self.own_tree(newest_size, root).beginning(size).await?;
            return Ok(Some(beginning));
        }
        if !self.auditor.options.is_light {
            return Ok(None);
        }
        let prefixes: Vec<String> = self.sources().prefixes().map(str::to_owned).collect();
        for prefix in prefixes {
            let mut tree = LogTree::new(self.reader(&prefix), newest_size, root);
            if let Ok(beginning) = tree.beginning(size).await {
                return Ok(Some(beginning));
            }
        }
        Ok(None)
    }

    /// The number of entries on the disk.
    pub(super) fn copied(&self) -> u64 {
        self.worker.as_ref().map_or(0, Worker::size)
    }
}
