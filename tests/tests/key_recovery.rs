//! A lost time in which money moved by key is recovered from a copy of the public log: the accounts of keys are as the log
//! says, what their holders send again is accepted once, and the operator is told what belongs to accounts of holders.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::PathBuf;

use opencoin_e2e::foreign_wallet::{ForeignWallet, compact, request_mint, request_redeem, request_resume};
use opencoin_e2e::key_holder::{KeyAnswer, KeyHolder};
use opencoin_e2e::replayed_log::ReplayedLog;
use opencoin_e2e::{Currency, Database, RFC9474};
use serde_json::{Value, json};

use crate::public_log::export;
use crate::restored_books::{postgres_program, set_back};

/// What holders have sent, to be sent again. Paul pays Quinn 4 and mints 7; Quinn pays Dave, who has no key, 2, and turns a
/// coin of 5 in.
struct Sent {
    introduction: Value,
    to_quinn: Value,
    to_dave: Value,
    mint: (String, String),
    redeem: (String, String),
}

impl Sent {
    fn make(
        wallet: &ForeignWallet,
        [paul, quinn]: [&KeyHolder; 2],
        currency: &Currency,
    ) -> (Self, KeyAnswer) {
        let introduction = quinn.introduction();
        let introduced = quinn.post("/v1/key-accounts", &introduction);
        assert_eq!(introduced.status, 202, "{introduced:?}");
        currency.credit(&quinn.hex(), 6, "quinn paid in");
        let blinds = wallet.blinds(&[5, 2]);
        let payment = paul.payment_for_mint(2, 7, "aa01", &blinds);
        let mut sent = Self {
            introduction,
            to_quinn: json!({ "payment": paul.signed(&paul.order(1, 4, &quinn.hex())) }),
            to_dave: quinn.payment_to_account(1, 2, "dave"),
            mint: (compact(&payment), request_mint(&blinds, "aa01").to_string()),
            redeem: (String::new(), String::new()),
        };
        sent.pay([paul, quinn]);
        let minted = sent.mint(paul);
        let resumed = wallet.post("/resume", None, &request_resume("aa01"));
        let coins = wallet.unblind(&blinds, &resumed);
        let order = quinn.redeem_order(|value| wallet.key(value).clone(), &coins[..1]);
        sent.redeem = (order, request_redeem(&coins[..1]).to_string());
        let redeemed = sent.redeem(quinn);
        assert_eq!(redeemed.status, 200, "{redeemed:?}");
        (sent, minted)
    }

    fn pay(&self, [paul, quinn]: [&KeyHolder; 2]) {
        for (holder, payment) in [(paul, &self.to_quinn), (quinn, &self.to_dave)] {
            let paid = holder.post("/v1/key-payments", payment);
            assert_eq!(paid.status, 202, "{paid:?}");
        }
    }

    fn mint(&self, paul: &KeyHolder) -> KeyAnswer {
        let minted = paul.post_text("/mint", Some(&self.mint.0), &self.mint.1);
        assert_eq!(minted.status, 200, "{minted:?}");
        minted
    }

    fn redeem(&self, quinn: &KeyHolder) -> KeyAnswer {
        quinn.post_text("/redeem", Some(&self.redeem.0), &self.redeem.1)
    }
}

/// Keeps the books as they are.
fn keep(currency: &Currency, database: Database) -> PathBuf {
    let kept = currency.scratch("kept");
    match database {
        Database::Sqlite => {
            fs::copy(currency.ledger_file(), &kept).unwrap();
        }
        Database::Postgres => {
            let file = format!("--file={}", kept.display());
            let url = currency.database().url();
            postgres_program("pg_dump", &["--format=custom", &file, &url]);
        }
    }
    kept
}

fn a_lost_time_with_keys_is_recovered(database: Database) {
    let mut currency = Currency::make_on(RFC9474, database, &[]);
    currency.seal_every_second();
    currency.serve();
    let url = currency.url("");
    let keys = [1, 2].map(|seed| KeyHolder::new(&url, seed));
    let [paul, quinn] = &keys;
    paul.introduce();
    currency.credit(&paul.hex(), 20, "paul paid in");
    currency.account("dave", 0);
    currency.wait_until_all_is_published();
    currency.stop();
    let kept = keep(&currency, database);

    currency.serve();
    let wallet = ForeignWallet::new(&url);
    let (sent, minted) = Sent::make(&wallet, [paul, quinn], &currency);
    let accounts = || [paul.account(), quinn.account()];
    let before = accounts();
    assert_eq!(before, [(20 - 4 - 7, 2, 1), (6 + 4 - 2 + 5, 1, 2)]);
    currency.wait_until_all_is_published();
    let published = paul.get("/v1/key-accounts").body;
    let copy = export(&currency, "copy");
    currency.stop();
    match database {
        Database::Sqlite => {
            fs::copy(&kept, currency.ledger_file()).unwrap();
        }
        Database::Postgres => set_back(currency.database(), &kept),
    }
    let recover = ["log", "recover", "--from", &copy, "--json"];
    let recovered = currency.issuer(&recover).json();
    for (name, number) in [
        ("introduced", 1),
        ("key_payments", 3),
        ("issued", 2),
        ("spent", 1),
    ] {
        assert_eq!(recovered[name], number, "{name}: {recovered}");
    }

    currency.serve();
    assert_eq!(accounts(), before);
    assert_eq!(paul.get("/v1/key-accounts").body, published);
    // What was sent is accepted, and moves nothing again.
    let introduced = quinn.post("/v1/key-accounts", &sent.introduction);
    assert_eq!(introduced.status, 202, "{introduced:?}");
    sent.pay([paul, quinn]);
    assert_eq!(sent.mint(paul).body, minted.body);
    assert_eq!(sent.redeem(quinn).word.as_deref(), Some("double-spend"));
    let other = paul.pay(1, 5, &quinn.hex());
    assert_eq!(other.word.as_deref(), Some("wrong-sequence"), "{other:?}");
    assert_eq!(accounts(), before);
    the_operator_assigns(&currency, [paul, quinn]);
    currency.wait_until_all_is_published();
    let rows = currency.rows();
    assert_eq!(ReplayedLog::read(&rows).faults_against(&rows), [""; 0]);
    currency.stop();
    currency.audit();
}

/// Dave has not got what Quinn has paid him: the log does not name him, so the operator has to say so.
fn the_operator_assigns(currency: &Currency, [paul, quinn]: [&KeyHolder; 2]) {
    assert_eq!(currency.balance("dave"), 0);
    let shown = currency.issuer(&["log", "recovered", "--json"]).json();
    assert_eq!(shown["unassigned"], 2, "{shown}");
    let mut moved: Vec<(String, i64)> = Vec::new();
    for entry in shown["entries"].as_array().unwrap() {
        assert_eq!(entry["due"], 0, "{shown}");
        let account = entry["account"].as_str().unwrap().to_owned();
        moved.push((account, entry["received"].as_i64().unwrap()));
    }
    moved.sort_unstable();
    let (paul, quinn) = (paul.hex(), quinn.hex());
    let mut expected = [(&quinn, 6), (&quinn, 5), (&quinn, -2), (&paul, -7), (&paul, 0)]
        .map(|(key, received)| (key.clone(), received));
    expected.sort_unstable();
    assert_eq!(moved, expected);
    let credit = [
        "account",
        "credit",
        "dave",
        "2",
        "--reference",
        "by key",
        "--recovered",
    ];
    currency.issuer(&credit);
    assert_eq!(currency.balance("dave"), 2);
}

#[test]
fn a_lost_time_with_keys_is_recovered_on_sqlite() {
    a_lost_time_with_keys_is_recovered(Database::Sqlite);
}

#[test]
fn a_lost_time_with_keys_is_recovered_on_postgres() {
    a_lost_time_with_keys_is_recovered(Database::Postgres);
}
