//! Lost answers, crashes and expired payments: the same payment is sent again, and never another one with its number.

use chrono::TimeDelta;
use opencoin_log::key_account::AccountKey;
use opencoin_wallet::{ExchangeError, KeyPaymentState, WalletError};

use super::{introduced, order, pay, two_holders, wallet, world};
use crate::crash::{NAME, crashes, survive};
use crate::world::{Fault, World, states};

/// What leaves a payment undecided, and whether the issuer has made it.
const LOST: [(Fault, bool); 5] = [
    (Fault::RequestLost, false),
    (Fault::AnswerLost, true),
    (Fault::Unavailable, false),
    (Fault::BadGateway, true),
    (Fault::Nonsense, true),
];

const PAY: &str = "/v1/key-payments";
const INTRODUCE: &str = "/v1/key-accounts";

/// Returns the first request that was sent to a path since the last change of faults.
fn sent(world: &World, path: &str) -> String {
    let steps = world.network.take_steps();
    let step = steps
        .into_iter()
        .find(|step| step.url.ends_with(path) && !step.body.is_empty());
    step.unwrap().body
}

#[tokio::test]
async fn after_a_lost_answer_the_same_payment_is_sent_again() {
    for (fault, is_made) in LOST {
        let world = world();
        let [(mut alice, from), (_, to)] = two_holders(&world, 50).await;
        world.network.fail_on(PAY, fault);
        let error = alice.pay_by_key(&from, &order(to, 5, "a")).await.unwrap_err();
        assert!(
            matches!(error, WalletError::Exchange(ExchangeError::Unknown(_))),
            "{fault:?}: {error}"
        );
        let arrived = u64::from(is_made);
        assert_eq!(world.issuer.key_balance(&to), 5 * arrived, "{fault:?}");
        let first = sent(&world, PAY);
        world.network.heal();
        // A crash.
        drop(alice);
        let mut alice = world.open("alice");
        assert!(alice.has_unfinished());
        let paid = alice.pay_by_key(&from, &order(to, 5, "a")).await.unwrap();
        assert!(paid.begun_before.is_some(), "{fault:?}");
        assert_eq!(sent(&world, PAY), first, "{fault:?}: word for word");
        assert_eq!(world.issuer.key_balance(&to), 5, "{fault:?}");
        assert!(!alice.has_unfinished());
        // The user was told now, so the next one is another payment.
        alice.payment_told(paid.number).unwrap();
        let next = pay(&mut alice, &from, to, 5).await.unwrap();
        assert_eq!(next.id, format!("{from}.2"));
        assert_eq!(world.issuer.key_balance(&to), 10);
    }
}

#[tokio::test]
async fn a_payment_that_was_accepted_but_not_shown_is_not_made_twice() {
    let world = world();
    let [(mut alice, from), (_, to)] = two_holders(&world, 50).await;
    let first = alice.pay_by_key(&from, &order(to, 5, "a")).await.unwrap();
    drop(alice);
    let mut alice = world.open("alice");
    let again = alice.pay_by_key(&from, &order(to, 5, "a")).await.unwrap();
    assert_eq!(again.id, first.id);
    // Another order is another payment.
    let other = alice.pay_by_key(&from, &order(to, 5, "b")).await.unwrap();
    assert_eq!(other.id, format!("{from}.2"));
    assert_eq!(world.issuer.key_balance(&to), 10);
}

#[tokio::test]
async fn nothing_else_is_signed_while_a_payment_is_undecided() {
    let world = world();
    let [(mut alice, from), (_, to)] = two_holders(&world, 50).await;
    world.network.fail_on(PAY, Fault::AnswerLost);
    alice.pay_by_key(&from, &order(to, 5, "a")).await.unwrap_err();
    world.network.fail_all(Fault::NoConnection);
    let error = alice.pay_by_key(&from, &order(to, 6, "b")).await.unwrap_err();
    assert!(
        matches!(error, WalletError::Exchange(ExchangeError::Unknown(_))),
        "{error}"
    );
    assert_eq!(alice.key_payments(&from).unwrap().len(), 1);
    let number = alice.key_payments(&from).unwrap()[0].number;
    let error = alice.abandon(number).await.unwrap_err();
    assert!(matches!(error, WalletError::PaymentPending { .. }), "{error}");
    world.network.heal();
    let paid = alice.pay_by_key(&from, &order(to, 6, "b")).await.unwrap();
    assert_eq!(paid.id, format!("{from}.2"));
    assert_eq!(world.issuer.key_balance(&to), 11);
}

#[tokio::test]
async fn a_payment_that_was_not_sent_frees_its_number_at_once() {
    let world = world();
    let [(mut alice, from), (_, to)] = two_holders(&world, 50).await;
    for fault in [Fault::NoConnection, Fault::Refused, Fault::Redirect] {
        world.network.fail_on(PAY, fault);
        alice.pay_by_key(&from, &order(to, 5, "a")).await.unwrap_err();
        world.network.heal();
        assert!(!alice.has_unfinished(), "{fault:?}");
    }
    let paid = pay(&mut alice, &from, to, 6).await.unwrap();
    assert_eq!(paid.id, format!("{from}.1"));
    assert_eq!(world.issuer.key_balance(&to), 6);
}

#[tokio::test]
async fn a_payment_that_arrives_too_late_frees_its_number() {
    let world = world();
    let [(mut alice, from), (_, to)] = two_holders(&world, 50).await;
    world.network.fail_on(PAY, Fault::RequestLost);
    alice.pay_by_key(&from, &order(to, 5, "a")).await.unwrap_err();
    world.network.heal();
    world.network.wait(TimeDelta::hours(2));
    let done = alice.resume().await.unwrap();
    assert_eq!(done.value, 0);
    assert!(done.warning.is_some());
    assert_eq!(states(&alice, "pay-by-key").len(), 1);
    assert!(states(&alice, "pay-by-key")[0].starts_with("refused"));
    assert!(!alice.has_unfinished());
    let paid = pay(&mut alice, &from, to, 6).await.unwrap();
    assert_eq!(paid.id, format!("{from}.1"));
}

#[tokio::test]
async fn the_same_order_pays_after_its_first_payment_has_expired() {
    let world = world();
    let [(mut alice, from), (_, to)] = two_holders(&world, 50).await;
    world.network.fail_on(PAY, Fault::RequestLost);
    alice.pay_by_key(&from, &order(to, 5, "a")).await.unwrap_err();
    world.network.heal();
    world.network.wait(TimeDelta::hours(2));
    let paid = alice.pay_by_key(&from, &order(to, 5, "a")).await.unwrap();
    assert_eq!((paid.begun_before, world.issuer.key_balance(&to)), (None, 5));
}

#[tokio::test]
async fn a_payment_that_was_made_before_it_expired_counts() {
    let world = world();
    let [(mut alice, from), (_, to)] = two_holders(&world, 50).await;
    world.network.fail_on(PAY, Fault::AnswerLost);
    alice.pay_by_key(&from, &order(to, 5, "a")).await.unwrap_err();
    world.network.heal();
    world.network.wait(TimeDelta::hours(2));
    let done = alice.resume().await.unwrap();
    assert_eq!((done.value, done.warning.is_none()), (1, true));
    let shown = alice.key_payments(&from).unwrap();
    assert_eq!(shown[0].state, KeyPaymentState::Accepted);
    assert_eq!(world.issuer.key_balance(&to), 5);
}

#[tokio::test]
async fn the_same_introduction_is_sent_again() {
    for fault in [Fault::RequestLost, Fault::AnswerLost] {
        let world = world();
        let mut alice = wallet(&world, "alice").await;
        let key = alice.new_key(None).unwrap().key;
        world.network.fail_on(INTRODUCE, fault);
        alice.introduce_key(&key, &mut |_| {}).await.unwrap_err();
        let first = sent(&world, INTRODUCE);
        world.network.heal();
        drop(alice);
        let mut alice = world.open("alice");
        let done = alice.resume().await.unwrap();
        assert_eq!((done.value, done.warning.is_none()), (1, true), "{fault:?}");
        assert_eq!(sent(&world, INTRODUCE), first, "{fault:?}");
        assert!(alice.choose_key(None, None).unwrap().is_open);
        assert_eq!(states(&alice, "introduce"), ["done"]);
    }
}

#[tokio::test]
async fn an_introduction_that_is_too_old_is_made_anew() {
    let world = world();
    let mut alice = wallet(&world, "alice").await;
    let key = alice.new_key(None).unwrap().key;
    world.network.fail_on(INTRODUCE, Fault::RequestLost);
    alice.introduce_key(&key, &mut |_| {}).await.unwrap_err();
    world.network.heal();
    world.network.wait(TimeDelta::hours(1));
    alice.introduce_key(&key, &mut |_| {}).await.unwrap();
    assert!(alice.choose_key(None, None).unwrap().is_open);
    let states = states(&alice, "introduce");
    assert!(states.len() == 2 && states[0].starts_with("refused") && states[1] == "done");
}

/// A wallet that is at hand, with an introduced key that has 50, and the key of somebody else.
async fn ready(world: &World) -> (AccountKey, AccountKey) {
    let mut bob = wallet(world, "bob").await;
    let mut wallet = wallet(world, NAME).await;
    let (from, to) = (introduced(&mut wallet).await, introduced(&mut bob).await);
    world.issuer.credit_key(&from, 50);
    (from, to)
}

#[tokio::test]
async fn a_crash_at_any_moment_of_a_payment_pays_once_with_the_same_command() {
    let world = world();
    let (from, to) = ready(&world).await;
    let all = crashes(&world, async |wallet| {
        wallet.pay_by_key(&from, &order(to, 5, "a")).await.map(drop)
    })
    .await;
    assert!(all.len() > 4);
    survive(&world, all, async |wallet, moment| {
        let paid = wallet.pay_by_key(&from, &order(to, 5, "a")).await.unwrap();
        assert_eq!(paid.id, format!("{from}.1"), "{moment}");
        assert_eq!(world.issuer.key_balance(&to), 5, "{moment}");
        wallet.payment_told(paid.number).unwrap();
        let next = wallet.pay_by_key(&from, &order(to, 5, "a")).await.unwrap();
        assert_eq!(next.id, format!("{from}.2"), "{moment}");
        assert_eq!(world.issuer.key_balance(&to), 10, "{moment}");
    })
    .await;
}

#[tokio::test]
async fn a_crash_at_any_moment_of_a_mint_by_key_pays_once() {
    let world = world();
    let (from, _) = ready(&world).await;
    let all = crashes(&world, async |wallet| {
        wallet.mint_by_key(&from, 8, &mut |_, _| {}).await.map(drop)
    })
    .await;
    survive(&world, all, async |wallet, moment| {
        let (coins, _) = crate::world::held(wallet);
        assert_eq!(world.issuer.key_balance(&from) + coins, 50, "{moment}");
        wallet.mint_by_key(&from, 3, &mut |_, _| {}).await.unwrap();
        assert_eq!(world.issuer.key_balance(&from), 47 - coins, "{moment}");
    })
    .await;
}

#[tokio::test]
async fn a_crash_at_any_moment_of_an_introduction_is_followed_by_one_account() {
    let world = world();
    let mut wallet = wallet(&world, NAME).await;
    let key = wallet.new_key(None).unwrap().key;
    drop(wallet);
    let all = crashes(&world, async |wallet| {
        wallet.introduce_key(&key, &mut |_| {}).await
    })
    .await;
    survive(&world, all, async |wallet, moment| {
        wallet.introduce_key(&key, &mut |_| {}).await.unwrap();
        let status = wallet.check_log(None, None).await.unwrap();
        assert!(status.faults.is_empty(), "{moment}: {status:?}");
    })
    .await;
}
