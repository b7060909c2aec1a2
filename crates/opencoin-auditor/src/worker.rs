//! The part of an auditor that works and does not wait: appends bundles to the copy of a log, and replays them.
//!
//! It runs on a thread of its own. What it has done becomes durable in steps: first the entries, then their number and
//! root, with the state of the replay from time to time. After a crash the replay goes on from that state with the entries
//! that are on the disk. So each step may be lost, and nothing is skipped.

mod replayed_tree;

use std::path::{Path, PathBuf};

use opencoin_log::bundle;
use opencoin_log::hash::Hash;
use opencoin_log::tile::{TILE_HASHES, TileWidth};
use opencoin_replay::{Finding, Replay, ReplayError};
use opencoin_schema::Cddc;
use thiserror::Error;

use crate::disk_error::DiskError;
use crate::fetch::VerifiedBundle;
use crate::log_files::{LogCopy, LogFiles};
use crate::spent_files::{SpentFiles, SpentRuns};
use crate::store::{Progress, Snapshot, StoreError, SupplyPoint};
use crate::supply::Supply;
pub(crate) use replayed_tree::{NotReplayed, ReplayedTree};

/// The entries of a bundle.
const BUNDLE_ENTRIES: u64 = TILE_HASHES as u64;

/// How often what was done becomes durable.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Steps {
    /// After so many leaves the entries are made durable while a log is caught up with.
    pub(crate) store_leaves: u64,
    /// After so many leaves the state of the replay is stored. A start replays no more than these again.
    pub(crate) snapshot_leaves: u64,
}

impl Default for Steps {
    fn default() -> Self {
        Self {
            store_leaves: 1 << 20,
            snapshot_leaves: 1 << 22,
        }
    }
}

/// The replay cannot go on.
#[derive(Debug, Error)]
pub(crate) enum WorkError {
    /// A file cannot be used.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The description of the currency cannot be used.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

/// What is durable of a log, to be stored in the database.
#[derive(Debug)]
pub(crate) struct Durable {
    /// The number of entries.
    pub(crate) size: u64,
    /// The root of their tree.
    pub(crate) root: Hash,
    /// The state of the replay, if it is to be stored too.
    pub(crate) snapshot: Option<Snapshot>,
    /// What was found up to there.
    pub(crate) findings: Vec<Finding>,
    /// The supply up to there.
    pub(crate) supply: Vec<SupplyPoint>,
}

/// Keeps what is durable in the database. It blocks.
pub(crate) trait Keep {
    fn keep(&mut self, durable: Durable) -> Result<(), StoreError>;
}

/// The copy and the replay of one log.
pub(crate) struct Worker {
    steps: Steps,
    folder: PathBuf,
    files: LogFiles,
    replay: Replay,
    index: SpentFiles,
    /// The size at which the entries were made durable.
    stored: u64,
    /// The size at which the state of the replay was stored.
    snapshot: u64,
    supply: Supply,
    /// What was found besides the findings of the replay.
    findings: Vec<Finding>,
    /// The tree of a checkpoint that was ended last since the files were opened, and whose entries are on the disk.
    ended: Option<(u64, Hash)>,
}

impl Worker {
    /// Opens the files of a log in this folder, at what was stored.
    ///
    /// # Errors
    /// Files are lost ([`DiskError::is_lost`]) or cannot be used.
    pub(crate) fn open(
        folder: &Path,
        cddc: &Cddc,
        progress: &Progress,
        steps: Steps,
    ) -> Result<Self, WorkError> {
        let files = LogFiles::open(&copy_folder(folder), progress.size, &progress.root)?;
        let index = folder.join("spent");
        let (replay, index) = match &progress.snapshot {
            Some(snapshot) => (
                Replay::resume(snapshot.replay.clone())?,
                SpentFiles::open(&index, &snapshot.runs)?,
            ),
            None => (
                Replay::new(cddc)?,
                SpentFiles::open(&index, &SpentRuns::default())?,
            ),
        };
        Ok(Self {
            steps,
            folder: folder.to_owned(),
            stored: files.size(),
            snapshot: replay.size(),
            files,
            replay,
            index,
            supply: Supply::default(),
            findings: Vec::new(),
            ended: None,
        })
    }

    /// The number of entries on the disk.
    pub(crate) fn size(&self) -> u64 {
        self.files.size()
    }

    /// The replay.
    pub(crate) fn replay(&self) -> &Replay {
        &self.replay
    }

    /// Whether entries on the disk were not replayed yet.
    pub(crate) fn is_behind(&self) -> bool {
        self.replay.size() < self.files.size()
    }

    /// Replays one bundle that is on the disk.
    pub(crate) fn replay_stored(&mut self, keep: &mut impl Keep) -> Result<(), WorkError> {
        let at = self.replay.size();
        let (index, place) = (at / BUNDLE_ENTRIES, at % BUNDLE_ENTRIES);
        let left = self.files.size() - index * BUNDLE_ENTRIES;
        let width = TileWidth::new(left.min(BUNDLE_ENTRIES) as u16).expect("the bundle has entries left");
        let bytes = LogCopy::new(&copy_folder(&self.folder)).bundle(index, width)?;
        self.replay_bundle(&bytes, width, place, keep)
    }

    /// Appends a verified bundle, or what is new in it, and replays it.
    pub(crate) fn take(&mut self, verified: &VerifiedBundle, keep: &mut impl Keep) -> Result<(), WorkError> {
        let first = verified.index * BUNDLE_ENTRIES;
        let known = self.files.size().saturating_sub(first);
        let entries = entries(&verified.bytes, verified.width, &self.folder)?;
        let fresh = entries.zip(&verified.hashes).skip(known as usize);
        for (entry, hash) in fresh {
            self.files.append(entry, *hash)?;
        }
        let replayed = self.replay.size().saturating_sub(first);
        self.replay_bundle(&verified.bytes, verified.width, replayed, keep)?;
        if self.files.size() - self.stored >= self.steps.store_leaves {
            self.store(false, keep)?;
        }
        Ok(())
    }

    fn replay_bundle(
        &mut self,
        bytes: &[u8],
        width: TileWidth,
        replayed: u64,
        keep: &mut impl Keep,
    ) -> Result<(), WorkError> {
        let mut entries = entries(bytes, width, &self.folder)?.skip(replayed as usize);
        while let Some(batch) = self.replay.read(&mut entries, &mut self.index)? {
            self.supply.sealed(&batch, self.replay.keys());
            if self.replay.size() - self.snapshot >= self.steps.snapshot_leaves {
                self.store(true, keep)?;
            }
        }
        Ok(())
    }

    /// Makes everything durable: the entries, and the state of the replay if it is asked for and the log is between two
    /// batches.
    pub(crate) fn store(&mut self, with_replay: bool, keep: &mut impl Keep) -> Result<(), WorkError> {
        let (size, root) = self.files.store()?;
        let replay = self.replay.stored().filter(|_| with_replay);
        let snapshot = match replay {
            Some(replay) => Some(Snapshot {
                replay,
                runs: self.index.store()?,
            }),
            None => None,
        };
        let mut findings = self.replay.take_findings();
        findings.append(&mut self.findings);
        let runs = snapshot.as_ref().map(|snapshot| snapshot.runs.clone());
        keep.keep(Durable {
            size,
            root,
            snapshot,
            findings,
            supply: self.supply.take(),
        })?;
        self.stored = size;
        if let Some(runs) = runs {
            self.index.stored(&runs)?;
            self.snapshot = self.replay.size();
        }
        Ok(())
    }
}

/// The folder of the entries and the tree.
pub(crate) fn copy_folder(folder: &Path) -> PathBuf {
    folder.join("log")
}

fn entries<'bytes>(
    bytes: &'bytes [u8],
    width: TileWidth,
    folder: &Path,
) -> Result<bundle::Entries<'bytes>, DiskError> {
    bundle::decode(bytes, width).map_err(|error| DiskError::damaged(folder, &error.to_string()))
}

#[cfg(test)]
mod tests;
