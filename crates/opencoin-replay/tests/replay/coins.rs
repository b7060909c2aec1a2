//! Rules for coins: each ends once, and only keys in the log sign, in their time.

use opencoin_log::digest::SpentDigest;
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::{CloseReason, spent_leaf};
use opencoin_replay::{BrokenRule, KeyUse};
use opencoin_testkit::log_builder::{LogBuilder, MINT_KEY_SIGNS_S, MINT_KEY_TAKEN_S, WITHIN_S};

use crate::support::{ONE, findings, only, rules};

fn with_coins() -> LogBuilder {
    let mut log = LogBuilder::begun();
    log.issue(ONE, 50);
    log.seal();
    log
}

#[test]
fn a_coin_comes_back_once() {
    let mut log = with_coins();
    let digest = log.spend(ONE, 10)[3];
    log.seal();
    log.spend(ONE, 3);
    log.spend_again(ONE, digest);
    log.seal();
    let leaf = spent_leaf(ONE, &SpentDigest::new(*digest.as_bytes()));
    let second = log.leaves().iter().rposition(|other| *other == leaf).unwrap() as u64;
    let twice = BrokenRule::CoinTwice {
        key_no: ONE,
        digest,
        first: None,
    };
    assert_eq!(only(&log), (second, twice));
}

#[test]
fn a_coin_comes_back_once_within_a_batch() {
    let mut log = with_coins();
    let digest = log.spend(ONE, 5)[2];
    log.spend_again(ONE, digest);
    log.seal();
    let leaf = spent_leaf(ONE, &SpentDigest::new(*digest.as_bytes()));
    let second = log.leaves().iter().rposition(|other| *other == leaf).unwrap() as u64;
    let twice = BrokenRule::CoinTwice {
        key_no: ONE,
        digest,
        first: Some(second - 1),
    };
    assert_eq!(only(&log), (second, twice));
}

#[test]
fn equal_digests_of_two_keys_are_two_coins() {
    let mut log = with_coins();
    let five = KeyNo::new(2).unwrap();
    log.issue(five, 1);
    log.seal();
    let digest = log.spend(ONE, 1)[0];
    log.spend_again(five, digest);
    log.seal();
    assert_eq!(findings(&log), []);
}

#[test]
fn no_more_coins_come_back_than_were_issued() {
    let mut log = LogBuilder::begun();
    log.issue(ONE, 2);
    log.seal();
    log.spend(ONE, 3);
    // The value of coins cannot be below zero, so the sums of this issuer are wrong too.
    log.seal_changed(|_, batch| batch.paid_in += 1);
    let broken = BrokenRule::OverRedemption {
        key_no: ONE,
        issued: 2,
        spent: 3,
    };
    assert_eq!(only(&log), (log.size() - 1, broken));
}

#[test]
fn coins_are_of_keys_in_the_log() {
    let mut log = with_coins();
    let first = log.size();
    let stranger = spent_leaf(KeyNo::new(9).unwrap(), &SpentDigest::new([7; 32]));
    log.seal_changed(|leaves, _| leaves.push(stranger.to_vec()));
    assert_eq!(only(&log), (first, BrokenRule::UnknownKey { key_no: 9 }));
}

#[test]
fn a_key_signs_after_the_batch_that_names_it() {
    let mut log = with_coins();
    let two = log.add_mint_key(2);
    log.issue(two, 1);
    log.seal();
    let (index, rule) = only(&log);
    assert_eq!(
        rule,
        BrokenRule::EarlyUse {
            key_no: two,
            key_leaf: index - 1
        }
    );
}

#[test]
fn a_key_signs_in_its_window_and_the_time_of_a_promise_after_it() {
    let begun = LogBuilder::begun();
    let end = begun.now_s - 60 + MINT_KEY_SIGNS_S + u64::from(WITHIN_S);
    let mut log = with_coins();
    log.now_s = end;
    log.issue(ONE, 3);
    log.seal();
    assert_eq!(findings(&log), []);
    log.now_s = end + 1;
    log.issue(ONE, 3);
    let first = log.size();
    log.seal();
    let late = BrokenRule::OutsideWindow {
        key_no: ONE,
        used: KeyUse::Issued,
        key_leaf: 1,
        batch_leaf: log.size() - 1,
    };
    assert_eq!(only(&log), (first, late));
}

#[test]
fn coins_are_taken_until_they_expire() {
    let mut log = with_coins();
    log.now_s = log.now_s - 120 + MINT_KEY_TAKEN_S + u64::from(WITHIN_S);
    log.spend(ONE, 3);
    log.seal();
    assert_eq!(log.batches().last().unwrap().expired, 47);
    assert_eq!(findings(&log), []);
    log.spend(ONE, 3);
    log.seal();
    assert!(matches!(
        only(&log).1,
        BrokenRule::OutsideWindow {
            used: KeyUse::Spent,
            ..
        }
    ));
}

#[test]
fn only_coins_of_revoked_keys_are_recouped() {
    let mut log = with_coins();
    let (coin, blind) = (log.next_digest(), log.next_digest());
    log.recoup(ONE, coin, blind);
    log.seal();
    assert!(matches!(only(&log).1, BrokenRule::NotRevoked { .. }));
}

#[test]
fn recouped_coins_and_blinds_differ_from_each_other_and_from_spent_coins() {
    let mut log = with_coins();
    let spent = log.spend(ONE, 2)[0];
    log.seal();
    log.close(ONE, CloseReason::Revoked);
    let (coin, blind) = (log.next_digest(), log.next_digest());
    // In the batch that revokes the key already.
    log.recoup(ONE, coin, blind);
    log.seal();
    assert_eq!(findings(&log), []);

    let mut other = log.fork();
    let digest = other.next_digest();
    other.recoup(ONE, spent, digest);
    other.seal();
    assert!(matches!(only(&other).1, BrokenRule::CoinTwice { digest, .. } if digest == spent));

    let mut other = log.fork();
    let digest = other.next_digest();
    other.recoup(ONE, digest, blind);
    other.seal();
    assert!(matches!(only(&other).1, BrokenRule::BlindTwice { digest, .. } if digest == blind));

    log.recoup(ONE, coin, blind);
    log.seal();
    assert_eq!(rules(&log).len(), 2);
}
