//! Two ledgers on one database, many requests at once.

use std::sync::Arc;

use super::world::*;
use super::{Pair, World};
use crate::{Command, Effect, Outcome, Refusal};

const REQUESTS: usize = 50;

/// Applies each command in a batch of its own, all at once, half through each ledger.
async fn at_once(ledgers: &Pair, commands: impl IntoIterator<Item = Command>) -> Vec<Outcome> {
    let spawn = |(index, command): (usize, Command)| {
        let ledger = Arc::clone(&ledgers[index % 2]);
        tokio::spawn(async move { ledger.apply(&[command]).await.unwrap().remove(0) })
    };
    let tasks: Vec<_> = commands.into_iter().enumerate().map(spawn).collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

/// A coin is spent once, whoever asks and however often.
pub async fn fifty_renewals_of_one_coin_and_one_wins(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 1000).await;
    world.one(mint(alice(), "m", &[1; 100])).await.unwrap();
    // Each brings the coin of all and one of its own.
    let serial = |index: usize| u32::try_from(index).unwrap() + 2;
    let renewals = (0..REQUESTS).map(|index| renew(&format!("r{index}"), &[(1, 1), (1, serial(index))], &[2]));
    let outcomes = at_once(ledgers, renewals).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == new(accepted(2))).count(), 1);
    let refused = Err(Refusal::DoubleSpend { indices: vec![0] });
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == refused).count(), REQUESTS - 1);
    assert_eq!((world.counters(1).await, world.counters(2).await), ((100, 2), (1, 0)));
}

/// Coins come back through one process while the other forgets the key: each was in time or is refused, and nothing that
/// came in time is left behind.
pub async fn a_key_that_is_pruned_while_its_coins_come_back_keeps_the_books(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 100).await;
    world.one(mint(alice(), "m", &[1; REQUESTS])).await.unwrap();
    let commands = (1..=REQUESTS).map(|serial| match serial {
        25 => prune(1),
        serial => redeem(bob(), &[(1, u32::try_from(serial).unwrap())]),
    });
    let outcomes = at_once(ledgers, commands).await;
    let in_time = outcomes.iter().filter(|outcome| **outcome == new(moved(1))).count() as u64;
    let expired = Err(Refusal::CoinsExpired { mint_key: key_id(1) });
    let late = outcomes.iter().filter(|outcome| **outcome == expired).count() as u64;
    assert_eq!(in_time + late, REQUESTS as u64 - 1);
    assert_eq!(outcomes[24], new(pruned(in_time, REQUESTS as u64 - in_time)));
    assert_eq!(world.counters(1).await, (REQUESTS as u64, in_time));
    assert_eq!(world.facts().await.mint_keys[0].spent, 0);
}

/// Money is minted once: the account never goes below zero.
pub async fn fifty_mints_against_money_for_ten(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 10).await;
    let outcomes = at_once(ledgers, (0..REQUESTS).map(|index| mint(alice(), &format!("m{index}"), &[1]))).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == new(accepted(1))).count(), 10);
    let refused = Err(Refusal::InsufficientFunds { balance: amount(0), needed: amount(1) });
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == refused).count(), REQUESTS - 10);
    assert_eq!(world.balances().await, [0, 0]);
    assert_eq!(world.counters(1).await, (10, 0));
}

/// An impatient wallet: one is new, all others are the same again.
pub async fn the_same_mint_sent_many_times_at_once_counts_once(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 100).await;
    let outcomes = at_once(ledgers, (0..REQUESTS).map(|_| mint(alice(), "m", &[1]))).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == new(accepted(1))).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == again(accepted(1))).count(), REQUESTS - 1);
    assert_eq!(world.balances().await, [99, 0]);
}

/// Numbers of accounts are unique, also when two processes give them.
pub async fn accounts_opened_at_once_get_numbers_of_their_own(ledgers: &Pair) {
    let token = |index: u8| index + 100;
    let outcomes = at_once(ledgers, (0..8).map(|index| open(&format!("holder-{index}"), token(index)))).await;
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

/// Transfers in both directions lock the same two accounts; none waits for ever, none is lost.
pub async fn crossing_transfers_do_not_block_each_other(ledgers: &Pair) {
    let world = World::with_paid_in(ledgers, 1000).await;
    world.one(credit(bob(), 1000, "b")).await.unwrap();
    let transfers = (0..REQUESTS).map(|index| {
        let [from, to] = if index % 2 == 0 { [alice(), bob()] } else { [bob(), alice()] };
        transfer(from, to, if index % 2 == 0 { 3 } else { 1 }, &format!("t{index}"))
    });
    assert!(at_once(ledgers, transfers).await.iter().all(Result::is_ok));
    assert_eq!(world.balances().await, [950, 1050]);
}
