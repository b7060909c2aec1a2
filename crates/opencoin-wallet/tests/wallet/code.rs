//! Short codes: the receiver makes the coins, and until they are renewed the sender can take them back.

use opencoin_crypto::CipherSuite;
use opencoin_stack::{ShortCode, find_code};
use opencoin_wallet::{Wallet, WalletError};
use zeroize::Zeroizing;

use crate::world::{Fault, TOKEN, URL, World, balance, held, states, token};

const FUNDS: u64 = 1_000;

async fn receive(wallet: &mut Wallet, code: &ShortCode) -> Result<u64, WalletError> {
    let stack = wallet.coins_of_code(code).await?;
    wallet.receive(&stack).await.map(|received| received.amount)
}

#[tokio::test]
async fn a_code_is_received_once_in_both_suites() {
    for suite in CipherSuite::ALL {
        let world = World::new(suite, FUNDS);
        let mut alice = world.wallet_with("alice", 200).await;
        let mut bob = world.wallet_with("bob", 0).await;
        let sent = alice.send_code(None, 137, "rent").await.unwrap();
        assert_eq!(sent.code.amount(), Some(137));
        assert_eq!((held(&alice), balance(&alice).sent), ((63, 0), 137));
        let text = sent.code.to_text();
        assert!(text.len() < 150, "{}", text.len());
        let code = find_code(&text).unwrap().unwrap();
        assert_eq!(receive(&mut bob, &code).await.unwrap(), 137);
        let error = receive(&mut bob, &code).await.unwrap_err();
        assert!(matches!(error, WalletError::ReceivedBefore), "{error}");
        assert_eq!(alice.reclaim(Some(sent.id)).await.unwrap(), 0);
        assert_eq!(states(&alice, "send"), ["taken"]);
        assert_eq!((held(&alice), held(&bob)), ((63, 0), (137, 0)));
    }
}

#[tokio::test]
async fn the_sender_takes_a_code_back() {
    let world = World::new(CipherSuite::default(), FUNDS);
    let mut alice = world.wallet_with("alice", 60).await;
    let mut bob = world.wallet_with("bob", 0).await;
    let sent = alice.send_code(None, 43, "").await.unwrap();
    assert_eq!(alice.reclaim(Some(sent.id)).await.unwrap(), 43);
    let error = receive(&mut bob, &sent.code).await.unwrap_err();
    assert!(error.to_string().contains("already been taken"), "{error}");
    assert_eq!((held(&alice), held(&bob)), ((60, 0), (0, 0)));
}

/// The keys with which the coins were made need not sign any more.
#[tokio::test]
async fn a_code_is_received_after_the_keys_have_changed() {
    let world = World::new(CipherSuite::default(), FUNDS);
    let mut alice = world.wallet_with("alice", 60).await;
    let sent = alice.send_code(None, 43, "").await.unwrap();
    world.network.set_day(115);
    let mut bob = world.wallet_with("bob", 0).await;
    assert_eq!(receive(&mut bob, &sent.code).await.unwrap(), 43);
}

#[tokio::test]
async fn made_up_and_foreign_codes_bring_nothing() {
    let world = World::new(CipherSuite::default(), FUNDS);
    let mut alice = world.wallet_with("alice", 60).await;
    let mut code = alice.send_code(None, 43, "").await.unwrap().code;
    let issuer = code.issuer;
    code.issuer = [9; 8];
    let error = receive(&mut alice, &code).await.unwrap_err();
    assert!(
        matches!(&error, WalletError::UnknownCurrency { hint, .. } if hint == URL),
        "{error}"
    );
    code.issuer = issuer;
    code.secret = Zeroizing::new([7; 32]);
    let error = receive(&mut alice, &code).await.unwrap_err();
    assert!(matches!(error, WalletError::CodeWithoutCoins), "{error}");
}

/// The secrets of the new coins are in the wallet before the request is sent.
#[tokio::test]
async fn a_fault_while_a_code_is_made_loses_nothing() {
    for fault in Fault::ALL {
        for number in 0..4 {
            let world = World::new(CipherSuite::default(), FUNDS);
            let mut wallet = world.wallet_with("wallet", 60).await;
            world.network.set_day(2);
            world.network.fail(number, fault);
            let sent = wallet.send_code(None, 43, "").await;
            world.network.heal();
            if let Ok(sent) = sent {
                assert_eq!(wallet.reclaim(Some(sent.id)).await.unwrap(), 43);
            }
            drop(wallet);
            let mut wallet = world.open("wallet");
            wallet.resume().await.unwrap();
            assert_eq!(held(&wallet), (60, 0), "{fault:?} of request {number}");
            wallet.redeem(None, 60, &token()).await.unwrap();
            assert_eq!(world.issuer.account(TOKEN), FUNDS);
        }
    }
}
