//! Wallets of earlier versions: their journal is moved to the wallet's file when they are opened.

use std::sync::Arc;

use opencoin_crypto::CipherSuite;
use opencoin_schema::{CoinStack, from_json};
use opencoin_wallet::storage::{SqliteStorage, StorageError};
use opencoin_wallet::{Wallet, WalletError};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::world::{DENOMINATIONS, TOKEN, World, balance, held, states};

const FUNDS: u64 = 1_000;
const JOURNAL: &str = "journal.jsonl";
/// The day from which the next keys sign.
const NEXT_KEYS_DAY: i64 = 115;

fn world() -> World {
    World::new(CipherSuite::default(), FUNDS)
}

#[tokio::test]
async fn a_journal_is_moved_with_its_coins_requests_and_history() {
    let world = world();
    world.put_file("wallet", JOURNAL, include_bytes!("journals/wallet.jsonl"));
    let network = Arc::clone(&world.network);
    let rng = Box::new(ChaCha20Rng::seed_from_u64(1));
    let reader = Wallet::open_to_read(
        &world.folder("wallet"),
        None,
        Arc::new(move || network.now()),
        rng,
    );
    assert_eq!(held(&reader.unwrap()), (31, 3), "a reader moves nothing");
    assert!(world.folder("wallet").join(JOURNAL).exists());

    let mut wallet = world.open("wallet");
    assert!(!world.folder("wallet").join(JOURNAL).exists());
    let check = |wallet: &Wallet| {
        assert_eq!((held(wallet), balance(wallet).sent), ((31, 3), 16));
        assert_eq!(states(wallet, "send"), ["sent"]);
        assert_eq!(states(wallet, "receive"), ["done"]);
        assert_eq!(
            states(wallet, "mint"),
            ["done", "pending", "refused: HTTP status 413"]
        );
    };
    check(&wallet);
    drop(wallet);
    wallet = world.open("wallet");
    check(&wallet);
    let gift: CoinStack = from_json(include_bytes!("journals/gift.json")).unwrap();
    let error = wallet.receive(&gift).await.unwrap_err();
    assert!(matches!(error, WalletError::ReceivedBefore), "{error}");
    assert!(wallet.resume().await.unwrap().warning.is_none());
    assert_eq!(wallet.reclaim(Some(2)).await.unwrap(), 16);
    let id = wallet.send(None, 1, "").await.unwrap().id;
    assert!(id > 5, "numbers continue after those of the journal");
}

#[test]
fn a_crash_between_the_file_and_the_end_of_the_journal_changes_nothing() {
    let world = world();
    let journal = include_bytes!("journals/wallet.jsonl");
    world.put_file("wallet", JOURNAL, journal);
    drop(world.open("wallet"));
    world.put_file("wallet", JOURNAL, journal);
    assert_eq!(held(&world.open("wallet")), (31, 3));
    assert!(!world.folder("wallet").join(JOURNAL).exists());
}

/// An earlier version sees no wallet in the folder, and makes one.
#[test]
fn a_journal_that_was_made_since_is_not_removed() {
    let world = world();
    world.put_file("wallet", JOURNAL, include_bytes!("journals/wallet.jsonl"));
    drop(world.open("wallet"));
    let other = include_bytes!("journals/coins-with-unblinders.jsonl");
    world.put_file("wallet", JOURNAL, other);
    let error = world.try_open("wallet").map(drop).unwrap_err();
    assert!(
        matches!(error, WalletError::Storage(StorageError::TwoWallets(_))),
        "{error}"
    );
    assert!(world.folder("wallet").join(JOURNAL).exists());
}

#[test]
fn a_damaged_journal_is_not_moved() {
    let world = world();
    let mut journal = include_bytes!("journals/wallet.jsonl").to_vec();
    let end = journal.len();
    journal.extend_from_slice(b"nonsense\n");
    world.put_file("wallet", JOURNAL, &journal);
    let error = world.try_open("wallet").map(drop).unwrap_err();
    assert!(
        matches!(error, WalletError::Storage(StorageError::Damaged { .. })),
        "{error}"
    );
    assert!(error.to_string().contains("line"), "{error}");
    assert!(!SqliteStorage::is_in(&world.folder("wallet")));
    // An incomplete last line is what a crash has left.
    world.put_file("wallet", JOURNAL, &journal[..end + 4]);
    assert_eq!(held(&world.open("wallet")), (31, 3));
}

/// Older journals have another kind of secret and fewer fields in their documents.
#[tokio::test]
async fn coins_without_a_seed_are_reported_as_unprovable() {
    let world = world();
    world.put_file(
        "wallet",
        JOURNAL,
        include_bytes!("journals/coins-with-unblinders.jsonl"),
    );
    let mut wallet = world.open("wallet");
    assert_eq!(balance(&wallet).balance, 20);
    world.revoke(&DENOMINATIONS);
    world.network.set_day(NEXT_KEYS_DAY);
    let recouped = wallet.recoup(None, true).await.unwrap();
    assert_eq!((recouped.value, recouped.unprovable), (0, 20));
    assert_eq!((balance(&wallet).balance, balance(&wallet).revoked), (0, 20));
}

#[tokio::test]
async fn a_request_without_seeds_is_finished() {
    for suite in CipherSuite::ALL {
        let journal: &[u8] = match suite {
            CipherSuite::RsaSha256PssChaum82 => include_bytes!("journals/mint-with-unblinders-chaum82.jsonl"),
            CipherSuite::RsaSha384PssRfc9474 => include_bytes!("journals/mint-with-unblinders-rfc9474.jsonl"),
        };
        let world = World::new(suite, FUNDS);
        world.put_file("wallet", JOURNAL, journal);
        let mut wallet = world.open("wallet");
        assert!(wallet.resume().await.unwrap().warning.is_none());
        assert_eq!(held(&wallet), (8, 0));
        assert_eq!(world.issuer.account(TOKEN), FUNDS - 8);
    }
}
