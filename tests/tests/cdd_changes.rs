//! The description of the currency changes while it runs: other denominations, another address. Wallets
//! follow by themselves, what they hold stays good, and nobody else's description is taken for the next one.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use opencoin_e2e::{Currency, Database, RFC9474, Wallet, free_port};
use reqwest::blocking::get;
use serde_json::Value;

/// How long a server may take to publish what changed; it looks every second.
const PATIENCE: Duration = Duration::from_secs(20);

/// The exact bytes at a URL.
fn bytes(url: &str) -> Vec<u8> {
    let response = get(url).unwrap();
    assert!(response.status().is_success(), "{url}: {}", response.status());
    response.bytes().unwrap().to_vec()
}

/// The description that the server at this URL calls current.
fn published(url: &str) -> Value {
    serde_json::from_slice::<Value>(&bytes(&format!("{url}/cddc"))).unwrap()["cdd"].clone()
}

fn wait_for_serial(url: &str, serial: u64) {
    let begun = Instant::now();
    while published(url)["cdd_serial"] != serial {
        assert!(begun.elapsed() < PATIENCE, "serial {serial} is not published");
        thread::sleep(Duration::from_millis(50));
    }
}

fn wallet(currency: &Currency, name: &str) -> Wallet {
    let wallet = Wallet::new(&currency.scratch(name));
    wallet.run(&["add", &currency.url("")]);
    wallet
}

fn send(wallet: &Wallet, amount: &str, to: &Path) {
    wallet.run(&["send", amount, "--out", to.to_str().unwrap()]);
}

/// Coins signed of a denomination.
fn signed(currency: &Currency, denomination: u64) -> u64 {
    let keys = currency.issuer(&["keys", "list", "--json"]).json();
    let keys = keys
        .as_array()
        .unwrap()
        .iter()
        .filter(|key| key["denomination"] == denomination);
    keys.map(|key| key["signed"].as_u64().unwrap()).sum()
}

/// Whether a stack has a coin of this denomination.
fn holds(stack: &Path, denomination: u64) -> bool {
    let stack: Value = serde_json::from_slice(&fs::read(stack).unwrap()).unwrap();
    stack["coins"]
        .as_array()
        .unwrap()
        .iter()
        .any(|coin| coin["payload"]["denomination"] == denomination)
}

/// Every file of a folder and what is in it.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| (path.clone(), fs::read(&path).unwrap()))
        .collect()
}

#[test]
fn other_denominations_are_published_and_followed_and_the_dropped_ones_stay_good() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let token = currency.account("alice", 500);
    let (alice, bob) = (wallet(&currency, "alice"), wallet(&currency, "bob"));
    alice.run(&["mint", "63", "--token", &token]);
    let [stack, other_stack] = ["stack", "other stack"].map(|name| currency.scratch(name));
    for stack in [&stack, &other_stack] {
        send(&alice, "12", stack);
        assert!([2, 10].iter().any(|dropped| holds(stack, *dropped)));
    }
    let (tens, twos) = (signed(&currency, 10), signed(&currency, 2));
    assert!(tens > 0 && twos > 0);
    let first = bytes(&currency.url("/cddc/1"));
    assert_eq!(first, bytes(&currency.url("/cddc")));

    let said = currency
        .issuer(&[
            "cdd",
            "change",
            "--denominations",
            "20,1,5",
            "--info",
            "larger coins",
        ])
        .stdout;
    assert!(
        said.contains("serial 2") && said.contains("coins of 20"),
        "{said}"
    );
    wait_for_serial(&currency.url(""), 2);
    let now = published(&currency.url(""));
    assert_eq!(now["denominations"], serde_json::json!([1, 5, 20]));
    assert_eq!(now["additional_info"], "larger coins");
    assert_eq!(
        bytes(&currency.url("/cddc/1")),
        first,
        "what was signed once is served for good"
    );
    assert_eq!(bytes(&currency.url("/cddc/2")), bytes(&currency.url("/cddc")));

    // Each command of a wallet follows by itself; nobody says `add` again.
    alice.run(&["mint", "60", "--token", &token]);
    assert!(signed(&currency, 20) >= 1, "60 take a coin of 20");
    bob.run(&["receive", stack.to_str().unwrap()]);
    assert_eq!((alice.balance(), bob.balance()), (39 + 60, 12));
    // What the wallet still holds of 10 and 2 goes back, too.
    alice.run(&["redeem", "99", "--token", &token]);
    bob.run(&["redeem", "12", "--token", &token]);
    // A wallet that comes now has never seen serial 1, and takes coins that were signed under it.
    let carol = wallet(&currency, "carol");
    carol.run(&["receive", other_stack.to_str().unwrap()]);
    carol.run(&["redeem", "12", "--token", &token]);
    assert_eq!(currency.balance("alice"), 500);
    assert_eq!(
        (signed(&currency, 10), signed(&currency, 2)),
        (tens, twos),
        "dropped denominations are signed no more"
    );

    let plan = currency.issuer(&["keys", "plan", "--json"]).json();
    let to_make = plan
        .as_array()
        .unwrap()
        .iter()
        .filter(|step| step["what"] == "make key");
    let planned: BTreeSet<u64> = to_make
        .map(|step| step["denomination"].as_u64().unwrap())
        .collect();
    assert_eq!(
        planned,
        BTreeSet::from([1, 5, 20]),
        "no keys are planned for dropped denominations"
    );
    currency.audit();
    currency.stop();
}

#[test]
fn wallets_move_to_another_address_and_need_the_old_one_no_more() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let token = currency.account("alice", 500);
    let (alice, bob) = (wallet(&currency, "alice"), wallet(&currency, "bob"));
    alice.run(&["mint", "37", "--token", &token]);
    let (port, stack) = (free_port(), currency.scratch("stack"));
    let second = currency.serve_on(port);
    let new = format!("http://127.0.0.1:{port}");
    currency.issuer(&["cdd", "change", "--url", &format!("{new}/")]);
    wait_for_serial(&currency.url(""), 2);
    wait_for_serial(&new, 2);
    assert_eq!(published(&new)["mint_service"][0][1], new.as_str());

    // Both have asked the old address once since then.
    alice.run(&["mint", "5", "--token", &token]);
    send(&alice, "9", &stack);
    bob.run(&["receive", stack.to_str().unwrap()]);
    currency.stop();

    alice.run(&["mint", "20", "--token", &token]);
    fs::remove_file(&stack).unwrap();
    send(&alice, "21", &stack);
    bob.run(&["receive", stack.to_str().unwrap()]);
    bob.run(&["redeem", "30", "--token", &token]);
    assert_eq!((alice.balance(), bob.balance()), (32, 0));
    // Coins of the new address in a wallet that has never heard of the old one.
    let carol = Wallet::new(&currency.scratch("carol"));
    carol.run(&["add", &new]);
    fs::remove_file(&stack).unwrap();
    send(&alice, "32", &stack);
    carol.run(&["receive", stack.to_str().unwrap()]);
    assert_eq!(carol.balance(), 32);
    currency.audit();
    second.stop();
}

#[test]
fn a_change_that_makes_no_sense_changes_nothing() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let before = bytes(&currency.url("/cddc"));
    let long = format!("https://h/{}", "é".repeat(500));
    let cases: [(&[&str], i32, &str); 9] = [
        (&[], 1, "nothing would change; say what with --url"),
        (&["--denominations", "10,5,2,1"], 1, "nothing would change"),
        (
            &["--expiry", "2020-01-01T00:00:00Z"],
            1,
            "expiry: must be in the future",
        ),
        (&["--expiry", "next year"], 2, "--expiry"),
        (
            &["--denominations", "1,5,5"],
            1,
            "denominations: must be different",
        ),
        (&["--denominations", "0,1"], 2, "denominations"),
        (
            &["--url", "opencoin.example"],
            2,
            "begins with https:// (or http://)",
        ),
        (&["--url", ""], 2, "has 1 to 1000 characters"),
        (&["--url", &long], 2, "has 1 to 1000 characters"),
    ];
    for (options, code, text) in cases {
        let _ = currency
            .issuer_unchecked(&[&["cdd", "change"], options].concat())
            .refused(code, text);
        assert!(
            !currency.dir().join("pending.json").exists(),
            "{options:?} leaves nothing that waits"
        );
    }
    assert_eq!(bytes(&currency.url("/cddc")), before);
    assert_eq!(fs::read_dir(currency.dir().join("cddc")).unwrap().count(), 1);
    // A sooner end that is still to come is a change like others, and the currency goes on.
    currency.issuer(&["cdd", "change", "--expiry", "2099-01-01T00:00:00Z"]);
    wait_for_serial(&currency.url(""), 2);
    assert!(
        published(&currency.url(""))["cdd_expiry_date"]
            .as_str()
            .unwrap()
            .starts_with("2099-01-01T00:00:00")
    );
    currency.stop();
}

#[test]
fn another_master_key_at_the_same_address_is_refused_and_the_wallet_keeps_what_it_knows() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let token = currency.account("alice", 100);
    let alice = wallet(&currency, "alice");
    alice.run(&["mint", "17", "--token", &token]);
    let stack = currency.scratch("stack");
    send(&alice, "7", &stack);
    let bob = wallet(&currency, "bob");
    currency.stop();
    let kept = [
        contents(&currency.scratch("alice")),
        contents(&currency.scratch("bob")),
    ];

    // Somebody else's currency comes in its place: first with the same serial, then with a higher one.
    let other = Currency::make(RFC9474, "sqlite:ledger.sqlite", &[]);
    for serial in [1, 2] {
        if serial == 2 {
            other.issuer(&["cdd", "change", "--info", "trust me"]);
        }
        let impostor = other.serve_on(currency.port());
        wait_for_serial(&currency.url(""), serial);
        let text = "the issuer's master key has changed: this is another currency";
        let _ = alice
            .run_unchecked(&["mint", "5", "--token", &token])
            .refused(1, text);
        let _ = bob
            .run_unchecked(&["receive", stack.to_str().unwrap()])
            .refused(1, text);
        impostor.stop();
        assert_eq!(
            [
                contents(&currency.scratch("alice")),
                contents(&currency.scratch("bob"))
            ],
            kept
        );
    }

    currency.serve();
    alice.run(&["mint", "5", "--token", &token]);
    bob.run(&["receive", stack.to_str().unwrap()]);
    assert_eq!((alice.balance(), bob.balance()), (15, 7));
    currency.audit();
    currency.stop();
}
