//! What a mint and a renewal tell the issuer about the payments behind them.

use std::collections::{BTreeMap, BTreeSet};

use opencoin_crypto::CipherSuite;
use opencoin_schema::{BigInt, RequestMint, RequestRenew, from_json};

use crate::world::{TOKEN, World, balance, held, mint, token};

const FUNDS: u64 = 10_000;

/// How many coins of each mint key the mints since the last call have asked for.
fn minted(world: &World) -> Vec<BTreeMap<BigInt, usize>> {
    let steps = world.network.take_steps().into_iter();
    let mints = steps.filter(|step| step.url.ends_with("/mint"));
    mints
        .map(|step| {
            let request: RequestMint = from_json(step.body.as_bytes()).unwrap();
            let mut counts = BTreeMap::new();
            for blind in request.blinds {
                *counts.entry(blind.mint_key_id).or_default() += 1;
            }
            counts
        })
        .collect()
}

/// The value of the coins in the renewals since the last call.
fn renewed(world: &World) -> Vec<u64> {
    let steps = world.network.take_steps().into_iter();
    let renewals = steps.filter(|step| step.url.ends_with("/renew"));
    renewals
        .map(|step| {
            let request: RequestRenew = from_json(step.body.as_bytes()).unwrap();
            request.coins.iter().map(|coin| coin.payload.denomination).sum()
        })
        .collect()
}

#[tokio::test]
async fn the_sum_of_a_renewal_is_not_the_amount_that_was_received() {
    let world = World::new(CipherSuite::default(), FUNDS);
    let mut sender = world.wallet_with("sender", 1_000).await;
    let mut wallet = world.wallet_with("wallet", 500).await;
    let mut sums = BTreeSet::new();
    for _ in 0..12 {
        let stack = sender.send(None, 43, "").await.unwrap().stack;
        world.network.heal();
        wallet.receive(&stack).await.unwrap();
        sums.extend(renewed(&world));
    }
    assert!(sums.len() >= 6 && sums.iter().all(|sum| *sum >= 43), "{sums:?}");
    // Nothing of the decoys is lost.
    assert_eq!(held(&wallet), (500 + 12 * 43, 0));
    let all = balance(&wallet).balance;
    wallet.redeem(None, all, &token()).await.unwrap();
    assert_eq!(world.issuer.account(TOKEN), FUNDS - balance(&sender).balance);
}

#[tokio::test]
async fn a_mint_does_not_show_what_the_account_has_paid() {
    let world = World::new(CipherSuite::default(), FUNDS);
    let mut wallet = world.wallet_with("wallet", 0).await;
    let mut seen = Vec::new();
    for paid in [0, 17, 8, 31] {
        if paid > 0 {
            wallet.send(None, paid, "").await.unwrap();
        }
        world.network.heal();
        mint(&mut wallet, 50).await.unwrap();
        seen.extend(minted(&world));
    }
    assert_eq!(seen.len(), 4);
    assert!(seen.iter().all(|counts| *counts == seen[0]), "{seen:?}");
}

#[tokio::test]
async fn the_change_after_a_payment_does_not_show_its_amount() {
    let world = World::new(CipherSuite::default(), FUNDS);
    let mut wallet = world.wallet_with("wallet", 1_000).await;
    let (mut changes, mut exact) = (0, 0);
    for amount in [17, 43, 6, 29, 91, 38] {
        wallet.send(None, amount, "").await.unwrap();
        world.network.heal();
        wallet.tidy().await.unwrap();
        for sum in renewed(&world) {
            changes += 1;
            exact += usize::from(sum == amount);
        }
    }
    assert!(changes > 0 && exact == 0, "{exact} of {changes}");
}
