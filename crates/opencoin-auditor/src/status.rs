//! What an auditor does at the moment. What it has found is in the database.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use opencoin_log::hash::Hash;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_replay::LastBatch;

/// What the auditor does with one currency.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LiveStatus {
    /// The size of the newest checkpoint that was verified.
    pub checkpoint_size: u64,
    /// When the witnesses cosigned it, in seconds since 1970: each witness by its name.
    pub cosigned_by: Vec<(String, u64)>,
    /// The number of entries on the disk.
    pub copied: u64,
    /// The number of entries that were replayed.
    pub replayed: u64,
    /// The first of them that shows a broken rule, as the replay knows it.
    pub first_broken: Option<u64>,
    /// The size of the last tree of a checkpoint that was replayed and compared with the checkpoint.
    pub ended: u64,
    /// The last batch that was replayed.
    pub last_batch: Option<LastBatch>,
    /// Why the last attempt to read the log failed, in fixed words; `None` when it did not.
    pub trouble: Option<&'static str>,
    /// When the log was read last, in seconds since 1970.
    pub read_at: Option<u64>,
    /// Why the newest checkpoint is not cosigned; `None` when it is.
    pub refusal: Option<String>,
    /// Checkpoints that the follower could not compare yet.
    pub waiting: Vec<UncomparedCheckpoint>,
    /// How many entries of the log were looked at, by an auditor that only takes samples.
    pub sampled: u64,
}

/// A checkpoint that the log has signed, and for which nobody has shown the files that would tell whether it is of the same
/// history as the newest one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UncomparedCheckpoint {
    /// The number of leaves.
    pub size: u64,
    /// The root.
    pub root: Hash,
    /// When it was first seen, in seconds since 1970.
    pub since_s: u64,
}

impl UncomparedCheckpoint {
    pub(crate) fn new(signed: &SignedCheckpoint, since_s: u64) -> Self {
        Self {
            size: signed.checkpoint().size(),
            root: *signed.checkpoint().root(),
            since_s,
        }
    }
}

/// The status of all currencies.
#[derive(Debug, Default)]
pub struct Statuses(Mutex<BTreeMap<i64, LiveStatus>>);

impl Statuses {
    pub(crate) fn change(&self, currency: i64, change: impl FnOnce(&mut LiveStatus)) {
        change(self.lock().entry(currency).or_default());
    }

    pub(crate) fn get(&self, currency: i64) -> LiveStatus {
        self.lock().get(&currency).cloned().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i64, LiveStatus>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
