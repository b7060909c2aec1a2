use opencoin_log::key_no::KeyNo;
use opencoin_log::tile::TileId;
use opencoin_log::{bundle, hash::leaf_hash};
use opencoin_testkit::log_builder::LogBuilder;

use super::*;

const STEPS: Steps = Steps {
    store_leaves: 300,
    snapshot_leaves: 700,
};

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Crash {
    /// Nothing was stored.
    Before,
    /// Everything was stored, and nobody learned it.
    After,
}

/// The database in memory, which fails once.
struct Memory {
    progress: Progress,
    findings: Vec<Finding>,
    calls: usize,
    crash: Option<(usize, Crash)>,
}

impl Keep for Memory {
    fn keep(&mut self, durable: Durable) -> Result<(), StoreError> {
        self.calls += 1;
        let crash = self
            .crash
            .filter(|(call, _)| *call == self.calls)
            .map(|(_, crash)| crash);
        if crash != Some(Crash::Before) {
            (self.progress.size, self.progress.root) = (durable.size, durable.root);
            if let Some(snapshot) = durable.snapshot {
                self.progress.snapshot = Some(snapshot);
            }
            for finding in durable.findings {
                if !self.findings.contains(&finding) {
                    self.findings.push(finding);
                }
            }
        }
        match crash {
            Some(_) => Err(StoreError::Busy),
            None => Ok(()),
        }
    }
}

fn memory(crash: Option<(usize, Crash)>) -> Memory {
    Memory {
        progress: Progress {
            checkpoint: None,
            checkpoint_at: None,
            size: 0,
            root: Hash::EMPTY_TREE,
            snapshot: None,
        },
        findings: Vec::new(),
        calls: 0,
        crash,
    }
}

fn bundles(log: &LogBuilder, from: u64) -> Vec<VerifiedBundle> {
    let first = from / BUNDLE_ENTRIES;
    (first..log.size().div_ceil(BUNDLE_ENTRIES))
        .map(|index| {
            let width = TileId { level: 0, index }.width_in(log.size()).unwrap();
            let leaves = log.leaves().iter().skip((index * BUNDLE_ENTRIES) as usize);
            let leaves: Vec<&Vec<u8>> = leaves.take(usize::from(width.get())).collect();
            let mut bytes = Vec::new();
            leaves
                .iter()
                .for_each(|leaf| bundle::append(&mut bytes, leaf).unwrap());
            let hashes = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
            VerifiedBundle {
                index,
                width,
                bytes,
                hashes,
            }
        })
        .collect()
}

/// Opens what is kept, and goes on to the end of the log.
fn advance(folder: &Path, log: &LogBuilder, memory: &mut Memory) -> Result<Worker, WorkError> {
    let mut worker = Worker::open(folder, log.cddc().cddc(), &memory.progress, STEPS)?;
    while worker.is_behind() {
        worker.replay_stored(memory)?;
    }
    for bundle in bundles(log, worker.size()) {
        worker.take(&bundle, memory)?;
    }
    assert!(worker.end_tree(log.size(), &log.root_at(log.size()), memory)?);
    Ok(worker)
}

/// A log of some thousand leaves, with one coin that came back twice.
fn log() -> LogBuilder {
    let mut log = LogBuilder::begun();
    let mut first = None;
    for round in 0..14 {
        log.issue(KeyNo::FIRST, 150);
        log.seal();
        let digests = log.spend(KeyNo::FIRST, 90);
        first = first.or(Some(digests[3]));
        log.seal();
        if round == 9 {
            log.spend_again(KeyNo::FIRST, first.unwrap());
            log.seal();
        }
    }
    log
}

#[test]
fn a_crash_at_any_step_loses_and_doubles_nothing() {
    let log = log();
    let folder = tempfile::tempdir().unwrap();
    let mut whole = memory(None);
    let worker = advance(folder.path(), &log, &mut whole).unwrap();
    assert_eq!(whole.findings.len(), 1);
    let steps = whole.calls;
    assert!(steps > 8, "{steps} steps");
    let end = worker.replay().stored();
    for call in 1..=steps {
        for crash in [Crash::Before, Crash::After] {
            let folder = tempfile::tempdir().unwrap();
            let mut kept = memory(Some((call, crash)));
            assert!(advance(folder.path(), &log, &mut kept).is_err());
            kept.crash = None;
            let worker = advance(folder.path(), &log, &mut kept).unwrap();
            assert_eq!(worker.replay().stored(), end, "{crash:?} at {call}");
            assert_eq!(kept.findings, whole.findings, "{crash:?} at {call}");
        }
    }
}

#[test]
fn a_log_that_grows_is_followed_in_any_portions() {
    let log = log();
    let folder = tempfile::tempdir().unwrap();
    let mut kept = memory(None);
    let mut worker = Worker::open(folder.path(), log.cddc().cddc(), &kept.progress, STEPS).unwrap();
    for batch in log.batches() {
        // The checkpoint of the batches before.
        let end = batch.first;
        for bundle in bundles(&log, worker.size()) {
            let first = bundle.index * BUNDLE_ENTRIES;
            let Some(width) = TileId {
                level: 0,
                index: bundle.index,
            }
            .width_in(end) else {
                continue;
            };
            if first + u64::from(width.get()) <= worker.size() {
                continue;
            }
            let prefix = bundle::prefix(&bundle.bytes, width).unwrap().to_vec();
            let bundle = VerifiedBundle {
                width,
                hashes: bundle.hashes[..usize::from(width.get())].to_vec(),
                bytes: prefix,
                ..bundle
            };
            worker.take(&bundle, &mut kept).unwrap();
        }
        assert!(worker.end_tree(end, &log.root_at(end), &mut kept).unwrap());
        assert_eq!((worker.size(), worker.replay().size()), (end, end));
    }
}

#[test]
fn lost_files_are_noticed() {
    let log = log();
    let folder = tempfile::tempdir().unwrap();
    let mut kept = memory(None);
    let mut worker = advance(folder.path(), &log, &mut kept).unwrap();
    worker.store(true, &mut kept).unwrap();
    drop(worker);
    let reopened = Worker::open(folder.path(), log.cddc().cddc(), &kept.progress, STEPS).unwrap();
    assert!(!reopened.is_behind());
    drop(reopened);
    for lost in ["spent", "log"] {
        std::fs::remove_dir_all(folder.path().join(lost)).unwrap();
        let opened = Worker::open(folder.path(), log.cddc().cddc(), &kept.progress, STEPS);
        let is_lost = matches!(opened, Err(WorkError::Disk(error)) if error.is_lost());
        assert!(is_lost, "{lost}");
        if lost == "spent" {
            // The entries are enough to make the index again.
            kept.progress.snapshot = None;
            advance(folder.path(), &log, &mut kept)
                .unwrap()
                .store(true, &mut kept)
                .unwrap();
        }
    }
}

#[test]
fn only_a_replayed_tree_that_breaks_no_rule_may_be_cosigned() {
    let mut log = LogBuilder::begun();
    log.issue(KeyNo::FIRST, 20);
    log.seal();
    let good = log.size();
    let good_root = log.root_at(good);
    let folder = tempfile::tempdir().unwrap();
    let mut kept = memory(None);
    let mut worker = advance(folder.path(), &log, &mut kept).unwrap();
    assert!(
        worker
            .replayed_tree(good, &good_root)
            .unwrap()
            .is(good, &good_root)
    );
    let size = |size| NotReplayed::Size { replayed: good, size };
    assert_eq!(
        worker.replayed_tree(good - 1, &log.root_at(good - 1)),
        Err(size(good - 1))
    );
    assert_eq!(worker.replayed_tree(good + 1, &good_root), Err(size(good + 1)));
    let other = log.next_digest();
    assert_eq!(worker.replayed_tree(good, &other), Err(NotReplayed::NotCompared));
    // After a start the tree is compared again.
    worker.store(true, &mut kept).unwrap();
    drop(worker);
    let mut worker = Worker::open(folder.path(), log.cddc().cddc(), &kept.progress, STEPS).unwrap();
    assert_eq!(
        worker.replayed_tree(good, &good_root),
        Err(NotReplayed::NotCompared)
    );
    assert!(!worker.end_tree(good, &other, &mut kept).unwrap());
    assert_eq!(
        worker.replayed_tree(good, &good_root),
        Err(NotReplayed::NotCompared)
    );
    assert!(worker.end_tree(good, &good_root, &mut kept).unwrap());
    assert!(worker.replayed_tree(good, &good_root).is_ok());
    drop(worker);
    log.spend(KeyNo::FIRST, 30);
    log.seal();
    // Nobody keeps what is found, and the worker knows it all the same.
    let worker = advance(folder.path(), &log, &mut kept).unwrap();
    let broken = worker.replay().first_broken().unwrap();
    let refusal = worker.replayed_tree(log.size(), &log.root_at(log.size()));
    assert_eq!(refusal, Err(NotReplayed::Broken(broken)));
}

#[test]
fn a_tree_that_ends_within_a_batch_may_not_be_cosigned() {
    let mut log = LogBuilder::begun();
    let whole = log.size();
    log.issue(KeyNo::FIRST, 20);
    log.seal();
    for end in whole + 1..log.size() {
        let folder = tempfile::tempdir().unwrap();
        let mut kept = memory(None);
        let mut worker = Worker::open(folder.path(), log.cddc().cddc(), &kept.progress, STEPS).unwrap();
        let bundle = bundles(&log, 0).remove(0);
        let width = TileWidth::new(u16::try_from(end).unwrap()).unwrap();
        let bundle = VerifiedBundle {
            width,
            hashes: bundle.hashes[..usize::from(width.get())].to_vec(),
            bytes: bundle::prefix(&bundle.bytes, width).unwrap().to_vec(),
            ..bundle
        };
        worker.take(&bundle, &mut kept).unwrap();
        // The auditor is stopped at this moment.
        worker.store(true, &mut kept).unwrap();
        drop(worker);
        let mut worker = Worker::open(folder.path(), log.cddc().cddc(), &kept.progress, STEPS).unwrap();
        while worker.is_behind() {
            worker.replay_stored(&mut kept).unwrap();
        }
        assert!(worker.end_tree(end, &log.root_at(end), &mut kept).unwrap());
        let refusal = worker.replayed_tree(end, &log.root_at(end));
        assert_eq!(refusal, Err(NotReplayed::WithinBatch));
        assert_eq!(kept.findings.len(), 1);
    }
}
