//! Mints that wait for money.

use chrono::TimeDelta;
use opencoin_config::{AccountsConfig, WhenShort};

use crate::world::{World, run_background};

fn delays() -> AccountsConfig {
    AccountsConfig {
        when_short: WhenShort::Delay,
        ..AccountsConfig::default()
    }
}

#[tokio::test]
async fn a_mint_without_funds_waits_only_if_the_operator_allows_it() {
    let mut world = World::new().await;
    let alice = world.open("alice", 4).await;
    let blind = world.blind();
    world.mint(&alice, &blind, 1).await.fails(402);
    world.resume(1).await.fails(404);
    let waits = world.beside(delays()).await;
    waits.mint(&alice, &blind, 1).await.waits();
    assert_eq!(world.balance(&alice).await, 4, "nothing is taken");
}

#[tokio::test]
async fn a_resume_carries_out_a_waiting_mint_once_it_can_be_paid() {
    let mut world = World::with(delays()).await;
    let (alice, bob) = (world.open("alice", 4).await, world.open("bob", 0).await);
    let blind = world.blind();
    world.mint(&alice, &blind, 1).await.waits();
    // A repeated mint keeps waiting.
    world.mint(&alice, &blind, 1).await.waits();
    world.resume(1).await.waits();
    let other = world.blind();
    world.mint(&alice, &other, 1).await.fails(409);
    // Another account's reference.
    world.mint(&bob, &blind, 1).await.fails(409);
    world.credit("alice", 1, "more").await;
    let minted = world.resume(1).await;
    assert_eq!(world.balance(&alice).await, 0);
    let coin = world.coin(&blind, minted);
    world.redeem(&bob, &[coin]).await.with(200);
    world.mint(&alice, &blind, 1).await.with(200);
    world.resume(1).await.with(200);
    assert_eq!((world.balance(&alice).await, world.balance(&bob).await), (0, 5));
}

#[tokio::test]
async fn a_repeated_mint_carries_it_out_too() {
    let mut world = World::with(delays()).await;
    let alice = world.open("alice", 0).await;
    let blind = world.blind();
    world.mint(&alice, &blind, 1).await.waits();
    world.credit("alice", 11, "more").await;
    world.mint(&alice, &blind, 1).await.with(200);
    assert_eq!(world.balance(&alice).await, 6);
    // The background work does not carry it out again.
    world.run_background().await;
    assert_eq!(world.balance(&alice).await, 6);
}

#[tokio::test]
async fn the_background_work_of_two_processes_debits_once() {
    let mut world = World::with(delays()).await;
    let other = world.beside(delays()).await;
    let alice = world.open("alice", 0).await;
    let blinds: Vec<_> = (0..4).map(|_| world.blind()).collect();
    for (no, blind) in (1..).zip(&blinds) {
        world.mint(&alice, blind, no).await.waits();
    }
    world.credit("alice", 16, "enough for three").await;
    run_background(&[&world, &other]).await;
    assert_eq!(world.balance(&alice).await, 1);
    let mut answers: Vec<u16> = Vec::new();
    for no in 1..=4 {
        answers.push(world.resume(no).await.status.as_u16());
    }
    answers.sort_unstable();
    assert_eq!(answers, [200, 200, 200, 202]);
}

#[tokio::test]
async fn an_expired_waiting_mint_is_refused_for_good() {
    for background_finds_it in [true, false] {
        let mut world = World::with(delays()).await;
        let alice = world.open("alice", 0).await;
        let [blind, other] = [world.blind(), world.blind()];
        world.mint(&alice, &blind, 1).await.waits();
        let almost = TimeDelta::days(7) - TimeDelta::microseconds(1);
        world.clock.forward(almost);
        world.run_background().await;
        world.resume(1).await.waits();
        world.clock.forward(TimeDelta::microseconds(1));
        world.credit("alice", 5, "too late").await;
        if background_finds_it {
            world.run_background().await;
        }
        for _ in 0..2 {
            world.resume(1).await.fails(402);
            world.run_background().await;
        }
        // The wallet may have abandoned its coins, so the mint stays refused, even if the clock is set back.
        world.clock.forward(TimeDelta::hours(-1));
        world.mint(&alice, &blind, 1).await.fails(402);
        assert_eq!(world.balance(&alice).await, 5);
        world.mint(&alice, &other, 2).await.with(200);
        assert_eq!(world.balance(&alice).await, 0);
    }
}

#[tokio::test]
async fn a_process_that_allows_no_waiting_does_not_refuse_a_mint_that_waits() {
    let mut world = World::with(delays()).await;
    let refuses = world.beside(AccountsConfig::default()).await;
    let alice = world.open("alice", 0).await;
    let [blind, other] = [world.blind(), world.blind()];
    world.mint(&alice, &blind, 1).await.waits();
    // The mint is not refused, because the other process may carry it out.
    refuses.mint(&alice, &blind, 1).await.waits();
    refuses.mint(&alice, &other, 1).await.fails(409);
    refuses.mint(&alice, &other, 2).await.fails(402);
    world.clock.forward(TimeDelta::days(7));
    refuses.mint(&alice, &blind, 1).await.fails(402);
}

#[tokio::test]
async fn the_end_of_the_signing_window_ends_the_wait() {
    let mut world = World::with(AccountsConfig {
        wait: "400days".parse().unwrap(),
        ..delays()
    })
    .await;
    let alice = world.open("alice", 0).await;
    let blind = world.blind();
    world.mint(&alice, &blind, 1).await.waits();
    let window_end = world.currency.mint_key().sign_coins_not_after.to_utc();
    world.clock.set(window_end + TimeDelta::microseconds(1));
    world.credit("alice", 5, "too late").await;
    for _ in 0..2 {
        world.run_background().await;
        world.resume(1).await.fails(402);
    }
    assert_eq!(world.balance(&alice).await, 5);
}

#[tokio::test]
async fn only_valid_mints_wait_and_their_number_is_limited() {
    let mut world = World::with(delays()).await;
    let alice = world.open("alice", 0).await;
    let blind = world.blind();
    let mut wrong = blind.clone();
    wrong.blind.blinded_payload_hash = opencoin_schema::BigInt::from_be_bytes(&[1]);
    world.mint(&alice, &wrong, 1).await.fails(422);
    for no in 1..=16 {
        world.mint(&alice, &blind, no).await.waits();
    }
    world.mint(&alice, &blind, 17).await.fails(402);
    world.mint(&alice, &blind, 16).await.waits();
    let bob = world.open("bob", 5).await;
    world.pay(&bob, "k", "alice", 5).await.with(201);
    world.run_background().await;
    assert_eq!(world.balance(&alice).await, 0);
    // The mints that were carried out make room for another.
    world.mint(&alice, &blind, 17).await.waits();
}
