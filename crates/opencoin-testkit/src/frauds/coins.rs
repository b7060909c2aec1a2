//! Coins that should not have been signed or taken.

use opencoin_log::leaf::CloseReason;

use super::{Fraud, ONE, five, recouped, revoked};
use crate::log_builder::{LogBuilder, MINT_KEY_SIGNS_S, MINT_KEY_TAKEN_S};

const DAY_S: u64 = 24 * 3600;

pub(super) const FRAUDS: &[Fraud] = &[
    Fraud::new(
        "more coins come back than were signed",
        "over-redemption",
        "over_redemption",
        |log| {
            log.spend(five(), 9);
            // Eight were left, so one more has a value that nobody has paid in.
            log.seal_changed(|_, batch| batch.paid_in += 5);
        },
    ),
    Fraud::new(
        "a coin comes back in two batches",
        "spent twice",
        "coin_twice",
        |log| {
            let coin = log.spend(ONE, 4)[2];
            log.seal();
            log.spend(ONE, 1);
            log.spend_again(ONE, coin);
            log.seal();
        },
    ),
    Fraud::new(
        "a coin comes back twice in a batch",
        "spent twice",
        "coin_twice",
        |log| {
            let coin = log.spend(ONE, 4)[2];
            log.spend_again(ONE, coin);
            log.seal();
        },
    ),
    Fraud::new(
        "a coin is recouped that came back before",
        "spent twice",
        "coin_twice",
        |log| {
            log.spend(ONE, 1);
            let coin = log.spend(five(), 1)[0];
            log.seal();
            log.close(five(), CloseReason::Revoked);
            let blind = log.next_digest();
            log.recoup(five(), coin, blind);
            log.seal();
        },
    ),
    Fraud::new("a coin is recouped twice", "spent twice", "coin_twice", |log| {
        let ([coin, _], blind) = (recouped(), log.next_digest());
        log.recoup(revoked(), coin, blind);
        log.seal();
    }),
    Fraud::new("a blind is recouped twice", "spent twice", "blind_twice", |log| {
        let ([_, blind], coin) = (recouped(), log.next_digest());
        log.recoup(revoked(), coin, blind);
        log.seal();
    }),
    Fraud::new(
        "a key signs after its time",
        "outside its window",
        "outside_window",
        |log| {
            pass(log, MINT_KEY_SIGNS_S + 1);
            log.issue(ONE, 2);
            log.seal();
        },
    ),
    Fraud::new(
        "a key signs before its time",
        "outside its window",
        "outside_window",
        |log| {
            let key = log.currency().mint_key(3, 2, log.now_s + 10 * DAY_S);
            let key_no = log.add_certified_key(&key);
            log.seal();
            log.issue(key_no, 2);
            log.seal();
        },
    ),
    Fraud::new(
        "a coin is taken after it has expired",
        "outside its window",
        "outside_window",
        |log| {
            pass(log, MINT_KEY_TAKEN_S + 1);
            log.spend(ONE, 2);
            log.seal();
        },
    ),
    Fraud::new(
        "a coin is recouped after it has expired",
        "outside its window",
        "outside_window",
        |log| {
            // The key was made a minute after the log.
            pass(log, MINT_KEY_TAKEN_S + 61);
            let (coin, blind) = (log.next_digest(), log.next_digest());
            log.recoup(revoked(), coin, blind);
            log.seal();
        },
    ),
    Fraud::new(
        "a key signs after its coins are said to have expired",
        "outside its window",
        "after_closing",
        |log| {
            log.close(five(), CloseReason::CoinsExpired);
            log.seal();
            log.issue(five(), 2);
            log.seal();
        },
    ),
    Fraud::new(
        "a key signs in the batch that first names it",
        "outside its window",
        "early_use",
        |log| {
            let key_no = log.add_mint_key(2);
            log.issue(key_no, 2);
            log.seal();
        },
    ),
    Fraud::new(
        "a key signs after the end of its time was stated",
        "outside its window",
        "after_closing",
        |log| {
            log.close(ONE, CloseReason::WindowOver);
            log.seal();
            log.spend(ONE, 1);
            log.issue(ONE, 1);
            log.seal();
        },
    ),
    Fraud::new(
        "a key signs after it was revoked",
        "outside its window",
        "after_closing",
        |log| {
            log.issue(revoked(), 1);
            log.seal();
        },
    ),
    Fraud::new(
        "coins of a revoked key are taken",
        "outside its window",
        "after_closing",
        |log| {
            log.spend(revoked(), 1);
            log.seal();
        },
    ),
    Fraud::new(
        "coins are taken although they were stated to have expired",
        "outside its window",
        "after_closing",
        |log| {
            log.close(five(), CloseReason::CoinsExpired);
            log.seal();
            log.spend(five(), 1);
            log.seal();
        },
    ),
    Fraud::unproven(
        "a coin is recouped of a key that was not revoked",
        "not_revoked",
        |log| {
            let (coin, blind) = (log.next_digest(), log.next_digest());
            log.recoup(ONE, coin, blind);
            log.seal();
        },
    ),
];

/// Lets so much time pass after the begin of the log, and as long as a promise takes.
fn pass(log: &mut LogBuilder, seconds: u64) {
    let terms = log.currency().terms();
    log.now_s = terms.begin_s + seconds + u64::from(terms.within_s);
}
