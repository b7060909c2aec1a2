//! Checkpoints that do not continue what the wallet has seen.

use chrono::TimeDelta;
use opencoin_evidence::{Verdict, check_evidence};
use opencoin_wallet::{LogError, LogReadError, Wallet};

use super::{check, redeem_all, seal, set, world};
use crate::fake_log::Misdeed;
use crate::world::{World, mint};

/// A wallet that has seen a log of several batches.
async fn wallet(world: &World) -> Wallet {
    let mut wallet = world.wallet_with("wallet", 60).await;
    for _ in 0..3 {
        world.issuer.log().enter_others(30);
        seal(world);
    }
    assert_eq!(check(&mut wallet).await.problem, None);
    wallet
}

/// Checks the only evidence.
fn proves(wallet: &Wallet, kind: &str) {
    let evidence = wallet.evidence(None).unwrap();
    assert_eq!(evidence.len(), 1, "{evidence:?}");
    assert_eq!(evidence[0].kind(), kind);
    let file = evidence[0].to_json();
    let checked = check_evidence(file.as_bytes()).unwrap();
    assert_eq!(
        checked.verdict == Verdict::Fault,
        kind == "split view",
        "a rollback is an incident"
    );
    // The names and signatures of witnesses that are not needed may be changed.
    let note = file
        .find(r#""first":""#)
        .or_else(|| file.find(r#""after":""#))
        .unwrap();
    let length = file[note..].find("witness.test").unwrap();
    for at in note..note + length - 10 {
        let mut changed = file.clone().into_bytes();
        changed[at] ^= 1;
        assert!(check_evidence(&changed).is_err(), "byte {at}");
    }
}

#[tokio::test]
async fn a_checkpoint_without_quorum_is_not_believed() {
    let world = world();
    let mut wallet = wallet(&world).await;
    let before = check(&mut wallet).await.newest;
    set(&world, Misdeed::NoQuorum);
    world.issuer.log().enter_others(3);
    seal(&world);
    let status = check(&mut wallet).await;
    assert!(
        matches!(status.problem, Some(LogError::Read(LogReadError::NoQuorum(_)))),
        "{:?}",
        status.problem
    );
    assert_eq!(status.newest, before, "it is not remembered");
    let mut fresh = world.wallet_with("fresh", 0).await;
    assert!(mint(&mut fresh, 60).await.is_err());
    set(&world, None);
    seal(&world);
    assert_eq!(check(&mut wallet).await.problem, None);
}

#[tokio::test]
async fn another_history_of_the_same_or_a_larger_size_is_proven() {
    for more in [0, 1, 300] {
        let world = world();
        let mut wallet = wallet(&world).await;
        world.issuer.log().rewrite(20);
        if more > 0 {
            world.issuer.log().enter_others(more);
        }
        seal(&world);
        let status = check(&mut wallet).await;
        assert_eq!(status.problem, Some(LogError::SplitView));
        assert_eq!(status.faults[0].evidence, Some("split view"));
        proves(&wallet, "split view");
        assert_eq!(check(&mut wallet).await.faults.len(), 1, "it is noted once");
        drop(wallet);
        proves(&world.open("wallet"), "split view");
        // A new key would not be used with such a log; coins can still be redeemed.
        redeem_all(&world, &mut world.open("wallet")).await;
    }
}

#[tokio::test]
async fn another_history_of_a_smaller_size_is_proven() {
    let world = world();
    let mut wallet = wallet(&world).await;
    world.issuer.log().show_smaller_history(world.network.now());
    assert_eq!(check(&mut wallet).await.problem, Some(LogError::SplitView));
    proves(&wallet, "split view");
    world.issuer.log().publish(world.network.now());
    let status = check(&mut wallet).await;
    assert_eq!((status.problem, status.faults.len()), (None, 1), "it stays noted");
}

#[tokio::test]
async fn a_smaller_checkpoint_is_kept_and_proves_a_rollback() {
    for (later, is_proven) in [(TimeDelta::minutes(1), false), (TimeDelta::hours(1), true)] {
        let world = world();
        let mut wallet = wallet(&world).await;
        world.issuer.log().forget_batches(1);
        world.network.wait(later);
        world.issuer.log().publish(world.network.now());
        let status = check(&mut wallet).await;
        assert!(
            matches!(status.problem, Some(LogError::Smaller { .. })),
            "{:?}",
            status.problem
        );
        assert_eq!(status.faults.len(), 1);
        assert!(status.faults[0].description.contains("has shown"));
        if is_proven {
            proves(&wallet, "rollback");
        } else {
            assert_eq!(wallet.evidence(None).unwrap(), []);
        }
        assert_eq!(check(&mut wallet).await.faults.len(), 1, "it is noted once");
    }
}

#[tokio::test]
async fn an_old_copy_is_no_fault_of_the_issuer() {
    let (world, copy) = (world(), world());
    copy.issuer.log().enter_others(30);
    copy.issuer.log().seal(copy.network.now());
    let mut wallet = wallet(&world).await;
    world
        .network
        .connect("http://copy.test", std::sync::Arc::clone(&copy.issuer));
    let status = wallet
        .check_log(None, Some("http://copy.test/log"))
        .await
        .unwrap();
    assert!(
        matches!(status.problem, Some(LogError::Smaller { .. })),
        "{:?}",
        status.problem
    );
    assert_eq!(status.faults, []);
    assert_eq!(check(&mut wallet).await.problem, None);
}
