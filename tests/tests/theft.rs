//! A mint key is stolen: the issuer stops the key when more coins return than it has signed. Honest holders get their
//! money back with a recoup, and the thief gets nothing.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use opencoin_e2e::foreign_wallet::ForeignWallet;
use opencoin_e2e::thief::Thief;
use opencoin_e2e::{Currency, Database, Process, RFC9474, Wallet, free_port, sqlite, wait_until};
use serde_json::{Value, json};

/// The denomination whose key is stolen.
const STOLEN: u64 = 5;

fn key_of(currency: &Currency, denomination: u64, state: &str) -> Value {
    let mut keys = currency.keys().into_iter();
    keys.find(|key| key["denomination"] == denomination && key["state"] == state)
        .unwrap()
}

/// A revealed coin of the stolen denomination, as a recoup needs it, with the secrets in the wallet's file.
fn past_coin(currency: &Currency, wallet: &Path) -> Value {
    // Only a copy of the wallet tells which coins it holds, so that the wallet can spend them.
    let copy = currency.scratch("copy of the thief");
    fs::create_dir(&copy).unwrap();
    fs::copy(wallet.join("wallet.db"), copy.join("wallet.db")).unwrap();
    let stack = currency.scratch("the thief's coins");
    Wallet::new(&copy).send("30", &stack);
    let stack: Value = serde_json::from_str(&fs::read_to_string(stack).unwrap()).unwrap();
    let mut coins = stack["coins"].as_array().unwrap().iter();
    let payload = &coins
        .find(|coin| coin["payload"]["denomination"] == STOLEN)
        .expect("it has minted one")["payload"];
    // A row is the coin's origin as JSON, a zero byte, and the coin.
    let serial = payload["serial"].as_str().unwrap().to_uppercase();
    let rows = sqlite::texts(&wallet.join("wallet.db"), "SELECT hex(body) FROM coin_secrets").unwrap();
    let row = rows.iter().find(|row| row.contains(&serial)).unwrap();
    let bytes = row
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap());
    let origin: Vec<u8> = bytes.take_while(|byte| *byte != 0).collect();
    let origin: Value = serde_json::from_slice(&origin).unwrap();
    json!({
        "blind_reference": origin["blind_reference"],
        "blinding_seed": origin["seed"].as_str().unwrap().trim_start_matches('0'),
        "payload": payload,
        "transaction_reference": origin["transaction_reference"],
        "type": "revealed coin",
    })
}

#[test]
fn a_thief_is_stopped_and_honest_holders_lose_nothing() {
    let mut currency = Currency::start(RFC9474, Database::Postgres);
    let second = currency.serve_on(free_port());

    // Alice mints, Bob receives, and Carol's mint is accepted but not signed yet.
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| currency.wallet(name));
    let [alice_token, carol_token, thief_token] = ["alice", "carol", "thief"]
        .map(|name| currency.account(name, if name == "thief" { 30 } else { 100 }));
    alice.run(&["mint", "60", "--token", &alice_token]);
    let stack = currency.scratch("stack");
    alice.send("22", &stack);
    bob.receive(&stack);
    currency.issuer(&["signing", "pause"]);
    let _ = carol
        .run_unchecked(&["mint", "30", "--token", &carol_token])
        .refused(3, "signs later");
    let (alice_has, bob_has) = (alice.balance(), bob.balance());
    assert_eq!((alice_has, bob_has), (38, 22));

    // The thief also mints and spends coins honestly and keeps the wallet's secrets, then uses the copied key.
    currency.issuer(&["signing", "resume"]);
    let own = currency.wallet("thief");
    own.run(&["mint", "30", "--token", &thief_token]);
    let past = past_coin(&currency, &currency.scratch("thief"));
    own.run(&["redeem", "30", "--token", &thief_token]);
    let foreign = ForeignWallet::new(&currency.url(""));
    let thief = Thief::steal(&foreign, &currency.dir().join("keys"), STOLEN);
    let before = key_of(&currency, STOLEN, "signing");
    let outstanding = before["outstanding"].as_u64().unwrap();
    assert!(outstanding >= 3, "{before}");
    let (taken, refused) = thief.redeem_until_refused(&thief_token, 1000);
    assert_eq!(
        taken as u64, outstanding,
        "the key stops when its count is reached"
    );
    assert_eq!(refused.error_word.as_deref(), Some("key-revoked"), "{refused:?}");
    let stopped = key_of(&currency, STOLEN, "revoked");
    assert_eq!(stopped["id"], before["id"]);
    assert!(!stopped["revoked_reason"].as_str().unwrap().is_empty());
    assert_eq!(currency.balance("thief"), 30 + STOLEN * outstanding);

    // Both servers raise the alarm, also the one that received no forged coin.
    let alarms = || currency.log().matches("ALARM: a mint key was stopped").count();
    wait_until("both servers raise the alarm", || alarms() >= 2);

    // The operator makes a new key and destroys the stolen one.
    currency.issuer(&["keys", "rotate"]);
    currency.issuer(&["keys", "destroy"]);
    assert_eq!(
        key_of(&currency, STOLEN, "revoked")["private_half"],
        Value::Bool(false)
    );
    // A server that starts now knows the revocation.
    currency.stop();
    currency.serve();

    // After a recoup, honest holders have the same amount as before.
    for (wallet, held) in [(&alice, alice_has), (&bob, bob_has)] {
        wallet.run(&["add", &currency.url("")]);
        let shown = wallet.run(&["balance", "--json"]).json();
        let revoked = shown["revoked"].as_u64().unwrap();
        assert!(revoked > 0 && revoked % STOLEN == 0, "{shown}");
        assert_eq!(shown["balance"].as_u64().unwrap() + revoked, held, "{shown}");
        wallet.run(&["recoup"]);
        assert_eq!(wallet.balance(), held);
        wallet.run(&["recoup"]);
        assert_eq!(wallet.balance(), held, "a second recoup finds nothing");
    }
    let _ = carol.run_unchecked(&["resume"]);
    carol.run(&["recoup"]);
    carol.run(&["resume"]);
    assert_eq!(carol.balance(), 30);

    let replacement = key_of(&currency, STOLEN, "signing")["id"]
        .as_str()
        .unwrap()
        .to_owned();
    currency.wait_until_published(&replacement);

    // The thief recoups nothing: neither forged coins nor their own spent ones.
    let new = ForeignWallet::new(&currency.url(""));
    let forged = thief.forge()["payload"].clone();
    let with = |field: &str, value: Value| {
        let mut claim = past.clone();
        claim[field] = value;
        claim
    };
    let claims = [
        (
            past.clone(),
            "double-spend",
            "their own spent coin with its true seed",
        ),
        (
            with("payload", forged),
            "invalid",
            "their own blind with another payload",
        ),
        (
            with("transaction_reference", "beef".into()),
            "invalid",
            "an unknown transaction",
        ),
        (
            with("blind_reference", "no such".into()),
            "invalid",
            "an unknown blind",
        ),
        (
            with("blinding_seed", "5eed".into()),
            "invalid",
            "their own coin with another seed",
        ),
    ];
    for (number, (claim, word, what)) in claims.into_iter().enumerate() {
        let fresh = new.blind(STOLEN, "a");
        let request = json!({"blinds": [fresh.blind], "coins": [claim], "message_reference": 1, "transaction_reference": format!("bad{number}"), "type": "request recoup"});
        let answer = new.post("/v1/recoup", None, &request);
        assert_eq!(answer.error_word.as_deref(), Some(word), "{what}: {answer:?}");
    }
    assert_eq!(
        key_of(&currency, STOLEN, "revoked")["recouped"].as_u64(),
        Some(outstanding),
        "each honest coin, once"
    );

    // All coins can be spent.
    alice.run(&["redeem", &alice_has.to_string(), "--token", &alice_token]);
    bob.run(&["redeem", &bob_has.to_string(), "--token", &alice_token]);
    carol.run(&["redeem", "30", "--token", &carol_token]);
    assert_eq!((currency.balance("alice"), currency.balance("carol")), (100, 100));
    let forged = thief.redeem_until_refused(&thief_token, 1);
    assert_eq!(forged.0, 0, "the key stays stopped");
    currency.audit();
    Process::stop(second);
    currency.stop();
}

#[test]
fn a_revocation_under_load_loses_no_money() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let names = ["dora", "emil", "finn"];
    let tokens = names.map(|name| currency.account(name, 10_000));
    let wallets = names.map(|name| currency.wallet(name));
    let rounds = AtomicUsize::new(0);
    thread::scope(|scope| {
        for (wallet, token) in wallets.iter().zip(&tokens) {
            scope.spawn(|| {
                for _ in 0..8 {
                    rounds.fetch_add(1, Ordering::Relaxed);
                    // A command that is refused because of the revocation informs the wallet, so the next round succeeds.
                    let minted = wallet.run_unchecked(&["mint", "19", "--token", token]);
                    let redeemed = wallet.run_unchecked(&["redeem", "7", "--token", token]);
                    for output in [minted, redeemed]
                        .into_iter()
                        .filter(|output| output.code != Some(0))
                    {
                        let is_known = ["key-revoked", "recoup", "pay with exactly", "not enough"]
                            .iter()
                            .any(|word| output.stderr.contains(word));
                        assert!(is_known, "{output:?}");
                    }
                }
            });
        }
        wait_until("the wallets have coins", || {
            rounds.load(Ordering::Relaxed) > 2 * wallets.len()
        });
        let id = key_of(&currency, STOLEN, "signing")["id"]
            .as_str()
            .unwrap()
            .to_owned();
        currency.issuer(&["keys", "revoke", &id, "--reason", "left in a train"]);
        currency.issuer(&["keys", "rotate"]);
    });
    for ((wallet, token), name) in wallets.iter().zip(&tokens).zip(names) {
        let _ = wallet.run_unchecked(&["resume"]);
        wallet.run(&["recoup"]);
        wallet.run(&["resume"]);
        let held = wallet.balance();
        wallet.run(&["redeem", &held.to_string(), "--token", token]);
        assert_eq!(currency.balance(name), 10_000, "{name}");
    }
    currency.audit();
    currency.stop();
}
