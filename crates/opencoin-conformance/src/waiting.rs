//! Rules of mints that wait for money.

use crate::Store;
use crate::world::*;
use crate::{Pair, World};
use opencoin_ledger::{
    AccountId, Backlog, LedgerTime, TransactionReference, WAITING_MINTS_PER_ACCOUNT_MAX, WaitRefusal,
    WaitingMint,
};

fn time(micros: i64) -> LedgerTime {
    LedgerTime::from_unix_micros(micros)
}

/// A mint of key 1 that waits from 10 to 100.
fn waiting(account: AccountId, text: &str, units: u8) -> WaitingMint {
    WaitingMint {
        account,
        transaction_reference: reference(text),
        blinds: blinds(&vec![1; usize::from(units)]),
        amount: amount(u64::from(units)),
        asked: time(10),
        expires: time(100),
    }
}

async fn payable(ledger: &dyn Store, now: i64, limit: u32) -> Vec<TransactionReference> {
    ledger.accounts().payable(time(now), limit).await.unwrap()
}

/// Asked for again, a mint waits until the later of both times, and is as old as it was.
pub async fn a_mint_waits_until_the_later_time(ledgers: &Pair) {
    World::with_paid_in(ledgers, 0).await;
    let first = waiting(alice(), "a", 3);
    let wait = async |mint: &WaitingMint, now| ledgers[0].accounts().wait(mint, time(now)).await.unwrap();
    assert_eq!(wait(&first, 10).await, Ok(()));
    assert_eq!(
        wait(
            &WaitingMint {
                asked: time(20),
                expires: time(90),
                ..first.clone()
            },
            20
        )
        .await,
        Ok(())
    );
    assert_eq!(
        ledgers[1]
            .accounts()
            .waiting(&reference("a"))
            .await
            .unwrap()
            .as_ref(),
        Some(&first)
    );
    let later = WaitingMint {
        asked: time(20),
        expires: time(120),
        ..first.clone()
    };
    assert_eq!(wait(&later, 99).await, Ok(()));
    let expected = WaitingMint {
        asked: time(10),
        ..later
    };
    assert_eq!(
        ledgers[1].accounts().waiting(&reference("a")).await.unwrap(),
        Some(expected)
    );
    assert_eq!(
        ledgers[1].accounts().waiting(&reference("b")).await.unwrap(),
        None
    );
}

/// Another mint under the reference of one that waits is a conflict; under that of one that has waited in
/// vain it is not.
pub async fn another_mint_under_a_reference_that_waits_is_a_conflict(ledgers: &Pair) {
    World::with_paid_in(ledgers, 0).await;
    let first = waiting(alice(), "a", 3);
    ledgers[0]
        .accounts()
        .wait(&first, time(10))
        .await
        .unwrap()
        .unwrap();
    let mut other_blinds = first.clone();
    other_blinds.blinds[2].blinded.push(1);
    for other in [
        other_blinds,
        waiting(bob(), "a", 3),
        WaitingMint {
            amount: amount(4),
            ..first.clone()
        },
    ] {
        assert_eq!(
            ledgers[1].accounts().wait(&other, time(99)).await.unwrap(),
            Err(WaitRefusal::ReferenceConflict)
        );
    }
    assert_eq!(
        ledgers[1].accounts().waiting(&reference("a")).await.unwrap(),
        Some(first)
    );
    let other = WaitingMint {
        asked: time(100),
        expires: time(200),
        ..waiting(bob(), "a", 2)
    };
    assert_eq!(
        ledgers[1].accounts().wait(&other, time(100)).await.unwrap(),
        Ok(())
    );
    assert_eq!(
        ledgers[0].accounts().waiting(&reference("a")).await.unwrap(),
        Some(other)
    );
}

/// An account has so many that wait; those that have expired do not count, and one that is asked for again is
/// the same one.
pub async fn mints_that_wait_have_a_limit(ledgers: &Pair) {
    World::with_paid_in(ledgers, 0).await;
    let wait = async |mint: &WaitingMint, now| ledgers[0].accounts().wait(mint, time(now)).await.unwrap();
    for index in 0..WAITING_MINTS_PER_ACCOUNT_MAX {
        assert_eq!(wait(&waiting(alice(), &index.to_string(), 1), 10).await, Ok(()));
    }
    assert_eq!(
        wait(&waiting(alice(), "one more", 1), 99).await,
        Err(WaitRefusal::TooMany)
    );
    assert_eq!(wait(&waiting(alice(), "0", 1), 99).await, Ok(()));
    assert_eq!(wait(&waiting(bob(), "one more of another", 1), 99).await, Ok(()));
    let late = WaitingMint {
        expires: time(200),
        ..waiting(alice(), "one more", 1)
    };
    assert_eq!(wait(&late, 100).await, Ok(()));
}

/// Many at once do not get past the limit.
pub async fn mints_that_wait_at_once_have_a_limit(ledgers: &Pair) {
    World::with_paid_in(ledgers, 0).await;
    let wait = |index: usize| {
        let ledger = std::sync::Arc::clone(&ledgers[index % 2]);
        tokio::spawn(async move {
            ledger
                .accounts()
                .wait(&waiting(alice(), &index.to_string(), 1), time(10))
                .await
                .unwrap()
                .is_ok()
        })
    };
    let tasks: Vec<_> = (0..2 * WAITING_MINTS_PER_ACCOUNT_MAX).map(wait).collect();
    let mut waiting = 0;
    for task in tasks {
        waiting += usize::from(task.await.unwrap());
    }
    assert_eq!(waiting, WAITING_MINTS_PER_ACCOUNT_MAX);
}

/// Those that can be paid come in the order in which they were asked for. No money is set aside, and none
/// moves by waiting.
pub async fn waiting_mints_are_payable_in_order_when_there_is_money(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 2).await;
    let at = |asked: i64, mint: WaitingMint| WaitingMint {
        asked: time(asked),
        ..mint
    };
    let [large, second, first, early] = [
        waiting(alice(), "c", 3),
        at(30, waiting(alice(), "a", 1)),
        at(20, waiting(alice(), "b", 2)),
        waiting(bob(), "d", 1),
    ];
    for mint in [&large, &second, &first, &early] {
        ledgers[0].accounts().wait(mint, time(30)).await.unwrap().unwrap();
    }
    assert_eq!(payable(&*ledgers[1], 40, 10).await, ["b", "a"].map(reference));
    world
        .apply(&[credit(alice(), 1, "more"), credit(bob(), 1, "b")])
        .await;
    assert_eq!(
        payable(&*ledgers[1], 99, 10).await,
        ["c", "d", "b", "a"].map(reference)
    );
    assert_eq!(payable(&*ledgers[1], 99, 1).await, [reference("c")]);
    assert!(payable(&*ledgers[1], 100, 10).await.is_empty());
    assert_eq!(world.balances().await, [3, 1]);
    // Whoever settles one sends the mint, and stops the waiting.
    assert_eq!(world.one(mint(alice(), "b", &[1, 1])).await, new(accepted(2)));
    ledgers[0].accounts().stop_waiting(&reference("b")).await.unwrap();
    assert_eq!(payable(&*ledgers[1], 99, 10).await, ["d", "a"].map(reference));
    assert_eq!(
        ledgers[1].accounts().waiting(&reference("b")).await.unwrap(),
        None
    );
}

/// What waits is counted: mints until their time is over, payouts until they are settled.
pub async fn what_waits_is_counted(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 9).await;
    let backlog = async |now| ledgers[1].accounts().backlog(time(now)).await.unwrap();
    assert_eq!(backlog(10).await, Backlog::default());
    let late = WaitingMint {
        expires: time(200),
        ..waiting(bob(), "b", 1)
    };
    for mint in [waiting(alice(), "a", 20), late] {
        ledgers[0]
            .accounts()
            .wait(&mint, time(10))
            .await
            .unwrap()
            .unwrap();
    }
    let requests = (1..=3).map(|no| at(150 + i64::from(no), payout(alice(), 1, &no.to_string())));
    world.apply(&requests.collect::<Vec<_>>()).await;
    let oldest = |micros| Some(time(micros));
    let all = Backlog {
        waiting_mints: 2,
        payouts_requested: 3,
        oldest_payout: oldest(151),
    };
    assert_eq!(backlog(99).await, all);
    assert_eq!(
        backlog(100).await,
        Backlog {
            waiting_mints: 1,
            ..all
        }
    );
    world.apply(&[failed(2, "x"), paid(1, "y")]).await;
    assert_eq!(
        backlog(200).await,
        Backlog {
            waiting_mints: 0,
            payouts_requested: 1,
            oldest_payout: oldest(153)
        }
    );
    world.one(paid(3, "z")).await.unwrap();
    assert_eq!(backlog(200).await, Backlog::default());
}

/// What has waited in vain is remembered until it is tidied away.
pub async fn waiting_mints_are_tidied_away_after_a_while(ledgers: &Pair) {
    World::with_paid_in(ledgers, 0).await;
    let mint = waiting(alice(), "a", 1);
    ledgers[0]
        .accounts()
        .wait(&mint, time(10))
        .await
        .unwrap()
        .unwrap();
    ledgers[1].accounts().tidy(time(500), time(100)).await.unwrap();
    assert_eq!(
        ledgers[0].accounts().waiting(&reference("a")).await.unwrap(),
        Some(mint)
    );
    ledgers[1].accounts().tidy(time(500), time(101)).await.unwrap();
    assert_eq!(
        ledgers[0].accounts().waiting(&reference("a")).await.unwrap(),
        None
    );
}
