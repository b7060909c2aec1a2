//! Totals that contradict each other or the leaves.

use std::collections::BTreeMap;

use opencoin_evidence::CountedKey;
use opencoin_log::batch::{BatchLeaf, KeyCounts};
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::{CloseReason, Leaf};
use opencoin_testkit::log_builder::LogBuilder;

use crate::support::{Case, ONE, every_byte_matters, index_of, indices_of, keys_until, proven, refused};

const KIND: &str = "wrong totals";

fn with_coins() -> LogBuilder {
    let mut log = LogBuilder::begun();
    log.issue(ONE, 9);
    log.spend(ONE, 3);
    log.pay_out(1);
    log.seal();
    log
}

fn end(log: &LogBuilder) -> u64 {
    log.size() - 1
}

#[tokio::test]
async fn a_batch_leaf_that_contradicts_itself() {
    type Change = fn(&mut BatchLeaf);
    let changes: [(Change, &str); 7] = [
        (|batch| batch.accounts += 1, "is said to be in accounts"),
        (
            |batch| {
                batch.keys.push(KeyCounts {
                    key_no: KeyNo::new(2).unwrap(),
                    issued: 0,
                    spent: 0,
                });
            },
            "it lists mint key 2",
        ),
        (
            |batch| batch.first += 1,
            "which is not the one after the batch before",
        ),
        (
            |batch| batch.previous = Some(1),
            "which is not the one after the batch before",
        ),
        (
            |batch| batch.first = u64::MAX,
            "which is not the one after the batch before",
        ),
        (|batch| batch.batch = 1, "it has the number 1"),
        (
            |batch| (batch.previous, batch.first) = (None, 0),
            "it has the number 3",
        ),
    ];
    for (change, words) in changes {
        let mut log = with_coins();
        log.issue(ONE, 1);
        log.seal_changed(|_, batch| change(batch));
        let mut case = Case::new(&log);
        proven(case.builder().wrong_batch(end(&log)).await, KIND, words);
        for honest in indices_of(&log, |leaf| matches!(leaf, Leaf::Batch(_)))
            .into_iter()
            .take(2)
        {
            refused(case.builder().wrong_batch(honest).await);
        }
    }
}

#[tokio::test]
async fn a_batch_leaf_that_contradicts_an_earlier_one() {
    type Change = fn(&mut BatchLeaf);
    let changes: [(Change, &str); 9] = [
        (
            |batch| batch.keys[0].issued = 9,
            "mint key 1 is listed although its counts have not changed",
        ),
        (
            |batch| {
                batch.paid_in -= 2;
                batch.accounts -= 2;
            },
            "what was paid in falls",
        ),
        (
            |batch| {
                batch.paid_out -= 1;
                batch.accounts += 1;
            },
            "what was paid out falls",
        ),
        (|batch| batch.time -= 1000, "the time falls"),
        (|batch| batch.batch += 1, "batch 4 comes after batch 2"),
        (|batch| batch.batch = 2, "batch 2 comes after batch 2"),
        (|batch| batch.keys[0].issued = 8, "the counts of mint key 1 fall"),
        (|batch| batch.keys[0].spent = 2, "the counts of mint key 1 fall"),
        (
            |batch| {
                batch.first -= 1;
                batch.previous = batch.previous.map(|previous| previous - 1);
            },
            "stands within this batch",
        ),
    ];
    for (change, words) in changes {
        let mut log = with_coins();
        let before = end(&log);
        log.issue(ONE, 1);
        log.seal_changed(|_, batch| change(batch));
        let mut case = Case::new(&log);
        let built = case.builder().wrong_sequence(before, end(&log)).await;
        proven(built, KIND, words);
        refused(case.builder().wrong_sequence(before - 1, before).await);
        refused(case.builder().wrong_sequence(4, before).await);
        refused(case.builder().wrong_sequence(end(&log), before).await);
    }
    // The leaf before is no batch leaf.
    let mut log = with_coins();
    log.issue(ONE, 1);
    log.seal_changed(|_, batch| {
        batch.first -= 1;
        batch.previous = batch.previous.map(|previous| previous - 1);
    });
    let mut case = Case::new(&log);
    let previous = end(&log) - 3;
    proven(
        case.builder().wrong_sequence(previous, end(&log)).await,
        KIND,
        "no batch leaf",
    );
}

#[tokio::test]
async fn a_closing_with_other_counts() {
    use CloseReason::{Revoked, WindowOver};
    // Counts before, reason, counts of the closing, counts after; what holds against which batch leaf.
    for (reason, issued, spent, before, same, after) in [
        (Revoked, 10, 3, false, false, false),
        (Revoked, 8, 3, true, true, true),
        (Revoked, 10, 2, true, true, true),
        (WindowOver, 10, 4, false, true, true),
        (WindowOver, 10, 3, false, false, false),
    ] {
        let mut log = with_coins();
        let first = end(&log);
        log.add(&Leaf::KeyClosed {
            key_no: ONE,
            reason,
            issued,
            spent,
        });
        log.issue(ONE, 1);
        log.seal();
        let second = end(&log);
        log.seal_changed(|_, batch| {
            batch.keys = vec![KeyCounts {
                key_no: ONE,
                issued: 10,
                spent: 3,
            }];
        });
        let closing = index_of(&log, |leaf| matches!(leaf, Leaf::KeyClosed { .. }));
        let mut case = Case::new(&log);
        for (batch, is_fault) in [(first, before), (second, same), (end(&log), after)] {
            let built = case.builder().wrong_closing(closing, batch).await;
            if is_fault {
                proven(built, KIND, "closes mint key 1 with");
            } else {
                refused(built);
            }
        }
    }
}

#[tokio::test]
async fn counts_that_grow_by_more_or_less_than_the_leaves() {
    for (counted, words) in [
        (CountedKey::Issued, "counts 5 more coins signed of mint key 1"),
        (CountedKey::Spent, "counts 5 more coins back of mint key 1"),
    ] {
        for leaves in [0, 4, 6] {
            let mut log = with_coins();
            // Batches between that have nothing of this key.
            for _ in 0..3 {
                log.issue(KeyNo::new(2).unwrap(), 2);
                log.seal();
            }
            match counted {
                CountedKey::Issued => log.issue(ONE, leaves),
                CountedKey::Spent => drop(log.spend(ONE, leaves)),
            }
            log.issue(KeyNo::new(2).unwrap(), 1);
            log.seal_changed(|_, batch| {
                batch.keys.retain(|counts| counts.key_no != ONE);
                let more = |is: CountedKey| if is == counted { 5 } else { 0 };
                let (issued, spent) = (9 + more(CountedKey::Issued), 3 + more(CountedKey::Spent));
                let counts = KeyCounts {
                    key_no: ONE,
                    issued,
                    spent,
                };
                batch.keys.insert(0, counts);
            });
            let mut case = Case::new(&log);
            let built = case.builder().wrong_count(end(&log), ONE, counted).await;
            proven(built, KIND, words);
            for other in [CountedKey::Issued, CountedKey::Spent] {
                if other != counted {
                    refused(case.builder().wrong_count(end(&log), ONE, other).await);
                }
                let second = KeyNo::new(2).unwrap();
                refused(case.builder().wrong_count(end(&log), second, other).await);
            }
        }
    }
}

#[tokio::test]
async fn a_leaf_that_nobody_counts() {
    let mut log = with_coins();
    log.issue(ONE, 1);
    log.seal_changed(|_, batch| batch.keys.clear());
    let at = end(&log);
    log.issue(ONE, 1);
    log.seal();
    let mut case = Case::new(&log);
    proven(case.builder().uncounted(at - 1, at).await, KIND, "does not count");
    refused(case.builder().uncounted(end(&log) - 1, end(&log)).await);
    refused(case.builder().uncounted(at - 1, end(&log)).await);
}

#[tokio::test]
async fn a_value_of_coins_that_does_not_follow_from_the_counts() {
    let five = KeyNo::new(2).unwrap();
    let mut log = with_coins();
    log.issue(five, 3);
    log.seal();
    log.spend(five, 1);
    log.issue(ONE, 4);
    log.seal_changed(|_, batch| {
        batch.coins -= 2;
        batch.accounts += 2;
    });
    let wrong = end(&log);
    let keys: BTreeMap<KeyNo, u64> = [(ONE, 1), (five, 2)].into();
    let mut case = Case::new(&log);
    every_byte_matters(&proven(
        case.builder().wrong_value(wrong, &keys).await,
        KIND,
        "change by -3, but by what was signed and came back it changes by -1",
    ));
    for honest in indices_of(&log, |leaf| matches!(leaf, Leaf::Batch(_))) {
        if honest != wrong {
            refused(case.builder().wrong_value(honest, &keys).await);
        }
    }
}

#[tokio::test]
async fn a_root_over_other_mint_keys() {
    // Key leaves in the batch or not, a description before them or not, and coins after them or not.
    for (keys, description, coins) in [
        (0, false, true),
        (0, true, false),
        (1, false, false),
        (2, true, true),
        (0, false, false),
    ] {
        let mut log = with_coins();
        let known = keys_until(&log, log.size());
        if description {
            let newer = log.currency().described(|cdd| cdd.cdd_serial = 2);
            log.add(&Leaf::Currency(Box::new(newer.cddc().clone())));
        }
        for _ in 0..keys {
            log.add_mint_key(2);
        }
        if coins {
            log.issue(ONE, 3);
        }
        let mut honest = log.fork();
        let root = log.next_digest();
        log.seal_changed(|_, batch| batch.keys_root = root);
        honest.seal();
        let mut case = Case::new(&log);
        let built = case.builder().wrong_keys_root(end(&log), known.clone()).await;
        proven(built, KIND, "another root over the mint keys");
        refused(
            case.builder()
                .wrong_keys_root(end(&log), known[..1].to_vec())
                .await,
        );
        let mut case = Case::new(&honest);
        refused(case.builder().wrong_keys_root(end(&honest), known).await);
        refused(case.builder().wrong_keys_root(3, Vec::new()).await);
    }
}
