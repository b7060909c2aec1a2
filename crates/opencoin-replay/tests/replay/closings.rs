//! Rules for the ends of keys.

use opencoin_log::batch::BATCH_CLOSINGS_MAX;
use opencoin_log::leaf::{CloseReason, Leaf};
use opencoin_replay::{BrokenRule, KeyUse, MemorySpentIndex, Replay};
use opencoin_testkit::log_builder::{LogBuilder, MINT_KEY_SIGNS_S, MINT_KEY_TAKEN_S};

use crate::support::{ONE, findings, only, replayed};

fn with_coins() -> LogBuilder {
    let mut log = LogBuilder::begun();
    log.issue(ONE, 9);
    log.seal();
    log
}

#[test]
fn a_key_is_closed_with_its_counts() {
    let mut log = with_coins();
    log.now_s += MINT_KEY_SIGNS_S;
    log.close(ONE, CloseReason::WindowOver);
    // What was accepted before is in the same batch.
    log.issue(ONE, 1);
    log.spend(ONE, 2);
    log.seal();
    log.spend(ONE, 2);
    log.seal();
    log.now_s += MINT_KEY_TAKEN_S;
    log.close(ONE, CloseReason::CoinsExpired);
    log.seal();
    assert_eq!(findings(&log), []);
    let closed = replayed(&log).keys()[&ONE].closed;
    assert!(closed.window_over < closed.coins_expired && closed.stopped.is_none());
}

#[test]
fn other_counts_are_found() {
    let mut log = with_coins();
    let wrong = Leaf::KeyClosed {
        key_no: ONE,
        reason: CloseReason::Revoked,
        issued: 9,
        spent: 1,
    };
    log.add(&wrong);
    let index = log.size();
    log.seal();
    let expected = BrokenRule::ClosingCounts {
        key_no: ONE,
        declared: [9, 1],
        counted: [9, 0],
        batch_leaf: log.size() - 1,
    };
    assert_eq!(only(&log), (index, expected));
}

#[test]
fn a_closed_key_is_not_used() {
    for (reason, used) in [
        (CloseReason::WindowOver, KeyUse::Issued),
        (CloseReason::Revoked, KeyUse::Issued),
        (CloseReason::CoinsExpired, KeyUse::Issued),
        (CloseReason::Stopped, KeyUse::Spent),
        (CloseReason::CoinsExpired, KeyUse::Spent),
    ] {
        let mut log = with_coins();
        log.close(ONE, reason);
        let closing = log.size();
        log.seal();
        let first = log.size();
        match used {
            KeyUse::Issued => log.issue(ONE, 2),
            _ => drop(log.spend(ONE, 2)),
        }
        log.seal();
        let expected = BrokenRule::AfterClosing {
            key_no: ONE,
            used,
            closing,
        };
        assert_eq!(only(&log), (first, expected), "{reason:?}");
    }
}

#[test]
fn a_stranger_is_not_closed() {
    let mut log = with_coins();
    log.add(&Leaf::KeyClosed {
        key_no: opencoin_log::key_no::KeyNo::new(77).unwrap(),
        reason: CloseReason::Stopped,
        issued: 0,
        spent: 0,
    });
    log.seal();
    assert_eq!(only(&log).1, BrokenRule::UnknownKey { key_no: 77 });
}

/// A batch may have any number of closings, which are compared with counts at its end.
#[test]
fn too_many_closings_are_found_where_they_are_read() {
    let mut log = with_coins();
    let at = log.size() as usize;
    log.seal_changed(|leaves, _| {
        let closing = |issued| Leaf::KeyClosed {
            key_no: ONE,
            reason: CloseReason::WindowOver,
            issued,
            spent: 0,
        };
        leaves.extend((0..=BATCH_CLOSINGS_MAX as u64).map(|issued| closing(issued).encode().unwrap()));
    });
    let mut replay = Replay::new(log.cddc().cddc()).unwrap();
    let mut leaves = log.leaves()[..log.leaves().len() - 1].iter().map(Vec::as_slice);
    let mut index = MemorySpentIndex::default();
    while replay.read(&mut leaves, &mut index).unwrap().is_some() {}
    let found = replay.take_findings();
    let [finding] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(finding.rule, BrokenRule::TooManyClosings);
    assert_eq!(finding.index, (at + BATCH_CLOSINGS_MAX) as u64);
}
