//! Operations as the user sees them: results, refusals and the history.

use std::sync::Arc;

use opencoin_crypto::CipherSuite;
use opencoin_schema::{BigInt, CoinStack, Payload};
use opencoin_wallet::{CoinFault, ExchangeError, WalletError};

use crate::fake_issuer::FakeIssuer;
use crate::world::{Fault, TOKEN, URL, World, balance, held, mint, stack_of, states, token};

const OTHER_URL: &str = "http://other.test";

fn world() -> World {
    World::new(CipherSuite::default(), 10_000)
}

fn word(error: &WalletError) -> &str {
    match error {
        WalletError::Exchange(ExchangeError::Refused { word, .. }) => word,
        other => panic!("not a refusal: {other}"),
    }
}

fn fault(error: &WalletError) -> CoinFault {
    match error {
        WalletError::NoGoodCoin(left_out) => left_out[0].fault.clone(),
        other => panic!("not about a coin: {other}"),
    }
}

#[tokio::test]
async fn coins_are_sent_and_received_in_both_suites() {
    for suite in CipherSuite::ALL {
        let world = World::new(suite, 200);
        let mut alice = world.wallet_with("alice", 137).await;
        let mut bob = world.wallet_with("bob", 0).await;
        let stack = alice.send(None, 86, "rent").await.unwrap().stack;
        assert_eq!(bob.receive(&stack).await.unwrap().amount, 86);
        let part = bob.send(None, 43, "half of it").await.unwrap().stack;
        assert_eq!(alice.receive(&part).await.unwrap().amount, 43);
        bob.redeem(None, 43, &token()).await.unwrap();
        assert_eq!(balance(&alice).balance, 137 - 86 + 43);
        assert_eq!(balance(&bob).balance, 0);
        assert_eq!(world.issuer.account(TOKEN), 200 - 137 + 43);
    }
}

#[tokio::test]
async fn every_amount_is_paid_without_the_issuer() {
    let world = world();
    let wallet = world.wallet_with("wallet", 47).await;
    drop(wallet);
    for amount in 1..=47 {
        let name = format!("pays {amount}");
        world.copy("wallet", &name);
        let mut wallet = world.open(&name);
        world.network.fail_all(Fault::RequestLost);
        let stack = wallet.send(None, amount, "").await.unwrap().stack;
        let value: u64 = stack.coins.iter().map(|coin| coin.payload.denomination).sum();
        assert_eq!(value, amount);
        assert_eq!(balance(&wallet).balance + balance(&wallet).pending, 47 - amount);
    }
}

#[tokio::test]
async fn a_repeated_request_is_identical() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 0).await;
    world.network.fail_all(Fault::RequestLost);
    mint(&mut wallet, 7).await.unwrap_err();
    let first = world.network.take_steps();
    drop(wallet);
    world.network.heal();
    let mut wallet = world.open("wallet");
    assert_eq!(wallet.resume().await.unwrap().value, 1);
    let again = world.network.take_steps();
    let sent = |steps: &[crate::world::Step]| {
        let mints = steps.iter().filter(|step| step.url.ends_with("/mint"));
        mints.map(|step| step.body.clone()).collect::<Vec<_>>()
    };
    assert_eq!(sent(&first), sent(&again));
    assert_eq!(sent(&first).len(), 1);
}

#[tokio::test]
async fn a_wrong_signature_is_reported_and_the_request_is_kept() {
    for fault in [Fault::WrongSignature, Fault::MissingSignature] {
        let world = world();
        let mut wallet = world.wallet_with("wallet", 0).await;
        world.network.fail_all(fault);
        assert!(matches!(
            mint(&mut wallet, 7).await,
            Err(WalletError::WrongSignature)
        ));
        let resumed = wallet.resume().await.unwrap();
        assert!(matches!(resumed.warning, Some(WalletError::WrongSignature)));
        assert_eq!(states(&wallet, "mint"), ["pending"]);
        world.network.heal();
        wallet.resume().await.unwrap();
        assert_eq!(balance(&wallet).balance, 7);
        assert_eq!(states(&wallet, "mint"), ["done"]);
    }
}

#[tokio::test]
async fn a_refused_resume_does_not_end_an_accepted_request() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 0).await;
    world.network.fail_all(Fault::Delay);
    mint(&mut wallet, 7).await.unwrap_err();
    world.network.fail_all(Fault::Refused);
    assert!(wallet.resume().await.unwrap().warning.is_some());
    assert_eq!(balance(&wallet).pending, 7);
    assert_eq!(states(&wallet, "mint"), ["pending"]);
    world.network.heal();
    wallet.resume().await.unwrap();
    assert_eq!(balance(&wallet).balance, 7);
}

#[tokio::test]
async fn an_older_cdd_does_not_replace_a_newer_one() {
    let world = world();
    let issuer = |serial| {
        let issuer =
            FakeIssuer::with_cdd_serial(serial, "Tens", OTHER_URL, CipherSuite::default(), &[10, 20]);
        world.network.connect(OTHER_URL, Arc::new(issuer));
    };
    let mut wallet = world.open("wallet");
    for (serial, divisor) in [(1, 100), (2, 200), (1, 200)] {
        issuer(serial);
        assert_eq!(wallet.add(OTHER_URL).await.unwrap().divisor, divisor);
    }
}

#[tokio::test]
async fn pending_amounts_are_shown() {
    let world = world();
    let mut sender = world.wallet_with("sender", 20).await;
    let stack = sender.send(None, 12, "").await.unwrap().stack;
    let mut wallet = world.wallet_with("wallet", 10).await;
    world.network.fail_all(Fault::Delay);
    mint(&mut wallet, 7).await.unwrap_err();
    let error = wallet.receive(&stack).await.unwrap_err();
    assert!(
        matches!(error, WalletError::Exchange(ExchangeError::Delayed { .. })),
        "{error}"
    );
    let shown = balance(&wallet);
    assert_eq!(shown.balance + shown.pending, 10 + 7 + 12);
    // Resuming pending requests begins no new ones.
    let begun = wallet.history().unwrap().len();
    wallet.resume().await.unwrap();
    wallet.resume().await.unwrap();
    assert_eq!(wallet.history().unwrap().len(), begun);
    world.network.heal();
    wallet.resume().await.unwrap();
    assert_eq!(held(&wallet), (10 + 7 + 12, 0));
}

#[tokio::test]
async fn a_stack_is_received_once() {
    let world = world();
    let mut alice = world.wallet_with("alice", 20).await;
    let stack = alice.send(None, 12, "").await.unwrap().stack;
    let mut bob = world.wallet_with("bob", 0).await;
    bob.receive(&stack).await.unwrap();
    assert!(matches!(
        bob.receive(&stack).await,
        Err(WalletError::ReceivedBefore)
    ));
    // The issuer refuses another receiver, who loses no own coins.
    let mut carol = world.wallet_with("carol", 7).await;
    assert_eq!(word(&carol.receive(&stack).await.unwrap_err()), "double-spend");
    assert_eq!(held(&carol), (7, 0));
    carol.redeem(None, 7, &token()).await.unwrap();
    // The sender cannot take them back.
    assert_eq!(alice.reclaim(None).await.unwrap(), 0);
    assert_eq!(balance(&alice).sent, 0);
    assert_eq!(states(&alice, "send"), ["taken"]);
}

#[tokio::test]
async fn a_stack_is_checked_before_anything_is_sent() {
    let world = world();
    let mut alice = world.wallet_with("alice", 20).await;
    let stack = alice.send(None, 12, "").await.unwrap().stack;
    let mut bob = world.wallet_with("bob", 0).await;
    world.network.heal();
    let with = |change: &dyn Fn(&mut CoinStack)| {
        let mut stack = stack.clone();
        change(&mut stack);
        stack
    };
    let with_one = |change: &dyn Fn(&mut Payload)| {
        with(&|stack| {
            stack.coins.truncate(1);
            change(&mut stack.coins[0].payload);
        })
    };
    let forged = with_one(&|payload| payload.serial = BigInt::from_be_bytes(&[9]));
    assert_eq!(
        fault(&bob.receive(&forged).await.unwrap_err()),
        CoinFault::NotSigned
    );
    let raised = with_one(&|payload| payload.denomination = 1_000_000);
    assert_eq!(
        fault(&bob.receive(&raised).await.unwrap_err()),
        CoinFault::NotSigned
    );
    let empty = with(&|stack| stack.coins.clear());
    assert!(matches!(bob.receive(&empty).await, Err(WalletError::EmptyStack)));
    let foreign = with(&|stack| {
        stack
            .coins
            .iter_mut()
            .for_each(|coin| coin.payload.issuer_id = BigInt::from_be_bytes(&[9]))
    });
    assert!(matches!(
        bob.receive(&foreign).await,
        Err(WalletError::UnknownCurrency { .. })
    ));
    assert!(world.network.take_steps().is_empty(), "no request was sent");
    assert_eq!(bob.receive(&stack).await.unwrap().amount, 12);
}

#[tokio::test]
async fn a_refused_mint_changes_nothing() {
    let world = World::new(CipherSuite::default(), 10);
    let mut wallet = world.wallet_with("wallet", 4).await;
    assert_eq!(
        word(&mint(&mut wallet, 7).await.unwrap_err()),
        "insufficient-funds"
    );
    let stranger = opencoin_wallet::Secret::new("a token nobody has");
    let error = wallet.mint(None, 2, &stranger, &mut |_, _| {}).await.unwrap_err();
    assert_eq!(word(&error), "unauthorized");
    assert!(!format!("{error:?} {error}").contains("nobody has"));
    assert_eq!(
        (
            balance(&wallet).balance,
            balance(&wallet).pending,
            world.issuer.account(TOKEN)
        ),
        (4, 0, 6)
    );
    assert_eq!(wallet.resume().await.unwrap().value, 0);
}

#[tokio::test]
async fn impossible_amounts_fail_at_once() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 20).await;
    assert!(matches!(
        wallet.send(None, 21, "").await,
        Err(WalletError::InsufficientFunds {
            balance: 20,
            needed: 21
        })
    ));
    assert!(matches!(
        mint(&mut wallet, 100_000_000_000).await,
        Err(WalletError::TooManyCoins { .. })
    ));
    for amount in [u64::MAX / 2, u64::MAX] {
        assert!(
            matches!(mint(&mut wallet, amount).await, Err(WalletError::Overflow)),
            "{amount}"
        );
    }
    world.add_issuer("Tens", OTHER_URL, &[10, 20], 0);
    wallet.add(OTHER_URL).await.unwrap();
    let error = wallet
        .mint(Some("Tens"), 25, &token(), &mut |_, _| {})
        .await
        .unwrap_err();
    assert!(
        matches!(&error, WalletError::NotRepresentable(refused) if refused.nearest == [20, 30]),
        "{error}"
    );
}

#[tokio::test]
async fn a_wallet_with_several_currencies() {
    let world = world();
    let other = world.add_issuer("Tens", OTHER_URL, &[10, 20], 100);
    let mut wallet = world.wallet_with("wallet", 30).await;
    let added = wallet.add(OTHER_URL).await.unwrap();
    assert_eq!((added.name.as_str(), added.balance), ("Tens", 0));
    assert!(matches!(
        wallet.send(None, 10, "").await,
        Err(WalletError::WhichCurrency(_))
    ));
    assert!(matches!(
        wallet.send(Some("Dollar"), 10, "").await,
        Err(WalletError::UnknownCurrencyName { .. })
    ));
    wallet
        .mint(Some(&added.currency), 60, &token(), &mut |_, _| {})
        .await
        .unwrap();
    let stack = wallet.send(Some("Tens"), 20, "").await.unwrap().stack;
    assert!(
        stack
            .coins
            .iter()
            .all(|coin| coin.payload.issuer_id == *other.cddc.master_key().id())
    );
    let balances: Vec<_> = wallet
        .balances()
        .into_iter()
        .map(|balance| (balance.name, balance.balance))
        .collect();
    assert!(
        balances.contains(&("OpenCent".to_owned(), 30)) && balances.contains(&("Tens".to_owned(), 40)),
        "{balances:?}"
    );
    // Adding a known currency changes nothing.
    assert_eq!(wallet.add(OTHER_URL).await.unwrap().balance, 40);
}

#[tokio::test]
async fn another_master_key_at_a_known_url_is_rejected() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 30).await;
    world.add_issuer("Impostor", URL, &[1, 2], 1_000);
    world.network.set_day(150); // the known mint keys no longer sign
    world.network.heal();
    let error = mint(&mut wallet, 5).await.unwrap_err();
    assert!(matches!(error, WalletError::MasterKeyChanged(_)), "{error}");
    assert!(!world.network.was_asked("/mint"));
    assert_eq!(balance(&wallet).balance, 30);
}

#[tokio::test]
async fn coins_that_expire_soon_are_renewed_by_the_next_operation() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 60).await;
    world.network.set_day(180);
    wallet.send(None, 1, "").await.unwrap();
    wallet.reclaim(None).await.unwrap();
    world.network.set_day(220); // beyond the expiry of the first coins
    assert_eq!(balance(&wallet).balance, 60);
    wallet.redeem(None, 60, &token()).await.unwrap();
    assert_eq!(world.issuer.account(TOKEN), 10_000);
}

#[tokio::test]
async fn expired_coins_do_not_count_and_do_not_block_others() {
    let world = world();
    let mut sender = world.wallet_with("sender", 0).await;
    let mut wallet = world.wallet_with("wallet", 30).await;
    wallet.send(None, 3, "never taken").await.unwrap();
    wallet.tidy().await.unwrap();
    world.network.set_day(190);
    mint(&mut sender, 20).await.unwrap();
    let stack = sender.send(None, 12, "").await.unwrap().stack;
    world.network.set_day(202);
    assert_eq!((balance(&wallet).balance, balance(&wallet).expired), (0, 27));
    assert!(matches!(
        wallet.send(None, 5, "").await,
        Err(WalletError::InsufficientFunds { balance: 0, .. })
    ));
    wallet.receive(&stack).await.unwrap();
    wallet.send(None, 5, "").await.unwrap();
    // Expired sent coins do not block the others.
    assert_eq!(wallet.reclaim(None).await.unwrap(), 5);
    assert_eq!(balance(&wallet).balance, 12);
}

#[tokio::test]
async fn more_coins_than_one_request_holds() {
    let world = world();
    let ones = world.add_issuer("Ones", OTHER_URL, &[1], 1_300);
    let mut wallet = world.open("wallet");
    wallet.add(OTHER_URL).await.unwrap();
    let mut last = (0, 0);
    wallet
        .mint(None, 1_200, &token(), &mut |done, total| last = (done, total))
        .await
        .unwrap();
    assert_eq!((balance(&wallet).balance, last), (1_200, (1_200, 1_200)));
    let stack = wallet.send(None, 1_100, "").await.unwrap().stack;
    assert_eq!(stack.coins.len(), 1_100);
    assert_eq!(wallet.reclaim(None).await.unwrap(), 1_100);
    assert_eq!(states(&wallet, "send"), ["reclaimed"]);
    wallet.redeem(None, 1_200, &token()).await.unwrap();
    assert_eq!(ones.account(TOKEN), 1_300);
}

#[tokio::test]
async fn all_requests_of_a_delayed_large_mint_are_resumed() {
    let world = world();
    let ones = world.add_issuer("Ones", OTHER_URL, &[1], 1_300);
    let mut wallet = world.open("wallet");
    wallet.add(OTHER_URL).await.unwrap();
    world.network.fail_all(Fault::Delay);
    mint(&mut wallet, 1_001).await.unwrap_err();
    world.network.heal();
    wallet.resume().await.unwrap();
    assert_eq!((balance(&wallet).balance, ones.account(TOKEN)), (1_001, 299));
}

#[tokio::test]
async fn an_own_send_can_be_received() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 20).await;
    let stack = wallet.send(None, 12, "").await.unwrap().stack;
    assert_eq!(wallet.receive(&stack).await.unwrap().amount, 12);
    assert_eq!((balance(&wallet).balance, balance(&wallet).sent), (20, 0));
    assert_eq!(states(&wallet, "send"), ["reclaimed"]);
    assert!(matches!(
        wallet.receive(&stack).await,
        Err(WalletError::ReceivedBefore)
    ));
}

/// The person who mints a coin chooses its serial, so another coin can have the same one.
#[tokio::test]
async fn a_received_coin_with_the_serial_of_an_own_coin_replaces_nothing() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 20).await;
    let stack = wallet.send(None, 2, "").await.unwrap().stack;
    let ours = &stack.coins[0].payload;
    let payload = Payload {
        cdd_location: "http://elsewhere.test".to_owned(),
        ..ours.clone()
    };
    let twin = world.issuer.mint_payload(&payload, TOKEN);
    let received = wallet.receive(&stack_of(&[twin])).await.unwrap();
    assert_eq!(received.amount, ours.denomination);
    assert_eq!(balance(&wallet).balance, 18 + ours.denomination);
    assert_eq!(balance(&wallet).sent, 2);
    assert_eq!(wallet.reclaim(None).await.unwrap(), 2);
    assert_eq!(balance(&wallet).balance, 20 + ours.denomination);
}
