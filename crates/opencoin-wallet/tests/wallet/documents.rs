//! The issuer's documents change: the wallet follows its issuer and no other.

use std::sync::Arc;

use chrono::TimeDelta;
use opencoin_crypto::CipherSuite;
use opencoin_wallet::WalletError;

use crate::fake_issuer::FakeIssuer;
use crate::world::{DENOMINATIONS, Fault, TOKEN, URL, World, balance, mint, token};

const NEW_URL: &str = "http://new.test";

fn world() -> World {
    World::new(CipherSuite::default(), 1_000)
}

#[tokio::test]
async fn documents_are_refreshed_before_blinding_at_most_once_a_minute() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 0).await;
    let asked = |world: &World| {
        let steps = world.network.take_steps();
        steps
            .iter()
            .map(|step| step.url.strip_prefix(URL).unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    world.network.heal();
    mint(&mut wallet, 1).await.unwrap();
    assert_eq!(asked(&world), ["/mint"], "the documents are recent");
    world.network.set_day(2);
    mint(&mut wallet, 1).await.unwrap();
    mint(&mut wallet, 1).await.unwrap();
    assert_eq!(
        asked(&world),
        ["/cddc/serial", "/mkcs", "/v1/revocations", "/mint", "/mint"]
    );
    let file = world.file("wallet");
    world.network.set_day(3);
    wallet.add(URL).await.unwrap();
    assert!(
        world.file("wallet") == file,
        "unchanged documents are not stored again"
    );
}

#[tokio::test]
async fn a_mint_succeeds_if_the_refresh_fails() {
    for number in 0..3 {
        for fault in [
            Fault::RequestLost,
            Fault::Unavailable,
            Fault::Refused,
            Fault::Nonsense,
            Fault::BadGateway,
        ] {
            let world = world();
            let mut wallet = world.wallet_with("wallet", 0).await;
            world.network.set_day(2);
            world.network.fail(number, fault);
            mint(&mut wallet, 5).await.unwrap();
            assert_eq!(balance(&wallet).balance, 5);
        }
    }
}

#[tokio::test]
async fn the_wallet_follows_a_new_cdd() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 57).await;
    world.network.connect(NEW_URL, Arc::clone(&world.issuer));
    world.issuer.publish(2, NEW_URL, &[1, 2, 5]);
    world.network.set_day(2);
    world.network.heal();
    mint(&mut wallet, 30).await.unwrap();
    let steps = world.network.take_steps();
    let minted: Vec<_> = steps.iter().filter(|step| step.url.ends_with("/mint")).collect();
    assert!(
        minted.iter().all(|step| step.url.starts_with(NEW_URL)),
        "the new CDD names the service"
    );
    assert!(
        minted
            .iter()
            .all(|step| !step.body.contains("\"denomination\": 10"))
    );
    let stack = wallet
        .send(None, 50, "with tens, which are still valid")
        .await
        .unwrap()
        .stack;
    assert!(stack.coins.iter().any(|coin| coin.payload.denomination == 10));

    // A new wallet fetches the first CDD to verify the tens.
    let mut other = world.open("other");
    other.add(NEW_URL).await.unwrap();
    assert_eq!(other.receive(&stack).await.unwrap().amount, 50);
    drop(other);
    let mut other = world.open("other");
    other.redeem(None, 50, &token()).await.unwrap();
    wallet.redeem(None, 37, &token()).await.unwrap();
    assert_eq!(world.issuer.account(TOKEN), 1_000);
}

#[tokio::test]
async fn a_cdd_with_another_master_key_is_rejected() {
    for serial in [1, 2] {
        let world = world();
        let mut wallet = world.wallet_with("wallet", 7).await;
        let impostor = Arc::new(FakeIssuer::with_cdd_serial(
            serial,
            "Impostor",
            URL,
            CipherSuite::default(),
            &DENOMINATIONS,
        ));
        impostor.credit(TOKEN, 1_000);
        world.network.connect(URL, impostor);
        world.network.set_day(2);
        world.network.heal();
        for _ in 0..2 {
            let error = mint(&mut wallet, 5).await.unwrap_err();
            assert!(matches!(error, WalletError::MasterKeyChanged(_)), "{error}");
        }
        assert!(!world.network.was_asked("/mint"));
        assert_eq!(balance(&wallet).balance, 7);
    }
}

#[tokio::test]
async fn only_current_keys_are_used_for_blinds() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 0).await;
    world.issuer.revoke(10, 0);
    world.network.set_day(2);
    // The list of revocations is lost, but the key is missing from the current ones.
    world.network.fail(2, Fault::RequestLost);
    mint(&mut wallet, 40).await.unwrap();
    let stack = wallet.send(None, 40, "").await.unwrap().stack;
    assert!(stack.coins.iter().all(|coin| coin.payload.denomination != 10));
}

/// The keys' signing window begins now by the issuer's clock, and later by the wallet's.
#[tokio::test]
async fn a_wallet_with_a_slow_clock_uses_keys_that_the_issuer_calls_current() {
    let world = world();
    world.network.set_day(0);
    for (behind_min, minted) in [(4, 5), (6, 0)] {
        let network = Arc::clone(&world.network);
        let clock = Arc::new(move || network.now() - TimeDelta::minutes(behind_min));
        let mut wallet = world.open_with_clock(&format!("behind-{behind_min}"), clock);
        wallet.use_token(token());
        wallet.add(URL).await.unwrap();
        assert_eq!(mint(&mut wallet, 5).await.is_ok(), minted > 0, "{behind_min} min");
        assert_eq!(balance(&wallet).balance, minted);
    }
}

/// There are more CDDs than one portion. Finished portions stay stored when the issuer stops answering, and
/// revocations are fetched in any case.
#[tokio::test]
async fn keys_under_many_cdds_are_stored_in_portions() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 40).await;
    world.issuer.certify_under(2..=40);
    world.issuer.revoke(10, 0);
    world.network.set_day(2);
    world.network.fail(36, Fault::Refused);
    let before = world.file("wallet").len();
    mint(&mut wallet, 5).await.unwrap();
    assert!(balance(&wallet).revoked > 0, "the revocations are stored");
    assert!(
        world.file("wallet").len() > before + 20_000,
        "the first portion is stored"
    );
    world.network.set_day(3);
    world.network.heal();
    mint(&mut wallet, 5).await.unwrap();
    let asked = world.network.take_steps();
    let fetched = asked.iter().filter(|step| step.url.ends_with("/cddc")).count();
    assert!((1..32).contains(&fetched), "{fetched} CDDs were fetched");
    let mut other = world.open("other");
    other.add(URL).await.unwrap();
}
