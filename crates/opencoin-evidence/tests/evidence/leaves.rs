//! Leaves that should not be there, or not in this place.

use opencoin_log::digest::KeyFingerprint;
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::{CloseReason, Leaf, issued_leaf, spent_leaf};
use opencoin_testkit::log_builder::{LOG_BEGIN_S, LogBuilder, LogCurrency, WITHIN_S};

use crate::support::{Case, ONE, every_byte_matters, index_of, indices_of, keys_until, proven, refused};

fn with_coins() -> LogBuilder {
    let mut log = LogBuilder::begun();
    log.issue(ONE, 20);
    log.seal();
    log
}

#[tokio::test]
async fn a_coin_that_came_back_twice() {
    let mut log = with_coins();
    let digests = log.spend(ONE, 6);
    log.seal();
    log.spend_again(ONE, digests[3]);
    log.seal();
    let leaf = spent_leaf(
        ONE,
        &opencoin_log::digest::SpentDigest::new(*digests[3].as_bytes()),
    );
    let places = indices_of(&log, |found| found.encode().unwrap() == leaf);
    let mut case = Case::new(&log);
    let built = case.builder().spent_twice(places[1], places[0]).await;
    every_byte_matters(&proven(built, "spent twice", "accepted twice"));
    refused(case.builder().spent_twice(places[0], places[0]).await);
    refused(case.builder().spent_twice(places[0], places[0] + 1).await);
}

#[tokio::test]
async fn a_coin_that_came_back_and_was_recouped() {
    let mut log = with_coins();
    let coin = log.spend(ONE, 1)[0];
    log.seal();
    log.close(ONE, CloseReason::Revoked);
    let blinds = [log.next_digest(), log.next_digest()];
    log.recoup(ONE, coin, blinds[0]);
    let other = log.next_digest();
    log.recoup(ONE, other, blinds[1]);
    log.recoup(ONE, other, blinds[0]);
    log.seal();
    let coins = indices_of(&log, |leaf| matches!(leaf, Leaf::Spent { .. }));
    let recouped = indices_of(&log, |leaf| matches!(leaf, Leaf::CoinRecouped { .. }));
    let blinds = indices_of(&log, |leaf| matches!(leaf, Leaf::BlindRecouped { .. }));
    let mut case = Case::new(&log);
    let mut held = 0;
    for second in &recouped {
        held += u32::from(case.builder().spent_twice(coins[0], *second).await.is_ok());
    }
    assert_eq!(held, 1, "one of the recouped coins was spent");
    let mut pairs = Vec::new();
    for (one, other) in [(0, 1), (1, 2), (0, 2)] {
        pairs.push(case.builder().spent_twice(blinds[one], blinds[other]).await);
    }
    let twice = pairs.into_iter().find(Result::is_ok).unwrap();
    proven(twice, "spent twice", "A blind that was recouped");
}

#[tokio::test]
async fn leaves_that_are_out_of_order() {
    let mut log = with_coins();
    log.issue(ONE, 3);
    log.spend(ONE, 2);
    log.seal_changed(|leaves, _| leaves.swap(0, 1));
    let end = log.size() - 1;
    let mut case = Case::new(&log);
    proven(
        case.builder().disorder(end - 4).await,
        "disorder",
        "not in ascending order",
    );
    // The first leaf of a batch is smaller than the batch leaf before it.
    refused(case.builder().disorder(end - 5).await);
    refused(case.builder().disorder(end).await);
}

#[tokio::test]
async fn a_leaf_that_stands_twice_in_a_batch() {
    // A blind that two requests bring is signed for both. A coin is not.
    let mut log = with_coins();
    log.issue(ONE, 1);
    log.spend(ONE, 1);
    log.seal_changed(|leaves, _| {
        leaves.insert(0, leaves[0].clone());
        leaves.push(leaves[2].clone());
    });
    let end = log.size() - 1;
    let mut case = Case::new(&log);
    proven(
        case.builder().disorder(end - 1).await,
        "disorder",
        "not in ascending order",
    );
    refused(case.builder().disorder(end - 3).await);
}

#[tokio::test]
async fn a_leaf_that_nobody_can_read() {
    let mut log = with_coins();
    log.issue(ONE, 1);
    log.seal_changed(|leaves, _| {
        leaves.push(vec![0x01, 0x30, 1, 2, 3]);
        leaves.push(vec![0x02, 0x10]);
    });
    let end = log.size() - 1;
    let mut case = Case::new(&log);
    proven(
        case.builder().malformed(end - 1).await,
        "disorder",
        "unknown version",
    );
    proven(
        case.builder().malformed(end - 2).await,
        "disorder",
        "unknown type",
    );
    for good in 0..end - 2 {
        refused(case.builder().malformed(good).await);
    }
    refused(case.builder().malformed(end).await);
}

#[tokio::test]
async fn a_tree_that_ends_within_a_batch() {
    let mut log = with_coins();
    log.issue(ONE, 5);
    log.seal();
    let within = log.checkpoint_at(log.size() - 2, log.now_s);
    let built = Case::under(&log, within).builder().unfinished().await;
    proven(built, "disorder", "in the middle of a batch");
    refused(Case::new(&log).builder().unfinished().await);
}

#[tokio::test]
async fn a_certificate_that_the_master_key_did_not_sign() {
    let mut log = LogBuilder::begun();
    let other = LogCurrency::new("other.test", "http://other.test");
    log.add_certified_key(&other.mint_key(0, 1, log.now_s));
    let mut forged = log.cddc().cddc().clone();
    forged.cdd.cdd_serial = 9;
    log.add(&Leaf::Currency(Box::new(forged)));
    log.add(&Leaf::Currency(Box::new(other.cddc().cddc().clone())));
    // A denomination that the description of the evidence does not have is no fault.
    let newer = log.currency().described(|cdd| cdd.cdd_serial = 2);
    log.add(&Leaf::Currency(Box::new(newer.cddc().clone())));
    log.seal();
    let mut case = Case::new(&log);
    let certificates = indices_of(&log, |leaf| {
        matches!(leaf, Leaf::MintKey { .. } | Leaf::Currency(_))
    });
    let mut wrong = 0;
    for index in certificates {
        let built = case.builder().wrong_certificate(index).await;
        if built.is_ok() {
            proven(built, "disorder", "did not sign");
            wrong += 1;
        }
    }
    assert_eq!(wrong, 3);
    refused(case.builder().wrong_certificate(log.size() - 1).await);
}

#[tokio::test]
async fn a_mint_key_with_two_leaves_and_a_number_of_two_keys() {
    let mut log = LogBuilder::begun();
    let again = log.currency().mint_key(0, 1, log.now_s);
    log.add_certified_key(&again);
    let other = log.currency().mint_key(3, 5, log.now_s);
    log.add(&Leaf::MintKey {
        key_no: ONE,
        certificate: Box::new(other.mkc().clone()),
    });
    log.seal();
    let keys = indices_of(&log, |leaf| matches!(leaf, Leaf::MintKey { .. }));
    let [one, five, number, again] = keys[..] else {
        panic!("{keys:?}")
    };
    let mut case = Case::new(&log);
    proven(
        case.builder().key_twice(one, number).await,
        "disorder",
        "one number",
    );
    proven(
        case.builder().key_twice(again, one).await,
        "disorder",
        "two leaves",
    );
    refused(case.builder().key_twice(one, five).await);
    refused(case.builder().key_twice(one, one).await);
}

#[tokio::test]
async fn a_leaf_of_a_mint_key_that_does_not_exist() {
    let mut log = with_coins();
    let digest = opencoin_log::digest::IssuedDigest::new([7; 32]);
    let leaf = issued_leaf(KeyNo::new(3).unwrap(), &digest);
    log.issue(KeyNo::new(2).unwrap(), 1);
    log.seal_changed(|leaves, _| leaves.push(leaf.to_vec()));
    let end = log.size() - 1;
    let keys = keys_until(&log, log.size());
    let mut case = Case::new(&log);
    let built = case.builder().key_number(end - 1, end, keys.clone()).await;
    every_byte_matters(&proven(built, "disorder", "only 2 mint keys"));
    refused(case.builder().key_number(end - 2, end, keys.clone()).await);
    // The keys of another time, or not all of them.
    refused(case.builder().key_number(end - 1, end, keys[..1].to_vec()).await);
    refused(case.builder().key_number(4, end, keys).await);
}

#[tokio::test]
async fn a_mint_key_that_is_not_in_the_log() {
    let mut log = LogBuilder::begun();
    let signs_from = LOG_BEGIN_S + 500_000;
    let secret = log.currency().mint_key(5, 2, signs_from);
    let due = signs_from + u64::from(WITHIN_S);
    log.issue(ONE, 1);
    log.seal();
    let keys = keys_until(&log, log.size());
    let checkpoint = |time| log.checkpoint_at(log.size(), time);
    let mut late = Case::under(&log, checkpoint(due + 1));
    let built = late
        .builder()
        .secret_key(secret.mkc().clone(), keys.clone())
        .await;
    every_byte_matters(&proven(built, "secret key", "It is not in the log"));
    // The key of a future window.
    let mut early = Case::under(&log, checkpoint(due));
    refused(
        early
            .builder()
            .secret_key(secret.mkc().clone(), keys.clone())
            .await,
    );
    // A list of keys that leaves one out.
    refused(
        late.builder()
            .secret_key(secret.mkc().clone(), keys[..1].to_vec())
            .await,
    );
    // A key that is in the log.
    let logged = log.currency().mint_key(0, 1, LOG_BEGIN_S);
    refused(
        late.builder()
            .secret_key(logged.mkc().clone(), keys.clone())
            .await,
    );
    // A certificate of somebody else.
    let other = LogCurrency::new("other.test", "http://other.test");
    let other = other.mint_key(5, 2, signs_from).mkc().clone();
    refused(late.builder().secret_key(other, keys.clone()).await);
    // A checkpoint that one witness has cosigned late proves nothing.
    let mut lone = log.signed_checkpoint(
        log.size(),
        log.root_at(log.size()),
        &log.currency().witnesses()[..1],
        due + 1,
    );
    lone.sign(&log.currency().witnesses()[1], due).unwrap();
    let mut lone = Case::under(&log, lone);
    refused(lone.builder().secret_key(secret.mkc().clone(), keys).await);
}

#[tokio::test]
async fn more_coins_back_than_were_signed() {
    let mut log = LogBuilder::begun();
    log.issue(ONE, 2);
    log.seal();
    log.spend(ONE, 3);
    log.seal_changed(|_, batch| {
        batch.coins = 0;
        batch.accounts = 2;
    });
    let end = log.size() - 1;
    log.close(ONE, CloseReason::Stopped);
    log.seal_changed(|_, batch| {
        batch.coins = 0;
        batch.accounts = 2;
    });
    let mut case = Case::new(&log);
    let built = case.builder().over_redemption(end).await;
    every_byte_matters(&proven(
        built,
        "over-redemption",
        "3 coins of mint key 1 came back, but only 2",
    ));
    let closing = index_of(&log, |leaf| matches!(leaf, Leaf::KeyClosed { .. }));
    proven(
        case.builder().over_redemption(closing).await,
        "over-redemption",
        "only 2",
    );
    for index in [0, 3, end - 1, log.size() - 1] {
        refused(case.builder().over_redemption(index).await);
    }
    let fingerprints: Vec<KeyFingerprint> = keys_until(&log, log.size());
    assert_eq!(fingerprints.len(), 2);
}

#[tokio::test]
async fn a_description_that_changes_how_long_the_log_may_take() {
    let mut log = LogBuilder::begun();
    for (serial, from, to) in [
        (2, "within 3600", "within 3600"),
        (3, "within 3600", "within 7200"),
        (4, "batches 2", "batches 9"),
    ] {
        let described = log.currency().described(|cdd| {
            cdd.cdd_serial = serial;
            cdd.additional_info = cdd.additional_info.replace(from, to);
        });
        log.add(&Leaf::Currency(Box::new(described.cddc().clone())));
    }
    log.seal();
    let mut case = Case::new(&log);
    let mut held = Vec::new();
    for index in indices_of(&log, |leaf| matches!(leaf, Leaf::Currency(_))) {
        let built = case.builder().wrong_description(index).await;
        if built.is_ok() {
            held.push(proven(built, "disorder", "another time for what was promised"));
        }
    }
    assert_eq!(held.len(), 2);
}

#[tokio::test]
async fn the_same_description_with_another_signature_is_no_fault() {
    let mut log = LogBuilder::begun();
    let first = index_of(&log, |leaf| matches!(leaf, Leaf::Currency(_)));
    let second = log.size();
    let again = log.currency().signed_again().cddc().clone();
    log.add(&Leaf::Currency(Box::new(again.clone())));
    log.seal();
    let mut case = Case::new(&log);
    refused(case.builder().description_twice(first, second).await);
    case.cddc = again;
    refused(case.builder().wrong_description(first).await);
}

#[tokio::test]
async fn a_description_with_the_number_of_another_one() {
    let log = LogBuilder::begun();
    let index = index_of(&log, |leaf| matches!(leaf, Leaf::Currency(_)));
    let mut case = Case::new(&log);
    // The description in the log itself.
    refused(case.builder().wrong_description(index).await);
    let other = |serial, name: &str| {
        let described = log.currency().described(|cdd| {
            cdd.cdd_serial = serial;
            cdd.currency_name = name.to_owned();
        });
        described.cddc().clone()
    };
    case.cddc = other(2, "Other");
    refused(case.builder().wrong_description(index).await);
    case.cddc = other(1, "Other");
    let built = case.builder().wrong_description(index).await;
    every_byte_matters(&proven(built, "disorder", "another one with this number"));
}
