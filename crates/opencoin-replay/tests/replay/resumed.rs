//! A replay that is stored and continued finds the same.

use opencoin_log::leaf::CloseReason;
use opencoin_replay::{MemorySpentIndex, Replay, Series, SeriesKind, SpentIndex, StoredReplay};
use opencoin_testkit::log_builder::{LogBuilder, MINT_KEY_TAKEN_S};

use crate::support::{ONE, read};

fn long() -> LogBuilder {
    let mut log = LogBuilder::begun();
    for round in 0..6 {
        log.issue(ONE, 30);
        log.seal();
        log.spend(ONE, 7 + round);
        log.seal();
    }
    let twice = log.spend(ONE, 1)[0];
    log.seal();
    log.spend_again(ONE, twice);
    log.seal();
    log
}

#[test]
fn a_stored_replay_goes_on_at_every_batch() {
    let log = long();
    let ends: Vec<usize> = log.batches()[1..]
        .iter()
        .map(|batch| batch.first as usize)
        .collect();
    let mut whole = Replay::new(log.cddc().cddc()).unwrap();
    let mut whole_index = MemorySpentIndex::default();
    read(&mut whole, log.leaves(), &mut whole_index);
    let findings = whole.take_findings();
    assert_eq!(findings.len(), 1);
    for end in ends {
        let (mut replay, mut index) = (
            Replay::new(log.cddc().cddc()).unwrap(),
            MemorySpentIndex::default(),
        );
        read(&mut replay, &log.leaves()[..end], &mut index);
        let stored = serde_json::to_vec(&replay.stored().unwrap()).unwrap();
        let stored: StoredReplay = serde_json::from_slice(&stored).unwrap();
        assert_eq!(stored.size(), end as u64);
        let mut replay = Replay::resume(stored).unwrap();
        read(&mut replay, &log.leaves()[end..], &mut index);
        assert_eq!(replay.stored(), whole.stored());
        let mut found = replay.take_findings();
        assert_eq!(
            found.pop(),
            findings
                .first()
                .cloned()
                .filter(|finding| finding.index >= end as u64)
        );
    }
}

#[test]
fn leaves_can_come_in_any_portions() {
    let log = long();
    for portion in [1, 2, 3, 7, 255, 256] {
        let (mut replay, mut index) = (
            Replay::new(log.cddc().cddc()).unwrap(),
            MemorySpentIndex::default(),
        );
        for leaves in log.leaves().chunks(portion) {
            read(&mut replay, leaves, &mut index);
        }
        assert_eq!(replay.size(), log.size());
        assert_eq!(replay.take_findings().len(), 1, "portions of {portion}");
    }
}

/// Counts what is forgotten.
#[derive(Default)]
struct Forgetful(MemorySpentIndex, Vec<Series>);

impl SpentIndex for Forgetful {
    type Error = std::convert::Infallible;

    fn insert(
        &mut self,
        series: Series,
        digests: &[[u8; 32]],
        known: &mut Vec<usize>,
    ) -> Result<(), Self::Error> {
        self.0.insert(series, digests, known)
    }

    fn forget(&mut self, series: Series) -> Result<(), Self::Error> {
        self.1.push(series);
        self.0.forget(series)
    }
}

#[test]
fn digests_are_forgotten_when_no_coin_may_come_any_more() {
    let mut log = LogBuilder::begun();
    log.issue(ONE, 3);
    log.seal();
    log.spend(ONE, 1);
    log.seal();
    log.now_s += MINT_KEY_TAKEN_S;
    log.seal();
    log.close(ONE, CloseReason::CoinsExpired);
    log.seal();
    log.seal();
    let mut replay = Replay::new(log.cddc().cddc()).unwrap();
    let mut index = Forgetful::default();
    let mut leaves = log.leaves().iter().map(Vec::as_slice);
    let mut batches = 0;
    while replay.read(&mut leaves, &mut index).unwrap().is_some() {
        batches += 1;
        let expected = if batches < 5 { 0 } else { 2 };
        assert_eq!(index.1.len(), expected, "batch {batches}");
    }
    assert!(index.1.iter().all(|series| series.key_no == ONE));
    assert!(index.1.iter().any(|series| series.kind == SeriesKind::Coins));
    assert_eq!(replay.found(), 0);
}
