//! Rules of payouts.

use crate::Store;
use crate::concurrency::at_once;
use crate::world::*;
use crate::{Pair, World};
use opencoin_ledger::{AccountId, Payout, PayoutFilter, PayoutNo, Refusal, Settlement};

async fn numbers(ledger: &dyn Store, filter: PayoutFilter, after: i64, limit: u32) -> Vec<i64> {
    let payouts = ledger
        .accounts()
        .payouts(filter, PayoutNo::new(after), limit)
        .await
        .unwrap();
    payouts.into_iter().map(|payout| payout.no.get()).collect()
}

/// The numbers of the newest payouts.
async fn newest(ledger: &dyn Store, filter: PayoutFilter, before: Option<i64>, limit: u32) -> Vec<i64> {
    let accounts = ledger.accounts();
    let payouts = accounts.newest_payouts(filter, before.map(PayoutNo::new), limit);
    let payouts = payouts.await.unwrap();
    payouts.into_iter().map(|payout| payout.no.get()).collect()
}

async fn payout_by_number(ledger: &dyn Store, no: i64) -> Payout {
    ledger
        .accounts()
        .payout(PayoutNo::new(no))
        .await
        .unwrap()
        .unwrap()
}

/// The money leaves the account once, when the payout is requested, and nobody can spend it.
pub async fn a_payout_is_requested_once(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    assert_eq!(world.one(payout(alice(), 7, "k")).await, new(moved(7)));
    assert_eq!(world.one(at(9, payout(alice(), 7, "k"))).await, again(moved(7)));
    for other in [payout(alice(), 6, "k"), transfer(alice(), bob(), 7, "k")] {
        assert_eq!(world.one(other).await, Err(Refusal::ReferenceConflict));
    }
    assert_eq!(world.one(payout(alice(), 0, "l")).await, Err(Refusal::ZeroAmount));
    let refused = Err(Refusal::InsufficientFunds {
        balance: amount(3),
        needed: amount(4),
    });
    assert_eq!(world.one(payout(alice(), 4, "l")).await, refused);
    assert_eq!(
        world.one(payout(AccountId::PAYOUTS, 4, "l")).await,
        Err(Refusal::UnknownAccount)
    );
    assert_eq!(world.balances().await, [3, 0]);
    let facts = world.facts().await;
    assert_eq!((facts.unsettled_payouts, facts.paid_out), (7, 0));

    let payout = ledgers[1]
        .accounts()
        .payout_of(alice(), &idempotency_key("k"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(payout, payout_by_number(&*ledgers[1], 1).await);
    let found = (
        payout.account,
        payout.name.as_str(),
        payout.amount,
        payout.destination.as_str(),
    );
    assert_eq!(found, (alice(), "alice", amount(7), "account 1 of the bank"));
    assert_eq!((payout.requested, payout.settled), (NOW, None));
    assert_eq!(
        ledgers[1]
            .accounts()
            .payout_of(bob(), &idempotency_key("k"))
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        ledgers[1].accounts().payout(PayoutNo::new(2)).await.unwrap(),
        None
    );
}

/// A payout is settled once: as paid, so that the money has left the books, or as failed, so that it returns
/// to the account.
pub async fn a_payout_is_settled_once(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    world
        .apply(&[payout(alice(), 3, "1"), payout(alice(), 4, "2")])
        .await;
    assert_eq!(world.one(at(160, paid(1, "statement 7"))).await, new(moved(3)));
    assert_eq!(world.one(at(170, paid(1, "statement 7"))).await, again(moved(3)));
    for other in [paid(1, "statement 8"), failed(1, "statement 7")] {
        assert_eq!(world.one(other).await, Err(Refusal::ReferenceConflict));
    }
    assert_eq!(world.one(failed(2, "no such bank account")).await, new(moved(4)));
    assert_eq!(
        world.one(failed(2, "no such bank account")).await,
        again(moved(4))
    );
    assert_eq!(
        world.one(paid(2, "no such bank account")).await,
        Err(Refusal::ReferenceConflict)
    );
    for unknown in [0, 3, -1] {
        assert_eq!(
            world.one(paid(unknown, "statement 9")).await,
            Err(Refusal::UnknownPayout)
        );
    }
    assert_eq!(world.balances().await, [7, 0]);
    let facts = world.facts().await;
    assert_eq!((facts.unsettled_payouts, facts.paid_out), (0, 3));
    let (settlement, at) = payout_by_number(&*ledgers[1], 1).await.settled.unwrap();
    assert_eq!(
        (settlement, at.unix_micros()),
        (Settlement::Paid("statement 7".parse().unwrap()), 160)
    );
    let (settlement, _) = payout_by_number(&*ledgers[1], 2).await.settled.unwrap();
    assert_eq!(
        settlement,
        Settlement::Failed("no such bank account".parse().unwrap())
    );
}

/// A payout can be requested and settled in one batch. Money that returns can be spent in the same batch.
pub async fn a_payout_can_be_settled_in_the_batch_that_requests_it(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    let outcomes = world
        .apply(&[
            payout(alice(), 3, "1"),
            failed(1, "x"),
            payout(alice(), 10, "2"),
            paid(2, "y"),
        ])
        .await;
    assert_eq!(
        outcomes,
        [new(moved(3)), new(moved(3)), new(moved(10)), new(moved(10))]
    );
    assert_eq!(world.balances().await, [0, 0]);
    world.one(credit(bob(), 5, "b")).await.unwrap();
    world.one(payout(bob(), 5, "1")).await.unwrap();
    let outcomes = world
        .apply(&[
            failed(3, "z"),
            transfer(bob(), alice(), 5, "2"),
            payout(alice(), 5, "3"),
        ])
        .await;
    assert_eq!(outcomes, [new(moved(5)), new(moved(5)), new(moved(5))]);
    assert_eq!(numbers(&*ledgers[1], PayoutFilter::Requested, 0, 10).await, [4]);
}

/// Payouts are read in pages: all of them, those of an account, or those that are not settled.
pub async fn payouts_are_read_in_pages(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    world.one(credit(bob(), 12, "b")).await.unwrap();
    let requests: Vec<_> = (1..=6)
        .map(|no| payout(if no % 2 == 0 { bob() } else { alice() }, no, &no.to_string()))
        .collect();
    world.apply(&requests).await;
    world.apply(&[paid(2, "x"), failed(3, "y")]).await;
    for ledger in ledgers {
        assert_eq!(
            numbers(&**ledger, PayoutFilter::All, 0, 10).await,
            [1, 2, 3, 4, 5, 6]
        );
        assert_eq!(numbers(&**ledger, PayoutFilter::All, 2, 3).await, [3, 4, 5]);
        assert_eq!(numbers(&**ledger, PayoutFilter::Of(bob()), 2, 10).await, [4, 6]);
        assert_eq!(numbers(&**ledger, PayoutFilter::Requested, 0, 3).await, [1, 4, 5]);
        assert_eq!(numbers(&**ledger, PayoutFilter::Requested, 5, 3).await, [6]);
        assert_eq!(numbers(&**ledger, PayoutFilter::Paid, 0, 10).await, [2]);
        assert_eq!(numbers(&**ledger, PayoutFilter::Failed, 0, 10).await, [3]);
        assert_eq!(newest(&**ledger, PayoutFilter::All, None, 3).await, [6, 5, 4]);
        assert_eq!(newest(&**ledger, PayoutFilter::All, Some(4), 2).await, [3, 2]);
        assert_eq!(
            newest(&**ledger, PayoutFilter::Of(bob()), Some(6), 10).await,
            [4, 2]
        );
        assert_eq!(newest(&**ledger, PayoutFilter::Paid, None, 10).await, [2]);
        assert_eq!(newest(&**ledger, PayoutFilter::Failed, None, 10).await, [3]);
        assert!(
            newest(&**ledger, PayoutFilter::Paid, Some(2), 10)
                .await
                .is_empty()
        );
    }
}

/// If operators settle a payout as paid and as failed at once, one settlement is applied and the money moves
/// once.
pub async fn concurrent_settlements_settle_a_payout_once(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    world.one(payout(alice(), 10, "1")).await.unwrap();
    let settle = |index| {
        if index % 3 == 0 {
            paid(1, "statement 7")
        } else {
            failed(1, "no such bank account")
        }
    };
    let outcomes = at_once(ledgers, (0..12).map(settle)).await;
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == new(moved(10)))
            .count(),
        1
    );
    let is_paid = world.balances().await == [0, 0];
    let same = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(same, if is_paid { 4 } else { 8 }, "{outcomes:?}");
    assert!(
        outcomes
            .iter()
            .all(|outcome| outcome.is_ok() || *outcome == Err(Refusal::ReferenceConflict))
    );
    assert!(is_paid || world.balances().await == [10, 0]);
}

/// The numbers of payouts have no gap, even if two processes assign them, and the payouts do not exceed the
/// balance.
pub async fn payouts_requested_at_once_are_numbered_without_a_gap(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    let outcomes = at_once(
        ledgers,
        (0..16).map(|index| payout(alice(), 1, &index.to_string())),
    )
    .await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 10);
    assert_eq!(
        numbers(&*ledgers[0], PayoutFilter::All, 0, 100).await,
        (1..=10).collect::<Vec<_>>()
    );
    assert_eq!(
        (world.balances().await, world.facts().await.unsettled_payouts),
        ([0, 0], 10)
    );
}
