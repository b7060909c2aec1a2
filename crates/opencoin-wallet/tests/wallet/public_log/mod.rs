//! The wallet and the public log of its issuer.

mod challenges;
mod checkpoints;
mod files;
mod keys;
mod omissions;
mod promises;

use chrono::TimeDelta;
use opencoin_crypto::CipherSuite;
use opencoin_wallet::{LogStatus, Wallet};

use crate::fake_log::Misdeed;
use crate::world::{TOKEN, World, balance, token};

pub(crate) const FUNDS: u64 = 1_000;

pub(crate) fn world() -> World {
    World::with_log(CipherSuite::default(), FUNDS)
}

/// Makes the log do something wrong, or nothing.
pub(crate) fn set(world: &World, misdeed: impl Into<Option<Misdeed>>) {
    world.issuer.log().misdeed = misdeed.into();
}

/// Lets a minute pass and makes a batch.
pub(crate) fn seal(world: &World) {
    world.network.wait(TimeDelta::minutes(1));
    world.issuer.log().seal(world.network.now());
}

/// Lets the promises become due, and makes a batch.
pub(crate) fn seal_late(world: &World) {
    world.network.wait(TimeDelta::hours(2));
    world.issuer.log().seal(world.network.now());
}

pub(crate) async fn check(wallet: &mut Wallet) -> LogStatus {
    wallet.check_log(None, None).await.unwrap()
}

/// Checks the log and expects nothing wrong.
pub(crate) async fn check_well(wallet: &mut Wallet) -> LogStatus {
    let status = check(wallet).await;
    assert_eq!((&status.problem, &status.faults[..]), (&None, &[][..]));
    status
}

/// Redeems all coins, and checks that no money is missing.
pub(crate) async fn redeem_all(world: &World, wallet: &mut Wallet) {
    let left = balance(wallet);
    assert_eq!((left.pending, left.sent), (0, 0));
    wallet.redeem(None, left.balance, &token()).await.unwrap();
    assert_eq!(world.issuer.account(TOKEN), FUNDS);
}
