//! Rules for many requests at once on two ledgers of one database.

use std::sync::Arc;

use crate::world::*;
use crate::{Pair, World};
use opencoin_ledger::{Command, Effect, Outcome, Refusal};

const REQUESTS: usize = 50;

/// Applies each command in a batch of its own, all at once, half through each ledger.
pub(super) async fn at_once(ledgers: &Pair, commands: impl IntoIterator<Item = Command>) -> Vec<Outcome> {
    let spawn = |(index, command): (usize, Command)| {
        let ledger = Arc::clone(&ledgers[index % 2]);
        tokio::spawn(async move { ledger.apply(&[command]).await.unwrap().remove(0) })
    };
    let tasks: Vec<_> = commands.into_iter().enumerate().map(spawn).collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    without_log(outcomes)
}

/// A coin is spent once by many concurrent renews.
pub async fn one_of_fifty_renewals_of_a_coin_succeeds(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 1000).await;
    world.one(mint(alice(), "m", &[1; 100])).await.unwrap();
    // Each renew has the common coin and one of its own.
    let serial = |index: usize| u32::try_from(index).unwrap() + 2;
    let renewals =
        (0..REQUESTS).map(|index| renew(&format!("r{index}"), &[(1, 1), (1, serial(index))], &[2]));
    let outcomes = at_once(ledgers, renewals).await;
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == new(accepted(2)))
            .count(),
        1
    );
    let refused = Err(Refusal::DoubleSpend { indices: vec![0] });
    assert_eq!(
        outcomes.iter().filter(|outcome| **outcome == refused).count(),
        REQUESTS - 1
    );
    assert_eq!(
        (world.counters(1).await, world.counters(2).await),
        ((100, 2), (1, 0))
    );
}

/// Coins are redeemed while another process prunes their key. Each redeem is applied in time or refused, and
/// no rows of coins that were in time are left behind.
pub async fn a_key_can_be_pruned_while_its_coins_come_back(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 100).await;
    world.one(mint(alice(), "m", &[1; REQUESTS])).await.unwrap();
    let commands = (1..=REQUESTS).map(|serial| match serial {
        25 => prune(1),
        serial => redeem(bob(), &[(1, u32::try_from(serial).unwrap())]),
    });
    let outcomes = at_once(ledgers, commands).await;
    let in_time = outcomes
        .iter()
        .filter(|outcome| **outcome == new(moved(1)))
        .count() as u64;
    let expired = Err(Refusal::CoinsExpired { mint_key: key_id(1) });
    let late = outcomes.iter().filter(|outcome| **outcome == expired).count() as u64;
    assert_eq!(in_time + late, REQUESTS as u64 - 1);
    assert_eq!(outcomes[24], new(pruned(in_time, REQUESTS as u64 - in_time)));
    assert_eq!(world.counters(1).await, (REQUESTS as u64, in_time));
    forget_rows(&[&*ledgers[0], &*ledgers[1]]).await;
    assert_eq!(world.facts().await.mint_keys[0].spent, 0);
}

/// Blinds of a key are accepted while another process retires it. Nothing is accepted after that, and the
/// last signing finds everything that was accepted before.
pub async fn a_key_can_be_retired_while_it_signs(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 100).await;
    // The clocks of the two processes differ.
    let commands = (0..REQUESTS).map(|index| match index {
        25 => retire(1),
        index => mint(alice(), &format!("m{index}"), &[1]),
    });
    let outcomes = at_once(ledgers, commands).await;
    assert_eq!(outcomes[25], new(Effect::MintKeyRetired));
    let in_time = outcomes
        .iter()
        .filter(|outcome| **outcome == new(accepted(1)))
        .count();
    let closed = Err(Refusal::SigningWindowClosed { mint_key: key_id(1) });
    assert_eq!(
        outcomes.iter().filter(|outcome| **outcome == closed).count(),
        REQUESTS - 1 - in_time
    );
    assert_eq!(world.unsigned(1, 7).await.len(), in_time);
    assert_eq!(world.counters(1).await, (in_time as u64, 0));
}

/// A blind is recouped once by many concurrent recoups, even if each of them names another coin for it.
pub async fn one_of_twenty_recoups_of_a_blind_succeeds(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 1000).await;
    world.one(mint(alice(), "m", &[1; 100])).await.unwrap();
    world.one(stop(1)).await.unwrap();
    let recoups = (0..20).map(|index| {
        recoup(
            &format!("c{index}"),
            &[(1, 1, index), (1, index + 2, index + 50)],
            &[2],
        )
    });
    let outcomes = at_once(ledgers, recoups).await;
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == new(accepted(2)))
            .count(),
        1
    );
    let refused = Err(Refusal::RecoupedBefore { indices: vec![0] });
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == refused).count(), 19);
    assert_eq!(
        (world.status(1).await.recouped, world.counters(2).await),
        (2, (1, 0))
    );
}

/// Several processes do the last signing of a key at once. Each transaction is kept by one of them.
pub async fn signatures_kept_by_several_at_once_are_kept_once(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 100).await;
    let mints: Vec<_> = (0..10)
        .map(|index| mint(alice(), &format!("m{index}"), &[1, 2]))
        .collect();
    world.apply(&mints).await;
    world.one(retire(1)).await.unwrap();
    let unsigned = Arc::new(world.unsigned(1, 100).await);
    let spawn = |index: usize| {
        let (ledger, unsigned) = (Arc::clone(&ledgers[index % 2]), Arc::clone(&unsigned));
        tokio::spawn(async move {
            let kept = unsigned.iter().map(|transaction| keep(1, transaction));
            let mut kept: Vec<_> = kept.collect();
            kept.rotate_left(index); // each process in another order
            ledger
                .keep_signatures(&kept)
                .await
                .unwrap()
                .into_iter()
                .filter(|is_kept| *is_kept)
                .count()
        })
    };
    let tasks: Vec<_> = (0..8).map(spawn).collect();
    let mut kept = 0;
    for task in tasks {
        kept += task.await.unwrap();
    }
    assert_eq!((kept, world.unsigned(1, 100).await.len()), (10, 0));
}

/// Concurrent mints cannot overdraw the account.
pub async fn ten_of_fifty_mints_succeed_with_money_for_ten(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    let outcomes = at_once(
        ledgers,
        (0..REQUESTS).map(|index| mint(alice(), &format!("m{index}"), &[1])),
    )
    .await;
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == new(accepted(1)))
            .count(),
        10
    );
    let refused = Err(Refusal::InsufficientFunds {
        balance: amount(0),
        needed: amount(1),
    });
    assert_eq!(
        outcomes.iter().filter(|outcome| **outcome == refused).count(),
        REQUESTS - 10
    );
    assert_eq!(world.balances().await, [0, 0]);
    assert_eq!(world.counters(1).await, (10, 0));
}

/// A wallet sends the same mint many times at once. One is new and all others are repetitions.
pub async fn the_same_mint_sent_many_times_at_once_counts_once(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 100).await;
    let outcomes = at_once(ledgers, (0..REQUESTS).map(|_| mint(alice(), "m", &[1]))).await;
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == new(accepted(1)))
            .count(),
        1
    );
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == again(accepted(1)))
            .count(),
        REQUESTS - 1
    );
    assert_eq!(world.balances().await, [99, 0]);
}

/// Numbers of accounts are unique, even if two processes assign them.
pub async fn accounts_opened_at_once_get_different_numbers(ledgers: &Pair) {
    let token = |index: u8| index + 100;
    let outcomes = at_once(
        ledgers,
        (0..8).map(|index| open(&format!("holder-{index}"), token(index))),
    )
    .await;
    let mut ids: Vec<_> = outcomes
        .into_iter()
        .map(|outcome| match outcome.unwrap().effect {
            Effect::AccountOpened(id) => id,
            other => panic!("opening an account gave {other:?}"),
        })
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 8);
}

/// Transfers in both directions lock the same two accounts. None deadlocks and none is lost.
pub async fn crossing_transfers_do_not_block_each_other(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 1000).await;
    world.one(credit(bob(), 1000, "b")).await.unwrap();
    let transfers = (0..REQUESTS).map(|index| {
        let [from, to] = if index % 2 == 0 {
            [alice(), bob()]
        } else {
            [bob(), alice()]
        };
        transfer(from, to, if index % 2 == 0 { 3 } else { 1 }, &format!("t{index}"))
    });
    assert!(at_once(ledgers, transfers).await.iter().all(Result::is_ok));
    assert_eq!(world.balances().await, [950, 1050]);
}
