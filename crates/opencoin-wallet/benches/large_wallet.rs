//! A wallet with 100,000 coins and a history of ten years: opening it, and paying. `cargo bench -p opencoin-wallet`.
//!
//! The issuer takes no part: its time is added to that of a payment that needs change.

#![expect(clippy::unwrap_used, reason = "a benchmark")]

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use opencoin_wallet::storage::{Change, SqliteStorage, Storage, Table};
use opencoin_wallet::{HttpAnswer, NoAnswer, OnBehalf, Transport, Wallet};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const COINS: u64 = 100_000;
/// Ten operations a day for ten years.
const HISTORY: u64 = 36_500;
/// The wallet's clock, at which the coins of the journal are valid.
const NOW: &str = "2030-01-02T00:00:00Z";
/// The length of the checksum at the end of a row.
const CHECKSUM_BYTES: usize = 8;

fn main() {
    divan::main();
}

/// Nobody answers.
struct Nobody;

#[async_trait]
impl Transport for Nobody {
    async fn send(&self, url: &str, _: OnBehalf<'_>, _: Option<&str>) -> Result<HttpAnswer, NoAnswer> {
        Err(NoAnswer {
            url: url.to_owned(),
            reason: "there is no network in a benchmark".to_owned(),
            was_sent: false,
        })
    }

    async fn download(&self, url: &str, _: usize) -> Result<HttpAnswer, NoAnswer> {
        self.send(url, OnBehalf::Nobody, None).await
    }
}

fn open(folder: &Path) -> Wallet {
    let now: DateTime<Utc> = NOW.parse().unwrap();
    let rng = Box::new(ChaCha20Rng::seed_from_u64(1));
    Wallet::create(folder, None, Arc::new(Nobody), Arc::new(move || now), rng).unwrap()
}

/// Seals a row as the wallet does without a passphrase.
fn sealed(table: Table, no: u64, content: &[u8]) -> Change {
    let place = [&[table as u8][..], &no.to_be_bytes()].concat();
    let digest = Sha256::new().chain_update(place).chain_update(content).finalize();
    let body = [content, &digest[..CHECKSUM_BYTES]].concat();
    let body = Some(body);
    Change { table, no, body }
}

/// Makes a large wallet of the coins of a small one: copies with other ids.
fn large_wallet() -> TempDir {
    let (small, large) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let journal = include_bytes!("../tests/wallet/journals/wallet.jsonl");
    std::fs::write(small.path().join("journal.jsonl"), journal).unwrap();
    drop(open(small.path()));
    let mut rows = Vec::new();
    let storage = SqliteStorage::open_to_read(small.path()).unwrap();
    let mut note = |table, no, body: &[u8]| {
        rows.push((
            table,
            no,
            body[..body.len() - CHECKSUM_BYTES].to_vec(),
            body.to_vec(),
        ));
        Ok(())
    };
    storage.read(&Table::ALL, &mut note).unwrap();
    let of = |table| rows.iter().filter(move |row| row.0 == table);
    let mut all: Vec<Change> = rows
        .iter()
        .map(|(table, no, _, body)| {
            let body = Some(body.clone());
            Change {
                table: *table,
                no: *no,
                body,
            }
        })
        .collect();
    let (heads, lines): (Vec<_>, Vec<_>) = (of(Table::Coins).collect(), of(Table::History).collect());
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let last = heads.iter().map(|head| head.1).max().unwrap();
    for number in 0..COINS {
        let (_, no, head, _) = heads[number as usize % heads.len()];
        let secret = of(Table::CoinSecrets).find(|row| row.1 == *no).unwrap();
        let mut head = head.clone();
        // The place, the phrase, the length of the id, and then the id.
        head[0] = 0;
        let length = usize::from(head[2]);
        rng.fill_bytes(&mut head[3..3 + length]);
        head[3] |= 1;
        let no = last + 1 + number;
        all.push(sealed(Table::Coins, no, &head));
        all.push(sealed(Table::CoinSecrets, no, &secret.2));
    }
    for number in 0..HISTORY {
        let line = &lines[number as usize % lines.len()].2;
        all.push(sealed(Table::History, 1_000 + number, line));
    }
    SqliteStorage::open(large.path()).unwrap().commit(&all).unwrap();
    large
}

#[divan::bench(sample_count = 20)]
fn open_100_000_coins(bencher: divan::Bencher<'_, '_>) {
    let folder = large_wallet();
    bencher.bench_local(|| {
        let wallet = open(folder.path());
        assert!(wallet.balances()[0].balance > COINS);
        wallet
    });
}

#[divan::bench(sample_count = 20)]
fn pay_from_100_000_coins(bencher: divan::Bencher<'_, '_>) {
    let folder = large_wallet();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let mut wallet = open(folder.path());
    bencher.bench_local(|| {
        let sent = runtime.block_on(wallet.send(None, 3_439, "rent")).unwrap();
        assert!(!sent.stack.coins.is_empty());
        sent
    });
}

#[divan::bench(sample_count = 20)]
fn show_36_500_lines_of_history(bencher: divan::Bencher<'_, '_>) {
    let folder = large_wallet();
    let wallet = open(folder.path());
    bencher.bench_local(|| wallet.history().unwrap().len());
}
