//! Crashes at every moment of an operation. Each operation runs once while the test records the commits of the wallet
//! and the issuer's state. Then the test restores every moment (before and after each request, and after each commit),
//! opens the wallet again, resumes, and checks that no money is lost.

use std::sync::Arc;

use opencoin_crypto::CipherSuite;
use opencoin_wallet::storage::{Change, SqliteStorage, Storage};
use opencoin_wallet::{ExchangeError, Wallet, WalletError};

use crate::fake_issuer::IssuerState;
use crate::fake_keys::KeyBooks;
use crate::recorder::{Recorder, rows_of, storage_of};
use crate::world::{Fault, TOKEN, World, balance, mint, stack_of, token};

const FUNDS: u64 = 200;
/// The wallet that crashes.
pub(crate) const NAME: &str = "wallet";

/// The state after a crash.
pub(crate) struct Crash {
    moment: String,
    rows: Vec<Change>,
    issuer: IssuerState,
    keys: KeyBooks,
}

/// Runs `act` and returns the state after a crash at every moment of it.
pub(crate) async fn crashes(
    world: &World,
    act: impl AsyncFn(&mut Wallet) -> Result<(), WalletError>,
) -> Vec<Crash> {
    let rows = rows_of(&SqliteStorage::open_to_read(&world.folder(NAME)).unwrap());
    let (recorder, commits) = Recorder::new(storage_of(&rows), Arc::clone(&world.network));
    let mut wallet = world.open_storage(NAME, Box::new(recorder));
    world.network.heal();
    act(&mut wallet).await.expect("there are no faults");
    drop(wallet);
    let steps = world.network.take_steps();
    assert!(!steps.is_empty(), "the operation must send requests");
    let commits = commits.lock().unwrap();
    let last_state = (world.issuer.state().clone(), world.issuer.keys().clone());

    let storage = storage_of(&rows);
    let mut crashes = Vec::new();
    let mut commits = commits.iter().enumerate().peekable();
    let states = steps.iter().map(|step| (&step.issuer, &step.keys));
    let states = states.chain([(&last_state.0, &last_state.1)]);
    for (number, (issuer, keys)) in states.enumerate() {
        let crash = |commits: usize| Crash {
            moment: format!("after {number} of {} requests and {commits} commits", steps.len()),
            rows: rows_of(&storage),
            issuer: issuer.clone(),
            keys: keys.clone(),
        };
        crashes.push(crash(0));
        while let Some((index, commit)) = commits.next_if(|(_, commit)| commit.requests <= number) {
            storage.commit(&commit.changes).unwrap();
            crashes.push(crash(index + 1));
        }
    }
    crashes
}

/// Restores the state after every crash, opens the wallet, resumes, and calls `check`.
pub(crate) async fn survive(world: &World, crashes: Vec<Crash>, check: impl AsyncFn(&mut Wallet, &str)) {
    for (number, crash) in crashes.into_iter().enumerate() {
        *world.issuer.state() = crash.issuer;
        *world.issuer.keys() = crash.keys;
        world.network.heal();
        let mut wallet = world.open_storage(&format!("crash {number}"), Box::new(storage_of(&crash.rows)));
        let resumed = wallet.resume().await.unwrap();
        let is_well = matches!(
            resumed.warning,
            None | Some(WalletError::Exchange(ExchangeError::Recoup))
        );
        assert!(is_well, "{}: {:?}", crash.moment, resumed.warning);
        let balance = balance(&wallet);
        assert_eq!(balance.pending, balance.awaits_recoup, "{}", crash.moment);
        check(&mut wallet, &crash.moment).await;
    }
}

/// Takes back sent coins, redeems all coins and checks that the account has all money again.
async fn redeem_all(world: &World, wallet: &mut Wallet, moment: &str) {
    wallet.reclaim(None).await.unwrap();
    let balance = balance(wallet);
    assert_eq!((balance.pending, balance.sent), (0, 0), "{moment}");
    if balance.balance > 0 {
        wallet.redeem(None, balance.balance, &token()).await.unwrap();
    }
    assert_eq!(world.issuer.account(TOKEN), FUNDS, "{moment}");
}

async fn crash_at_every_moment(
    suite: CipherSuite,
    minted: u64,
    act: impl AsyncFn(&mut Wallet) -> Result<(), WalletError>,
) {
    let world = World::new(suite, FUNDS);
    drop(world.wallet_with(NAME, minted).await);
    let crashes = crashes(&world, act).await;
    survive(&world, crashes, async |wallet, moment| {
        redeem_all(&world, wallet, moment).await
    })
    .await;
}

#[tokio::test]
async fn a_crash_during_mint_loses_nothing() {
    for suite in CipherSuite::ALL {
        crash_at_every_moment(suite, 0, async |wallet| mint(wallet, 37).await).await;
    }
}

#[tokio::test]
async fn a_crash_during_a_second_mint_loses_nothing() {
    crash_at_every_moment(CipherSuite::default(), 37, async |wallet| mint(wallet, 8).await).await;
}

#[tokio::test]
async fn a_crash_during_send_or_its_change_loses_nothing() {
    crash_at_every_moment(CipherSuite::default(), 24, async |wallet| {
        wallet.send(None, 16, "rent").await?;
        wallet.tidy().await
    })
    .await;
}

#[tokio::test]
async fn a_crash_during_redeem_or_its_change_loses_nothing() {
    crash_at_every_moment(CipherSuite::default(), 24, async |wallet| {
        wallet.redeem(None, 16, &token()).await?;
        wallet.tidy().await
    })
    .await;
}

#[tokio::test]
async fn a_crash_during_reclaim_loses_nothing() {
    let world = World::new(CipherSuite::default(), FUNDS);
    let mut wallet = world.wallet_with(NAME, 40).await;
    wallet.send(None, 13, "to nobody").await.unwrap();
    wallet.send(None, 7, "to nobody either").await.unwrap();
    drop(wallet);
    let crashes = crashes(&world, async |wallet| wallet.reclaim(None).await.map(drop)).await;
    survive(&world, crashes, async |wallet, moment| {
        redeem_all(&world, wallet, moment).await
    })
    .await;
}

#[tokio::test]
async fn a_crash_during_reclaim_of_a_partly_taken_send_loses_nothing() {
    let world = World::new(CipherSuite::default(), FUNDS);
    let mut wallet = world.wallet_with(NAME, 40).await;
    let stack = wallet.send(None, 18, "a gift").await.unwrap().stack;
    drop(wallet);
    let mut other = world.wallet_with("other", 0).await;
    let first = stack_of(&stack.coins[..1]);
    let taken = other.receive(&first).await.unwrap().amount;
    drop(other);

    let crashes = crashes(&world, async |wallet| wallet.reclaim(None).await.map(drop)).await;
    survive(&world, crashes, async |wallet, moment| {
        wallet.reclaim(None).await.unwrap();
        let balance = balance(wallet);
        assert_eq!(
            (balance.balance, balance.pending, balance.sent),
            (40 - taken, 0, 0),
            "{moment}"
        );
        wallet.redeem(None, balance.balance, &token()).await.unwrap();
        assert_eq!(world.issuer.account(TOKEN), FUNDS - taken, "{moment}");
    })
    .await;
}

#[tokio::test]
async fn a_crash_during_receive_loses_nothing() {
    let world = World::new(CipherSuite::default(), FUNDS);
    let mut sender = world.wallet_with("sender", 50).await;
    let stack = sender.send(None, 33, "wages").await.unwrap().stack;
    drop(sender);
    drop(world.wallet_with(NAME, 9).await);

    let crashes = crashes(&world, async |wallet| wallet.receive(&stack).await.map(drop)).await;
    survive(&world, crashes, async |wallet, moment| {
        match wallet.receive(&stack).await {
            Ok(received) => assert_eq!(received.amount, 33, "{moment}"),
            Err(WalletError::ReceivedBefore) => {}
            Err(error) => panic!("{moment}: {error}"),
        }
        assert_eq!(balance(wallet).balance, 9 + 33, "{moment}");
        wallet.redeem(None, 9 + 33, &token()).await.unwrap();
        assert_eq!(world.issuer.account(TOKEN), FUNDS - 50 + 33, "{moment}");
    })
    .await;
}

/// Recoups own coins, sent coins and unsigned blinds.
#[tokio::test]
async fn a_crash_during_recoup_loses_nothing() {
    for suite in CipherSuite::ALL {
        let world = World::new(suite, FUNDS);
        let mut wallet = world.wallet_with(NAME, 24).await;
        wallet.send(None, 6, "to nobody").await.unwrap();
        world.network.fail_all(Fault::Delay);
        mint(&mut wallet, 13).await.unwrap_err();
        drop(wallet);
        world.network.heal();
        world.revoke(&[1, 2, 10]);
        world.network.set_day(115); // the next generation of keys signs
        let act = async |wallet: &mut Wallet| {
            let resumed = wallet.resume().await?;
            assert!(matches!(
                resumed.warning,
                Some(WalletError::Exchange(ExchangeError::Recoup))
            ));
            wallet.recoup(None, true).await.map(drop)
        };
        let crashes = crashes(&world, act).await;
        survive(&world, crashes, async |wallet, moment| {
            wallet.recoup(None, true).await.unwrap();
            redeem_all(&world, wallet, moment).await;
        })
        .await;
    }
}
