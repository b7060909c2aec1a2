//! Revoked mint keys: their coins are not spent, and a recoup exchanges them.

use opencoin_crypto::CipherSuite;
use opencoin_schema::{RequestRecoup, from_json};
use opencoin_wallet::{CoinFault, ExchangeError, Wallet, WalletError};

use crate::world::{DENOMINATIONS, Fault, TOKEN, URL, World, balance, mint, stack_of, states, token};

const FUNDS: u64 = 1_000;
/// A day when the second generation of keys signs, which is not revoked.
const NEXT_KEYS_DAY: i64 = 115;

fn world() -> World {
    World::new(CipherSuite::default(), FUNDS)
}

fn is_about_a_revoked_key(error: &WalletError) {
    assert!(
        matches!(error, WalletError::Exchange(ExchangeError::Refused { word, .. }) if word == "key-revoked"),
        "{error}"
    );
}

async fn redeem_all(world: &World, wallet: &mut Wallet) {
    let left = balance(wallet);
    assert_eq!(
        (left.pending, left.sent, left.revoked, left.expired),
        (0, 0, 0, 0)
    );
    wallet.redeem(None, left.balance, &token()).await.unwrap();
    assert_eq!(world.issuer.account(TOKEN), FUNDS);
}

#[tokio::test]
async fn revoked_coins_are_not_spent_and_can_be_recouped() {
    for suite in CipherSuite::ALL {
        let world = World::new(suite, FUNDS);
        let mut wallet = world.wallet_with("wallet", 60).await;
        world.issuer.revoke(10, 0);
        world.network.set_day(NEXT_KEYS_DAY);
        mint(&mut wallet, 3).await.unwrap();
        let shown = balance(&wallet);
        assert!(
            shown.revoked >= 10 && shown.balance + shown.revoked == 63,
            "{shown:?}"
        );
        let all = wallet.send(None, shown.balance + 1, "").await;
        assert!(
            matches!(all, Err(WalletError::InsufficientFunds { balance, .. }) if balance == shown.balance)
        );
        let stack = wallet.send(None, 5, "").await.unwrap().stack;
        assert!(
            stack.coins.iter().all(|coin| coin.payload.denomination != 10),
            "revoked coins are not sent"
        );
        wallet.reclaim(None).await.unwrap();

        let done = wallet.recoup(None, false).await.unwrap();
        assert_eq!((done.value, done.unprovable, done.sent), (shown.revoked, 0, 0));
        assert_eq!(balance(&wallet).balance, 63);
        assert_eq!(states(&wallet, "recoup"), ["done"]);
        assert_eq!(
            wallet.recoup(None, false).await.unwrap().value,
            0,
            "there is nothing left to recoup"
        );
        redeem_all(&world, &mut wallet).await;
    }
}

#[tokio::test]
async fn a_refusal_because_of_a_revoked_key_refreshes_the_revocations() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 60).await;
    world.network.set_day(NEXT_KEYS_DAY);
    world.issuer.revoke(10, 0);
    is_about_a_revoked_key(&wallet.redeem(None, 60, &token()).await.unwrap_err());
    assert!(balance(&wallet).revoked > 0);
    wallet.recoup(None, false).await.unwrap();
    redeem_all(&world, &mut wallet).await;
}

#[tokio::test]
async fn a_mint_with_a_key_that_was_just_revoked_costs_nothing() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 0).await;
    world.issuer.revoke(1, 0); // the wallet's documents are recent, so it does not refresh them
    is_about_a_revoked_key(&mint(&mut wallet, 8).await.unwrap_err());
    assert_eq!(balance(&wallet).pending, 0);
    assert_eq!(world.issuer.account(TOKEN), FUNDS);
    mint(&mut wallet, 8).await.unwrap();
    assert_eq!(balance(&wallet).balance, 8, "in coins of other denominations");
    redeem_all(&world, &mut wallet).await;
}

#[tokio::test]
async fn a_stack_of_revoked_coins_is_rejected_and_its_sender_recoups_it() {
    let world = world();
    let mut sender = world.wallet_with("sender", 60).await;
    let stack = sender.send(None, 20, "").await.unwrap().stack;
    let mut receiver = world.wallet_with("receiver", 0).await;
    world.issuer.revoke(10, 0);
    world.network.set_day(NEXT_KEYS_DAY);
    world.network.heal();
    let error = receiver.receive(&stack).await.unwrap_err();
    assert!(
        matches!(&error, WalletError::NoGoodCoin(left_out) if left_out[0].fault == CoinFault::Revoked("stolen".to_owned())),
        "{error}"
    );
    assert!(
        !world.network.was_asked("/renew"),
        "no coin was sent to the issuer"
    );
    assert!(receiver.history().unwrap().is_empty());

    // The sender gets them back with a recoup that includes sent coins.
    let before = balance(&sender);
    let recouped = sender.recoup(None, false).await.unwrap();
    assert!(
        recouped.sent > 0 && balance(&sender).sent == before.sent,
        "{recouped:?}"
    );
    assert_eq!(
        sender.reclaim(None).await.unwrap() + recouped.sent,
        20,
        "the other coins come back with a reclaim"
    );
    assert_eq!(sender.recoup(None, true).await.unwrap().value, recouped.sent);
    assert_eq!(states(&sender, "send"), ["reclaimed"]);
    redeem_all(&world, &mut sender).await;
}

#[tokio::test]
async fn a_recoup_removes_spent_sent_coins_and_returns_the_others() {
    let world = world();
    let mut sender = world.wallet_with("sender", 60).await;
    let stack = sender.send(None, 40, "").await.unwrap().stack;
    let tens: Vec<_> = stack
        .coins
        .iter()
        .filter(|coin| coin.payload.denomination == 10)
        .cloned()
        .collect();
    assert!(tens.len() >= 2);
    let mut receiver = world.wallet_with("receiver", 0).await;
    receiver.receive(&stack_of(&tens[..1])).await.unwrap();
    world.issuer.revoke(10, 0);
    world.network.set_day(NEXT_KEYS_DAY);
    sender.reclaim(None).await.unwrap();
    sender.recoup(None, true).await.unwrap();
    assert_eq!((balance(&sender).balance, balance(&sender).sent), (50, 0));
    receiver.recoup(None, false).await.unwrap();
    receiver.redeem(None, 10, &token()).await.unwrap();
    redeem_all(&world, &mut sender).await;
}

#[tokio::test]
async fn blinds_accepted_before_a_revocation_are_pending_until_a_recoup() {
    for (revoked, signed) in [(&[10][..], 27), (&[1, 2, 5, 10], 0)] {
        for fault in [Fault::Delay, Fault::AnswerLost] {
            let world = world();
            let mut wallet = world.wallet_with("wallet", 0).await;
            world.network.fail_all(fault);
            mint(&mut wallet, 37).await.unwrap_err();
            world.network.heal();
            world.revoke(revoked);
            world.network.set_day(NEXT_KEYS_DAY);

            let resumed = wallet.resume().await.unwrap();
            assert!(
                matches!(
                    resumed.warning,
                    Some(WalletError::Exchange(ExchangeError::Recoup))
                ),
                "{:?}",
                resumed.warning
            );
            let shown = balance(&wallet);
            assert_eq!(shown.balance + shown.pending, 37);
            assert_eq!(shown.pending, shown.awaits_recoup);
            assert_eq!(states(&wallet, "mint"), ["pending: recoup"]);
            assert_eq!(
                shown.balance == 0,
                signed == 0,
                "coins of the other keys are in the balance: {shown:?}"
            );
            drop(wallet);
            let mut wallet = world.open("wallet");
            assert!(
                wallet.resume().await.unwrap().warning.is_none(),
                "another resume has nothing to do"
            );

            assert_eq!(
                wallet.recoup(None, false).await.unwrap().value,
                shown.awaits_recoup
            );
            assert_eq!(balance(&wallet).balance, 37);
            assert_eq!(states(&wallet, "mint"), ["done"]);
            redeem_all(&world, &mut wallet).await;
        }
    }
}

#[tokio::test]
async fn a_receive_that_was_accepted_before_the_revocation_ends_with_the_recoup() {
    let world = world();
    let mut sender = world.wallet_with("sender", 20).await;
    let stack = sender.send(None, 20, "").await.unwrap().stack;
    let mut wallet = world.wallet_with("wallet", 0).await;
    world.network.fail_all(Fault::AnswerLost);
    wallet.receive(&stack).await.unwrap_err();
    world.network.heal();
    world.issuer.revoke(1, 0);
    world.network.set_day(NEXT_KEYS_DAY);
    assert!(wallet.resume().await.unwrap().warning.is_some());
    assert!(matches!(
        wallet.receive(&stack).await,
        Err(WalletError::NoGoodCoin(_) | WalletError::ReceivedBefore)
    ));
    wallet.recoup(None, false).await.unwrap();
    assert_eq!(balance(&wallet).balance, 20);
    assert_eq!(states(&wallet, "receive"), ["done"]);
    redeem_all(&world, &mut wallet).await;
}

#[tokio::test]
async fn a_recoup_whose_own_keys_are_revoked_is_recouped_again() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 20).await;
    world.revoke(&DENOMINATIONS);
    world.network.set_day(NEXT_KEYS_DAY);
    world.network.fail(3, Fault::AnswerLost); // after the three requests of a refresh
    wallet.recoup(None, false).await.unwrap_err();
    world.network.heal();
    assert_eq!(balance(&wallet).pending, 20);
    assert_eq!(states(&wallet, "recoup"), ["pending"]);
    world.issuer.revoke(2, 1);
    assert!(wallet.resume().await.unwrap().warning.is_some());
    let shown = balance(&wallet);
    assert_eq!(shown.balance + shown.awaits_recoup, 20);
    assert_eq!(states(&wallet, "recoup"), ["pending: recoup"]);
    wallet.recoup(None, false).await.unwrap();
    assert_eq!(states(&wallet, "recoup"), ["done", "done"]);
    redeem_all(&world, &mut wallet).await;
}

#[tokio::test]
async fn what_a_copy_of_the_wallet_recoups_is_spent_once() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 20).await;
    world.copy("wallet", "copy");
    world.revoke(&DENOMINATIONS);
    world.network.set_day(NEXT_KEYS_DAY);
    wallet.recoup(None, false).await.unwrap();
    // It derives the same request, so it gets the same coins.
    let mut copy = world.open("copy");
    assert_eq!(copy.recoup(None, false).await.unwrap().value, 20);
    redeem_all(&world, &mut wallet).await;
    let stack = copy.send(None, 20, "").await.unwrap().stack;
    let mut bob = world.wallet_with("bob", 0).await;
    let error = bob.receive(&stack).await.unwrap_err().to_string();
    assert!(error.contains("already been taken"), "{error}");
}

#[tokio::test]
async fn coins_of_many_transactions_are_recouped_in_several_requests() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 0).await;
    for _ in 0..120 {
        mint(&mut wallet, 1).await.unwrap();
    }
    let secrets = String::from_utf8_lossy(&world.file("wallet")).into_owned();
    world.revoke(&DENOMINATIONS);
    world.network.set_day(NEXT_KEYS_DAY);
    world.network.heal();
    assert_eq!(wallet.recoup(None, false).await.unwrap().value, 120);
    let steps = world.network.take_steps();
    let requests: Vec<RequestRecoup> = steps
        .iter()
        .filter_map(|step| from_json(step.body.as_bytes()).ok())
        .collect();
    assert_eq!(
        requests
            .iter()
            .map(|request| request.coins.len())
            .collect::<Vec<_>>(),
        [100, 20]
    );
    for coin in requests.iter().flat_map(|request| &request.coins) {
        assert!(
            secrets.contains(&coin.blinding_seed.to_string()),
            "only seeds of these coins are revealed"
        );
    }
    redeem_all(&world, &mut wallet).await;
}

#[tokio::test]
async fn the_latest_list_of_revocations_counts() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 20).await;
    let before = world.issuer.state().clone();
    world.revoke(&DENOMINATIONS);
    wallet.add(URL).await.unwrap();
    assert_eq!((balance(&wallet).balance, balance(&wallet).revoked), (0, 20));
    *world.issuer.state() = before;
    wallet.add(URL).await.unwrap();
    assert_eq!((balance(&wallet).balance, balance(&wallet).revoked), (20, 0));
    redeem_all(&world, &mut wallet).await;
}
