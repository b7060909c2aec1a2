//! Leaves about coins outside the time of their mint key.

use opencoin_log::digest::IssuedDigest;
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::{CloseReason, Leaf, issued_leaf};
use opencoin_testkit::log_builder::{LOG_BEGIN_S, LogBuilder, MINT_KEY_SIGNS_S, MINT_KEY_TAKEN_S, WITHIN_S};

use crate::support::{Case, ONE, every_byte_matters, index_of, indices_of, proven, refused};

fn with_coins() -> LogBuilder {
    let mut log = LogBuilder::begun();
    log.issue(ONE, 20);
    log.seal();
    log
}

fn key_leaf(log: &LogBuilder, key_no: KeyNo) -> u64 {
    index_of(
        log,
        |leaf| matches!(leaf, Leaf::MintKey { key_no: found, .. } if *found == key_no),
    )
}

#[tokio::test]
async fn coins_that_were_signed_or_taken_too_late() {
    let within = u64::from(WITHIN_S);
    for (end, issue) in [(MINT_KEY_SIGNS_S, true), (MINT_KEY_TAKEN_S, false)] {
        for (late, is_fault) in [(0, false), (within, false), (within + 1, true)] {
            let mut log = with_coins();
            log.now_s = LOG_BEGIN_S + end + late;
            if issue {
                log.issue(ONE, 1);
            } else {
                log.spend(ONE, 1);
            }
            log.seal();
            let at = log.size() - 1;
            let mut case = Case::new(&log);
            let built = case
                .builder()
                .outside_dates(at - 1, at, key_leaf(&log, ONE))
                .await;
            if is_fault {
                proven(built, "outside its window", "more than 3600 seconds later");
            } else {
                refused(built);
            }
        }
    }
}

#[tokio::test]
async fn the_batch_and_the_key_are_those_of_the_coin() {
    let mut log = with_coins();
    let before = log.size() - 1;
    log.now_s = LOG_BEGIN_S + MINT_KEY_TAKEN_S + u64::from(WITHIN_S) + 1;
    log.issue(ONE, 1);
    log.add_mint_key(2);
    log.seal();
    let (at, key) = (log.size() - 1, key_leaf(&log, ONE));
    let issued = *indices_of(&log, |leaf| matches!(leaf, Leaf::Issued { .. }))
        .last()
        .unwrap();
    let mut case = Case::new(&log);
    proven(
        case.builder().outside_dates(issued, at, key).await,
        "outside its window",
        "a coin was signed",
    );
    // A coin of an earlier batch, another key, and a batch leaf that is not of the coin's batch.
    refused(case.builder().outside_dates(before - 1, at, key).await);
    refused(
        case.builder()
            .outside_dates(issued, at, key_leaf(&log, KeyNo::new(2).unwrap()))
            .await,
    );
    refused(case.builder().outside_dates(issued, before, key).await);
    refused(case.builder().outside_dates(at, at, key).await);
}

#[tokio::test]
async fn a_coin_of_a_key_that_comes_later() {
    let mut log = with_coins();
    let three = KeyNo::new(3).unwrap();
    let leaf = issued_leaf(three, &IssuedDigest::new([1; 32])).to_vec();
    log.issue(ONE, 1);
    log.seal_changed(|leaves, _| leaves.push(leaf));
    let early = log.size() - 1;
    log.add_mint_key(2);
    log.issue(three, 1);
    log.seal();
    let (end, key) = (log.size() - 1, key_leaf(&log, three));
    log.issue(three, 1);
    log.seal();
    let last = log.size() - 1;
    let mut case = Case::new(&log);
    let built = case.builder().key_unknown(early - 1, early, key).await;
    proven(built, "outside its window", "not in the log before leaf");
    let built = case.builder().key_unknown(end - 1, end, key).await;
    every_byte_matters(&proven(
        built,
        "outside its window",
        "not in the log before this batch",
    ));
    refused(case.builder().key_unknown(last - 1, last, key).await);
    refused(case.builder().key_unknown(early - 2, early, key).await);
}

#[tokio::test]
async fn coins_of_a_closed_key() {
    use CloseReason::{CoinsExpired, Revoked, Stopped, WindowOver};
    for (reason, issued_over, spent_over, recouped_over) in [
        (WindowOver, true, false, false),
        (CoinsExpired, true, true, true),
        (Revoked, true, true, false),
        (Stopped, true, true, false),
    ] {
        let mut log = with_coins();
        log.close(ONE, reason);
        // What was accepted before is in the same batch.
        log.issue(ONE, 1);
        log.spend(ONE, 1);
        log.seal();
        let same = log.size() - 1;
        log.issue(ONE, 1);
        log.spend(ONE, 1);
        let (coin, blind) = (log.next_digest(), log.next_digest());
        log.recoup(ONE, coin, blind);
        log.seal();
        let closing = index_of(&log, |leaf| matches!(leaf, Leaf::KeyClosed { .. }));
        let last = |is: fn(&Leaf) -> bool| *indices_of(&log, is).last().unwrap();
        let uses = [
            (last(|leaf| matches!(leaf, Leaf::Issued { .. })), issued_over),
            (last(|leaf| matches!(leaf, Leaf::Spent { .. })), spent_over),
            (
                last(|leaf| matches!(leaf, Leaf::CoinRecouped { .. })),
                recouped_over,
            ),
            (
                last(|leaf| matches!(leaf, Leaf::BlindRecouped { .. })),
                recouped_over,
            ),
        ];
        let mut case = Case::new(&log);
        for (leaf, is_over) in uses {
            let built = case.builder().after_closing(leaf, closing, same).await;
            if is_over {
                proven(built, "outside its window", "has closed the key");
            } else {
                refused(built);
            }
        }
        refused(case.builder().after_closing(same - 1, closing, same).await);
        refused(case.builder().after_closing(same - 1, closing, closing - 1).await);
    }
}
