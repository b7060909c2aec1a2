//! Promises: one for every accepted request, stored until it is fulfilled.

use chrono::TimeDelta;
use opencoin_crypto::CipherSuite;
use opencoin_wallet::storage::{SqliteStorage, Table};
use opencoin_wallet::{LogError, OnBehalf, WalletError};

use super::{FUNDS, check, check_well, redeem_all, seal, seal_late, set, world};
use crate::fake_issuer::Signing;
use crate::fake_log::{Misdeed, WITHIN_S};
use crate::recorder::rows_of;
use crate::world::{Fault, URL, World, balance, held, mint, states, token};

#[tokio::test]
async fn an_honest_log_fulfils_every_promise() {
    for suite in CipherSuite::ALL {
        let world = World::with_log(suite, FUNDS);
        let mut wallet = world.wallet_with("wallet", 60).await;
        let mut other = world.wallet_with("other", 0).await;
        let status = check_well(&mut wallet).await;
        assert_eq!((status.open, status.kept, status.overdue), (1, 0, 0));
        seal(&world);
        let status = check_well(&mut wallet).await;
        assert_eq!((status.open, status.kept), (0, 1));
        let newest = status.newest.unwrap();
        assert_eq!(newest.size as usize, world.issuer.log().size());
        assert_eq!(
            (newest.time.unwrap(), newest.witnesses_named),
            (world.network.now(), 2)
        );
        assert_eq!(newest.witnesses, ["w1", "w2"]);

        let stack = wallet.send(None, 20, "").await.unwrap().stack;
        other.receive(&stack).await.unwrap();
        other.redeem(None, 20, &token()).await.unwrap();
        redeem_all_but(&world, &mut wallet, 20).await;
        seal(&world);
        for wallet in [&mut wallet, &mut other] {
            let status = check_well(wallet).await;
            assert!(status.kept >= 2 && status.open == 0, "{status:?}");
        }
        // What is remembered is on the disk.
        drop(wallet);
        let again = check_well(&mut world.open("wallet")).await;
        assert!(again.kept >= 2 && again.open == 0);
    }
}

/// Redeems all coins of a wallet that has given away this amount.
async fn redeem_all_but(world: &World, wallet: &mut opencoin_wallet::Wallet, given: u64) {
    let left = balance(wallet).balance;
    wallet.redeem(None, left, &token()).await.unwrap();
    assert_eq!(world.issuer.account(crate::world::TOKEN), FUNDS);
    assert_eq!(left, 60 - given);
}

#[tokio::test]
async fn a_currency_without_a_log_is_not_asked_for_one() {
    let world = World::new(CipherSuite::default(), FUNDS);
    world.network.heal();
    let mut wallet = world.wallet_with("wallet", 60).await;
    let status = check(&mut wallet).await;
    assert_eq!((status.log, status.newest, status.open), (None, None, 0));
    assert_eq!(wallet.evidence(None).unwrap(), []);
    assert!(
        world
            .network
            .take_steps()
            .iter()
            .all(|step| !step.url.contains("/log"))
    );
    let storage = SqliteStorage::open_to_read(&world.folder("wallet")).unwrap();
    let logs = rows_of(&storage)
        .into_iter()
        .filter(|row| row.table == Table::Logs);
    assert_eq!(logs.count(), 0);
    redeem_all(&world, &mut wallet).await;
}

#[tokio::test]
async fn coins_are_taken_although_the_promise_is_missing_or_wrong() {
    for (misdeed, reason) in [
        (Misdeed::NoPromise, "has not promised"),
        (Misdeed::OtherRoot, "not signed by the key"),
        (Misdeed::OtherKey, "not signed by the key"),
        (Misdeed::LongPromise, "more time"),
        (Misdeed::FuturePromise, "in the future"),
    ] {
        let world = world();
        let mut wallet = world.wallet_with("wallet", 0).await;
        set(&world, misdeed);
        let error = mint(&mut wallet, 60).await.unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
        assert!(error.to_string().contains("coins are safe"), "{error}");
        assert_eq!(held(&wallet), (60, 0));
        // It is noted on the disk.
        drop(wallet);
        let mut wallet = world.open("wallet");
        let status = check(&mut wallet).await;
        assert_eq!((status.open, status.faults.len()), (0, 1));
        assert!(status.faults[0].description.contains(reason));
        set(&world, None);
        redeem_all(&world, &mut wallet).await;
    }
}

#[tokio::test]
async fn a_large_mint_stops_after_a_part_without_a_promise() {
    let world = World::with_log(CipherSuite::default(), 100_000);
    let mut wallet = world.wallet_with("wallet", 0).await;
    set(&world, Misdeed::NoPromise);
    let error = mint(&mut wallet, 15_000).await.unwrap_err();
    assert!(
        matches!(error, WalletError::Log(LogError::NoPromise(_))),
        "{error}"
    );
    let states = states(&wallet, "mint");
    assert_eq!(states[0], "done");
    assert!(
        states[1..].iter().all(|state| state.contains("no valid promise")),
        "{states:?}"
    );
    assert_eq!(held(&wallet).1, 0, "nothing is pending");
}

#[tokio::test]
async fn a_stack_is_received_although_a_promise_is_missing() {
    let world = world();
    let mut sender = world.wallet_with("sender", 60).await;
    let stack = sender.send(None, 20, "").await.unwrap().stack;
    let mut receiver = world.wallet_with("receiver", 0).await;
    set(&world, Misdeed::NoPromise);
    let error = receiver.receive(&stack).await.unwrap_err();
    assert!(
        matches!(error, WalletError::Log(LogError::NoPromise(_))),
        "{error}"
    );
    assert_eq!(held(&receiver), (20, 0));
}

#[tokio::test]
async fn the_promise_of_a_resume_is_for_the_blinds_alone() {
    for fault in [Fault::AnswerLost, Fault::Delay, Fault::BadGateway] {
        let world = world();
        let mut sender = world.wallet_with("sender", 60).await;
        let stack = sender.send(None, 20, "").await.unwrap().stack;
        let mut receiver = world.wallet_with("receiver", 0).await;
        world.network.heal();
        let mut known = world.open("known");
        known.add(crate::world::URL).await.unwrap();
        drop(known);
        let steps = steps_of_receive(&stack).await;
        world.network.fail(steps, fault);
        receiver.receive(&stack).await.unwrap_err();
        world.network.heal();
        let done = receiver.resume().await.unwrap();
        assert!(done.warning.is_none(), "{fault:?}: {:?}", done.warning);
        assert_eq!(held(&receiver), (20, 0), "{fault:?}");
        seal(&world);
        let status = check_well(&mut receiver).await;
        assert!(status.kept >= 1 && status.open == 0, "{fault:?}: {status:?}");
    }
}

/// Returns the number of the renew among the requests of a receive.
async fn steps_of_receive(stack: &opencoin_schema::CoinStack) -> usize {
    let world = world();
    let mut sender = world.wallet_with("sender", 60).await;
    sender.send(None, 20, "").await.unwrap();
    let mut receiver = world.wallet_with("receiver", 0).await;
    world.network.heal();
    receiver.receive(stack).await.unwrap();
    let steps = world.network.take_steps();
    steps
        .iter()
        .position(|step| step.url.ends_with("/renew"))
        .unwrap()
}

#[tokio::test]
async fn a_mint_that_waits_for_money_needs_no_promise() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 60).await;
    world.network.fail(0, Fault::Wait);
    mint(&mut wallet, 3).await.unwrap_err();
    assert!(check_well(&mut wallet).await.faults.is_empty());
    world.network.heal();
    let done = wallet.resume().await.unwrap();
    assert!(done.warning.is_none(), "{:?}", done.warning);
    seal(&world);
    assert_eq!(check_well(&mut wallet).await.open, 0);
}

#[tokio::test]
async fn a_recoup_is_promised_for_its_new_blinds() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 60).await;
    world.network.set_day(115);
    mint(&mut wallet, 3).await.unwrap();
    world.issuer.revoke(10, 0);
    wallet.recoup(None, false).await.unwrap();
    assert_eq!(states(&wallet, "recoup"), ["done"]);
    seal(&world);
    assert_eq!(check_well(&mut wallet).await.open, 0);
    redeem_all(&world, &mut wallet).await;
}

#[tokio::test]
async fn an_abandoned_mint_that_arrives_later_is_promised_too() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 60).await;
    world.network.fail_all(Fault::RequestLost);
    mint(&mut wallet, 7).await.unwrap_err();
    let request = world.network.take_steps().pop().unwrap().body;
    world.network.heal();
    let id = wallet.history().unwrap().last().unwrap().id;
    wallet.abandon(id).await.unwrap();
    world.issuer.answer(
        URL,
        OnBehalf::Account(&token()),
        &request,
        world.network.now(),
        Signing::Now,
    );
    assert!(wallet.resume().await.unwrap().warning.is_none());
    assert_eq!(held(&wallet), (67, 0));
    seal(&world);
    let status = check_well(&mut wallet).await;
    assert_eq!((status.open, status.kept), (0, 2));
}

#[tokio::test]
async fn an_open_promise_is_overdue_after_its_time() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 60).await;
    assert_eq!(wallet.overdue_promises(), 0);
    world.network.wait(TimeDelta::seconds(i64::from(WITHIN_S) + 1));
    assert_eq!(wallet.overdue_promises(), 1);
    seal_late(&world);
    assert_eq!(check_well(&mut wallet).await.kept, 1, "late, but there");
    assert_eq!(wallet.overdue_promises(), 0);
}

#[tokio::test]
async fn a_description_that_no_longer_names_the_log_is_noticed() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 60).await;
    world
        .issuer
        .publish(2, crate::world::URL, &crate::world::DENOMINATIONS);
    world.network.set_day(2);
    let status = check(&mut wallet).await;
    assert_eq!(status.problem, Some(LogError::Dropped));
    mint(&mut wallet, 1).await.unwrap();
}

#[tokio::test]
async fn a_new_promise_key_is_learned_when_it_is_used() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 60).await;
    world.issuer.change_promise_key(2);
    mint(&mut wallet, 7).await.unwrap();
    seal(&world);
    let status = check_well(&mut wallet).await;
    assert_eq!((status.open, status.kept), (0, 2));
}
