//! Faults of the network and the issuer: every fault at every request of every operation. The operation may
//! fail, but after a `resume` without faults no money is lost. If the issuer has a public log, the wallet has a promise
//! for everything that was carried out, and none of these faults looks like one of the log.

use opencoin_crypto::CipherSuite;
use opencoin_wallet::{ExchangeError, Wallet, WalletError};

use crate::world::{Fault, TOKEN, World, balance, mint, token};

const FUNDS: u64 = 200;
const MINTED: u64 = 24;
/// More requests than any operation makes.
const REQUESTS_MAX: usize = 30;

async fn fail_everywhere(
    prepare: impl AsyncFn(&mut Wallet, &World),
    act: impl AsyncFn(&mut Wallet) -> Result<(), WalletError>,
) {
    for new_world in [World::new, World::with_log] {
        fail_everywhere_in(new_world, &prepare, &act).await;
    }
}

async fn fail_everywhere_in(
    new_world: fn(CipherSuite, u64) -> World,
    prepare: impl AsyncFn(&mut Wallet, &World),
    act: impl AsyncFn(&mut Wallet) -> Result<(), WalletError>,
) {
    for fault in Fault::ALL {
        let mut number = 0;
        loop {
            let moment = format!("{fault:?} of request {number}");
            let world = new_world(CipherSuite::default(), FUNDS);
            let mut wallet = world.wallet_with("wallet", MINTED).await;
            prepare(&mut wallet, &world).await;
            world.network.fail(number, fault);
            // An error is allowed.
            let result = act(&mut wallet).await;
            let requests = world.network.take_steps().len();
            drop(wallet);

            world.network.heal();
            let mut wallet = world.open("wallet");
            let resumed = wallet.resume().await.unwrap();
            let is_well = matches!(
                resumed.warning,
                None | Some(WalletError::Exchange(ExchangeError::Recoup))
            );
            assert!(is_well, "{moment}: {:?}", resumed.warning);
            wallet.reclaim(None).await.unwrap();
            wallet.recoup(None, true).await.unwrap();
            let left = balance(&wallet);
            assert_eq!((left.pending, left.sent), (0, 0), "{moment}");
            if left.balance > 0 {
                wallet.redeem(None, left.balance, &token()).await.unwrap();
            }
            assert_eq!(
                world.issuer.account(TOKEN),
                FUNDS,
                "{moment}; the result was {result:?}"
            );
            if world.issuer.has_log() {
                check_promises(&world, &mut wallet, &moment).await;
            }
            if requests <= number {
                result.unwrap_or_else(|error| {
                    panic!("{moment} did not happen, but the operation failed: {error}")
                });
                break;
            }
            number += 1;
            assert!(number < REQUESTS_MAX);
        }
        assert!(number > 0, "the operation must send requests");
    }
}

async fn check_promises(world: &World, wallet: &mut Wallet, moment: &str) {
    world.issuer.log().seal(world.network.now());
    let status = wallet.check_log(None, None).await.unwrap();
    assert_eq!(
        (status.problem, status.faults, status.open),
        (None, Vec::new(), 0),
        "{moment}"
    );
    assert!(status.kept > 0, "{moment}");
}

async fn nothing(_: &mut Wallet, _: &World) {}

#[tokio::test]
async fn a_fault_during_mint_loses_nothing() {
    fail_everywhere(nothing, async |wallet| mint(wallet, 16).await).await;
}

#[tokio::test]
async fn a_fault_during_send_loses_nothing() {
    fail_everywhere(nothing, async |wallet| {
        wallet.send(None, 16, "").await?;
        wallet.tidy().await
    })
    .await;
}

#[tokio::test]
async fn a_fault_during_redeem_loses_nothing() {
    fail_everywhere(nothing, async |wallet| {
        wallet.redeem(None, 16, &token()).await?;
        wallet.tidy().await
    })
    .await;
}

#[tokio::test]
async fn a_fault_during_reclaim_loses_nothing() {
    let prepare = async |wallet: &mut Wallet, _: &World| drop(wallet.send(None, 16, "").await.unwrap());
    fail_everywhere(prepare, async |wallet| wallet.reclaim(None).await.map(drop)).await;
}

#[tokio::test]
async fn a_fault_during_receive_of_an_own_send_loses_nothing() {
    fail_everywhere(nothing, async |wallet| {
        let stack = wallet.send(None, 16, "to myself").await?.stack;
        wallet.receive(&stack).await.map(drop)
    })
    .await;
}

#[tokio::test]
async fn a_fault_during_resume_loses_nothing() {
    for (fault, is_accepted) in [(Fault::Delay, true), (Fault::RequestLost, false)] {
        let prepare = async |wallet: &mut Wallet, world: &World| {
            world.network.fail_all(fault);
            mint(wallet, 16).await.unwrap_err();
            let paid = if is_accepted { 16 } else { 0 };
            assert_eq!(world.issuer.account(TOKEN), FUNDS - MINTED - paid);
        };
        let act = async |wallet: &mut Wallet| {
            let done = wallet.resume().await?;
            match done.warning {
                Some(error) => Err(error),
                None => {
                    assert_eq!(balance(wallet).balance, MINTED + 16);
                    Ok(())
                }
            }
        };
        fail_everywhere(prepare, act).await;
    }
}

#[tokio::test]
async fn a_fault_during_recoup_loses_nothing() {
    for sent in [false, true] {
        let prepare = async |wallet: &mut Wallet, world: &World| {
            wallet.send(None, 6, "").await.unwrap();
            world.issuer.revoke(2, 0);
            world.issuer.revoke(10, 0);
        };
        fail_everywhere(prepare, async |wallet| wallet.recoup(None, sent).await.map(drop)).await;
    }
}

#[tokio::test]
async fn a_fault_during_resume_after_a_revocation_loses_nothing() {
    for revoked in [&[10][..], &[1, 2, 5, 10]] {
        let prepare = async |wallet: &mut Wallet, world: &World| {
            world.network.fail_all(Fault::Delay);
            mint(wallet, 16).await.unwrap_err();
            world.revoke(revoked);
            world.network.set_day(115);
        };
        let act = async |wallet: &mut Wallet| {
            let done = wallet.resume().await?;
            match done.warning {
                None | Some(WalletError::Exchange(ExchangeError::Recoup)) => {
                    wallet.recoup(None, false).await.map(drop)
                }
                Some(error) => Err(error),
            }
        };
        fail_everywhere(prepare, act).await;
    }
}
