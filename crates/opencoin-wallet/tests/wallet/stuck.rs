//! Pending requests can be ended and do not block the renewal of other coins.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::TimeDelta;
use opencoin_crypto::CipherSuite;
use opencoin_schema::{BigInt, CoinStack, RequestRenew, from_json};
use opencoin_wallet::{CoinFault, ExchangeError, OnBehalf, Secret, Wallet, WalletError};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::fake_issuer::Signing;
use crate::world::{DENOMINATIONS, Fault, TOKEN, URL, World, balance, held, mint, stack_of, token};

const FUNDS: u64 = 1_000;

fn world() -> World {
    World::new(CipherSuite::default(), FUNDS)
}

fn state(wallet: &Wallet, id: u64) -> String {
    let history = wallet.history().unwrap();
    history.iter().find(|entry| entry.id == id).unwrap().state.clone()
}

fn last(wallet: &Wallet) -> u64 {
    wallet.history().unwrap().last().unwrap().id
}

#[tokio::test]
async fn a_request_that_was_not_sent_ends_at_once() {
    for fault in [Fault::NoConnection, Fault::Redirect] {
        let world = world();
        let mut wallet = world.wallet_with("wallet", 20).await;
        world.network.fail_all(fault);
        let refused = [
            mint(&mut wallet, 7).await.unwrap_err(),
            wallet.redeem(None, 20, &token()).await.unwrap_err(),
        ];
        for error in refused {
            assert!(
                matches!(&error, WalletError::Exchange(ExchangeError::NotSent(_))),
                "{error}"
            );
            let text = error.to_string();
            assert!(text.contains(URL) && text.contains("nothing was done"), "{text}");
            let is_redirect = text.contains("301") && text.contains("https://elsewhere.test/");
            assert_eq!(is_redirect, fault == Fault::Redirect, "{text}");
        }
        assert_eq!(held(&wallet), (20, 0));
        assert!(!wallet.has_unfinished());
        world.network.heal();
        wallet.redeem(None, 20, &token()).await.unwrap();
        assert_eq!(world.issuer.account(TOKEN), FUNDS);
    }
}

#[tokio::test]
async fn an_abandoned_redeem_returns_its_coins() {
    for (fault, is_done) in [(Fault::RequestLost, false), (Fault::AnswerLost, true)] {
        let world = world();
        let mut wallet = world.wallet_with("wallet", 60).await;
        world.network.fail_all(fault);
        wallet.redeem(None, 13, &token()).await.unwrap_err();
        let id = last(&wallet);
        world.network.set_day(2); // so that the documents are refreshed
        assert!(wallet.abandon(id).await.is_err(), "abandoning needs the issuer");
        world.network.heal();
        world.issuer.change_token(TOKEN, "another");
        assert!(wallet.resume().await.unwrap().warning.is_some());
        assert_eq!(balance(&wallet).pending, 13);
        assert_eq!(state(&wallet, id), "pending");
        drop(wallet);

        let mut wallet = world.open("wallet");
        let done = wallet.abandon(id).await.unwrap();
        let expected = if is_done { (0, 13) } else { (13, 0) };
        assert_eq!(
            (done.returned, done.spent, done.is_finished),
            (expected.0, expected.1, false)
        );
        assert_eq!(held(&wallet), (47 + expected.0, 0));
        assert_eq!(state(&wallet, id), "abandoned");
        assert!(matches!(
            wallet.abandon(id).await,
            Err(WalletError::NotPending(_))
        ));
        wallet
            .redeem(None, 47 + expected.0, &Secret::new("another"))
            .await
            .unwrap();
        assert_eq!(world.issuer.account("another"), FUNDS);
    }
}

/// The outcomes of a redeem, and of the renew that replaces it, are unknown.
#[tokio::test]
async fn abandoning_is_finished_after_a_crash() {
    for fault in [Fault::RequestLost, Fault::AnswerLost, Fault::NoConnection] {
        let world = world();
        let mut wallet = world.wallet_with("wallet", 60).await;
        world.network.fail_all(Fault::RequestLost);
        wallet.redeem(None, 13, &token()).await.unwrap_err();
        let id = last(&wallet);
        // The documents are recent, so the renew is the first request.
        world.network.heal();
        wallet.add(URL).await.unwrap();
        world.network.fail(0, fault);
        wallet.abandon(id).await.unwrap_err();
        drop(wallet);
        world.network.heal();
        let mut wallet = world.open("wallet");
        assert_eq!(state(&wallet, id), "abandoned");
        assert!(wallet.resume().await.unwrap().warning.is_none(), "{fault:?}");
        assert_eq!(held(&wallet), (60, 0), "{fault:?}");
        wallet.redeem(None, 60, &token()).await.unwrap();
        assert_eq!(world.issuer.account(TOKEN), FUNDS);
    }
}

#[tokio::test]
async fn an_abandoned_mint_that_arrives_later_is_not_lost() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 0).await;
    world.network.fail_all(Fault::RequestLost);
    mint(&mut wallet, 7).await.unwrap_err();
    let request = world.network.take_steps().pop().unwrap().body;
    world.network.heal();
    let done = wallet.abandon(last(&wallet)).await.unwrap();
    assert!(!done.is_finished);
    assert_eq!(balance(&wallet).pending, 0);
    assert_eq!(state(&wallet, last(&wallet)), "abandoned");
    // The request arrives late.
    world.issuer.answer(
        URL,
        OnBehalf::Account(&token()),
        &request,
        world.network.now(),
        Signing::Now,
    );
    drop(wallet);
    let mut wallet = world.open("wallet");
    assert!(wallet.resume().await.unwrap().warning.is_none());
    assert_eq!(balance(&wallet).balance, 7);

    // Another one never arrives. The wallet asks about it until its keys no longer sign.
    world.network.fail_all(Fault::RequestLost);
    mint(&mut wallet, 5).await.unwrap_err();
    let id = last(&wallet);
    world.network.heal();
    wallet.abandon(id).await.unwrap();
    world.network.set_day(115);
    wallet.resume().await.unwrap();
    assert!(
        state(&wallet, id).starts_with("refused"),
        "{}",
        state(&wallet, id)
    );
    world.network.heal();
    wallet.resume().await.unwrap();
    assert!(!world.network.was_asked("/resume"), "the operation has ended");
}

#[tokio::test]
async fn an_accepted_request_is_finished_instead_of_abandoned() {
    let world = world();
    let mut sender = world.wallet_with("sender", 20).await;
    let stack = sender.send(None, 12, "").await.unwrap().stack;
    let mut wallet = world.wallet_with("wallet", 0).await;
    world.network.fail_all(Fault::AnswerLost);
    wallet.receive(&stack).await.unwrap_err();
    world.network.heal();
    assert!(wallet.abandon(last(&wallet)).await.unwrap().is_finished);
    assert_eq!(held(&wallet), (12, 0));
}

#[tokio::test]
async fn coins_are_renewed_in_spite_of_pending_requests() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 60).await;
    world.network.fail_all(Fault::RequestLost);
    wallet.redeem(None, 5, &token()).await.unwrap_err();
    mint(&mut wallet, 3).await.unwrap_err();
    world.network.heal();
    world.network.set_day(180);
    wallet.tidy().await.unwrap();
    world.network.set_day(220); // beyond the expiry of the first coins
    assert_eq!(balance(&wallet).balance, 55);
    wallet.redeem(None, 55, &token()).await.unwrap();
}

#[tokio::test]
async fn the_balance_shows_the_expiry_and_expiring_coins_are_renewed() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 60).await;
    let first = balance(&wallet).expires_at.unwrap();
    world.network.heal();
    wallet.renew_expiring().await.unwrap();
    assert!(world.network.take_steps().is_empty(), "there is nothing to renew");
    world.network.set_day(180);
    wallet.renew_expiring().await.unwrap();
    assert!(balance(&wallet).expires_at.unwrap() > first);
}

#[tokio::test]
async fn received_coins_are_renewed_after_the_mint_keys_have_changed() {
    for fault in [Fault::RequestLost, Fault::NoConnection] {
        let world = world();
        let mut sender = world.wallet_with("sender", 20).await;
        let stack = sender.send(None, 12, "wages").await.unwrap().stack;
        let mut wallet = world.wallet_with("wallet", 0).await;
        world.network.fail_all(fault);
        wallet.receive(&stack).await.unwrap_err();
        assert_eq!((balance(&wallet).pending, wallet.has_unfinished()), (12, true));
        drop(wallet);
        world.network.heal();
        world.network.set_day(115); // other keys sign
        let mut wallet = world.open("wallet");
        let resumed = wallet.resume().await.unwrap();
        assert!(resumed.warning.is_none(), "{:?}", resumed.warning);
        assert_eq!(held(&wallet), (12, 0), "{fault:?}");
        assert!(!wallet.has_unfinished());
        wallet.redeem(None, 12, &token()).await.unwrap();
    }
}

/// The stack has spent, forged, foreign and repeated coins. The others are received, even if the issuer does
/// not name the spent ones.
#[tokio::test]
async fn valid_coins_of_a_stack_with_bad_coins_are_received() {
    for names_coins in [true, false] {
        let world = world();
        world.issuer.names_coins.store(names_coins, Ordering::SeqCst);
        let mut sender = world.wallet_with("sender", 60).await;
        let mut stack = sender.send(None, 47, "").await.unwrap().stack;
        let mut other = world.wallet_with("other", 0).await;
        let spent = stack_of(&[stack.coins[1].clone(), stack.coins[3].clone()]);
        let spent_amount = other.receive(&spent).await.unwrap().amount;
        let mut forged = stack.coins[0].clone();
        forged.payload.serial = BigInt::from_be_bytes(&[9]);
        let mut foreign = stack.coins[0].clone();
        foreign.payload.issuer_id = BigInt::from_be_bytes(&[9]);
        stack.coins.extend([forged, foreign, stack.coins[2].clone()]);
        let mut wallet = world.wallet_with("wallet", 9).await;
        let good = stack.coins.len() - 5;

        let received = wallet.receive(&stack).await.unwrap();
        assert_eq!(received.amount, 47 - spent_amount, "{received:?}");
        let faults: Vec<(usize, &CoinFault)> = received
            .left_out
            .iter()
            .map(|left_out| (left_out.index, &left_out.fault))
            .collect();
        assert_eq!(&faults[..2], [(1, &CoinFault::Spent), (3, &CoinFault::Spent)]);
        let is_right = matches!(
            faults[2..],
            [
                (a, CoinFault::NotSigned),
                (b, CoinFault::UnknownCurrency { .. }),
                (c, CoinFault::Repeated)
            ] if (a, b, c) == (good + 2, good + 3, good + 4)
        );
        assert!(is_right, "{faults:?}");
        assert_eq!(held(&wallet), (9 + received.amount, 0));
        let error = wallet.receive(&spent).await.unwrap_err().to_string();
        let all = if names_coins { " (2 of 2)" } else { "" };
        assert!(
            error.ends_with(&format!("taken by somebody else{all}")),
            "{error}"
        );
        wallet.redeem(None, 9 + received.amount, &token()).await.unwrap();
    }
}

#[tokio::test]
async fn coins_spent_by_a_copy_of_the_wallet_are_removed() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 60).await;
    world.copy("wallet", "copy");
    let mut copy = world.open("copy");
    copy.redeem(None, 13, &token()).await.unwrap();
    let error = wallet.redeem(None, 60, &token()).await.unwrap_err();
    assert!(matches!(error, WalletError::SpentElsewhere(13)), "{error}");
    assert_eq!(balance(&wallet).balance, 47);
    wallet.redeem(None, 47, &token()).await.unwrap();
    assert_eq!(world.issuer.account(TOKEN), FUNDS);
}

#[tokio::test]
async fn a_large_mint_beyond_the_balance_writes_nothing() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 0).await;
    let before = world.file("wallet");
    let error = mint(&mut wallet, 99_999).await.unwrap_err();
    assert!(
        matches!(
            error,
            WalletError::AccountTooLow {
                balance: FUNDS,
                needed: 99_999
            }
        ),
        "{error}"
    );
    assert!(world.file("wallet") == before);
    assert!(wallet.history().unwrap().is_empty());
}

#[tokio::test]
async fn tokens_are_not_stored() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 20).await;
    world.network.fail_all(Fault::RequestLost);
    wallet.redeem(None, 20, &token()).await.unwrap_err();
    drop(wallet);
    world.network.heal();
    let file = world.file("wallet");
    assert!(!String::from_utf8_lossy(&file).contains(TOKEN));
    let network = Arc::clone(&world.network);
    let mut wallet = world.open_with_clock("wallet", Arc::new(move || network.now()));
    let warning = wallet.resume().await.unwrap().warning.unwrap().to_string();
    assert!(warning.contains("needs the token"), "{warning}");
    wallet.use_token(token());
    assert_eq!(wallet.resume().await.unwrap().value, 1);
    assert_eq!(world.issuer.account(TOKEN), FUNDS);
}

#[tokio::test]
async fn coins_are_not_locked_while_the_issuer_is_unreachable() {
    let world = world();
    drop(world.wallet_with("wallet", 47).await);
    world.network.set_day(2);
    world.network.fail_all(Fault::RequestLost);
    let mut wallet = world.open("wallet");
    let mut left = 47;
    for amount in [9, 6, 3, 1] {
        match wallet.send(None, amount, "").await {
            Ok(_) => left -= amount,
            // The coins do not make the amount.
            Err(error) => assert!(
                matches!(error, WalletError::Exchange(ExchangeError::NotSent(_))),
                "{error}"
            ),
        }
        wallet.tidy().await.unwrap_err();
        assert_eq!(held(&wallet), (left, 0));
    }
    assert!(left < 47, "some amounts can be paid");
}

#[tokio::test]
async fn a_404_for_the_revocations_keeps_the_known_ones() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 20).await;
    world.revoke(&DENOMINATIONS);
    wallet.add(URL).await.unwrap();
    assert_eq!(balance(&wallet).revoked, 20);
    world.network.set_day(2);
    world.network.fail(2, Fault::Redirect); // the third request of a refresh, for the revocations
    wallet.add(URL).await.unwrap();
    assert_eq!(balance(&wallet).revoked, 20);
}

/// The issuer sees the order of the coins in a renew.
#[tokio::test]
async fn the_order_of_coins_in_a_renew_does_not_tell_which_were_received() {
    let world = world();
    let mut sender = world.wallet_with("sender", 200).await;
    let (mut mixed, mut foreign_first) = (0, 0);
    for number in 0..12 {
        let mut wallet = world.wallet_with(&format!("wallet {number}"), 8).await;
        let stack = sender.send(None, 6, "").await.unwrap().stack;
        world.network.heal();
        wallet.receive(&stack).await.unwrap();
        let renew = world
            .network
            .take_steps()
            .into_iter()
            .find(|step| step.url.ends_with("/renew"));
        let request: RequestRenew = from_json(renew.unwrap().body.as_bytes()).unwrap();
        if request.coins.len() > stack.coins.len() {
            mixed += 1;
            let first = &request.coins[..stack.coins.len()];
            foreign_first += usize::from(first.iter().all(|coin| stack.coins.contains(coin)));
        }
    }
    assert!(mixed >= 6, "{mixed} renews were mixed");
    assert!(
        foreign_first < mixed,
        "in all {mixed} mixed renews foreign coins came first"
    );
}

#[tokio::test]
async fn the_error_names_a_wrong_clock() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 20).await;
    let days = 24 * 60 * 60;
    world.network.set_day(400);
    world.network.issuers_ahead_s.store(-399 * days, Ordering::SeqCst);
    let error = mint(&mut wallet, 5).await.unwrap_err();
    assert!(matches!(error, WalletError::WrongClock { .. }), "{error}");
    world.network.issuers_ahead_s.store(0, Ordering::SeqCst);
    world.network.set_day(401);
    let error = mint(&mut wallet, 5).await.unwrap_err();
    assert!(matches!(error, WalletError::NoMintKey(_)), "{error}");
}

/// Coins expire between any two calls of this clock.
#[tokio::test]
async fn an_operation_uses_one_time() {
    let world = world();
    drop(world.wallet_with("wallet", 20).await);
    let hours = AtomicI64::new(0);
    let begin = world.network.now() + TimeDelta::days(196);
    let clock = move || begin + TimeDelta::hours(20 * hours.fetch_add(1, Ordering::SeqCst));
    let mut wallet = world.open_with_clock("wallet", Arc::new(clock));
    for _ in 0..8 {
        match wallet.send(None, 1, "").await {
            Ok(sent) => assert_eq!(sent.stack.coins.len(), 1),
            Err(error) => assert!(
                matches!(
                    error,
                    WalletError::InsufficientFunds { .. } | WalletError::WrongClock { .. }
                ),
                "{error}"
            ),
        }
    }
}

#[tokio::test]
async fn a_wallet_can_be_read_while_it_is_open() {
    let world = world();
    let wallet = world.wallet_with("wallet", 20).await;
    let look = || {
        let network = Arc::clone(&world.network);
        let rng = Box::new(ChaCha20Rng::seed_from_u64(1));
        Wallet::open_to_read(
            &world.folder("wallet"),
            None,
            Arc::new(move || network.now()),
            rng,
        )
    };
    let (first, mut second) = (look().unwrap(), look().unwrap());
    assert_eq!((balance(&first).balance, balance(&second).balance), (20, 20));
    assert!(first.exposed_file().is_none());
    assert!(second.send(None, 5, "").await.is_err());
    drop(wallet);
    assert_eq!(balance(&world.open("wallet")).balance, 20);
}

#[tokio::test]
async fn a_currency_that_cannot_be_added_leaves_no_folder() {
    let world = world();
    for fault in [Fault::NoConnection, Fault::Unavailable, Fault::Nonsense] {
        let mut wallet = world.open("wallet");
        world.network.fail_all(fault);
        wallet.add(URL).await.unwrap_err();
        drop(wallet);
        assert!(!world.folder("wallet").exists(), "{fault:?}");
    }
    world.network.heal();
    drop(world.wallet_with("wallet", 0).await);
    assert!(Wallet::is_in(&world.folder("wallet")));
}

#[test]
fn the_futures_are_send() {
    fn is_send(_: impl Send) {}
    fn of(wallet: &mut Wallet, stack: &CoinStack) {
        is_send(wallet.receive(stack));
        is_send(wallet.send(None, 1, ""));
        is_send(wallet.resume());
    }
    let _: fn(&mut Wallet, &CoinStack) = of;
}
