//! No request is pending for ever, and none that is keeps other coins from being renewed.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::TimeDelta;
use opencoin_crypto::CipherSuite;
use opencoin_schema::{BigInt, CoinStack, RequestRenew, from_json};
use opencoin_wallet::{CoinFault, CoinPlace, ExchangeError, Secret, Wallet, WalletError};

use crate::fake_issuer::Signing;
use crate::world::{Fault, TOKEN, URL, World, balance, mint, token};

const FUNDS: u64 = 1_000;

fn world() -> World {
    World::new(CipherSuite::default(), FUNDS)
}

fn state(wallet: &Wallet, id: u64) -> String {
    let history = wallet.history();
    history.iter().find(|entry| entry.id == id).unwrap().state.clone()
}

fn last(wallet: &Wallet) -> u64 {
    wallet.history().last().unwrap().id
}

#[tokio::test]
async fn a_request_that_did_not_reach_the_issuer_is_refused_at_once() {
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
        assert_eq!((balance(&wallet).balance, balance(&wallet).pending), (20, 0));
        assert!(!wallet.has_unfinished());
        world.network.heal();
        wallet.redeem(None, 20, &token()).await.unwrap();
        assert_eq!(world.issuer.account(TOKEN), FUNDS);
    }
}

#[tokio::test]
async fn a_redeem_that_cannot_be_finished_gives_its_coins_back() {
    for (fault, is_done) in [(Fault::RequestLost, false), (Fault::AnswerLost, true)] {
        let world = world();
        let mut wallet = world.wallet_with("wallet", 60).await;
        world.network.fail_all(fault);
        wallet.redeem(None, 13, &token()).await.unwrap_err();
        let id = last(&wallet);
        world.network.set_day(2); // so that the documents are asked for
        assert!(
            wallet.abandon(id).await.is_err(),
            "without the issuer nothing is given up"
        );
        world.network.heal();
        world.issuer.change_token(TOKEN, "another");
        assert!(wallet.resume().await.unwrap().warning.is_some());
        assert_eq!(
            (balance(&wallet).pending, state(&wallet, id)),
            (13, "pending".to_owned())
        );
        drop(wallet);

        let mut wallet = world.open("wallet");
        let done = wallet.abandon(id).await.unwrap();
        let expected = if is_done { (0, 13) } else { (13, 0) };
        assert_eq!(
            (done.returned, done.spent, done.is_finished),
            (expected.0, expected.1, false)
        );
        assert_eq!(
            (balance(&wallet).balance, balance(&wallet).pending),
            (47 + expected.0, 0)
        );
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

/// The first renew is not heard of; it replaces a redeem that was not heard of.
#[tokio::test]
async fn abandoning_is_finished_after_a_crash() {
    for fault in [Fault::RequestLost, Fault::AnswerLost, Fault::NoConnection] {
        let world = world();
        let mut wallet = world.wallet_with("wallet", 60).await;
        world.network.fail_all(Fault::RequestLost);
        wallet.redeem(None, 13, &token()).await.unwrap_err();
        let id = last(&wallet);
        // Documents are young enough, so that the renew is the first request.
        world.network.heal();
        wallet.add(URL).await.unwrap();
        world.network.fail(0, fault);
        wallet.abandon(id).await.unwrap_err();
        drop(wallet);
        world.network.heal();
        let mut wallet = world.open("wallet");
        assert_eq!(state(&wallet, id), "abandoned");
        assert!(wallet.resume().await.unwrap().warning.is_none(), "{fault:?}");
        assert_eq!(
            (balance(&wallet).balance, balance(&wallet).pending),
            (60, 0),
            "{fault:?}"
        );
        wallet.redeem(None, 60, &token()).await.unwrap();
        assert_eq!(world.issuer.account(TOKEN), FUNDS);
    }
}

#[tokio::test]
async fn an_abandoned_mint_that_is_carried_out_all_the_same_is_not_lost() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 0).await;
    world.network.fail_all(Fault::RequestLost);
    mint(&mut wallet, 7).await.unwrap_err();
    let request = world.network.take_steps().pop().unwrap().body;
    world.network.heal();
    let done = wallet.abandon(last(&wallet)).await.unwrap();
    assert!(!done.is_finished);
    assert_eq!(
        (balance(&wallet).pending, state(&wallet, last(&wallet))),
        (0, "abandoned".to_owned())
    );
    // It was on its way all the time.
    world
        .issuer
        .answer(Some(&token()), &request, world.network.now(), Signing::Now);
    drop(wallet);
    let mut wallet = world.open("wallet");
    assert!(wallet.resume().await.unwrap().warning.is_none());
    assert_eq!(balance(&wallet).balance, 7);

    // Another one never arrives, and is asked about until its keys have stopped to sign.
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
    let steps = world.network.take_steps();
    assert!(
        steps.iter().all(|step| !step.url.ends_with("/resume")),
        "nothing is left to ask"
    );
}

#[tokio::test]
async fn a_request_that_was_accepted_is_finished_rather_than_abandoned() {
    let world = world();
    let mut sender = world.wallet_with("sender", 20).await;
    let stack = sender.send(None, 12, "").await.unwrap().stack;
    let mut wallet = world.wallet_with("wallet", 0).await;
    world.network.fail_all(Fault::AnswerLost);
    wallet.receive(&stack).await.unwrap_err();
    world.network.heal();
    assert!(wallet.abandon(last(&wallet)).await.unwrap().is_finished);
    assert_eq!((balance(&wallet).balance, balance(&wallet).pending), (12, 0));
}

#[tokio::test]
async fn a_stuck_request_does_not_keep_other_coins_from_being_renewed() {
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
async fn mint_and_balance_know_when_coins_expire_and_expiring_ones_are_renewed() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 60).await;
    let first = balance(&wallet).expires_at.unwrap();
    let coins = wallet.coins();
    assert!(
        coins
            .iter()
            .all(|coin| coin.expires_at >= first && coin.place == CoinPlace::Here)
    );
    assert_eq!(coins.iter().map(|coin| coin.value).sum::<u64>(), 60);
    world.network.heal();
    wallet.renew_expiring().await.unwrap();
    assert!(
        world.network.take_steps().is_empty(),
        "nothing to do, nobody to ask"
    );
    world.network.set_day(180);
    wallet.renew_expiring().await.unwrap();
    assert!(balance(&wallet).expires_at.unwrap() > first);
}

#[tokio::test]
async fn received_coins_survive_the_end_of_the_keys_they_were_to_be_renewed_with() {
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
        assert_eq!(
            (balance(&wallet).balance, balance(&wallet).pending),
            (12, 0),
            "{fault:?}"
        );
        assert!(!wallet.has_unfinished());
        wallet.redeem(None, 12, &token()).await.unwrap();
    }
}

/// Spent, forged, foreign and repeated coins: the others are taken, also when the issuer does not say which
/// were spent.
#[tokio::test]
async fn bad_coins_in_a_stack_do_not_keep_the_receiver_from_the_good_ones() {
    for names_coins in [true, false] {
        let world = world();
        world.issuer.names_coins.store(names_coins, Ordering::SeqCst);
        let mut sender = world.wallet_with("sender", 60).await;
        let mut stack = sender.send(None, 47, "").await.unwrap().stack;
        let mut other = world.wallet_with("other", 0).await;
        let spent = CoinStack {
            coins: vec![stack.coins[1].clone(), stack.coins[3].clone()],
            subject: String::new(),
        };
        let spent_amount = other.receive(&spent).await.unwrap().amount;
        let mut forged = stack.coins[0].clone();
        forged.payload.serial = BigInt::from_be_bytes(&[9]);
        let mut foreign = stack.coins[0].clone();
        foreign.payload.issuer_id = BigInt::from_be_bytes(&[9]);
        stack.coins.extend([forged, foreign, stack.coins[2].clone()]);
        let mut wallet = world.wallet_with("wallet", 9).await;
        let good = stack.coins.len() - 5;

        let preview = wallet.preview(&stack).unwrap();
        assert_eq!((preview.amount, preview.left_out.len()), (47, 3));
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
        assert_eq!(
            (balance(&wallet).balance, balance(&wallet).pending),
            (9 + received.amount, 0)
        );
        assert!(
            wallet
                .receive(&spent)
                .await
                .unwrap_err()
                .to_string()
                .contains("double-spend")
        );
        wallet.redeem(None, 9 + received.amount, &token()).await.unwrap();
    }
}

#[tokio::test]
async fn coins_that_a_copy_has_spent_are_dropped_and_the_rest_works() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 60).await;
    world.put_journal("copy", &world.journal("wallet"));
    let mut copy = world.open("copy");
    copy.redeem(None, 13, &token()).await.unwrap();
    let error = wallet.redeem(None, 60, &token()).await.unwrap_err();
    assert!(matches!(error, WalletError::SpentElsewhere(13)), "{error}");
    assert_eq!(balance(&wallet).balance, 47);
    wallet.redeem(None, 47, &token()).await.unwrap();
    assert_eq!(world.issuer.account(TOKEN), FUNDS);
}

#[tokio::test]
async fn a_mint_beyond_the_account_writes_nothing() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 0).await;
    let before = world.journal("wallet").len();
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
    assert_eq!(world.journal("wallet").len(), before);
    assert!(wallet.history().is_empty());
}

#[tokio::test]
async fn tokens_are_not_on_the_disk_and_are_given_again() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 20).await;
    world.network.fail_all(Fault::RequestLost);
    wallet.redeem(None, 20, &token()).await.unwrap_err();
    drop(wallet);
    world.network.heal();
    let journal = String::from_utf8(world.journal("wallet")).unwrap();
    assert!(!journal.contains(TOKEN));
    let network = Arc::clone(&world.network);
    let mut wallet = world.open_with_clock("wallet", Arc::new(move || network.now()));
    let warning = wallet.resume().await.unwrap().warning.unwrap().to_string();
    assert!(warning.contains("needs the token"), "{warning}");
    wallet.use_token(token());
    assert_eq!(wallet.resume().await.unwrap().value, 1);
    assert_eq!(world.issuer.account(TOKEN), FUNDS);
}

#[tokio::test]
async fn an_unreachable_issuer_does_not_bind_coins_one_payment_after_another() {
    let world = world();
    drop(world.wallet_with("wallet", 47).await);
    world.network.set_day(2);
    world.network.fail_all(Fault::RequestLost);
    let mut wallet = world.open("wallet");
    let mut paid = Vec::new();
    for amount in [9, 6, 3, 1] {
        match wallet.send(None, amount, "").await {
            Ok(sent) => paid.push((sent.id, amount)),
            // These coins do not make it.
            Err(error) => assert!(
                matches!(error, WalletError::Exchange(ExchangeError::NotSent(_))),
                "{error}"
            ),
        }
        wallet.tidy().await.unwrap_err();
        let left = 47 - paid.iter().map(|(_, amount)| amount).sum::<u64>();
        assert_eq!((balance(&wallet).balance, balance(&wallet).pending), (left, 0));
    }
    let (id, amount) = paid[0];
    let again = wallet.sent_stack(id).unwrap();
    let values = again.coins.iter().map(|coin| coin.payload.denomination);
    assert_eq!(values.sum::<u64>(), amount);
}

#[tokio::test]
async fn a_proxy_without_the_list_of_revoked_keys_revokes_nothing_back() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 20).await;
    world.revoke_all();
    wallet.add(URL).await.unwrap();
    assert_eq!(balance(&wallet).revoked, 20);
    world.network.set_day(2);
    world.network.fail(2, Fault::Redirect); // the third question of a refresh, which is answered with a 404
    wallet.add(URL).await.unwrap();
    assert_eq!(balance(&wallet).revoked, 20);
}

/// The issuer sees the order of the coins in a renew. It must not tell which of them were paid.
#[tokio::test]
async fn the_order_of_coins_in_a_renew_does_not_tell_whose_they_were() {
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
async fn a_wrong_clock_is_named() {
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

/// Coins expire between any two readings of this clock.
#[tokio::test]
async fn an_operation_sees_one_time() {
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
async fn a_wallet_can_be_looked_at_while_it_is_used() {
    let world = world();
    let wallet = world.wallet_with("wallet", 20).await;
    let look = || {
        let network = Arc::clone(&world.network);
        let rng =
            Box::new(<rand_chacha::ChaCha20Rng as rand_chacha::rand_core::SeedableRng>::seed_from_u64(1));
        Wallet::open_to_read(&world.folder("wallet"), Arc::new(move || network.now()), rng)
    };
    let (first, mut second) = (look().unwrap(), look().unwrap());
    assert_eq!((balance(&first).balance, balance(&second).balance), (20, 20));
    assert!(first.exposed_file().is_none());
    assert!(second.send(None, 5, "").await.is_err());
    drop(wallet);
    assert_eq!(balance(&world.open("wallet")).balance, 20);
}

#[test]
fn the_operations_can_be_moved_between_threads() {
    fn is_send(_: impl Send) {}
    fn of(wallet: &mut Wallet, stack: &CoinStack) {
        is_send(wallet.receive(stack));
        is_send(wallet.send(None, 1, ""));
        is_send(wallet.resume());
    }
    let _: fn(&mut Wallet, &CoinStack) = of;
}
