//! Pending requests when sessions expire and accounts run out of money.

use chrono::{DateTime, Utc};
use opencoin_crypto::CipherSuite;
use opencoin_wallet::account::{Holder, StoredSession};
use opencoin_wallet::{ExchangeError, Secret, Wallet, WalletError};

use crate::world::{Fault, TOKEN, URL, World, balance, held, mint, states};

const FUNDS: u64 = 100;

fn session(holder: &str, token: &str) -> StoredSession {
    let holder = Holder::Account(holder.to_owned());
    StoredSession {
        url: URL.to_owned(),
        holder,
        token: Secret::new(token),
        expires_at: DateTime::<Utc>::MAX_UTC,
        currency: None,
    }
}

/// Returns the state of the last operation of this kind.
fn state(wallet: &Wallet, kind: &str) -> String {
    states(wallet, kind).pop().unwrap()
}

#[tokio::test]
async fn a_redeem_is_finished_in_the_holders_next_session() {
    for lost in [Fault::RequestLost, Fault::AnswerLost] {
        let world = World::new(CipherSuite::default(), FUNDS);
        let mut wallet = world.wallet_with("wallet", 20).await;
        world.network.fail_all(lost);
        wallet
            .redeem(None, 20, &session("alice", TOKEN))
            .await
            .unwrap_err();
        world.network.heal();
        world.issuer.change_token(TOKEN, "the next one");
        drop(wallet);

        // The refusal of the old token does not tell the outcome. Other accounts must not be paid.
        for other in [
            None,
            Some(session("bob", "bobs token")),
            Some(StoredSession {
                url: "http://x".to_owned(),
                ..session("alice", "x")
            }),
        ] {
            let mut wallet = world.open("wallet");
            other.into_iter().for_each(|session| wallet.use_session(session));
            let done = wallet.resume().await.unwrap();
            assert!(
                matches!(
                    done.warning,
                    Some(WalletError::Exchange(
                        ExchangeError::Unknown(_) | ExchangeError::NeedsToken(_)
                    ))
                ),
                "{:?}",
                done.warning
            );
            assert_eq!(balance(&wallet).pending, 20, "{lost:?}");
            assert_eq!(state(&wallet, "redeem"), "pending", "{lost:?}");
        }
        let mut wallet = world.open("wallet");
        wallet.use_session(session("alice", "the next one"));
        assert_eq!(wallet.resume().await.unwrap().value, 1);
        assert_eq!(balance(&wallet).pending, 0);
        assert_eq!(state(&wallet, "redeem"), "done");
        assert_eq!(world.issuer.account("the next one"), FUNDS);
    }
}

#[tokio::test]
async fn a_first_request_with_an_unknown_token_is_refused() {
    let world = World::new(CipherSuite::default(), FUNDS);
    let mut wallet = world.wallet_with("wallet", 20).await;
    let error = wallet
        .redeem(None, 20, &session("alice", "an old one"))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, WalletError::Exchange(ExchangeError::Refused { word, .. }) if word == "unauthorized"),
        "{error}"
    );
    assert_eq!(held(&wallet), (20, 0));
}

#[tokio::test]
async fn a_mint_that_waits_for_money_is_refused_when_it_expires() {
    let world = World::new(CipherSuite::default(), FUNDS);
    let mut wallet = world.wallet_with("wallet", 0).await;
    world.network.fail_all(Fault::Wait);
    let error = mint(&mut wallet, 7).await.unwrap_err();
    assert!(
        matches!(error, WalletError::Exchange(ExchangeError::Delayed { .. })),
        "{error}"
    );
    assert!(wallet.resume().await.unwrap().warning.is_some());
    assert_eq!(balance(&wallet).pending, 7);
    world.network.fail_all(Fault::WaitExpired);
    let ended = wallet.resume().await.unwrap().warning;
    assert!(
        matches!(&ended, Some(WalletError::Exchange(ExchangeError::Refused { .. }))),
        "{ended:?}"
    );
    assert_eq!(balance(&wallet).pending, 0);
    assert!(state(&wallet, "mint").starts_with("refused"));
    world.network.heal();
    mint(&mut wallet, 7).await.unwrap();
    assert_eq!(balance(&wallet).balance, 7);
    assert_eq!(world.issuer.account(TOKEN), FUNDS - 7);
}
