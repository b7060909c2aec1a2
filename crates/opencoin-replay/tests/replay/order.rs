//! Rules for leaves by themselves, and for the places of batches.

use opencoin_replay::{BrokenRule, FINDINGS_MAX};
use opencoin_testkit::log_builder::LogBuilder;

use crate::support::{ONE, findings, only, replayed, rules};

#[test]
fn an_honest_log_breaks_no_rule() {
    let mut log = LogBuilder::begun();
    log.issue(ONE, 300);
    log.seal();
    let blind = log.next_digest();
    log.issue(ONE, 5);
    log.spend(ONE, 200);
    log.pay_out(17);
    log.seal();
    // The same blind may be accepted twice.
    log.issue(ONE, 1);
    log.seal_changed(|leaves, batch| {
        let issued = leaves[0].clone();
        leaves.insert(0, issued);
        batch.keys[0].issued += 1;
        batch.coins += 1;
        batch.paid_in += 1;
    });
    let _ = blind;
    assert_eq!(findings(&log), []);
    let replay = replayed(&log);
    let key = &replay.keys()[&ONE];
    assert_eq!((key.issued, key.spent, key.outstanding()), (307, 200, 107));
    let last = replay.last_batch().unwrap();
    assert_eq!((last.number, last.index + 1), (4, log.size()));
    assert_eq!(replay.first_broken(), None);
}

#[test]
fn every_leaf_must_be_readable() {
    for leaf in [
        &[0x02, 0x10][..],
        &[0x01, 0x7f, 1],
        &[0x01, 0x10, 0, 0, 0, 1],
        &[],
    ] {
        let mut log = LogBuilder::begun();
        log.issue(ONE, 1);
        log.seal_changed(|leaves, _| {
            leaves.push(leaf.to_vec());
            leaves.sort();
        });
        let at = log.leaves().iter().position(|other| other == leaf).unwrap() as u64;
        let (index, rule) = findings(&log)
            .into_iter()
            .map(|finding| (finding.index, finding.rule))
            .next()
            .unwrap();
        assert!(matches!(rule, BrokenRule::Malformed { .. }), "{leaf:x?} {rule:?}");
        assert_eq!(index, at);
    }
}

#[test]
fn leaves_ascend_within_a_batch() {
    let mut log = LogBuilder::begun();
    log.issue(ONE, 4);
    let first = log.size();
    log.seal_changed(|leaves, _| leaves.swap(1, 2));
    // Once for each batch.
    assert_eq!(only(&log), (first + 2, BrokenRule::Disorder));

    log.issue(ONE, 9);
    log.seal_changed(|leaves, _| leaves.reverse());
    let disorder: Vec<_> = rules(&log);
    assert_eq!(disorder, [BrokenRule::Disorder, BrokenRule::Disorder]);
}

#[test]
fn documents_are_not_repeated() {
    let mut log = LogBuilder::begun();
    log.add_description();
    log.seal_changed(|leaves, _| leaves.push(leaves[0].clone()));
    assert_eq!(only(&log).1, BrokenRule::Disorder);
}

#[test]
fn a_tree_ends_with_a_batch() {
    let mut log = LogBuilder::begun();
    log.issue(ONE, 1);
    log.seal();
    let mut replay = opencoin_replay::Replay::new(log.cddc().cddc()).unwrap();
    let mut index = opencoin_replay::MemorySpentIndex::default();
    let (last, others) = log.leaves().split_last().unwrap();
    crate::support::read(&mut replay, others, &mut index);
    let unfinished = replay.end_of_tree().unwrap();
    assert_eq!(unfinished.rule, BrokenRule::Unfinished);
    assert_eq!(unfinished.index, log.size() - 2);
    assert!(replay.stored().is_none());
    // The next checkpoint may have the rest of the batch.
    crate::support::read(&mut replay, std::slice::from_ref(last), &mut index);
    assert_eq!(replay.end_of_tree(), None);
    assert_eq!(replay.take_findings(), []);
}

#[test]
fn batches_follow_each_other() {
    type Change = fn(&mut opencoin_log::batch::BatchLeaf);
    let cases: [(Change, BrokenRule); 5] = [
        (
            |batch| batch.batch += 1,
            BrokenRule::BatchNumber {
                declared: 3,
                expected: 2,
            },
        ),
        (
            |batch| batch.first += 1,
            BrokenRule::BatchPlace {
                first: 5,
                previous: Some(3),
            },
        ),
        (
            |batch| batch.previous = Some(2),
            BrokenRule::BatchPlace {
                first: 4,
                previous: Some(2),
            },
        ),
        (
            |batch| batch.previous = None,
            BrokenRule::BatchPlace {
                first: 4,
                previous: None,
            },
        ),
        (|batch| batch.time -= 61, BrokenRule::TimeBack { previous: 3 }),
    ];
    for (change, expected) in cases {
        let mut log = LogBuilder::begun();
        log.issue(ONE, 1);
        log.seal_changed(|_, batch| change(batch));
        assert_eq!(only(&log), (log.size() - 1, expected));
    }
}

#[test]
fn a_hostile_log_does_not_fill_the_memory_with_findings() {
    let mut log = LogBuilder::begun();
    log.seal_changed(|leaves, _| {
        leaves.extend((0..500_u16).map(|no| [&[1, 0x7f][..], &no.to_be_bytes()].concat()))
    });
    let mut replay = replayed(&log);
    assert_eq!(replay.take_findings().len() as u64, FINDINGS_MAX);
    assert_eq!(replay.found(), 500);
}
