//! Upkeep by a timer: what it renews, finishes and leaves alone.

use opencoin_crypto::CipherSuite;
use opencoin_wallet::Maintained;

use crate::world::{Fault, TOKEN, World, balance, states, token};

const FUNDS: u64 = 1_000;
/// A day when the second generation of keys signs, and the coins of the first one are good.
const NEXT_KEYS_DAY: i64 = 115;

fn world() -> World {
    World::new(CipherSuite::default(), FUNDS)
}

fn only(mut all: Vec<Maintained>) -> Maintained {
    assert_eq!(all.len(), 1);
    all.remove(0)
}

/// The day on which the first coins are two weeks from their end, when newer keys sign.
fn late_day(wallet: &opencoin_wallet::Wallet, world: &World) -> i64 {
    let expiry = balance(wallet).expires_at.unwrap();
    (expiry - world.network.now()).num_days() - 14
}

#[tokio::test]
async fn coins_are_renewed_before_they_expire_and_nothing_happens_otherwise() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 60).await;
    let early = only(wallet.maintain(false).await.unwrap().value);
    assert!(!early.is_news(), "{early:?}");
    assert_eq!((early.expiring, wallet.expiring_soon(None).unwrap()), (0, 0));
    let begun = wallet.history().unwrap().len();

    let late = late_day(&wallet, &world);
    world.network.set_day(late);
    assert_eq!(wallet.expiring_soon(None).unwrap(), 60);
    let done = wallet.maintain(false).await.unwrap();
    assert!(done.warning.is_none(), "{:?}", done.warning);
    let renewed = only(done.value);
    assert_eq!((renewed.renewed, renewed.expiring), (60, 0), "{renewed:?}");
    assert!(renewed.is_news() && wallet.history().unwrap().len() > begun);
    assert!(!only(wallet.maintain(false).await.unwrap().value).is_news());
    wallet.redeem(None, 60, &token()).await.unwrap();
    assert_eq!(world.issuer.account(TOKEN), FUNDS);
}

#[tokio::test]
async fn pending_requests_are_finished_and_sent_coins_are_left_alone() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 60).await;
    let gift = wallet.send(None, 12, "").await.unwrap().stack;
    let mut other = world.wallet_with("other", 0).await;
    world.network.fail_all(Fault::AnswerLost);
    other.receive(&gift).await.unwrap_err();
    world.network.heal();
    let done = only(other.maintain(false).await.unwrap().value);
    assert_eq!((done.finished, balance(&other).balance), (12, 12), "{done:?}");

    let present = wallet.send(None, 5, "").await.unwrap().stack;
    wallet.maintain(true).await.unwrap();
    assert_eq!(
        states(&wallet, "reclaim"),
        [""; 0],
        "nobody has asked to take coins back"
    );
    assert_eq!(other.receive(&present).await.unwrap().amount, 5);
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_is_a_warning() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 60).await;
    world.network.set_day(1);
    world.network.fail_all(Fault::NoConnection);
    let done = wallet.maintain(false).await.unwrap();
    assert!(done.warning.is_some() && !only(done.value).is_news());
    world.network.heal();
    assert!(wallet.maintain(false).await.unwrap().warning.is_none());
    assert_eq!(balance(&wallet).balance, 60);
}

#[tokio::test]
async fn revoked_coins_are_exchanged_only_with_permission() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 60).await;
    world.issuer.revoke(10, 0);
    world.network.set_day(NEXT_KEYS_DAY);
    let left = only(wallet.maintain(false).await.unwrap().value);
    assert!(left.revoked >= 10 && left.recouped == 0, "{left:?}");
    assert!(!world.network.was_asked("/recoup"), "nothing was revealed");
    let done = only(wallet.maintain(true).await.unwrap().value);
    assert_eq!((done.recouped, done.revoked), (left.revoked, 0));
    assert_eq!(balance(&wallet).balance, 60);
}
