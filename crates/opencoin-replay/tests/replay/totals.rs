//! Rules for the totals in batch leaves.

use opencoin_log::batch::{BatchLeaf, KeyCounts};
use opencoin_log::key_no::KeyNo;
use opencoin_replay::{BrokenRule, LeafRange};
use opencoin_testkit::log_builder::LogBuilder;

use crate::support::{ONE, findings, only, replayed, rules};

fn with_coins() -> LogBuilder {
    let mut log = LogBuilder::begun();
    log.issue(ONE, 9);
    log.seal();
    log
}

#[test]
fn totals_agree_with_each_other() {
    let mut log = with_coins();
    log.seal_changed(|_, batch| batch.accounts += 1);
    assert_eq!(only(&log), (log.size() - 1, BrokenRule::Unbalanced));
}

#[test]
fn some_totals_never_fall() {
    type Change = fn(&mut BatchLeaf);
    let cases: [(&str, Change); 2] = [
        ("paid_in", |batch| {
            batch.paid_in -= 1;
            batch.accounts -= 1;
        }),
        ("paid_out", |batch| {
            batch.paid_out -= 1;
            batch.accounts += 1;
        }),
    ];
    for (name, change) in cases {
        let mut log = with_coins();
        log.spend(ONE, 5);
        log.pay_out(2);
        log.seal();
        let previous = log.size() - 1;
        log.seal_changed(|_, batch| change(batch));
        let expected = BrokenRule::TotalFell {
            total: name.to_owned(),
            previous,
        };
        assert_eq!(only(&log), (log.size() - 1, expected));
    }
}

#[test]
fn the_value_of_coins_follows_from_the_counts() {
    let mut log = with_coins();
    log.seal_changed(|_, batch| {
        batch.coins -= 2;
        batch.accounts += 2;
    });
    let expected = BrokenRule::CoinsValue {
        declared: [7, 0],
        counted: [9, 0],
    };
    assert_eq!(only(&log), (log.size() - 1, expected));
}

#[test]
fn counts_follow_from_the_leaves() {
    let mut log = with_coins();
    let first = log.size();
    log.issue(ONE, 4);
    log.seal_changed(|_, batch| batch.keys[0].issued += 1);
    let found = rules(&log);
    assert_eq!(
        found[0],
        BrokenRule::KeyCounts {
            key_no: ONE,
            declared: Some([14, 0]),
            counted: [13, 0],
            before: [9, 0],
            counted_at: Some(first - 1),
            previous: Some(first - 1),
            issued: Some(LeafRange {
                first,
                last: first + 3
            }),
            spent: None,
        }
    );
    // The value of the coins does not fit the declared counts.
    assert_eq!(found.len(), 2);
    // What was declared counts from then on, so later batches are not blamed for it.
    log.issue(ONE, 1);
    log.seal_changed(|_, batch| {
        batch.keys[0].issued += 1;
        batch.coins += 1;
        batch.paid_in += 1;
    });
    assert_eq!(rules(&log).len(), 2);
}

#[test]
fn exactly_the_keys_that_changed_are_counted() {
    let mut log = with_coins();
    log.issue(ONE, 1);
    log.seal_changed(|_, batch| batch.keys.clear());
    assert!(matches!(
        only(&log).1,
        BrokenRule::KeyCounts { declared: None, .. }
    ));

    let mut log = with_coins();
    log.seal_changed(|_, batch| {
        batch.keys = vec![KeyCounts {
            key_no: ONE,
            issued: 9,
            spent: 0,
        }];
    });
    assert!(matches!(only(&log).1, BrokenRule::KeyCounts { .. }));

    let mut log = with_coins();
    log.seal_changed(|_, batch| {
        batch.keys = vec![KeyCounts {
            key_no: KeyNo::new(8).unwrap(),
            issued: 1,
            spent: 0,
        }];
    });
    assert_eq!(only(&log).1, BrokenRule::UnknownKey { key_no: 8 });
}

#[test]
fn an_opening_declares_what_was_before() {
    let mut log = LogBuilder::new();
    log.add_description();
    log.add_mint_key(1);
    log.seal_changed(|_, batch| {
        batch.opening = true;
        batch.keys = vec![KeyCounts {
            key_no: ONE,
            issued: 1000,
            spent: 100,
        }];
        (batch.coins, batch.accounts) = (900, 50);
        (batch.paid_in, batch.paid_out) = (1000, 50);
    });
    assert_eq!(findings(&log), []);
    let replay = replayed(&log);
    assert!(replay.last_batch().unwrap().began_late);
    assert_eq!(replay.keys()[&ONE].issued, 1000);
}

#[test]
fn an_opening_declares_no_less_than_its_leaves() {
    let mut log = LogBuilder::new();
    log.add_description();
    log.add_mint_key(1);
    log.spend(ONE, 3);
    log.seal_changed(|_, batch| {
        batch.opening = true;
        batch.keys[0].issued = 10;
        batch.keys[0].spent = 2;
        batch.coins = 8;
        batch.paid_in = 11;
    });
    assert!(matches!(only(&log).1, BrokenRule::KeyCounts { .. }));
}
