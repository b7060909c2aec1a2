//! Mint keys rotate while wallets work with two servers. No request fails.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use opencoin_e2e::{
    Currency, Database, Process, RFC9474, RoundRobin, StopAtEnd, free_port, sqlite, wait_for, wait_until,
};
use serde_json::Value;

/// Each generation of keys signs for 24 seconds, and after 12 seconds the next one begins.
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
const WALLETS: u64 = 2;
const PAID_IN: u64 = 1_000_000;
const MINTED: u64 = 17;
const SENT: u64 = 9;
/// The renews in the ledger.
const RENEWS: &str = "SELECT count(*) FROM transactions WHERE kind = 9";

#[test]
fn keys_rotate_under_load_and_no_request_fails() {
    let currency = Currency::make_on(RFC9474, Database::Postgres, &POLICY);
    // Generating keys is slow on a busy machine, so the second generation is made before it is needed.
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
        let stop = StopAtEnd(is_over);
        let working: Vec<_> = (tokens.iter().enumerate())
            .map(|(number, tokens)| scope.spawn(move || work(currency, number, tokens, is_over)))
            .collect();
        // These keys sign as soon as a server knows them.
        currency.issuer(&["keys", "rotate", "--now"]);
        wait_for(
            "three generations of keys that have signed, and a destroyed one",
            || {
                currency.issuer(&["keys", "rotate"]);
                currency.issuer(&["keys", "destroy"]);
                let mut keys = currency.keys();
                keys.retain(|key| key["denomination"] == 1);
                let has_signed = |key: &&Value| key["signed"].as_u64() > Some(0);
                let is_done = keys.iter().filter(has_signed).count() >= 3
                    && keys.iter().any(|key| key["private_half"] == false);
                if is_done { Ok(()) } else { Err(keys) }
            },
        );
        drop(stop);
        working.into_iter().map(|thread| thread.join().unwrap()).collect()
    });

    let keys = currency.keys();
    let of_one = || keys.iter().filter(|key| key["denomination"] == 1);
    let destroyed: Vec<&Value> = of_one().filter(|key| key["private_half"] == false).collect();
    assert!(
        destroyed.iter().all(|key| key["state"] == "accepting"),
        "{destroyed:#?}"
    );
    println!("rounds {rounds:?}, connections {}", front.connections());
    for (number, rounds) in (0..WALLETS).zip(&rounds) {
        assert!(*rounds > 1, "the wallets did not work");
        assert_eq!(
            currency.balance(&format!("alice{number}")),
            PAID_IN - rounds * MINTED
        );
        assert_eq!(currency.balance(&format!("bob{number}")), rounds * SENT);
    }
    assert!(!currency.log().contains("ERROR"), "{}", currency.log());
    servers.into_iter().for_each(Process::stop);
    currency.audit();
}

/// Alice mints and sends, Bob receives (a renew) and redeems. Every command must succeed at the first attempt. Returns
/// the number of rounds.
fn work(
    currency: &Currency,
    number: usize,
    [alice_token, bob_token]: &[String; 2],
    is_over: &AtomicBool,
) -> u64 {
    let [alice, bob] = ["alice", "bob"].map(|name| currency.wallet(&format!("{name}{number}")));
    let stack = currency.scratch(&format!("stack{number}"));
    let mut rounds = 0;
    while !is_over.load(Ordering::Relaxed) {
        alice.run(&["mint", &MINTED.to_string(), "--token", alice_token]);
        alice.send(&SENT.to_string(), &stack);
        bob.receive(&stack);
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
    let (alice, bob) = (currency.wallet("alice"), currency.wallet("bob"));
    let mut current = currency.published_keys();
    alice.run(&["mint", "10", "--token", &token]);
    for _ in 0..2 {
        currency.issuer(&["keys", "rotate", "--now"]);
        wait_until("the new keys are published", || {
            currency.published_keys().is_disjoint(&current)
        });
        current = currency.published_keys();
        alice.run(&["mint", "10", "--token", &token]);
    }

    let stack = currency.scratch("stack");
    alice.send("30", &stack);
    let keys = currency.keys();
    let window_of = |coin: &Value| {
        let mut keys = keys.iter();
        let key = keys.find(|key| key["id"] == coin["payload"]["mint_key_id"]);
        key.unwrap()["sign_coins_not_before"].as_str().unwrap().to_owned()
    };
    let sent: Value = serde_json::from_slice(&fs::read(&stack).unwrap()).unwrap();
    let generations: BTreeSet<String> = sent["coins"].as_array().unwrap().iter().map(window_of).collect();
    assert_eq!(generations.len(), 3, "{sent:#}");

    let renews = || sqlite::query(&currency.ledger_file(), RENEWS).unwrap();
    let before = renews();
    bob.receive(&stack);
    assert_eq!(renews(), before + 1);
    assert_eq!((alice.balance(), bob.balance()), (0, 30));
    bob.run(&["redeem", "30", "--token", &token]);
    assert_eq!(currency.balance("alice"), 100);
    currency.audit();
    currency.stop();
}
