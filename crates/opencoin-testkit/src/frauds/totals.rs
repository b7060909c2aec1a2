//! Totals that contradict the leaves, each other, or those before.

use opencoin_log::batch::KeyCounts;
use opencoin_log::leaf::{CloseReason, Leaf};

use super::{Fraud, ONE, five, key_no};

pub(super) const FRAUDS: &[Fraud] = &[
    Fraud::new(
        "totals do not agree with each other",
        "wrong totals",
        "unbalanced",
        |log| {
            log.issue(ONE, 1);
            log.seal_changed(|_, batch| batch.accounts -= 7);
        },
    ),
    Fraud::new(
        "coins are said to be worth less",
        "wrong totals",
        "coins_value",
        |log| {
            log.issue(ONE, 1);
            log.seal_changed(|_, batch| {
                batch.coins -= 2;
                batch.accounts += 2;
            });
        },
    ),
    Fraud::new(
        "coins are counted as signed that have no leaves",
        "wrong totals",
        "key_counts",
        |log| {
            log.issue(ONE, 2);
            log.spend(ONE, 1);
            log.seal_changed(|_, batch| {
                batch.keys[0].issued += 3;
                batch.coins += 3;
                batch.paid_in += 3;
            });
        },
    ),
    Fraud::new(
        "coins that come back are not counted",
        "wrong totals",
        "key_counts",
        |log| {
            log.issue(ONE, 1);
            log.spend(ONE, 2);
            log.seal_changed(|_, batch| {
                batch.keys[0].spent -= 1;
                batch.coins += 1;
                batch.accounts -= 1;
            });
        },
    ),
    Fraud::new(
        "counts change although nothing was signed",
        "wrong totals",
        "key_counts",
        |log| {
            log.issue(ONE, 1);
            log.seal_changed(|_, batch| {
                batch.keys.push(KeyCounts {
                    key_no: five(),
                    issued: 11,
                    spent: 2,
                });
                batch.coins += 5;
                batch.paid_in += 5;
            });
        },
    ),
    Fraud::new(
        "the counts of a key are left out",
        "wrong totals",
        "key_counts",
        |log| {
            log.issue(ONE, 1);
            log.issue(five(), 1);
            log.seal_changed(|_, batch| {
                batch.keys.remove(0);
            });
        },
    ),
    Fraud::new(
        "a key is listed whose counts have not changed",
        "wrong totals",
        "key_counts",
        |log| {
            log.issue(five(), 1);
            log.seal();
            let sealed = log.batches().last().map(|batch| batch.keys.clone());
            log.issue(ONE, 1);
            log.seal_changed(|_, batch| batch.keys.extend(sealed.into_iter().flatten()));
        },
    ),
    Fraud::new(
        "a key is listed of which there are no coins",
        "wrong totals",
        "key_counts",
        |log| {
            let unused = log.add_mint_key(2);
            log.seal();
            log.issue(ONE, 1);
            log.seal_changed(|_, batch| {
                batch.keys.push(KeyCounts {
                    key_no: unused,
                    issued: 0,
                    spent: 0,
                });
            });
        },
    ),
    Fraud::new(
        "counts of a key that is not in the log",
        "wrong totals",
        "unknown_key",
        |log| {
            log.issue(ONE, 1);
            log.seal_changed(|_, batch| {
                batch.keys.push(KeyCounts {
                    key_no: key_no(8),
                    issued: 1,
                    spent: 0,
                });
            });
        },
    ),
    Fraud::new(
        "the root over the mint keys is another one",
        "wrong totals",
        "keys_root",
        |log| {
            log.issue(ONE, 1);
            let root = log.next_digest();
            log.seal_changed(|_, batch| batch.keys_root = root);
        },
    ),
    Fraud::new(
        "the root over the mint keys lacks a new one",
        "wrong totals",
        "keys_root",
        |log| {
            log.issue(ONE, 1);
            log.add_mint_key(2);
            let root = log.batches().last().map(|batch| batch.keys_root);
            log.seal_changed(|_, batch| batch.keys_root = root.expect("there are batches"));
        },
    ),
    Fraud::new(
        "a key is closed with smaller counts",
        "wrong totals",
        "closing_counts",
        |log| {
            log.add(&Leaf::KeyClosed {
                key_no: ONE,
                reason: CloseReason::Revoked,
                issued: 24,
                spent: 3,
            });
            log.seal();
        },
    ),
    Fraud::new(
        "a key is closed with larger counts",
        "wrong totals",
        "closing_counts",
        |log| {
            log.issue(five(), 1);
            log.add(&Leaf::KeyClosed {
                key_no: ONE,
                reason: CloseReason::Revoked,
                issued: 26,
                spent: 3,
            });
            log.seal();
        },
    ),
    Fraud::new(
        "a batch has the number of another one",
        "wrong totals",
        "batch_number",
        |log| {
            log.issue(ONE, 1);
            log.seal_changed(|_, batch| batch.batch += 1);
        },
    ),
    Fraud::new(
        "a batch says that it begins later",
        "wrong totals",
        "batch_place",
        |log| {
            log.issue(ONE, 2);
            log.seal_changed(|_, batch| batch.first += 1);
        },
    ),
    Fraud::new(
        "a batch names another one before it",
        "wrong totals",
        "batch_place",
        |log| {
            log.issue(ONE, 2);
            log.seal_changed(|_, batch| {
                batch.previous = batch.previous.map(|previous| previous - 1);
                batch.first -= 1;
            });
        },
    ),
    Fraud::new(
        "a batch is dated before the one before it",
        "wrong totals",
        "time_back",
        |log| {
            log.issue(ONE, 1);
            log.seal_changed(|_, batch| batch.time -= 600);
        },
    ),
    Fraud::new(
        "less was paid in than before",
        "wrong totals",
        "total_fell",
        |log| {
            log.issue(ONE, 1);
            log.seal_changed(|_, batch| {
                batch.paid_in -= 6;
                batch.accounts -= 6;
            });
        },
    ),
    Fraud::new(
        "less was paid out than before",
        "wrong totals",
        "total_fell",
        |log| {
            log.issue(ONE, 1);
            log.seal_changed(|_, batch| {
                batch.paid_out -= 1;
                batch.accounts += 1;
            });
        },
    ),
    Fraud::new(
        "less was recouped than before",
        "wrong totals",
        "total_fell",
        |log| {
            log.issue(ONE, 1);
            log.seal_changed(|_, batch| {
                batch.recouped -= 1;
                batch.accounts -= 1;
            });
        },
    ),
];
