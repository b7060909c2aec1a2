//! Coins out of a key account, and into it.

use chrono::TimeDelta;
use opencoin_wallet::{ExchangeError, WalletError};

use super::{pay, seal, two_holders, wallet, world};
use crate::world::{Fault, held, states};

#[tokio::test]
async fn coins_are_minted_from_a_key_account_and_redeemed_into_it() {
    let world = world();
    let [(mut alice, from), (mut bob, to)] = two_holders(&world, 50).await;
    alice.mint_by_key(&from, 30, &mut |_, _| {}).await.unwrap();
    assert_eq!((held(&alice), world.issuer.key_balance(&from)), ((30, 0), 20));
    seal(&world);
    let proven = alice.prove_balance(&from, None).await.unwrap();
    assert_eq!((proven.balance, proven.seq), (20, 1));
    // The next payment has the next number.
    let paid = pay(&mut alice, &from, to, 1).await.unwrap();
    assert_eq!(paid.id, format!("{from}.2"));

    let stack = alice.send(None, 10, "").await.unwrap().stack;
    bob.receive(&stack).await.unwrap();
    bob.redeem_to_key(&to, 10).await.unwrap();
    assert_eq!(world.issuer.key_balance(&to), 11);
    seal(&world);
    assert_eq!(bob.prove_balance(&to, None).await.unwrap().balance, 11);
    let status = alice.check_log(None, None).await.unwrap();
    assert!(status.faults.is_empty() && status.open == 0, "{status:?}");
    let status = bob.check_log(None, None).await.unwrap();
    assert!(status.faults.is_empty() && status.open == 0, "{status:?}");
}

#[tokio::test]
async fn a_mint_whose_answer_is_lost_is_finished_once() {
    for fault in [
        Fault::RequestLost,
        Fault::AnswerLost,
        Fault::BadGateway,
        Fault::Delay,
    ] {
        let world = world();
        let [(mut alice, from), (_, to)] = two_holders(&world, 50).await;
        world.network.fail_on("/mint", fault);
        alice.mint_by_key(&from, 8, &mut |_, _| {}).await.unwrap_err();
        world.network.heal();
        drop(alice);
        let mut alice = world.open("alice");
        // A payment finishes it first, because it must know its own number.
        let paid = pay(&mut alice, &from, to, 1).await.unwrap();
        assert_eq!(paid.id, format!("{from}.2"), "{fault:?}");
        alice.resume().await.unwrap();
        assert_eq!(held(&alice), (8, 0), "{fault:?}");
        assert_eq!(world.issuer.key_balance(&from), 41, "{fault:?}");
    }
}

#[tokio::test]
async fn an_abandoned_mint_keeps_its_number_until_it_cannot_arrive_any_more() {
    let world = world();
    let [(mut alice, from), (_, to)] = two_holders(&world, 50).await;
    world.network.fail_on("/mint", Fault::RequestLost);
    let mint = alice.mint_by_key(&from, 8, &mut |_, _| {}).await;
    mint.unwrap_err();
    world.network.heal();
    let number = alice.history().unwrap().last().unwrap().id;
    alice.abandon(number).await.unwrap();
    let error = pay(&mut alice, &from, to, 1).await.unwrap_err();
    assert!(matches!(error, WalletError::PaymentPending { .. }), "{error}");
    world.network.wait(TimeDelta::hours(1));
    let paid = pay(&mut alice, &from, to, 1).await.unwrap();
    assert_eq!(paid.id, format!("{from}.1"));
}

#[tokio::test]
async fn a_refused_mint_costs_nothing() {
    let world = world();
    let [(mut alice, from), (_, to)] = two_holders(&world, 5).await;
    let refused = alice.mint_by_key(&from, 8, &mut |_, _| {}).await;
    assert!(matches!(
        refused,
        Err(WalletError::Exchange(ExchangeError::Refused { ref word, .. })) if word == "insufficient-funds"
    ));
    assert!(states(&alice, "mint")[0].starts_with("refused"));
    pay(&mut alice, &from, to, 5).await.unwrap();
    assert_eq!(world.issuer.key_balance(&to), 5);
}

#[tokio::test]
async fn a_redeem_whose_answer_is_lost_credits_once() {
    for fault in [Fault::RequestLost, Fault::AnswerLost] {
        let world = world();
        let [(mut alice, from), _] = two_holders(&world, 50).await;
        alice.mint_by_key(&from, 10, &mut |_, _| {}).await.unwrap();
        world.network.fail_on("/redeem", fault);
        alice.redeem_to_key(&from, 10).await.unwrap_err();
        world.network.heal();
        drop(alice);
        let mut alice = world.open("alice");
        let done = alice.resume().await.unwrap();
        assert_eq!((done.value, done.warning.is_none()), (1, true), "{fault:?}");
        assert_eq!((held(&alice), world.issuer.key_balance(&from)), ((0, 0), 50));
    }
}

#[tokio::test]
async fn coins_are_not_redeemed_to_a_key_without_an_account() {
    let world = world();
    let mut carol = wallet(&world, "carol").await;
    crate::world::mint(&mut carol, 10).await.unwrap();
    let key = carol.new_key(None).unwrap().key;
    let error = carol.redeem_to_key(&key, 10).await.unwrap_err();
    assert!(matches!(error, WalletError::KeyNotIntroduced(_)), "{error}");
    assert_eq!(held(&carol), (10, 0));
}
