//! Files that somebody writes by hand about an honest log do not hold, whatever leaves they put into them.

use std::sync::Arc;

use opencoin_evidence::{
    Claim, CountedKey, Evidence, Included, KeyCount, KeyLeaves, TotalsRule, WrongTotals,
};
use opencoin_log::key_no::KeyNo;
use opencoin_testkit::frauds;
use opencoin_testkit::log_builder::{LogBuilder, LogCurrency};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

use crate::hand::{Hand, RULES};
use crate::honest::honest;
use crate::support::ONE;

const SEEDS: u64 = 8;
/// Files for each rule and log.
const FILES: usize = 8;
/// Any ends of the leaves of a key.
const ENDS: usize = 600;

fn holds(log: &LogBuilder, claim: &Claim) -> bool {
    Evidence::new(log.cddc().cddc().clone(), claim.clone()).is_ok()
}

#[test]
fn no_file_about_an_honest_log_holds() {
    for seed in 0..SEEDS {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let log = match seed % 2 {
            0 => honest(&mut rng),
            _ => frauds::honest(Arc::new(LogCurrency::new("issuer.test", "http://issuer.test"))),
        };
        let hand = Hand::new(&log, log.checkpoint());
        for rule in 0..RULES {
            for _ in 0..FILES {
                let claim = hand.claim(&mut rng, rule);
                assert!(!holds(&log, &claim), "seed {seed}, rule {rule}: {claim:#?}");
            }
        }
    }
}

/// Any leaf as one end of the leaves of a key, or none.
fn any_leaf(hand: &Hand<'_>, rng: &mut ChaCha20Rng, size: u64) -> Option<Included> {
    let at = rng.gen_range(0..size);
    rng.gen_bool(0.5).then(|| hand.included(at))
}

#[test]
fn no_leaves_give_a_key_another_count() {
    let two = KeyNo::new(2).unwrap();
    let mut log = LogBuilder::begun();
    log.issue(ONE, 1);
    log.issue(two, 2);
    log.seal();
    log.issue(ONE, 3);
    log.issue(two, 2);
    log.spend(ONE, 1);
    log.seal();
    let (hand, batch, size) = (Hand::new(&log, log.checkpoint()), log.size() - 1, log.size());
    let before = vec![hand.included(log.batches()[2].previous.unwrap())];
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    for _ in 0..ENDS {
        let key_no = if rng.gen_bool(0.5) { ONE } else { two };
        let counted = if rng.gen_bool(0.5) {
            CountedKey::Issued
        } else {
            CountedKey::Spent
        };
        let leaves = KeyLeaves {
            first: any_leaf(&hand, &mut rng, size),
            last: any_leaf(&hand, &mut rng, size),
            left: any_leaf(&hand, &mut rng, size),
            right: hand.included(rng.gen_range(0..size)),
        };
        let shown = format!("{key_no:?} {counted:?} {leaves:?}");
        let count = KeyCount::new((key_no, counted), hand.included(batch), before.clone(), leaves);
        let claim = WrongTotals::new(&hand.checkpoint, TotalsRule::Count(Box::new(count)));
        assert!(!holds(&log, &Claim::WrongTotals(Box::new(claim))), "{shown}");
    }
}

/// Leaves of other keys between two that are far apart are not counted.
#[test]
fn leaves_of_another_key_are_not_counted() {
    let two = KeyNo::new(2).unwrap();
    let mut log = LogBuilder::begun();
    log.issue(ONE, 3);
    log.issue(two, 5);
    log.seal();
    let (hand, end) = (Hand::new(&log, log.checkpoint()), log.size() - 1);
    let first = log.batches()[1].first;
    let own = (first + 3, end - 1);
    for (first, last, left, right) in [
        (None, None, None, end),
        (Some(own.0), Some(own.1), None, end),
        (Some(first), Some(own.1), None, end),
        (Some(own.0), None, Some(own.0 - 1), end),
        (None, Some(own.1), None, end),
        (Some(own.0), Some(own.0), Some(own.0 - 1), end),
        (Some(own.0), Some(own.1), Some(first), end),
        (Some(own.0), Some(own.1), Some(own.0 - 1), own.1),
        (Some(own.1), Some(own.0), Some(own.0 - 1), end),
        // The right ones.
        (Some(own.0), Some(own.1), Some(own.0 - 1), end),
    ] {
        let included = |at: Option<u64>| at.map(|at| hand.included(at));
        let leaves = KeyLeaves {
            first: included(first),
            last: included(last),
            left: included(left),
            right: hand.included(right),
        };
        let before = vec![hand.included(log.batches()[1].previous.unwrap())];
        let counted = (two, CountedKey::Issued);
        let count = KeyCount::new(counted, hand.included(end), before, leaves);
        let claim = WrongTotals::new(&hand.checkpoint, TotalsRule::Count(Box::new(count)));
        let claim = Claim::WrongTotals(Box::new(claim));
        assert!(!holds(&log, &claim), "{first:?} {last:?} {left:?} {right}");
    }
}
