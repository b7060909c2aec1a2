//! Keys of a lost wallet.

use opencoin_wallet::{Phrase, WalletError};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use sqlx::Connection;

use super::{introduced, pay, seal, two_holders, wallet, world};
use crate::fake_keys::KeyMisdeed;
use crate::world::URL;

#[tokio::test]
async fn the_phrase_finds_the_keys_and_their_balances() {
    for misdeed in [None, Some(KeyMisdeed::TooMany)] {
        let world = world();
        let [(mut alice, first), (_, to)] = two_holders(&world, 50).await;
        // Keys that were never introduced leave a gap.
        for _ in 0..5 {
            alice.new_key(None).unwrap();
        }
        let second = introduced(&mut alice).await;
        pay(&mut alice, &first, second, 20).await.unwrap();
        seal(&world);
        // The wallet is lost after a payment that is not in the log yet.
        pay(&mut alice, &first, to, 1).await.unwrap();
        let phrase: Phrase = alice.phrase().unwrap().words().expose().parse().unwrap();
        drop(alice);
        world.issuer.keys().misdeed = misdeed;

        let mut restored = world.open("new");
        restored.use_phrase(&phrase).unwrap();
        restored.add(URL).await.unwrap();
        assert!(matches!(
            restored.new_key(None),
            Err(WalletError::RestoreFirst(_))
        ));
        restored.restore(None, &mut |_| {}).await.unwrap();
        let keys = restored.restore_keys(None).await.unwrap();
        assert_eq!((keys.keys, keys.balance), (vec![first, second], 50));
        let paid = pay(&mut restored, &first, to, 2).await.unwrap();
        assert_eq!(paid.id, format!("{first}.3"));
        assert_eq!(world.issuer.key_balance(&to), 3);
        // The next key is a new one.
        let next = restored.new_key(None).unwrap().key;
        assert!(![first, second].contains(&next));
        // Once more finds the same.
        assert_eq!(restored.restore_keys(None).await.unwrap().keys.len(), 2);
        assert_eq!(restored.keys(None).unwrap().len(), 3);
    }
}

/// The account of the last minutes is not in the log when the wallet is restored.
#[tokio::test]
async fn a_key_that_has_an_account_already_is_not_introduced_again() {
    let world = world();
    let [(mut alice, from), (_, to)] = two_holders(&world, 50).await;
    let young = introduced(&mut alice).await;
    pay(&mut alice, &from, young, 9).await.unwrap();
    pay(&mut alice, &young, to, 1).await.unwrap();
    let phrase: Phrase = alice.phrase().unwrap().words().expose().parse().unwrap();
    drop(alice);

    let mut restored = world.open("new");
    restored.use_phrase(&phrase).unwrap();
    restored.add(URL).await.unwrap();
    restored.restore(None, &mut |_| {}).await.unwrap();
    assert_eq!(restored.restore_keys(None).await.unwrap().keys, [from]);
    assert_eq!(restored.new_key(None).unwrap().key, young);
    let arrived = world.issuer.keys().arrived;
    restored.introduce_key(&young, &mut |_| {}).await.unwrap();
    assert_eq!(world.issuer.keys().arrived, arrived);
    let paid = pay(&mut restored, &young, to, 2).await.unwrap();
    assert_eq!(paid.id, format!("{young}.2"));
    let status = restored.check_log(None, None).await.unwrap();
    assert!(status.faults.is_empty(), "{status:?}");
}

#[tokio::test]
async fn a_new_phrase_does_not_cover_older_keys() {
    let world = world();
    let mut alice = wallet(&world, "alice").await;
    let key = alice.new_key(None).unwrap();
    assert!(key.is_covered);
    alice.new_phrase(12).unwrap();
    assert!(!alice.choose_key(None, None).unwrap().is_covered);
    let next = alice.new_key(None).unwrap();
    assert!(next.is_covered && next.key != key.key);
    // The old one still signs.
    alice.introduce_key(&key.key, &mut |_| {}).await.unwrap();
    world.issuer.credit_key(&key.key, 5);
    alice.introduce_key(&next.key, &mut |_| {}).await.unwrap();
    pay(&mut alice, &key.key, next.key, 5).await.unwrap();
}

#[tokio::test]
async fn keys_survive_a_passphrase_and_are_not_readable_in_the_file() {
    let world = world();
    let [(mut alice, from), (_, to)] = two_holders(&world, 50).await;
    let passphrase = opencoin_wallet::Secret::new("correct horse");
    alice.set_passphrase(Some(&passphrase)).unwrap();
    pay(&mut alice, &from, to, 5).await.unwrap();
    drop(alice);
    let file = world.file("alice");
    let find = |text: &[u8]| file.windows(text.len()).any(|window| window == text);
    assert!(!find(from.to_string().as_bytes()) && !find(from.as_bytes()));
    assert!(!find(to.to_string().as_bytes()));
    assert_eq!(world.issuer.key_balance(&to), 5);
}

/// A file of an earlier version lacks the tables of key accounts.
#[tokio::test]
async fn a_file_without_key_accounts_is_read_and_gets_them() {
    let world = world();
    drop(wallet(&world, "alice").await);
    let file = world.folder("alice").join("wallet.db");
    for table in ["keys", "key_seeds", "key_payments", "key_payments_over"] {
        let url = sqlx::sqlite::SqliteConnectOptions::new().filename(&file);
        let mut connection = sqlx::SqliteConnection::connect_with(&url).await.unwrap();
        let statement = format!("DROP TABLE {table}");
        sqlx::query(&statement).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
    let clock = std::sync::Arc::new(crate::fake_issuer::begin);
    let rng = Box::new(ChaCha20Rng::seed_from_u64(1));
    let to_read = opencoin_wallet::Wallet::open_to_read(&world.folder("alice"), None, clock, rng).unwrap();
    assert!(to_read.keys(None).unwrap().is_empty());
    drop(to_read);
    let mut alice = world.open("alice");
    let key = introduced(&mut alice).await;
    assert_eq!(alice.choose_key(None, None).unwrap().key, key);
}
