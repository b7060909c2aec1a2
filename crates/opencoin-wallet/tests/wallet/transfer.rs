//! The coins of transfers: reserved, in flight, and then the receiver's or the wallet's again.

use opencoin_crypto::CipherSuite;
use opencoin_wallet::{Reclaimed, TransferCoins, Wallet, WalletError};
use serde_json::json;

use crate::world::{DENOMINATIONS, Fault, World, balance, held, states};

const ID: &str = "transfer one";

fn world() -> World {
    World::new(CipherSuite::default(), 1_000)
}

fn coins(wallet: &Wallet) -> Option<TransferCoins> {
    wallet.transfers().first().map(|transfer| transfer.coins)
}

#[tokio::test]
async fn reserved_coins_are_released_and_delivered_coins_are_gone() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 40).await;
    wallet.put_transfer(ID, &json!({"step": 1}), false).unwrap();
    assert_eq!(coins(&wallet), Some(TransferCoins::None));
    let stack = wallet
        .reserve_transfer(ID, None, 17, "rent", &json!({"step": 2}))
        .await
        .unwrap();
    assert_eq!((held(&wallet), balance(&wallet).sent), ((23, 0), 17));
    drop(wallet);

    let mut wallet = world.open("wallet");
    assert_eq!(wallet.transfers()[0].record, json!({"step": 2}));
    assert_eq!(
        wallet.transfer_stack(ID).unwrap(),
        stack,
        "the same coins after a crash"
    );
    assert_eq!(
        wallet.reclaim(None).await.unwrap(),
        0,
        "they belong to the transfer"
    );
    let error = wallet.put_transfer(ID, &json!({}), true).unwrap_err();
    assert!(matches!(error, WalletError::TransferHasCoins(_)), "{error}");
    let error = wallet
        .reserve_transfer(ID, None, 1, "", &json!({}))
        .await
        .unwrap_err();
    assert!(matches!(error, WalletError::TransferHasCoins(_)), "{error}");
    let error = wallet.transfer_delivered(ID, &json!({})).unwrap_err();
    assert!(matches!(error, WalletError::TransferHasNoCoins(_)), "{error}");
    wallet.release_transfer(ID, &json!({"step": 3})).unwrap();
    assert_eq!((held(&wallet), balance(&wallet).sent), ((40, 0), 0));
    assert_eq!(states(&wallet, "send"), ["reclaimed"]);
    wallet.put_transfer(ID, &json!({"step": 4}), true).unwrap();
    assert!(wallet.transfers().is_empty());

    let other = "transfer two";
    wallet
        .reserve_transfer(other, None, 17, "rent", &json!({}))
        .await
        .unwrap();
    wallet
        .transfer_leaves(other, &json!({"step": "in flight"}))
        .unwrap();
    let error = wallet.release_transfer(other, &json!({})).unwrap_err();
    assert!(matches!(error, WalletError::TransferHasNoCoins(_)), "{error}");
    drop(wallet);
    let mut wallet = world.open("wallet");
    assert_eq!(coins(&wallet), Some(TransferCoins::InFlight));
    wallet
        .transfer_delivered(other, &json!({"receipt": "signed"}))
        .unwrap();
    wallet
        .put_transfer(other, &json!({"receipt": "signed"}), true)
        .unwrap();
    assert_eq!((held(&wallet), balance(&wallet).sent), ((23, 0), 0));
    assert_eq!(states(&wallet, "send"), ["reclaimed", "taken"]);
    drop(wallet);
    let wallet = world.open("wallet");
    let mut ended = wallet.ended_transfers().unwrap();
    ended.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(ended[0].record, json!({"step": 4}));
    assert_eq!(ended[1].record, json!({"receipt": "signed"}));
}

/// The renewal of the sender and that of the receiver: the issuer accepts one of them.
#[tokio::test]
async fn a_renewal_decides_whose_the_coins_are() {
    for is_receiver_first in [false, true] {
        let world = world();
        let mut sender = world.wallet_with("sender", 40).await;
        let mut receiver = world.wallet_with("receiver", 0).await;
        let stack = sender
            .reserve_transfer(ID, None, 17, "", &json!({}))
            .await
            .unwrap();
        let error = sender.reclaim_transfer(ID).await.unwrap_err();
        assert!(matches!(error, WalletError::TransferHasNoCoins(_)), "{error}");
        sender.transfer_leaves(ID, &json!({})).unwrap();
        if is_receiver_first {
            receiver.receive(&stack).await.unwrap();
        }
        let reclaimed = sender.reclaim_transfer(ID).await.unwrap();
        let (returned, taken) = if is_receiver_first { (0, 17) } else { (17, 0) };
        assert_eq!(reclaimed, Reclaimed { returned, taken });
        assert_eq!(coins(&sender), Some(TransferCoins::Ended));
        assert!(receiver.receive(&stack).await.is_err());
        assert_eq!(balance(&sender).balance, 40 - taken);
        assert_eq!(balance(&receiver).balance, taken);
    }
}

#[tokio::test]
async fn a_reclaim_without_an_answer_is_finished_later() {
    let world = world();
    let mut sender = world.wallet_with("sender", 40).await;
    sender
        .reserve_transfer(ID, None, 17, "", &json!({}))
        .await
        .unwrap();
    sender.transfer_leaves(ID, &json!({})).unwrap();
    world.network.fail_all(Fault::AnswerLost);
    sender.reclaim_transfer(ID).await.unwrap_err();
    assert_eq!(coins(&sender), Some(TransferCoins::InFlight));
    drop(sender);
    world.network.heal();
    let mut sender = world.open("sender");
    sender.resume().await.unwrap();
    let reclaimed = sender.reclaim_transfer(ID).await.unwrap();
    assert_eq!(
        reclaimed,
        Reclaimed {
            returned: 17,
            taken: 0
        }
    );
    assert_eq!(held(&sender), (40, 0));
}

/// Both renew at the same time, a hundred times: each time exactly one of them has the coins.
#[test]
fn of_two_renewals_at_the_same_time_one_wins() {
    const ROUNDS: u64 = 100;
    const HELD: u64 = 1_000;
    let world = World::new(CipherSuite::default(), HELD);
    let alone = |future: std::pin::Pin<Box<dyn Future<Output = ()> + '_>>| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        runtime.unwrap().block_on(future);
    };
    let (mut sender, mut receiver) = (None, None);
    alone(Box::pin(async {
        sender = Some(world.wallet_with("sender", HELD).await);
        receiver = Some(world.wallet_with("receiver", 0).await);
    }));
    let (mut sender, mut receiver) = (sender.unwrap(), receiver.unwrap());
    let mut won = 0;
    for round in 0..ROUNDS {
        let id = format!("transfer {round}");
        let mut stack = None;
        alone(Box::pin(async {
            let reserved = sender.reserve_transfer(&id, None, 5, "", &json!({})).await;
            stack = Some(reserved.unwrap());
            sender.transfer_leaves(&id, &json!({})).unwrap();
        }));
        let stack = stack.unwrap();
        let (mut reclaimed, mut received) = (None, None);
        let begin = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            let (begin_too, reclaimed, received) = (&begin, &mut reclaimed, &mut received);
            let (sender, receiver, id, stack) = (&mut sender, &mut receiver, &id, &stack);
            scope.spawn(move || {
                begin_too.wait();
                alone(Box::pin(async {
                    *reclaimed = Some(sender.reclaim_transfer(id).await.unwrap())
                }));
            });
            scope.spawn(move || {
                begin_too.wait();
                alone(Box::pin(async { *received = receiver.receive(stack).await.ok() }));
            });
        });
        let Reclaimed { returned, taken } = reclaimed.unwrap();
        let got = received.map_or(0, |received| received.amount);
        assert_eq!((returned + got, taken), (5, got), "round {round}");
        won += got;
        assert_eq!(balance(&receiver).balance, won, "round {round}");
        assert_eq!(balance(&sender).balance, HELD - won, "round {round}");
    }
}

/// The wallet that resumes the renewal need not be the process that began it.
#[tokio::test]
async fn a_reclaim_that_another_process_finished_is_known_after_a_restart() {
    let world = world();
    let mut sender = world.wallet_with("sender", 40).await;
    sender
        .reserve_transfer(ID, None, 17, "", &json!({}))
        .await
        .unwrap();
    sender.transfer_leaves(ID, &json!({})).unwrap();
    world.network.fail_all(Fault::AnswerLost);
    sender.reclaim_transfer(ID).await.unwrap_err();
    drop(sender);
    world.network.heal();
    let mut sender = world.open("sender");
    sender.resume().await.unwrap();
    assert_eq!(states(&sender, "send"), ["reclaimed"]);
    drop(sender);
    let mut sender = world.open("sender");
    let reclaimed = sender.reclaim_transfer(ID).await.unwrap();
    let (returned, taken) = (17, 0);
    assert_eq!(reclaimed, Reclaimed { returned, taken });
    sender.put_transfer(ID, &json!({}), true).unwrap();
    drop(sender);
    let mut sender = world.open("sender");
    sender.put_transfer(ID, &json!({"seen": true}), true).unwrap();
    assert!(sender.transfers().is_empty());
    assert_eq!(held(&sender), (40, 0));
}

#[tokio::test]
async fn released_coins_can_be_reserved_again() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 40).await;
    for round in 0..3 {
        wallet
            .reserve_transfer(ID, None, 17, "", &json!({ "round": round }))
            .await
            .unwrap();
        drop(wallet);
        wallet = world.open("wallet");
        wallet.release_transfer(ID, &json!({})).unwrap();
        drop(wallet);
        wallet = world.open("wallet");
        assert_eq!(held(&wallet), (40, 0));
    }
}

/// Nobody pays twice with the same coins: what came in another way is no progress of a transfer.
#[tokio::test]
async fn coins_that_came_before_pay_for_no_transfer() {
    let world = world();
    let mut sender = world.wallet_with("sender", 40).await;
    let stack = sender.send(None, 17, "").await.unwrap().stack;
    let mut receiver = world.wallet_with("receiver", 0).await;
    receiver.receive_transfer("first", &stack).await.unwrap();
    let progress = |receiver: &Wallet, id| {
        let progress = receiver.stack_progress(id, &stack).unwrap();
        (progress.received, progress.pending)
    };
    assert_eq!(progress(&receiver, "first"), (17, 0));
    assert_eq!(progress(&receiver, "second"), (0, 0));
    let error = receiver.receive_transfer("second", &stack).await.unwrap_err();
    assert!(matches!(error, WalletError::ReceivedBefore), "{error}");
    drop(receiver);
    let receiver = world.open("receiver");
    assert_eq!(progress(&receiver, "first"), (17, 0));
    assert_eq!(progress(&receiver, "second"), (0, 0));

    let stack = sender.send(None, 5, "").await.unwrap().stack;
    let mut other = world.wallet_with("other", 0).await;
    other.receive(&stack).await.unwrap();
    let progress = other.stack_progress("first", &stack).unwrap();
    assert_eq!(
        (progress.received, progress.pending),
        (0, 0),
        "a file is no transfer"
    );
}

/// A recoup ends the send of a transfer. The transfer then learns that its coins have come back.
#[tokio::test]
async fn revoked_coins_in_flight_come_back_by_a_recoup() {
    let world = world();
    let mut sender = world.wallet_with("sender", 40).await;
    for (id, leaves) in [("reserved", false), ("in flight", true)] {
        sender
            .reserve_transfer(id, None, 7, "", &json!({}))
            .await
            .unwrap();
        if leaves {
            sender.transfer_leaves(id, &json!({})).unwrap();
        }
    }
    world.revoke(&DENOMINATIONS);
    world.network.set_day(115); // the next keys sign
    sender.recoup(None, true).await.unwrap();
    assert_eq!(held(&sender), (40, 0));
    drop(sender);
    let mut sender = world.open("sender");
    let reclaimed = sender.reclaim_transfer("in flight").await.unwrap();
    let (returned, taken) = (7, 0);
    assert_eq!(reclaimed, Reclaimed { returned, taken });
    sender.release_transfer("reserved", &json!({})).unwrap();
    drop(sender);
    let mut sender = world.open("sender");
    for id in ["reserved", "in flight"] {
        sender.put_transfer(id, &json!({}), true).unwrap();
    }
    assert_eq!(held(&sender), (40, 0));
}
