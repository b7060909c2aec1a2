//! Keys that pay many times at once.

use opencoin_ledger::{Command, Effect, Outcome, Refusal};

use super::{status, with_keys};
use crate::Pair;
use crate::concurrency::at_once;
use crate::key_world::*;
use crate::world::*;

const PAYMENTS: usize = 50;

fn successes(outcomes: &[Outcome]) -> usize {
    let is_new = |outcome: &&Outcome| outcome.as_ref().is_ok_and(|applied| !applied.repeated);
    outcomes.iter().filter(is_new).count()
}

/// Of many payments with the same number one is made.
pub async fn one_of_fifty_payments_with_a_number_succeeds(ledgers: &Pair) {
    with_keys(ledgers, 1000).await;
    let payments = (0..PAYMENTS).map(|index| pay_key(0, 1, 1, 1 + index as u64));
    let outcomes = at_once(ledgers, payments).await;
    assert_eq!(successes(&outcomes), 1, "{outcomes:?}");
    let refused = Err(Refusal::WrongSeq { expected: 2 });
    let refused = outcomes.iter().filter(|outcome| **outcome == refused).count();
    assert_eq!(refused, PAYMENTS - 1);
    let (balance, seq, _) = status(&*ledgers[0], 0).await;
    let (received, _, credits) = status(&*ledgers[1], 1).await;
    assert_eq!((balance + received, seq, credits), (1000, 1, 0));
}

/// The same payment, sent many times at once, is made once.
pub async fn the_same_payment_sent_many_times_at_once_counts_once(ledgers: &Pair) {
    with_keys(ledgers, 1000).await;
    let outcomes = at_once(ledgers, (0..PAYMENTS).map(|_| pay_key(0, 1, 1, 7))).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(successes(&outcomes), 1);
    assert_eq!(status(&*ledgers[0], 1).await, (7, 0, 0));
}

/// Payments, mints and credits race, and the account is never overdrawn.
pub async fn a_key_cannot_overdraw_its_account(ledgers: &Pair) {
    with_keys(ledgers, 10).await;
    let mut seq = 1;
    for round in 0.. {
        let payments = (0..6).map(|index| match index % 3 {
            0 => pay_key(0, 1, seq, 2),
            1 => mint_by_key(0, seq, 3, &format!("m{round}-{index}"), &[1, 2], &WORLD_KEYS),
            _ => pay_holder(0, (bob(), "bob"), seq + 1, 1),
        });
        let outcomes = at_once(ledgers, payments).await;
        let made = successes(&outcomes) as u64;
        let (balance, counted, _) = status(&*ledgers[0], 0).await;
        assert!(balance <= 10);
        assert_eq!(counted, seq - 1 + made, "{outcomes:?}");
        seq += made;
        if made == 0 {
            assert!(balance < 3, "{outcomes:?}");
            break;
        }
    }
}

/// Payments in both directions lock the same two accounts. None deadlocks and none is lost.
pub async fn crossing_payments_do_not_block_each_other(ledgers: &Pair) {
    with_keys(ledgers, 1000).await;
    ledgers[0]
        .apply(&[credit(key_account(1), 1000, "b")])
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    for seq in 1..=20 {
        let payments = [pay_key(0, 1, seq, 3), pay_key(1, 0, seq, 1)];
        let funding = (0..4).map(|index| {
            let to = key_account(index % 2);
            credit(to, 1, &format!("{seq}-{index}"))
        });
        let outcomes = at_once(ledgers, payments.into_iter().chain(funding)).await;
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    }
    assert_eq!(status(&*ledgers[0], 0).await, (1000 - 40 + 40, 20, 1 + 40));
    assert_eq!(status(&*ledgers[1], 1).await, (1000 + 40 + 40, 20, 1 + 40));
}

/// Keys that are introduced at once, each twice, get one account each.
pub async fn keys_introduced_at_once_get_different_accounts(ledgers: &Pair) {
    crate::World::with_paid_in(ledgers, 0).await;
    let commands: Vec<Command> = (0..8).map(|index| introduce(index % 4)).collect();
    let outcomes = at_once(ledgers, commands).await;
    assert_eq!(successes(&outcomes), 4, "{outcomes:?}");
    let mut ids: Vec<_> = outcomes
        .into_iter()
        .map(|outcome| match outcome.unwrap().effect {
            Effect::KeyIntroduced(id) => id,
            other => panic!("introducing a key gave {other:?}"),
        })
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids, [0, 1, 2, 3].map(key_account));
}

/// Batches are sealed while keys pay. Each batch has the payments of a key without a gap.
pub async fn payments_are_sealed_while_keys_pay(ledgers: &Pair) {
    with_keys(ledgers, 1000).await;
    let sealing = {
        let log = ledgers[1].log();
        tokio::spawn(async move {
            for _ in 0..30 {
                let open = log.head().await.unwrap().unwrap().batch;
                log.seal(open, NOW, &log_terms()).await.unwrap();
                tokio::task::yield_now().await;
            }
        })
    };
    for seq in 1..=30 {
        let commands = [
            pay_key(0, 1, seq, 2),
            pay_key(1, 0, seq, 1),
            credit(key_account(0), 1, &format!("c{seq}")),
        ];
        // The second key may not have the money of the first payment yet.
        for command in commands {
            let outcome = at_once(ledgers, [command]).await.remove(0);
            assert!(outcome.is_ok(), "{outcome:?}");
        }
    }
    sealing.await.unwrap();
    let halted = ledgers[0].log().head().await.unwrap().unwrap().halted;
    assert_eq!(halted, None);
}
