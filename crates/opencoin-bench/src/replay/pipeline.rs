//! Replays a log in a folder as an auditor does: one thread reads and hashes bundles, another one applies the rules.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use opencoin_log::bundle;
use opencoin_log::hash::{Hash, leaf_hash};
use opencoin_log::log_block::LogBlock;
use opencoin_log::tile::{TileBuilder, TileId, TileWidth};
use opencoin_replay::{Replay, SpentIndex};
use rustix::time::{ClockId, clock_gettime};

use super::log_folder::{BUNDLE_ENTRIES, LogFolder};

/// The bundles that were hashed and wait for the rules.
const WAITING_MAX: usize = 64;

/// What a replay has found and taken.
pub(super) struct Replayed {
    pub(super) batches: u64,
    pub(super) entry_bytes: u64,
    /// CPU time of the thread that reads and hashes.
    pub(super) hashing: Duration,
    /// CPU time of the thread that applies the rules.
    pub(super) rules: Duration,
}

struct Bundle {
    bytes: Vec<u8>,
    width: TileWidth,
}

/// What the thread that hashes has found.
struct Hashed {
    root: Hash,
    entry_bytes: u64,
    cpu: Duration,
}

/// Replays the whole log. It must obey every rule, and be the tree of its checkpoint, signed by the log and the quorum.
pub(super) fn replay<I>(log: &LogFolder, index: &mut I) -> Result<Replayed>
where
    I: SpentIndex<Error: std::error::Error + Send + Sync + 'static>,
{
    let mut replay = Replay::new(&log.cddc)?;
    let (sender, bundles) = sync_channel(WAITING_MAX);
    let begun = cpu_time_of_thread();
    let (hashed, batches) = thread::scope(|scope| {
        let hashing = scope.spawn(move || hash(log, &sender));
        let batches = apply(&bundles, &mut replay, index);
        // Without a receiver the other thread ends too.
        drop(bundles);
        let hashed = hashing
            .join()
            .map_err(|_| anyhow!("the thread that hashes has failed"))?;
        Ok::<_, anyhow::Error>((hashed, batches?))
    })?;
    let hashed = hashed?;
    let rules = cpu_time_of_thread() - begun;
    check(log, &hashed, &mut replay)?;
    Ok(Replayed {
        batches,
        entry_bytes: hashed.entry_bytes,
        hashing: hashed.cpu,
        rules,
    })
}

fn hash(log: &LogFolder, bundles: &SyncSender<Bundle>) -> Result<Hashed> {
    let empty: std::collections::BTreeMap<TileId, Vec<u8>> = std::collections::BTreeMap::new();
    let mut tree = TileBuilder::new(0, &empty, 1)?;
    let mut hashes = Vec::new();
    let mut entry_bytes = 0;
    for index in 0..log.size().div_ceil(BUNDLE_ENTRIES) {
        let (bytes, width) = log.bundle(index)?;
        entry_bytes += bytes.len() as u64;
        hashes.clear();
        hashes.extend(bundle::decode(&bytes, width)?.map(leaf_hash));
        tree.append(&hashes);
        if bundles.send(Bundle { bytes, width }).is_err() {
            bail!("the thread that applies the rules has ended");
        }
        // Tiles are not kept.
        drop(tree.changed());
    }
    Ok(Hashed {
        root: tree.root(),
        entry_bytes,
        cpu: cpu_time_of_thread(),
    })
}

fn apply<I>(bundles: &Receiver<Bundle>, replay: &mut Replay, index: &mut I) -> Result<u64>
where
    I: SpentIndex<Error: std::error::Error + Send + Sync + 'static>,
{
    let mut batches = 0;
    for bundle in bundles {
        let mut entries = bundle::decode(&bundle.bytes, bundle.width)?;
        while replay.read(&mut entries, index)?.is_some() {
            batches += 1;
        }
    }
    Ok(batches)
}

fn check(log: &LogFolder, hashed: &Hashed, replay: &mut Replay) -> Result<()> {
    let block = LogBlock::find(&log.cddc.cdd.additional_info)?.context("the description names no log")?;
    let verified = block.policy().verify_checkpoint(&log.checkpoint, None)?;
    ensure!(
        replay.size() == verified.checkpoint.size() && hashed.root == *verified.checkpoint.root(),
        "the log is not that of its checkpoint"
    );
    if let Some(finding) = replay
        .take_findings()
        .into_iter()
        .chain(replay.end_of_tree())
        .next()
    {
        bail!("the log breaks a rule: {finding:?}");
    }
    Ok(())
}

fn cpu_time_of_thread() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}
