//! Mints that wait for money.

use chrono::TimeDelta;
use opencoin_config::{AccountsConfig, WhenShort};
use serde_json::json;

use crate::world::{Reply, World, run_background};

fn delays() -> AccountsConfig {
    AccountsConfig {
        when_short: WhenShort::Delay,
        ..AccountsConfig::default()
    }
}

fn is_delay(reply: &Reply) -> bool {
    let is_delay = reply.status.as_u16() == 202;
    assert!(
        !is_delay || reply.json["type"] == "response delay" && reply.json["status_code"] == 300,
        "{reply:?}"
    );
    is_delay
}

#[tokio::test]
async fn a_mint_without_money_is_refused_unless_the_operator_lets_it_wait() {
    let mut world = World::new().await;
    let alice = world.open("alice", 4).await;
    let (blind, ..) = world.blind();
    assert_eq!(
        world.mint(&alice, &blind, 1).await.refused(),
        (402, "insufficient-funds")
    );
    assert_eq!(world.resume(1).await.refused(), (404, "not-found"));
    let waits = world.beside(delays()).await;
    assert!(is_delay(&waits.mint(&alice, &blind, 1).await));
    assert_eq!(world.balance(&alice).await, 4, "nothing is taken");
}

#[tokio::test]
async fn a_resume_carries_out_what_can_be_paid_by_now() {
    let mut world = World::with(delays()).await;
    let (alice, bob) = (world.open("alice", 4).await, world.open("bob", 0).await);
    let (blind, payload, unblinder) = world.blind();
    assert!(is_delay(&world.mint(&alice, &blind, 1).await));
    assert!(
        is_delay(&world.mint(&alice, &blind, 1).await),
        "the same again waits"
    );
    assert!(is_delay(&world.resume(1).await));
    let (other, ..) = world.blind();
    assert_eq!(
        world.mint(&alice, &other, 1).await.refused(),
        (409, "reference-conflict")
    );
    assert_eq!(
        world.mint(&bob, &blind, 1).await.refused(),
        (409, "reference-conflict"),
        "another account's"
    );
    world.credit("alice", 1, "more").await;
    let minted = world.resume(1).await;
    assert_eq!(world.balance(&alice).await, 0);
    let coin = world.coin(&payload, &unblinder, minted);
    world.redeem(&bob, &coin).await.with(200);
    world.mint(&alice, &blind, 1).await.with(200);
    world.resume(1).await.with(200);
    assert_eq!((world.balance(&alice).await, world.balance(&bob).await), (0, 5));
}

#[tokio::test]
async fn the_same_mint_again_carries_it_out_too() {
    let mut world = World::with(delays()).await;
    let alice = world.open("alice", 0).await;
    let (blind, ..) = world.blind();
    assert!(is_delay(&world.mint(&alice, &blind, 1).await));
    world.credit("alice", 11, "more").await;
    world.mint(&alice, &blind, 1).await.with(200);
    assert_eq!(world.balance(&alice).await, 6);
    // And nobody carries it out again.
    world.run_background().await;
    assert_eq!(world.balance(&alice).await, 6);
}

#[tokio::test]
async fn the_background_work_of_two_processes_takes_the_money_once() {
    let mut world = World::with(delays()).await;
    let other = world.beside(delays()).await;
    let alice = world.open("alice", 0).await;
    let blinds: Vec<_> = (0..4).map(|_| world.blind().0).collect();
    for (no, blind) in (1..).zip(&blinds) {
        assert!(is_delay(&world.mint(&alice, blind, no).await));
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
async fn what_has_waited_in_vain_is_given_up_for_good() {
    for is_found_by_background in [true, false] {
        let mut world = World::with(delays()).await;
        let alice = world.open("alice", 0).await;
        let [(blind, ..), (other, ..)] = [world.blind(), world.blind()];
        assert!(is_delay(&world.mint(&alice, &blind, 1).await));
        world
            .clock
            .forward(TimeDelta::days(7) - TimeDelta::microseconds(1));
        world.run_background().await;
        assert!(is_delay(&world.resume(1).await));
        world.clock.forward(TimeDelta::microseconds(1));
        world.credit("alice", 5, "too late").await;
        if is_found_by_background {
            world.run_background().await;
        }
        for _ in 0..2 {
            assert_eq!(world.resume(1).await.refused(), (402, "insufficient-funds"));
            world.run_background().await;
        }
        // Its wallet has given it up, so nobody carries it out any more; another clock changes nothing.
        world.clock.forward(TimeDelta::hours(-1));
        assert_eq!(
            world.mint(&alice, &blind, 1).await.refused(),
            (402, "insufficient-funds")
        );
        assert_eq!(world.balance(&alice).await, 5);
        world.mint(&alice, &other, 2).await.with(200);
        assert_eq!(world.balance(&alice).await, 0);
    }
}

#[tokio::test]
async fn what_waits_is_not_refused_by_a_process_that_lets_nothing_wait() {
    let mut world = World::with(delays()).await;
    let refuses = world.beside(AccountsConfig::default()).await;
    let alice = world.open("alice", 0).await;
    let [(blind, ..), (other, ..)] = [world.blind(), world.blind()];
    assert!(is_delay(&world.mint(&alice, &blind, 1).await));
    assert!(
        is_delay(&refuses.mint(&alice, &blind, 1).await),
        "the other process may carry it out"
    );
    assert_eq!(
        refuses.mint(&alice, &other, 1).await.refused(),
        (409, "reference-conflict")
    );
    assert_eq!(
        refuses.mint(&alice, &other, 2).await.refused(),
        (402, "insufficient-funds")
    );
    world.clock.forward(TimeDelta::days(7));
    assert_eq!(
        refuses.mint(&alice, &blind, 1).await.refused(),
        (402, "insufficient-funds")
    );
}

#[tokio::test]
async fn a_key_that_signs_no_more_ends_the_wait() {
    let mut world = World::with(AccountsConfig {
        wait: "400days".parse().unwrap(),
        ..delays()
    })
    .await;
    let alice = world.open("alice", 0).await;
    let (blind, ..) = world.blind();
    assert!(is_delay(&world.mint(&alice, &blind, 1).await));
    let mint_key = world
        .currency
        .mint_keys()
        .next()
        .unwrap()
        .verified
        .mint_key()
        .clone();
    world
        .clock
        .set(mint_key.sign_coins_not_after.to_utc() + TimeDelta::microseconds(1));
    world.credit("alice", 5, "too late").await;
    for _ in 0..2 {
        world.run_background().await;
        assert_eq!(world.resume(1).await.refused(), (402, "insufficient-funds"));
    }
    assert_eq!(world.balance(&alice).await, 5);
}

#[tokio::test]
async fn only_what_could_be_signed_waits_and_only_so_many() {
    let mut world = World::with(delays()).await;
    let alice = world.open("alice", 0).await;
    let (blind, ..) = world.blind();
    let mut wrong = blind.clone();
    wrong.blinded_payload_hash = opencoin_schema::BigInt::from_be_bytes(&[1]);
    assert_eq!(world.mint(&alice, &wrong, 1).await.refused(), (422, "invalid"));
    for no in 1..=16 {
        assert!(is_delay(&world.mint(&alice, &blind, no).await));
    }
    assert_eq!(
        world.mint(&alice, &blind, 17).await.refused(),
        (402, "insufficient-funds")
    );
    assert!(is_delay(&world.mint(&alice, &blind, 16).await));
    let transfer = json!({ "to": "alice", "amount": 5 });
    let bob = world.open("bob", 5).await;
    world.once("/v1/transfers", &bob, "k", transfer).await.with(201);
    world.run_background().await;
    assert_eq!(world.balance(&alice).await, 0);
    assert!(
        is_delay(&world.mint(&alice, &blind, 17).await),
        "there is room again"
    );
}
