//! The wallet's file: what it holds, what it no longer holds, and what happens when it is damaged.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use opencoin_crypto::CipherSuite;
use opencoin_schema::{RequestMint, RequestRedeem, from_json};
use opencoin_wallet::storage::{Change, MemoryStorage, OnRow, SqliteStorage, Storage, StorageError, Table};
use opencoin_wallet::{Secret, Wallet, WalletError};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::recorder::{rows_of, storage_of};
use crate::world::{TOKEN, World, balance, held, mint, token};

const FUNDS: u64 = 1_000;

fn world() -> World {
    World::new(CipherSuite::default(), FUNDS)
}

fn contains(file: &[u8], part: &[u8]) -> bool {
    file.windows(part.len()).any(|window| window == part)
}

fn with_passphrase(world: &World, passphrase: Option<&str>) -> Result<Wallet, WalletError> {
    let network = Arc::clone(&world.network);
    let passphrase = passphrase.map(Secret::new);
    let rng = Box::new(ChaCha20Rng::seed_from_u64(1));
    let clock = Arc::new(move || network.now());
    Wallet::open_to_read(&world.folder("wallet"), passphrase.as_ref(), clock, rng)
}

/// The tables and numbers of rows are visible, their content is not.
#[tokio::test]
async fn an_encrypted_wallet_shows_neither_coins_nor_names() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 40).await;
    let sent = wallet.send(None, 7, "for the rent").await.unwrap();
    let serials: Vec<Vec<u8>> = (sent.stack.coins.iter())
        .map(|coin| coin.payload.serial.as_be_bytes().to_vec())
        .collect();
    let visible = |file: &[u8]| {
        let is_coin = serials.iter().any(|serial| contains(file, serial));
        [
            is_coin,
            contains(file, b"for the rent"),
            contains(file, b"OpenCent"),
        ]
    };
    assert_eq!(visible(&world.file("wallet")), [true; 3]);
    wallet
        .set_passphrase(Some(&Secret::new("correct horse")))
        .unwrap();
    assert_eq!(visible(&world.file("wallet")), [false; 3]);
    assert!(wallet.is_encrypted());
    mint(&mut wallet, 3).await.unwrap();
    drop(wallet);

    let error = with_passphrase(&world, None).map(drop).unwrap_err();
    assert!(
        matches!(error, WalletError::Storage(StorageError::NeedsPassphrase)),
        "{error}"
    );
    let error = with_passphrase(&world, Some("wrong horse"))
        .map(drop)
        .unwrap_err();
    assert!(
        matches!(error, WalletError::Storage(StorageError::WrongPassphrase)),
        "{error}"
    );
    let wallet = with_passphrase(&world, Some("correct horse")).unwrap();
    assert_eq!((held(&wallet), balance(&wallet).sent), ((36, 0), 7));
    drop(wallet);

    let network = Arc::clone(&world.network);
    let clock_network = Arc::clone(&world.network);
    let passphrase = Secret::new("correct horse");
    let rng = Box::new(ChaCha20Rng::seed_from_u64(2));
    let clock = Arc::new(move || clock_network.now());
    let mut wallet = Wallet::create(&world.folder("wallet"), Some(&passphrase), network, clock, rng).unwrap();
    wallet.set_passphrase(None).unwrap();
    drop(wallet);
    assert_eq!(held(&world.open("wallet")), (36, 0));
    assert_eq!(visible(&world.file("wallet")), [true; 3]);
}

/// The secrets of coins and requests are in the file as long as they are needed.
#[tokio::test]
async fn what_has_ended_leaves_no_secrets() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 0).await;
    world.network.heal();
    mint(&mut wallet, 20).await.unwrap();
    let minted = world.network.take_steps();
    let request: RequestMint = from_json(minted.last().unwrap().body.as_bytes()).unwrap();
    let blinds: Vec<String> = (request.blinds.iter())
        .map(|blind| blind.blinded_payload_hash.to_string())
        .collect();
    let file = world.file("wallet");
    assert!(blinds.iter().all(|blind| !contains(&file, blind.as_bytes())));
    wallet.redeem(None, 20, &token()).await.unwrap();
    let redeemed = world.network.take_steps();
    let request: RequestRedeem = from_json(redeemed.last().unwrap().body.as_bytes()).unwrap();
    let file = world.file("wallet");
    for coin in &request.coins {
        assert!(
            !contains(&file, coin.payload.serial.as_be_bytes()),
            "a spent coin is in the file"
        );
        assert!(!contains(&file, coin.payload.serial.to_string().as_bytes()));
        assert!(!contains(&file, coin.signature.as_be_bytes()));
    }
    assert!(!contains(&file, TOKEN.as_bytes()));
}

#[tokio::test]
async fn the_file_stays_small() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 20).await;
    let sizes: Vec<usize> = {
        let mut sizes = Vec::new();
        for _ in 0..4 {
            for _ in 0..10 {
                mint(&mut wallet, 3).await.unwrap();
                wallet.redeem(None, 3, &token()).await.unwrap();
            }
            sizes.push(world.file("wallet").len());
        }
        sizes
    };
    assert_eq!(wallet.history().unwrap().len(), 81);
    // A line of the history has some 200 bytes; twenty operations leave twenty of them.
    let growth = sizes[3] - sizes[1];
    assert!(growth < 40 * 400, "{sizes:?}");
    drop(wallet);
    assert_eq!(world.open("wallet").history().unwrap().len(), 81);
}

#[tokio::test]
async fn a_file_that_was_cut_off_or_overwritten_is_refused() {
    let world = world();
    drop(world.wallet_with("wallet", 40).await);
    let file = world.file("wallet");
    let refused = |bytes: &[u8]| {
        world.put_file("damaged", "wallet.db", bytes);
        let error = world.try_open("damaged").map(drop).unwrap_err();
        assert!(
            matches!(error, WalletError::Storage(StorageError::Damaged { .. })),
            "{error}"
        );
        assert!(error.to_string().contains("backup phrase"), "{error}");
    };
    for length in [
        0,
        1,
        99,
        100,
        4096,
        file.len() / 2,
        file.len() - 4096,
        file.len() - 1,
    ] {
        refused(&file[..length]);
    }
    refused(&vec![0; file.len()]);
    refused(b"{\"event\":\"documents\"}\n".repeat(400).as_slice());
}

/// Every row has a checksum, so that a changed byte is noticed before the row is used.
#[tokio::test]
async fn a_row_that_was_changed_is_refused() {
    let world = world();
    let mut wallet = world.wallet_with("wallet", 40).await;
    wallet.send(None, 7, "").await.unwrap();
    drop(wallet);
    let rows = rows_of(&SqliteStorage::open_to_read(&world.folder("wallet")).unwrap());
    let loaded = [Table::Settings, Table::Currencies, Table::Coins, Table::Sends];
    for (index, row) in rows
        .iter()
        .enumerate()
        .filter(|(_, row)| loaded.contains(&row.table))
    {
        let mut changed = rows.clone();
        let body = changed[index].body.as_mut().unwrap();
        let middle = body.len() / 2;
        body[middle] ^= 1;
        let network = Arc::clone(&world.network);
        let clock_network = Arc::clone(&world.network);
        let rng = Box::new(ChaCha20Rng::seed_from_u64(1));
        let clock = Arc::new(move || clock_network.now());
        let opened = Wallet::open(Box::new(storage_of(&changed)), None, network, clock, rng);
        let error = opened.map(drop).unwrap_err();
        assert!(
            matches!(error, WalletError::Storage(StorageError::Damaged { .. })),
            "{:?}: {error}",
            row.table
        );
    }
}

#[tokio::test]
async fn a_new_wallet_can_be_encrypted_before_its_first_row() {
    let world = world();
    let mut wallet = world.open("wallet");
    wallet
        .set_passphrase(Some(&Secret::new("correct horse")))
        .unwrap();
    wallet.add(crate::world::URL).await.unwrap();
    drop(wallet);
    let error = with_passphrase(&world, None).map(drop).unwrap_err();
    assert!(
        matches!(error, WalletError::Storage(StorageError::NeedsPassphrase)),
        "{error}"
    );
    with_passphrase(&world, Some("correct horse")).unwrap();
}

#[tokio::test]
async fn a_wallet_of_a_newer_version_is_refused() {
    let world = world();
    drop(world.wallet_with("wallet", 0).await);
    let mut rows = rows_of(&SqliteStorage::open_to_read(&world.folder("wallet")).unwrap());
    let header = rows.iter_mut().find(|row| row.table == Table::Header).unwrap();
    header.body = Some(br#"{"format":2,"encryption":null}"#.to_vec());
    let network = Arc::clone(&world.network);
    let rng = Box::new(ChaCha20Rng::seed_from_u64(1));
    let clock = Arc::new(crate::fake_issuer::begin);
    let error = Wallet::open(Box::new(storage_of(&rows)), None, network, clock, rng)
        .map(drop)
        .unwrap_err();
    assert!(
        matches!(error, WalletError::Storage(StorageError::NewerFormat(2))),
        "{error}"
    );
}

#[tokio::test]
async fn only_one_process_can_write() {
    let world = world();
    let wallet = world.wallet_with("wallet", 20).await;
    let error = world.try_open("wallet").map(drop).unwrap_err();
    assert!(
        matches!(error, WalletError::Storage(StorageError::InUse(_))),
        "{error}"
    );
    drop(wallet);
    let (mut first, mut second) = (world.open("new"), world.open("new"));
    first.add(crate::world::URL).await.unwrap();
    let error = second.add(crate::world::URL).await.map(drop).unwrap_err();
    assert!(
        matches!(error, WalletError::Storage(StorageError::InUse(_))),
        "{error}"
    );
}

/// Rows in memory whose commits fail when the test wants it, after they were made.
struct Failing {
    rows: MemoryStorage,
    is_failing: Arc<AtomicBool>,
}

impl Storage for Failing {
    fn read(&self, tables: &[Table], row: OnRow<'_>) -> Result<(), StorageError> {
        self.rows.read(tables, row)
    }

    fn get(&self, table: Table, no: u64) -> Result<Option<Vec<u8>>, StorageError> {
        self.rows.get(table, no)
    }

    fn commit(&self, changes: &[Change]) -> Result<(), StorageError> {
        self.rows.commit(changes)?;
        match self.is_failing.load(Ordering::SeqCst) {
            true => Err(StorageError::Failed {
                place: "a test".to_owned(),
                reason: "the disk is full".to_owned(),
            }),
            false => Ok(()),
        }
    }
}

#[tokio::test]
async fn nothing_is_sent_after_a_failed_write() {
    let world = world();
    drop(world.wallet_with("wallet", 20).await);
    let rows = rows_of(&SqliteStorage::open_to_read(&world.folder("wallet")).unwrap());
    let is_failing = Arc::new(AtomicBool::new(true));
    let storage = Failing {
        rows: storage_of(&rows),
        is_failing: Arc::clone(&is_failing),
    };
    let mut wallet = world.open_storage("wallet", Box::new(storage));
    world.network.heal();
    for _ in 0..2 {
        let error = mint(&mut wallet, 7).await.unwrap_err();
        assert!(matches!(error, WalletError::Storage(_)), "{error}");
        is_failing.store(false, Ordering::SeqCst);
    }
    assert!(!world.network.was_asked("/mint"), "nothing may be sent");
}

#[test]
fn a_wallet_that_was_never_written_leaves_no_files() {
    let world = world();
    drop(world.open("wallet"));
    assert!(fs::read_dir(world.folder("wallet")).is_err());
}

/// The rollback journal of an attempt that a crash has ended must not be applied to the new file.
#[tokio::test]
async fn an_unfinished_wallet_is_begun_anew() {
    let world = world();
    drop(world.wallet_with("other", 40).await);
    let other = world.file("other");
    world.put_file("wallet", "wallet.db.unfinished", &other[..4096]);
    // A journal's header: its magic number, one page, and page sizes; then the page.
    let mut journal = vec![0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    journal.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 2, 0, 0, 0, 16, 0]);
    journal.resize(512, 0);
    journal.extend([0, 0, 0, 1]);
    journal.extend(&other[..4096]);
    journal.extend([0; 4]);
    world.put_file("wallet", "wallet.db.unfinished-journal", &journal);
    drop(world.wallet_with("wallet", 40).await);
    let mut files: Vec<String> = fs::read_dir(world.folder("wallet"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["wallet.db", "wallet.db-journal", "wallet.lock"]);
    assert_eq!(held(&world.open("wallet")), (40, 0));
}
