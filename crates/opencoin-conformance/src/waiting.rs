//! Rules of waiting mints.

use std::sync::Arc;

use crate::Store;
use crate::world::*;
use crate::{Pair, World};
use opencoin_ledger::{
    Backlog, Command, DueMint, Effect, Outcome, Refusal, Transaction, TransactionReference,
    WAITING_MINTS_PER_ACCOUNT_MAX, WaitingMint,
};

const WAITING: Effect = Effect::Waiting;
const GIVEN_UP: Effect = Effect::GivenUp;
/// The time until which the mints of these tests wait. The keys still sign then.
const UNTIL: i64 = NOW.unix_micros() + 20;

/// A mint for Alice of this many coins of key 1, which waits until [`UNTIL`] if need be.
fn patient_mint(text: &str, coins: usize) -> Command {
    patient(UNTIL, mint(alice(), text, &vec![1; coins]))
}

fn insufficient_funds(balance: u64, needed: u64) -> Outcome {
    Err(Refusal::InsufficientFunds {
        balance: amount(balance),
        needed: amount(needed),
    })
}

async fn waiting(ledger: &dyn Store, text: &str) -> Option<WaitingMint> {
    ledger.accounts().waiting(&reference(text)).await.unwrap()
}

/// The references of the mints that are due, in order, read in pages of this size.
async fn due(ledger: &dyn Store, now: i64, page: u32) -> Vec<TransactionReference> {
    let mut found: Vec<DueMint> = Vec::new();
    loop {
        let next = ledger
            .accounts()
            .due(time(now), found.last(), page)
            .await
            .unwrap();
        let is_last = next.len() < page as usize;
        found.extend(next);
        if is_last {
            break;
        }
    }
    assert!(found.is_sorted());
    found.into_iter().map(|mint| mint.reference).collect()
}

/// A mint waits only if its request allows it. Waiting moves no money. When the account holds enough, the
/// same request is carried out.
pub async fn a_mint_waits_and_is_carried_out_once(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 2).await;
    assert_eq!(
        world.one(mint(alice(), "a", &[1; 3])).await,
        insufficient_funds(2, 3)
    );
    let too_late = patient(NOW.unix_micros(), mint(alice(), "a", &[1; 3]));
    assert_eq!(world.one(too_late).await, insufficient_funds(2, 3));
    assert_eq!(world.one(patient_mint("a", 3)).await, new(WAITING));
    assert_eq!(world.one(patient_mint("a", 3)).await, again(WAITING));
    let without_waiting = mint(alice(), "a", &[1; 3]);
    assert_eq!(world.one(without_waiting.clone()).await, again(WAITING));
    let expected = WaitingMint {
        account: alice(),
        transaction_reference: reference("a"),
        blinds: blinds(&[1; 3]),
        amount: amount(3),
        asked: NOW,
        expires: time(UNTIL),
    };
    assert_eq!(waiting(&*ledgers[1], "a").await, Some(expected));
    assert_eq!(ledgers[1].transaction(&reference("a")).await.unwrap(), None);
    assert_eq!(
        (world.balances().await, world.counters(1).await),
        ([2, 0], (0, 0))
    );

    world.one(credit(alice(), 5, "more")).await.unwrap();
    let carried_out = ledgers[1]
        .apply(&[without_waiting, patient_mint("a", 3)])
        .await
        .unwrap();
    assert_eq!(without_log(carried_out), [new(accepted(3)), again(accepted(3))]);
    assert_eq!(waiting(&*ledgers[0], "a").await, None);
    assert_eq!(world.stored("a").await, stored(&[1; 3]));
    assert_eq!(
        (world.balances().await, world.counters(1).await),
        ([4, 0], (3, 0))
    );
}

/// A mint that was given up stays so, whatever its account holds and however late the mint is sent again.
pub async fn a_mint_is_given_up_for_good_when_its_time_is_over(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 0).await;
    assert_eq!(world.one(patient_mint("a", 3)).await, new(WAITING));
    assert_eq!(
        world.one(at(UNTIL - 1, mint(alice(), "a", &[1; 3]))).await,
        again(WAITING)
    );
    world.one(credit(alice(), 9, "too late")).await.unwrap();
    assert_eq!(
        world.one(at(UNTIL, mint(alice(), "a", &[1; 3]))).await,
        new(GIVEN_UP)
    );
    assert_eq!(waiting(&*ledgers[1], "a").await, None);
    let found = ledgers[1].transaction(&reference("a")).await.unwrap();
    assert_eq!(found, Some(Transaction::GivenUp));
    assert_eq!(ledgers[1].accepted(&reference("a")).await.unwrap(), None);
    for again_later in [
        mint(alice(), "a", &[1; 3]),
        patient_mint("a", 3),
        patient(SIGN_TO, mint(alice(), "a", &[1; 3])),
    ] {
        assert_eq!(ledgers[1].apply(&[again_later]).await.unwrap(), [again(GIVEN_UP)]);
    }
    for another in [mint(alice(), "a", &[1; 2]), mint(bob(), "a", &[1; 3])] {
        assert_eq!(world.one(another).await, Err(Refusal::ReferenceConflict));
    }
    assert_eq!(
        (world.balances().await, world.counters(1).await),
        ([9, 0], (0, 0))
    );
}

/// A waiting mint that is sent again waits until the later of both times, even if the first has passed and
/// the mint was not given up yet.
pub async fn a_mint_waits_until_the_later_time(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 0).await;
    world.one(patient_mint("a", 3)).await.unwrap();
    let earlier = patient(UNTIL - 10, mint(alice(), "a", &[1; 3]));
    assert_eq!(world.one(earlier).await, again(WAITING));
    let first = waiting(&*ledgers[1], "a").await.unwrap();
    assert_eq!(first.expires, time(UNTIL));
    let later = at(UNTIL, patient(UNTIL + 10, mint(alice(), "a", &[1; 3])));
    assert_eq!(world.one(later).await, new(WAITING));
    let expected = WaitingMint {
        expires: time(UNTIL + 10),
        ..first
    };
    assert_eq!(waiting(&*ledgers[1], "a").await, Some(expected));
    // The same in one batch.
    let outcomes = world
        .apply(&[
            patient_mint("b", 1),
            patient(UNTIL + 5, mint(alice(), "b", &[1])),
            at(UNTIL + 5, mint(alice(), "b", &[1])),
        ])
        .await;
    assert_eq!(outcomes, [new(WAITING), new(WAITING), new(GIVEN_UP)]);
    assert_eq!(waiting(&*ledgers[1], "b").await, None);
}

/// A different mint with the reference of a waiting mint is a conflict, whichever account sends it.
pub async fn another_mint_with_a_waiting_reference_is_a_conflict(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 0).await;
    world.one(patient_mint("a", 3)).await.unwrap();
    world.one(credit(bob(), 50, "b")).await.unwrap();
    for other in [
        mint(alice(), "a", &[1; 2]),
        mint(alice(), "a", &[1, 1, 2]),
        mint(bob(), "a", &[1; 3]),
        at(UNTIL, patient(UNTIL + 9, mint(bob(), "a", &[1; 3]))),
    ] {
        let outcome = ledgers[1].apply(&[other]).await.unwrap();
        assert_eq!(outcome, [Err(Refusal::ReferenceConflict)]);
    }
    assert!(waiting(&*ledgers[1], "a").await.is_some());
    assert_eq!(world.balances().await, [0, 50]);
}

/// A mint is given up if one of its keys no longer signs, even if its account holds enough.
pub async fn a_mint_whose_keys_no_longer_sign_is_given_up(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 0).await;
    let wait = |text: &str, keys: &[u8]| patient(EXPIRY, mint(alice(), text, keys));
    for outcome in world
        .apply(&[
            wait("stopped", &[1, 5]),
            wait("late", &[2]),
            wait("retired", &[2, 2]),
        ])
        .await
    {
        assert_eq!(outcome, new(WAITING));
    }
    world.apply(&[stop(5), credit(alice(), 90, "enough")]).await;
    // Before the window, perhaps because a clock was set back, the mint is refused but still waits.
    let early = at(SIGN_FROM - 1, mint(alice(), "late", &[2]));
    let closed = Err(Refusal::SigningWindowClosed { mint_key: key_id(2) });
    assert_eq!(world.one(early).await, closed);
    assert!(waiting(&*ledgers[1], "late").await.is_some());
    assert_eq!(world.one(mint(alice(), "stopped", &[1, 5])).await, new(GIVEN_UP));
    let late = at(SIGN_TO + 1, mint(alice(), "late", &[2]));
    assert_eq!(world.one(late).await, new(GIVEN_UP));
    world.one(retire(2)).await.unwrap();
    assert_eq!(world.one(mint(alice(), "retired", &[2, 2])).await, new(GIVEN_UP));
    assert_eq!(world.balances().await, [90, 0]);
}

/// The number of waiting mints of an account is limited. Those whose time has passed do not count, and one
/// that is sent again counts once.
pub async fn waiting_mints_have_a_limit(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 0).await;
    for index in 0..WAITING_MINTS_PER_ACCOUNT_MAX {
        assert_eq!(world.one(patient_mint(&index.to_string(), 1)).await, new(WAITING));
    }
    let one_more = patient_mint("one more", 1);
    assert_eq!(
        world.one(one_more.clone()).await,
        Err(Refusal::TooManyWaitingMints)
    );
    assert_eq!(world.one(patient_mint("0", 1)).await, again(WAITING));
    let of_another = patient(UNTIL, mint(bob(), "of another", &[1]));
    assert_eq!(world.one(of_another).await, new(WAITING));
    let later = at(UNTIL, patient(UNTIL + 9, one_more));
    assert_eq!(world.one(later).await, new(WAITING));
    assert_eq!(ledgers[1].accounts().backlog().await.unwrap().waiting_mints, 18);
}

/// Concurrent requests cannot exceed the limit.
pub async fn concurrent_waiting_mints_have_a_limit(ledgers: &Pair) {
    World::with_paid_in(ledgers, 0).await;
    let wait = |index: usize| {
        let ledger = Arc::clone(&ledgers[index % 2]);
        tokio::spawn(async move {
            let outcome = ledger.apply(&[patient_mint(&index.to_string(), 1)]).await;
            outcome.unwrap()[0].is_ok()
        })
    };
    let tasks: Vec<_> = (0..2 * WAITING_MINTS_PER_ACCOUNT_MAX).map(wait).collect();
    let mut waiting = 0;
    for task in tasks {
        waiting += usize::from(task.await.unwrap());
    }
    assert_eq!(waiting, WAITING_MINTS_PER_ACCOUNT_MAX);
}

/// If two processes decide a mint at once, one to give it up and one to carry it out, one of them wins and
/// every request gets its answer.
pub async fn a_mint_is_given_up_or_carried_out_and_never_both(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 0).await;
    let names: Vec<String> = (0..WAITING_MINTS_PER_ACCOUNT_MAX)
        .map(|number| number.to_string())
        .collect();
    for name in &names {
        assert_eq!(world.one(patient_mint(name, 1)).await, new(WAITING));
    }
    world.one(credit(alice(), 100, "enough")).await.unwrap();
    let mut carried_out = 0;
    for name in &names {
        // The clocks of the two processes differ.
        let decide = |ledger: usize, micros: i64| {
            let (ledger, name) = (Arc::clone(&ledgers[ledger]), name.clone());
            tokio::spawn(async move {
                let command = at(micros, mint(alice(), &name, &[1]));
                ledger.apply(&[command]).await.unwrap().remove(0).unwrap().effect
            })
        };
        let tasks = [
            decide(0, UNTIL - 1),
            decide(1, UNTIL),
            decide(1, UNTIL - 1),
            decide(0, UNTIL),
        ];
        let mut heard = Vec::new();
        for task in tasks {
            heard.push(task.await.unwrap());
        }
        assert!(heard.iter().all(|effect| *effect == heard[0]), "{heard:?}");
        assert!([accepted(1), GIVEN_UP].contains(&heard[0]), "{heard:?}");
        carried_out += u64::from(heard[0] == accepted(1));
        assert_eq!(waiting(&*ledgers[0], name).await, None);
    }
    assert_eq!(world.balances().await, [100 - carried_out, 0]);
    assert_eq!(world.counters(1).await, (carried_out, 0));
}

/// Mints that can be paid and mints whose time has passed are due, in the order in which they were requested.
/// Waiting neither reserves nor moves money.
pub async fn waiting_mints_are_due_in_order(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 0).await;
    let asked = |micros: i64, mint: Command| at(SIGN_FROM + micros, patient(UNTIL, mint));
    let outcomes = world
        .apply(&[
            asked(1, mint(alice(), "c", &[1; 3])),
            asked(3, mint(alice(), "a", &[1])),
            asked(2, mint(alice(), "b", &[1; 2])),
            asked(1, mint(bob(), "d", &[1])),
        ])
        .await;
    assert!(
        outcomes.iter().all(|outcome| *outcome == new(WAITING)),
        "{outcomes:?}"
    );
    let ledger = &*ledgers[1];
    assert!(due(ledger, UNTIL - 1, 10).await.is_empty());
    world.one(credit(alice(), 2, "two")).await.unwrap();
    assert_eq!(due(ledger, UNTIL - 1, 10).await, ["b", "a"].map(reference));
    world
        .apply(&[credit(alice(), 1, "more"), credit(bob(), 1, "b")])
        .await;
    let all = ["c", "d", "b", "a"].map(reference);
    assert_eq!(due(ledger, UNTIL - 1, 10).await, all);
    for page in 1..=5 {
        assert_eq!(due(ledger, UNTIL - 1, page).await, all);
    }
    assert_eq!(world.balances().await, [3, 1]);
    assert_eq!(world.one(mint(alice(), "b", &[1, 1])).await, new(accepted(2)));
    assert_eq!(due(ledger, UNTIL - 1, 10).await, ["d", "a"].map(reference));
    world.one(debit(bob(), 1, "out")).await.unwrap();
    assert_eq!(due(ledger, UNTIL - 1, 10).await, ["a"].map(reference));
    assert_eq!(due(ledger, UNTIL, 10).await, ["c", "d", "a"].map(reference));
}

/// The backlog counts mints until they are carried out or given up, and payouts until they are settled.
pub async fn waiting_mints_and_payouts_are_counted(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 9).await;
    let backlog = async || ledgers[1].accounts().backlog().await.unwrap();
    assert_eq!(backlog().await, Backlog::default());
    let late = patient(UNTIL + 9, mint(bob(), "b", &[1]));
    for mint in [patient_mint("a", 20), late] {
        assert_eq!(world.one(mint).await, new(WAITING));
    }
    let requests = (1..=3).map(|no| at(150 + i64::from(no), payout(alice(), 1, &no.to_string())));
    world.apply(&requests.collect::<Vec<_>>()).await;
    let oldest = |micros| Some(time(micros));
    let all = Backlog {
        waiting_mints: 2,
        payouts_requested: 3,
        frozen_accounts: 0,
        oldest_payout: oldest(151),
    };
    assert_eq!(backlog().await, all);
    world.one(at(UNTIL, mint(alice(), "a", &[1; 20]))).await.unwrap();
    let waiting_mints = 1;
    assert_eq!(backlog().await, Backlog { waiting_mints, ..all });
    world.apply(&[failed(2, "x"), paid(1, "y")]).await;
    assert_eq!(
        backlog().await,
        Backlog {
            waiting_mints,
            payouts_requested: 1,
            frozen_accounts: 0,
            oldest_payout: oldest(153)
        }
    );
    world
        .apply(&[paid(3, "z"), credit(bob(), 1, "b"), mint(bob(), "b", &[1])])
        .await;
    assert_eq!(backlog().await, Backlog::default());
}
