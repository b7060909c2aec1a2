//! What an issuer owes: signatures, and the leaves of coins that it refuses as spent.

use chrono::TimeDelta;
use opencoin_evidence::{Verdict, check_evidence};
use opencoin_wallet::Wallet;

use super::{FUNDS, check, check_well, redeem_all, seal, seal_late, set, world};
use crate::fake_log::Misdeed;
use crate::world::{Fault, TOKEN, World, balance, held, mint, token};

/// Checks that the wallet has this challenge, and nothing else to show.
async fn challenges(wallet: &mut Wallet, kind: &'static str) {
    let status = check_well(wallet).await;
    let shown: Vec<_> = status.challenges.iter().map(|owed| owed.evidence).collect();
    assert_eq!(shown, [Some(kind)]);
    let evidence = wallet.evidence(None).unwrap();
    assert_eq!(evidence.len(), 1);
    let checked = check_evidence(evidence[0].to_json().as_bytes()).unwrap();
    assert_eq!((checked.kind, checked.verdict), (kind, Verdict::Challenge));
}

async fn nothing_is_owed(wallet: &mut Wallet) {
    assert_eq!(check_well(wallet).await.challenges, []);
    assert_eq!(wallet.evidence(None).unwrap(), []);
}

#[tokio::test]
async fn signatures_that_do_not_come_are_owed_when_they_are_due() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 0).await;
    world.network.fail_all(Fault::Delay);
    mint(&mut wallet, 60).await.unwrap_err();
    seal(&world);
    nothing_is_owed(&mut wallet).await;
    world.network.wait(TimeDelta::minutes(57));
    nothing_is_owed(&mut wallet).await;
    world.network.wait(TimeDelta::minutes(3));
    challenges(&mut wallet, "withheld signature").await;
    drop(wallet);
    let mut wallet = world.open("wallet");
    challenges(&mut wallet, "withheld signature").await;
    // The wallet asks before it complains.
    world.network.heal();
    nothing_is_owed(&mut wallet).await;
    assert_eq!(balance(&wallet).balance, 60);
    redeem_all(&world, &mut wallet).await;
}

/// A stack that two people try to receive, and what the second one holds afterwards.
async fn received_twice(world: &World, pause: TimeDelta) -> Wallet {
    let mut alice = world.wallet_with("alice", 60).await;
    let stack = alice.send(None, 10, "").await.unwrap().stack;
    let mut bob = world.wallet_with("bob", 0).await;
    bob.receive(&stack).await.unwrap();
    if pause > TimeDelta::zero() {
        seal(world);
        world.network.wait(pause);
    }
    let mut carol = world.wallet_with("carol", 0).await;
    carol.receive(&stack).await.unwrap_err();
    carol
}

#[tokio::test]
async fn an_honest_issuer_has_the_leaf_of_a_coin_that_it_refuses() {
    // The leaf is in the same batch as the refusal, in one before it, or was published long ago.
    for pause in [TimeDelta::zero(), TimeDelta::minutes(30), TimeDelta::days(3)] {
        let world = world();
        let mut carol = received_twice(&world, pause).await;
        seal(&world);
        nothing_is_owed(&mut carol).await;
        for _ in 0..3 {
            world.issuer.log().enter_others(20);
            seal_late(&world);
            nothing_is_owed(&mut carol).await;
        }
    }
}

#[tokio::test]
async fn a_coin_that_did_not_come_back_is_owed_its_leaf() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 60).await;
    seal(&world);
    set(&world, Misdeed::Refusal);
    wallet.redeem(None, 10, &token()).await.unwrap_err();
    let (lost, _) = held(&wallet);
    set(&world, None);
    for _ in 0..3 {
        world.issuer.log().enter_others(20);
        seal(&world);
        nothing_is_owed(&mut wallet).await;
    }
    seal_late(&world);
    challenges(&mut wallet, "false refusal").await;
    drop(wallet);
    challenges(&mut world.open("wallet"), "false refusal").await;
    assert!(lost < 60 && world.issuer.account(TOKEN) == FUNDS - 60);
}

#[tokio::test]
async fn the_leaf_of_another_coin_answers_nothing() {
    let world = world();
    let pause = TimeDelta::days(3);
    set(&world, Misdeed::OtherIndex);
    let mut carol = received_twice(&world, pause).await;
    seal_late(&world);
    // An issuer that says where the leaf is can be believed only if it is there.
    challenges(&mut carol, "false refusal").await;
    let status = check(&mut carol).await;
    assert_eq!(status.faults, []);
}
