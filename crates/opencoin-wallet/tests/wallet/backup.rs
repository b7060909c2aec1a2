//! A lost wallet is restored from its backup phrase, and an old one gets a phrase.

use std::sync::Arc;

use opencoin_crypto::CipherSuite;
use opencoin_wallet::storage::{Change, MemoryStorage, SqliteStorage, Storage};
use opencoin_wallet::{Phrase, RestoreProgress, Restored, Wallet, WalletError};

use crate::fake_issuer::IssuerState;
use crate::recorder::{Recorder, rows_of, storage_of};
use crate::world::{Fault, TOKEN, URL, World, balance, held, mint, token};

const FUNDS: u64 = 1_000;

/// Makes a new wallet with this phrase and restores the coins.
async fn restored(world: &World, phrase: &Phrase) -> (Wallet, Restored) {
    let mut wallet = world.open_storage("restored", Box::new(MemoryStorage::default()));
    wallet.use_phrase(phrase).unwrap();
    wallet.add(URL).await.unwrap();
    let restored = wallet.restore(None, &mut |_| {}).await.unwrap();
    (wallet, restored)
}

async fn redeem_all(world: &World, wallet: &mut Wallet) -> u64 {
    let balance = balance(wallet);
    assert_eq!(balance.pending, 0);
    if balance.balance > 0 {
        wallet.redeem(None, balance.balance, &token()).await.unwrap();
    }
    world.issuer.account(TOKEN)
}

#[tokio::test]
async fn every_coin_comes_back_in_both_suites() {
    for suite in CipherSuite::ALL {
        let world = World::new(suite, FUNDS);
        let mut wallet = world.wallet_with("wallet", 137).await;
        let mut bob = world.wallet_with("bob", 20).await;
        let gift = bob.send(None, 13, "gift").await.unwrap().stack;
        wallet.receive(&gift).await.unwrap();
        let paid = wallet.send(None, 28, "rent").await.unwrap().stack;
        bob.receive(&paid).await.unwrap();
        let unpaid = wallet.send(None, 9, "").await.unwrap().id;
        wallet.reclaim(Some(unpaid)).await.unwrap();
        wallet.redeem(None, 5, &token()).await.unwrap();
        wallet.tidy().await.unwrap();
        let (had, phrase) = (balance(&wallet).balance, wallet.phrase().unwrap());
        assert_eq!(had, 137 + 13 - 28 - 5);
        drop(wallet);

        let (mut wallet, restored) = restored(&world, &phrase).await;
        assert_eq!((restored.value, held(&wallet)), (had, (had, 0)), "{suite:?}");
        assert_eq!((restored.unknown, restored.waiting), (0, 0));
        let again = wallet.restore(None, &mut |_| {}).await.unwrap();
        assert_eq!(
            (again.value, held(&wallet)),
            (0, (had, 0)),
            "a restore can be repeated"
        );
        mint(&mut wallet, 7).await.unwrap();
        assert_eq!(held(&wallet), (had + 7, 0), "its numbers are not used again");
        redeem_all(&world, &mut wallet).await;
    }
}

/// Restores the coins of a wallet that is lost at every moment of `act`.
async fn lose_at_every_moment(
    suite: CipherSuite,
    minted: u64,
    act: impl AsyncFn(&mut Wallet) -> Result<(), WalletError>,
) {
    let world = World::new(suite, FUNDS);
    let wallet = world.wallet_with("wallet", minted).await;
    let phrase = wallet.phrase().unwrap();
    drop(wallet);
    let rows: Vec<Change> = rows_of(&SqliteStorage::open_to_read(&world.folder("wallet")).unwrap());
    let (recorder, _) = Recorder::new(storage_of(&rows), Arc::clone(&world.network));
    let mut wallet = world.open_storage("wallet", Box::new(recorder));
    world.network.heal();
    act(&mut wallet).await.unwrap();
    drop(wallet);
    let last: IssuerState = world.issuer.state().clone();
    let steps = world.network.take_steps();
    assert!(!steps.is_empty());
    for (number, state) in steps.iter().map(|step| &step.issuer).chain([&last]).enumerate() {
        *world.issuer.state() = state.clone();
        let (mut wallet, _) = restored(&world, &phrase).await;
        let account = redeem_all(&world, &mut wallet).await;
        assert_eq!(account, FUNDS, "before request {number} of {}", steps.len());
    }
}

#[tokio::test]
async fn a_wallet_lost_at_any_moment_is_restored() {
    for suite in CipherSuite::ALL {
        lose_at_every_moment(suite, 0, async |wallet| mint(wallet, 37).await).await;
        lose_at_every_moment(suite, 24, async |wallet| {
            wallet.send(None, 16, "to nobody").await?;
            wallet.tidy().await?;
            wallet.reclaim(None).await?;
            wallet.redeem(None, 9, &token()).await?;
            wallet.tidy().await
        })
        .await;
    }
}

#[tokio::test]
async fn coins_of_keys_that_no_longer_sign_come_back() {
    let world = World::new(CipherSuite::default(), FUNDS);
    let mut wallet = world.wallet_with("wallet", 40).await;
    world.network.set_day(115); // the next generation of keys signs
    mint(&mut wallet, 7).await.unwrap();
    let phrase = wallet.phrase().unwrap();
    let (wallet, restored) = restored(&world, &phrase).await;
    assert_eq!((held(&wallet), restored.unknown), ((47, 0), 0));
}

#[tokio::test]
async fn a_restore_that_was_interrupted_is_repeated() {
    let world = World::new(CipherSuite::default(), FUNDS);
    let mut wallet = world.wallet_with("wallet", 40).await;
    wallet.redeem(None, 7, &token()).await.unwrap();
    wallet.tidy().await.unwrap();
    let phrase = wallet.phrase().unwrap();
    drop(wallet);
    let before = world.issuer.state().clone();
    world.network.heal();
    drop(restored(&world, &phrase).await);
    let requests = world.network.take_steps().len();
    // Of the hundred requests in a row that find nothing, two are enough.
    let skipped = 4..requests.saturating_sub(6);
    for number in (0..requests).filter(|number| !skipped.contains(number) || number % 40 == 0) {
        for fault in [Fault::RequestLost, Fault::AnswerLost] {
            *world.issuer.state() = before.clone();
            let mut wallet = world.open_storage("restored", Box::new(MemoryStorage::default()));
            wallet.use_phrase(&phrase).unwrap();
            world.network.fail(number, fault);
            let first = match wallet.add(URL).await {
                Ok(_) => wallet.restore(None, &mut |_| {}).await.map(drop),
                Err(error) => Err(error),
            };
            world.network.heal();
            if first.is_err() {
                wallet.add(URL).await.unwrap();
                wallet.resume().await.unwrap();
                wallet.restore(None, &mut |_| {}).await.unwrap();
            }
            assert_eq!(held(&wallet), (33, 0), "{fault:?} of request {number}");
        }
    }
}

#[tokio::test]
async fn progress_is_shown() {
    let world = World::new(CipherSuite::default(), FUNDS);
    let wallet = world.wallet_with("wallet", 12).await;
    let phrase = wallet.phrase().unwrap();
    let mut wallet = world.open_storage("restored", Box::new(MemoryStorage::default()));
    wallet.use_phrase(&phrase).unwrap();
    wallet.add(URL).await.unwrap();
    let mut all = Vec::new();
    let restored = wallet
        .restore(None, &mut |progress| all.push(progress))
        .await
        .unwrap();
    assert_eq!(all[0], RestoreProgress::Asking { asked: 1, found: 1 });
    let coins = restored.coins;
    assert_eq!(
        all.last(),
        Some(&RestoreProgress::Renewing {
            tried: coins,
            all: coins
        })
    );
}

#[tokio::test]
async fn another_phrase_is_not_taken() {
    let world = World::new(CipherSuite::default(), FUNDS);
    let wallet = world.wallet_with("wallet", 12).await;
    let phrase = wallet.phrase().unwrap();
    let mut other = world.wallet_with("other", 5).await;
    let error = other.use_phrase(&phrase).unwrap_err();
    assert!(matches!(error, WalletError::OtherPhrase), "{error}");
    let own = other.phrase().unwrap();
    other.use_phrase(&own).unwrap();
}

/// A wallet of an earlier version, and one whose phrase was seen by somebody.
#[tokio::test]
async fn coins_move_under_a_new_phrase() {
    let world = World::new(CipherSuite::default(), FUNDS);
    world.put_file("old", "journal.jsonl", include_bytes!("journals/wallet.jsonl"));
    let mut wallet = world.open("old");
    assert!(wallet.phrase().is_none());
    let error = wallet.restore(None, &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, WalletError::NoPhrase), "{error}");
    wallet.resume().await.unwrap();
    let held_before = held(&wallet);
    assert_eq!(balance(&wallet).without_phrase, 34);
    let error = wallet.new_phrase(13).map(drop).unwrap_err();
    assert!(matches!(error, WalletError::PhraseWords(13)), "{error}");
    let mut last = None;
    for words in [12, 24] {
        let phrase = wallet.new_phrase(words).unwrap();
        assert_eq!(phrase.words().expose().split(' ').count(), words);
        assert_eq!(wallet.move_under_phrase().await.unwrap(), 34);
        assert_eq!(balance(&wallet).without_phrase, 0);
        assert_eq!(wallet.move_under_phrase().await.unwrap(), 0);
        drop(wallet);
        wallet = world.open("old");
        assert_eq!(held(&wallet), held_before);
        assert_eq!(wallet.phrase(), Some(phrase.clone()));
        last = Some(phrase);
    }
    drop(wallet);
    let (wallet, _) = restored(&world, &last.unwrap()).await;
    assert_eq!(held(&wallet), (34, 0));
}

#[tokio::test]
async fn rows_without_a_phrase_stay_without_one() {
    let world = World::new(CipherSuite::default(), FUNDS);
    world.put_file("old", "journal.jsonl", include_bytes!("journals/wallet.jsonl"));
    let mut wallet = world.open("old");
    mint(&mut wallet, 5).await.unwrap();
    drop(wallet);
    let storage = SqliteStorage::open_to_read(&world.folder("old")).unwrap();
    let copy = MemoryStorage::default();
    copy.commit(&rows_of(&storage)).unwrap();
    assert!(world.open_storage("old", Box::new(copy)).phrase().is_none());
}

#[tokio::test]
async fn a_restore_does_not_take_back_what_the_wallet_itself_has_sent() {
    let world = World::new(CipherSuite::default(), FUNDS);
    let mut wallet = world.wallet_with("wallet", 40).await;
    let stack = wallet.send(None, 13, "a gift").await.unwrap().stack;
    let restored = wallet.restore(None, &mut |_| {}).await.unwrap();
    assert_eq!((restored.value, balance(&wallet).sent), (0, 13));
    let mut bob = world.wallet_with("bob", 0).await;
    assert_eq!(bob.receive(&stack).await.unwrap().amount, 13);
}

/// The lost wallet has used the first numbers.
#[tokio::test]
async fn nothing_is_derived_before_the_restore_is_complete() {
    let world = World::new(CipherSuite::default(), FUNDS);
    let mut lost = world.wallet_with("lost", 40).await;
    let other = "http://other.test";
    world.add_issuer("Other", other, &[1, 2, 5], FUNDS);
    lost.add(other).await.unwrap();
    let phrase = lost.phrase().unwrap();
    let currency = lost
        .balances()
        .into_iter()
        .find(|balance| balance.balance > 0)
        .unwrap();
    drop(lost);

    let mut wallet = world.open_storage("restored", Box::new(MemoryStorage::default()));
    wallet.use_phrase(&phrase).unwrap();
    wallet.add(URL).await.unwrap();
    world.network.fail(7, Fault::RequestLost);
    wallet.restore(None, &mut |_| {}).await.unwrap_err();
    world.network.heal();
    let error = mint(&mut wallet, 5).await.unwrap_err();
    assert!(
        matches!(&error, WalletError::RestoreFirst(url) if url == URL),
        "{error}"
    );
    wallet.restore(None, &mut |_| {}).await.unwrap();
    mint(&mut wallet, 5).await.unwrap();
    assert_eq!(held(&wallet), (45, 0));

    let added = wallet.add(other).await.unwrap().currency;
    let mint_other = async |wallet: &mut Wallet| wallet.mint(Some(&added), 5, &token(), &mut |_, _| {}).await;
    let error = mint_other(&mut wallet).await.unwrap_err();
    assert!(
        matches!(&error, WalletError::RestoreFirst(url) if url == other),
        "{error}"
    );
    wallet.restore(Some(&added), &mut |_| {}).await.unwrap();
    mint_other(&mut wallet).await.unwrap();
    assert_eq!(wallet.balance_of(Some(&currency.currency)).unwrap().balance, 45);
}

/// Requests that were refused, or that were never sent, give their numbers to later ones.
#[tokio::test]
async fn many_refused_requests_leave_no_gap() {
    let world = World::new(CipherSuite::default(), FUNDS);
    let mut wallet = world.wallet_with("wallet", 10).await;
    for fault in [Fault::Refused, Fault::NoConnection] {
        world.network.fail_all(fault);
        for _ in 0..150 {
            mint(&mut wallet, 1).await.unwrap_err();
        }
        world.network.heal();
    }
    mint(&mut wallet, 11).await.unwrap();
    let phrase = wallet.phrase().unwrap();
    let (wallet, _) = restored(&world, &phrase).await;
    assert_eq!(held(&wallet), (21, 0));
}
