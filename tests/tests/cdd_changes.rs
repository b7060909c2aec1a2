//! The currency description (CDD) changes while the issuer runs: other denominations, another address. Wallets fetch
//! the new one, their coins stay valid, and they reject the description of another issuer.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use opencoin_e2e::files::{contents, text};
use opencoin_e2e::{Currency, Database, RFC9474, SQLITE, Wallet, free_port, get_text, raw_http, wait_until};
use serde_json::Value;

/// The description that the server at this URL publishes.
fn published(url: &str) -> Value {
    serde_json::from_str::<Value>(&get_text(&format!("{url}/cddc"))).unwrap()["cdd"].clone()
}

fn wait_for_serial(url: &str, serial: u64) {
    wait_until("the new description is published", || {
        published(url)["cdd_serial"] == serial
    });
}

/// The number of coins of a denomination that were signed.
fn signed(currency: &Currency, denomination: u64) -> u64 {
    let keys = currency.keys();
    let keys = keys.iter().filter(|key| key["denomination"] == denomination);
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

#[test]
fn wallets_follow_new_denominations_and_coins_of_dropped_ones_stay_valid() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let token = currency.account("alice", 500);
    let (alice, bob) = (currency.wallet("alice"), currency.wallet("bob"));
    alice.run(&["mint", "63", "--token", &token]);
    let [stack, other_stack] = ["stack", "other stack"].map(|name| currency.scratch(name));
    for stack in [&stack, &other_stack] {
        alice.send("12", stack);
        assert!([2, 10].iter().any(|dropped| holds(stack, *dropped)));
    }
    let (tens, twos) = (signed(&currency, 10), signed(&currency, 2));
    assert!(tens > 0 && twos > 0);
    let first = get_text(&currency.url("/cddc/1"));
    assert_eq!(first, get_text(&currency.url("/cddc")));

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
    let info = now["additional_info"].as_str().unwrap();
    assert!(info.starts_with("larger coins\nopencoin log v1\n"), "{info}");
    assert_eq!(
        get_text(&currency.url("/cddc/1")),
        first,
        "an old description is still served unchanged"
    );
    assert_eq!(
        get_text(&currency.url("/cddc/2")),
        get_text(&currency.url("/cddc"))
    );

    // A new mint key signs when the public log has it.
    let keys = currency.keys();
    let new = keys.iter().find(|key| key["denomination"] == 20).unwrap();
    currency.wait_until_published(new["id"].as_str().unwrap());
    // Every wallet command fetches the new description; `add` is not needed again.
    alice.run(&["mint", "60", "--token", &token]);
    assert!(signed(&currency, 20) >= 1, "60 needs a coin of 20");
    bob.receive(&stack);
    assert_eq!((alice.balance(), bob.balance()), (39 + 60, 12));
    // Coins of 10 and 2 that the wallet still holds can be redeemed, too.
    alice.run(&["redeem", "99", "--token", &token]);
    bob.run(&["redeem", "12", "--token", &token]);
    // A new wallet has never seen serial 1, but accepts coins that were signed under it.
    let carol = currency.wallet("carol");
    carol.receive(&other_stack);
    carol.run(&["redeem", "12", "--token", &token]);
    assert_eq!(currency.balance("alice"), 500);
    assert_eq!(
        (signed(&currency, 10), signed(&currency, 2)),
        (tens, twos),
        "dropped denominations are no longer signed"
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
fn wallets_move_to_a_new_address_and_no_longer_need_the_old_one() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let token = currency.account("alice", 500);
    let (alice, bob) = (currency.wallet("alice"), currency.wallet("bob"));
    alice.run(&["mint", "37", "--token", &token]);
    let (port, stack) = (free_port(), currency.scratch("stack"));
    let second = currency.serve_on(port);
    let new = format!("http://127.0.0.1:{port}");
    currency.issuer(&["cdd", "change", "--url", &format!("{new}/")]);
    wait_for_serial(&currency.url(""), 2);
    wait_for_serial(&new, 2);
    assert_eq!(published(&new)["mint_service"][0][1], new.as_str());

    // Both wallets contact the old address once more.
    alice.run(&["mint", "5", "--token", &token]);
    alice.send("9", &stack);
    bob.receive(&stack);
    currency.stop();

    alice.run(&["mint", "20", "--token", &token]);
    alice.send("21", &stack);
    bob.receive(&stack);
    bob.run(&["redeem", "30", "--token", &token]);
    assert_eq!((alice.balance(), bob.balance()), (32, 0));
    // A wallet that knows only the new address receives coins.
    let carol = Wallet::new(&currency.scratch("carol"));
    carol.run(&["add", &new]);
    alice.send("32", &stack);
    carol.receive(&stack);
    assert_eq!(carol.balance(), 32);
    currency.audit();
    second.stop();
}

#[test]
fn a_server_answers_to_the_names_in_its_documents() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let url = currency.url("");
    let status = |host: &str| {
        let request = format!("GET /cddc HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        raw_http::status(&raw_http::exchange(&url, request.as_bytes()))
    };
    assert_eq!([status("cents.example"), status("evil.example")], [421, 421]);
    currency.issuer(&["cdd", "change", "--url", "https://cents.example"]);
    wait_for_serial(&url, 2);
    assert_eq!([status("cents.example"), status("evil.example")], [200, 421]);
    currency.issuer(&["cdd", "change", "--url", "https://coins.example"]);
    wait_for_serial(&url, 3);
    let names = ["cents.example", "coins.example:443", "evil.example"];
    assert_eq!(
        names.map(status),
        [200, 200, 421],
        "coins keep the earlier address"
    );
    currency.stop();
}

#[test]
fn an_invalid_change_is_refused_and_changes_nothing() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let before = get_text(&currency.url("/cddc"));
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
            "{options:?} leaves a pending request"
        );
    }
    assert_eq!(get_text(&currency.url("/cddc")), before);
    assert_eq!(fs::read_dir(currency.dir().join("cddc")).unwrap().count(), 1);
    // An earlier expiry in the future is allowed.
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
fn another_master_key_at_the_same_address_is_refused_and_the_wallet_is_unchanged() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let token = currency.account("alice", 100);
    let alice = currency.wallet("alice");
    alice.run(&["mint", "17", "--token", &token]);
    let stack = currency.scratch("stack");
    alice.send("7", &stack);
    let bob = currency.wallet("bob");
    currency.stop();
    let kept = [
        contents(&currency.scratch("alice")),
        contents(&currency.scratch("bob")),
    ];

    // Another currency is served at this address, first with the same serial, then with a higher one.
    let other = Currency::make(RFC9474, SQLITE, &[]);
    for serial in [1, 2] {
        if serial == 2 {
            other.issuer(&["cdd", "change", "--info", "trust me"]);
        }
        let impostor = other.serve_on(currency.port());
        wait_for_serial(&currency.url(""), serial);
        let changed = "the issuer's master key has changed: this is another currency";
        let _ = alice
            .run_unchecked(&["mint", "5", "--token", &token])
            .refused(1, changed);
        let _ = bob.run_unchecked(&["receive", text(&stack)]).refused(1, changed);
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
    bob.receive(&stack);
    assert_eq!((alice.balance(), bob.balance()), (15, 7));
    currency.audit();
    currency.stop();
}
