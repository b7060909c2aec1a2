//! Mint keys rotate while wallets work against two servers, and nobody notices.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use opencoin_e2e::{Currency, Database, RFC9474, RoundRobin, Wallet, free_port};
use opencoin_testkit::postgres::TestDatabase;
use serde_json::Value;
use sqlx::{Connection, SqliteConnection};

/// Each generation signs for 24 seconds, and after twelve the next one begins.
const POLICY: [&str; 10] = [
    "--signing-window",
    "24s",
    "--overlap",
    "12s",
    "--lead",
    "18s",
    "--coin-lifetime",
    "60days",
    "--resume-window",
    "3s",
];
/// How long it may take until three generations have signed and the private halves of the first are destroyed.
const LOAD_DURATION_MAX: Duration = Duration::from_secs(180);
const WALLETS: u64 = 2;
const PAID_IN: u64 = 1_000_000;
const MINTED: u64 = 17;
const SENT: u64 = 9;
/// How long a server may take to publish new keys; it looks every second.
const PATIENCE: Duration = Duration::from_secs(20);
/// What the books call a renew.
const KIND_RENEW: i64 = 9;

#[test]
fn keys_rotate_under_load_and_no_request_fails() {
    let database = TestDatabase::create();
    let currency = Currency::make(RFC9474, &database.url(), &POLICY);
    // Making keys takes a while on a busy machine, so the second generation is there before anybody needs it.
    currency.issuer(&["keys", "rotate"]);
    let ports = [free_port(), free_port()];
    let servers = ports.map(|port| currency.serve_on(port));
    let front = RoundRobin::start(currency.port(), ports.to_vec());
    let tokens: Vec<[String; 2]> = (0..WALLETS)
        .map(|number| {
            [
                currency.account(&format!("alice{number}"), PAID_IN),
                currency.account(&format!("bob{number}"), 0),
            ]
        })
        .collect();

    let is_over = AtomicBool::new(false);
    let rounds: Vec<u64> = thread::scope(|scope| {
        let (currency, is_over) = (&currency, &is_over);
        let working: Vec<_> = (tokens.iter().enumerate())
            .map(|(number, tokens)| scope.spawn(move || work(currency, number, tokens, is_over)))
            .collect();
        // Keys that sign from the moment that the first of the servers knows them.
        currency.issuer(&["keys", "rotate", "--now"]);
        let begun = Instant::now();
        loop {
            currency.issuer(&["keys", "rotate"]);
            currency.issuer(&["keys", "destroy"]);
            let keys = currency.issuer(&["keys", "list", "--json"]).json();
            let is_of_one = |key: &&Value| key["denomination"] == 1;
            let keys = || keys.as_array().unwrap().iter().filter(is_of_one);
            let has_signed = |key: &&Value| key["signed"].as_u64() > Some(0);
            if keys().filter(has_signed).count() >= 3 && keys().any(|key| key["private_half"] == false) {
                break;
            }
            assert!(
                begun.elapsed() < LOAD_DURATION_MAX,
                "{:#?}",
                keys().collect::<Vec<_>>()
            );
            thread::sleep(Duration::from_millis(500));
        }
        is_over.store(true, Ordering::Relaxed);
        working.into_iter().map(|thread| thread.join().unwrap()).collect()
    });

    let keys = currency.issuer(&["keys", "list", "--json"]).json();
    let keys = keys.as_array().unwrap();
    let of_one = || keys.iter().filter(|key| key["denomination"] == 1);
    let destroyed: Vec<&Value> = of_one().filter(|key| key["private_half"] == false).collect();
    assert!(
        destroyed.iter().all(|key| key["state"] == "accepting"),
        "{destroyed:#?}"
    );
    println!("rounds {rounds:?}, connections {}", front.connections());
    for (number, rounds) in (0..WALLETS).zip(&rounds) {
        assert!(*rounds > 1, "the wallets have worked");
        assert_eq!(
            currency.balance(&format!("alice{number}")),
            PAID_IN - rounds * MINTED
        );
        assert_eq!(currency.balance(&format!("bob{number}")), rounds * SENT);
    }
    assert!(!currency.log().contains("ERROR"), "{}", currency.log());
    servers.into_iter().for_each(opencoin_e2e::Process::stop);
    currency.audit();
}

/// Alice mints and sends, Bob receives (a renew) and redeems. Every command must succeed at once. Gives the
/// number of rounds.
fn work(
    currency: &Currency,
    number: usize,
    [alice_token, bob_token]: &[String; 2],
    is_over: &AtomicBool,
) -> u64 {
    let wallet = |name: &str| Wallet::new(&currency.scratch(&format!("{name}{number}")));
    let (alice, bob, stack) = (
        wallet("alice"),
        wallet("bob"),
        currency.scratch(&format!("stack{number}")),
    );
    let stack = stack.to_str().unwrap();
    for wallet in [&alice, &bob] {
        wallet.run(&["add", &currency.url("")]);
    }
    let mut rounds = 0;
    while !is_over.load(Ordering::Relaxed) {
        alice.run(&["mint", &MINTED.to_string(), "--token", alice_token]);
        alice.run(&["send", &SENT.to_string(), "--out", stack]);
        bob.run(&["receive", stack]);
        fs::remove_file(stack).unwrap();
        bob.run(&["redeem", &SENT.to_string(), "--token", bob_token]);
        rounds += 1;
    }
    assert_eq!(alice.balance(), rounds * (MINTED - SENT));
    assert_eq!(bob.balance(), 0);
    rounds
}

#[test]
fn coins_of_three_generations_are_renewed_in_one_request() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let token = currency.account("alice", 100);
    let wallet = |name: &str| {
        let wallet = Wallet::new(&currency.scratch(name));
        wallet.run(&["add", &currency.url("")]);
        wallet
    };
    let (alice, bob) = (wallet("alice"), wallet("bob"));
    let mut current = published(&currency);
    alice.run(&["mint", "10", "--token", &token]);
    for _ in 0..2 {
        currency.issuer(&["keys", "rotate", "--now"]);
        let begun = Instant::now();
        while !published(&currency).is_disjoint(&current) {
            assert!(begun.elapsed() < PATIENCE, "the new keys are not published");
            thread::sleep(Duration::from_millis(50));
        }
        current = published(&currency);
        alice.run(&["mint", "10", "--token", &token]);
    }

    let stack = currency.scratch("stack");
    alice.run(&["send", "30", "--out", stack.to_str().unwrap()]);
    let keys = currency.issuer(&["keys", "list", "--json"]).json();
    let window_of = |coin: &Value| {
        let key = keys
            .as_array()
            .unwrap()
            .iter()
            .find(|key| key["id"] == coin["payload"]["mint_key_id"])
            .unwrap();
        key["sign_coins_not_before"].as_str().unwrap().to_owned()
    };
    let sent: Value = serde_json::from_slice(&fs::read(&stack).unwrap()).unwrap();
    let generations: BTreeSet<String> = sent["coins"].as_array().unwrap().iter().map(window_of).collect();
    assert_eq!(generations.len(), 3, "{sent:#}");

    let before = renews(&currency);
    bob.run(&["receive", stack.to_str().unwrap()]);
    assert_eq!(renews(&currency), before + 1);
    assert_eq!((alice.balance(), bob.balance()), (0, 30));
    bob.run(&["redeem", "30", "--token", &token]);
    assert_eq!(currency.balance("alice"), 100);
    currency.audit();
    currency.stop();
}

/// The ids of the keys that sign new coins.
fn published(currency: &Currency) -> BTreeSet<String> {
    let text = reqwest::blocking::get(currency.url("/mkcs"))
        .unwrap()
        .text()
        .unwrap();
    let keys: Value = serde_json::from_str(&text).unwrap();
    keys.as_array()
        .unwrap()
        .iter()
        .map(|mkc| mkc["mint_key"]["id"].as_str().unwrap().to_owned())
        .collect()
}

/// How many renews the books have.
fn renews(currency: &Currency) -> i64 {
    let books = format!("sqlite:{}", currency.dir().join("ledger.sqlite").display());
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            let mut connection = SqliteConnection::connect(&books).await.unwrap();
            let count =
                sqlx::query_scalar("SELECT count(*) FROM transactions WHERE kind = ?").bind(KIND_RENEW);
            count.fetch_one(&mut connection).await.unwrap()
        })
}
