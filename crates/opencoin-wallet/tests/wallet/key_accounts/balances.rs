//! Balances with proofs.

use opencoin_wallet::{LogError, PendingPayments, WalletError};

use super::{order, pay, seal, two_holders, wallet, world};
use crate::fake_keys::KeyMisdeed;

#[tokio::test]
async fn a_balance_is_what_the_log_proves_and_own_payments_are_pending() {
    let world = world();
    let [(mut alice, from), (mut bob, to)] = two_holders(&world, 50).await;
    let proven = alice.prove_balance(&from, None).await.unwrap();
    assert_eq!((proven.balance, proven.seq, proven.exists), (50, 0, true));
    assert_eq!(proven.pending, PendingPayments::default());
    pay(&mut alice, &from, to, 12).await.unwrap();
    let proven = alice.prove_balance(&from, None).await.unwrap();
    assert_eq!((proven.balance, proven.seq), (50, 0));
    assert_eq!(proven.pending, PendingPayments { count: 1, amount: 12 });
    assert_eq!(bob.prove_balance(&to, None).await.unwrap().balance, 0);
    seal(&world);
    let proven = alice.prove_balance(&from, None).await.unwrap();
    assert_eq!((proven.balance, proven.seq, proven.pending.count), (38, 1, 0));
    assert_eq!(bob.prove_balance(&to, None).await.unwrap().balance, 12);
    assert_eq!(proven.time, world.network.now());
    // The wallet remembers it.
    drop(alice);
    let info = world.open("alice").choose_key(None, None).unwrap();
    assert_eq!(info.proven.unwrap().balance, 38);
}

#[tokio::test]
async fn the_issuer_does_not_learn_whose_balance_is_looked_at() {
    let world = world();
    let [_, (mut bob, to)] = two_holders(&world, 50).await;
    world.network.heal();
    bob.prove_balance(&to, None).await.unwrap();
    let key = to.to_string();
    let steps = world.network.take_steps();
    assert!(!steps.is_empty());
    assert!(
        steps
            .iter()
            .all(|step| !step.url.contains(&key) && !step.body.contains(&key))
    );
}

#[tokio::test]
async fn with_too_many_accounts_for_a_list_one_is_proven() {
    let world = world();
    let [(mut alice, from), _] = two_holders(&world, 50).await;
    world.issuer.keys().misdeed = Some(KeyMisdeed::TooMany);
    assert_eq!(alice.prove_balance(&from, None).await.unwrap().balance, 50);
    // A key that was never introduced has no account.
    let mut carol = wallet(&world, "carol").await;
    let key = carol.new_key(None).unwrap().key;
    assert!(!carol.prove_balance(&key, None).await.unwrap().exists);
}

#[tokio::test]
async fn a_balance_that_the_log_does_not_have_is_refused() {
    for misdeed in [KeyMisdeed::OtherBalance, KeyMisdeed::MissingAccount] {
        let world = world();
        let [(mut alice, from), _] = two_holders(&world, 50).await;
        world.issuer.keys().misdeed = Some(misdeed);
        let refused = alice.prove_balance(&from, None).await;
        assert!(
            matches!(refused, Err(WalletError::Log(LogError::WrongAccounts(_)))),
            "{misdeed:?}: {refused:?}"
        );
        assert!(alice.choose_key(None, None).unwrap().proven.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_batch_is_not_enough() {
    let world = world();
    let [(mut alice, from), (_, to)] = two_holders(&world, 50).await;
    alice.pay_by_key(&from, &order(to, 1, "")).await.unwrap();
    seal(&world);
    world.issuer.keys().misdeed = Some(KeyMisdeed::OldAccounts);
    let refused = alice.prove_balance(&from, None).await;
    assert!(
        matches!(refused, Err(WalletError::Log(LogError::OtherMoment))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_copy_of_the_log_will_do() {
    let world = world();
    let [(mut alice, from), _] = two_holders(&world, 50).await;
    let copy = "http://copy.test";
    world.network.connect(copy, std::sync::Arc::clone(&world.issuer));
    world.network.heal();
    let proven = alice.prove_balance(&from, Some(&format!("{copy}/log"))).await;
    assert_eq!(proven.unwrap().balance, 50);
    let steps = world.network.take_steps();
    assert!(steps.iter().any(|step| step.url.starts_with(copy)));
}
