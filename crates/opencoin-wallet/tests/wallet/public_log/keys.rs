//! Mint keys are looked for in the log before their first use.

use opencoin_crypto::CipherSuite;
use opencoin_evidence::{Verdict, check_evidence};
use opencoin_wallet::{LogError, WalletError};

use super::{FUNDS, check, check_well, redeem_all, seal, seal_late, set, world};
use crate::fake_log::Misdeed;
use crate::world::{World, held, mint};

#[tokio::test]
async fn each_mint_key_is_looked_for_once() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 0).await;
    world.network.heal();
    mint(&mut wallet, 60).await.unwrap();
    let asked = |world: &World| {
        let steps = world.network.take_steps();
        let log = steps.iter().filter(|step| step.url.contains("/log/"));
        log.map(|step| step.url.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        asked(&world),
        [
            "http://issuer.test/log/checkpoint",
            "http://issuer.test/v1/log/keys",
            "http://issuer.test/log/tile/entries/000.p/9",
        ]
    );
    mint(&mut wallet, 7).await.unwrap();
    drop(wallet);
    mint(&mut world.open("wallet"), 7).await.unwrap();
    assert_eq!(asked(&world), [""; 0], "the keys are remembered");
    world.network.set_day(115);
    mint(&mut world.open("wallet"), 7).await.unwrap();
    assert!(!asked(&world).is_empty(), "other keys sign");
}

#[tokio::test]
async fn a_key_that_is_not_in_the_log_is_not_used() {
    for (misdeed, expected) in [
        (Misdeed::NoMintKey, "is not in"),
        (Misdeed::OtherMintKey, "in the place of"),
    ] {
        let world = world();
        let mut wallet = world.wallet_with("wallet", 0).await;
        set(&world, misdeed);
        world.network.heal();
        let error = mint(&mut wallet, 60).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!world.network.was_asked("/mint"), "nothing was sent");
        let status = check(&mut wallet).await;
        assert!(
            matches!(
                status.problem,
                Some(LogError::KeyNotInLog(_) | LogError::OtherKey(_))
            ),
            "{:?}",
            status.problem
        );
        set(&world, None);
        mint(&mut wallet, 60).await.unwrap();
        redeem_all(&world, &mut wallet).await;
    }
}

#[tokio::test]
async fn a_certified_key_that_the_log_hides_is_proven() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 0).await;
    set(&world, Misdeed::SecretKey);
    world.issuer.log().enter_others(3);
    seal(&world);
    assert!(mint(&mut wallet, 60).await.is_err());
    let status = check(&mut wallet).await;
    assert!(matches!(status.problem, Some(LogError::KeyNotInLog(_))));
    assert_eq!(status.faults.len(), 1);
    let evidence = wallet.evidence(None).unwrap();
    assert_eq!((evidence.len(), evidence[0].kind()), (1, "secret key"));
    let checked = check_evidence(evidence[0].to_json().as_bytes()).unwrap();
    assert_eq!(checked.verdict, Verdict::Fault);
    assert_eq!(check(&mut wallet).await.faults.len(), 1, "it is noted once");
    // An honest log with the same keys.
    let world = self::world();
    let mut wallet = world.wallet_with("wallet", 0).await;
    seal_late(&world);
    check_well(&mut wallet).await;
}

#[tokio::test]
async fn a_stack_of_a_key_that_is_not_in_the_log_is_not_received() {
    let world = world();
    let mut sender = world.wallet_with("sender", 60).await;
    let stack = sender.send(None, 20, "").await.unwrap().stack;
    let mut receiver = world.wallet_with("receiver", 0).await;
    set(&world, Misdeed::NoMintKey);
    receiver.receive(&stack).await.unwrap_err();
    assert!(receiver.history().unwrap().is_empty());
    set(&world, None);
    receiver.receive(&stack).await.unwrap();
    assert_eq!(held(&receiver), (20, 0));
}

#[tokio::test]
async fn without_a_look_at_the_log_promises_are_verified_later() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 0).await;
    set(&world, Misdeed::Away);
    let error = mint(&mut wallet, 60).await.unwrap_err();
    assert!(
        matches!(&error, WalletError::Log(error) if error.is_temporary()),
        "{error}"
    );
    wallet.without_log_check();
    mint(&mut wallet, 60).await.unwrap();
    let status = check(&mut wallet).await;
    assert_eq!((status.unchecked_uses, status.open, status.unverified), (1, 1, 1));
    set(&world, None);
    seal(&world);
    let status = check_well(&mut wallet).await;
    assert_eq!((status.open, status.unverified, status.kept), (0, 0, 1));
    redeem_all(&world, &mut wallet).await;
}

#[tokio::test]
async fn a_wrong_promise_is_found_when_it_is_verified_later() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 0).await;
    set(&world, Misdeed::OtherRoot);
    wallet.without_log_check();
    mint(&mut wallet, 60).await.unwrap();
    let status = check(&mut wallet).await;
    assert_eq!((status.open, status.faults.len()), (0, 1));
}

#[tokio::test]
async fn an_option_for_logs_changes_nothing_without_one() {
    let world = World::new(CipherSuite::default(), FUNDS);
    let mut wallet = world.wallet_with("wallet", 0).await;
    wallet.without_log_check();
    mint(&mut wallet, 60).await.unwrap();
    assert_eq!(check(&mut wallet).await.unchecked_uses, 0);
}
