//! Mint keys rotate while wallets work against two servers, and nobody notices.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use opencoin_e2e::{Currency, RFC9474, RoundRobin, Wallet, free_port};
use opencoin_testkit::postgres::TestDatabase;
use serde_json::Value;

/// Each generation signs for sixteen seconds, and after eight the next one begins.
const POLICY: [&str; 10] =
    ["--signing-window", "16s", "--overlap", "8s", "--lead", "12s", "--coin-lifetime", "60days", "--resume-window", "3s"];
/// Long enough for four generations and for the private halves of the first to be destroyed.
const LOAD_DURATION: Duration = Duration::from_secs(30);
const WALLETS: u64 = 2;
const PAID_IN: u64 = 1_000_000;
const MINTED: u64 = 17;
const SENT: u64 = 9;

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
        .map(|number| [currency.account(&format!("alice{number}"), PAID_IN), currency.account(&format!("bob{number}"), 0)])
        .collect();

    let is_over = AtomicBool::new(false);
    let rounds: Vec<u64> = thread::scope(|scope| {
        let (currency, is_over) = (&currency, &is_over);
        let working: Vec<_> = (tokens.iter().enumerate())
            .map(|(number, tokens)| scope.spawn(move || work(currency, number, tokens, is_over)))
            .collect();
        let begun = Instant::now();
        while begun.elapsed() < LOAD_DURATION {
            currency.issuer(&["keys", "rotate"]);
            currency.issuer(&["keys", "destroy"]);
            thread::sleep(Duration::from_millis(500));
        }
        is_over.store(true, Ordering::Relaxed);
        working.into_iter().map(|thread| thread.join().unwrap()).collect()
    });

    let keys = currency.issuer(&["keys", "list", "--json"]).json();
    let keys = keys.as_array().unwrap();
    let of_one = || keys.iter().filter(|key| key["denomination"] == 1);
    assert!(of_one().filter(|key| key["signed"].as_u64() > Some(0)).count() >= 3, "three generations have signed: {keys:#?}");
    let destroyed: Vec<&Value> = of_one().filter(|key| key["private_half"] == false).collect();
    assert!(!destroyed.is_empty(), "a private half was destroyed: {keys:#?}");
    assert!(destroyed.iter().all(|key| key["state"] == "accepting"), "{destroyed:#?}");
    println!("rounds {rounds:?}, connections {}", front.connections());
    for (number, rounds) in (0..WALLETS).zip(&rounds) {
        assert!(*rounds > 1, "the wallets have worked");
        assert_eq!(currency.balance(&format!("alice{number}")), PAID_IN - rounds * MINTED);
        assert_eq!(currency.balance(&format!("bob{number}")), rounds * SENT);
    }
    assert!(!currency.log().contains("ERROR"), "{}", currency.log());
    servers.into_iter().for_each(opencoin_e2e::Process::stop);
    currency.audit();
}

/// Alice mints and sends, Bob receives (a renew) and redeems. Every command must succeed at once. Gives the number of rounds.
fn work(currency: &Currency, number: usize, [alice_token, bob_token]: &[String; 2], is_over: &AtomicBool) -> u64 {
    let wallet = |name: &str| Wallet::new(&currency.scratch(&format!("{name}{number}")));
    let (alice, bob, stack) = (wallet("alice"), wallet("bob"), currency.scratch(&format!("stack{number}")));
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
