//! Many wallets at once, on both databases: a coin is renewed once, an account never pays more than it holds.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::thread;
use std::time::Duration;

use opencoin_e2e::foreign_wallet::{ForeignWallet, request_mint, request_renew};
use opencoin_e2e::{Currency, Database, RFC9474};
use serde_json::{Value, json};

const PARALLEL: usize = 50;

#[test]
fn fifty_renewals_of_one_coin_on_sqlite() {
    one_renewal_succeeds(Database::Sqlite);
}

#[test]
fn fifty_renewals_of_one_coin_on_postgres() {
    one_renewal_succeeds(Database::Postgres);
}

fn one_renewal_succeeds(database: Database) {
    let mut currency = Currency::start(RFC9474, database);
    let alice = currency.account("alice", 5);
    let wallet = ForeignWallet::new(&currency.url(""));
    let blinded = vec![wallet.blind(5, "a")];
    let minted = wallet.post("/mint", Some(&alice), &request_mint(&blinded, "abc"));
    let coins = wallet.unblind(&blinded, &minted);
    let attempts: Vec<_> = (0..PARALLEL)
        .map(|index| (vec![wallet.blind(5, "r")], format!("{:x}", 1000 + index)))
        .collect();
    let answers: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = attempts
            .iter()
            .map(|(blinded, reference)| {
                scope.spawn(|| wallet.post("/renew", None, &request_renew(&coins, blinded, reference)))
            })
            .collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let won: Vec<usize> = (0..PARALLEL)
        .filter(|index| answers[*index].http_status == 200)
        .collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    assert_eq!(wallet.unblind(&attempts[won[0]].0, &answers[won[0]]).len(), 1);
    let lost = answers
        .iter()
        .filter(|answer| answer.error_word.as_deref() == Some("double-spend"))
        .count();
    assert_eq!(lost, PARALLEL - 1, "{answers:?}");
    currency.audit();
    currency.stop();
}

#[test]
fn fifty_mints_of_an_account_that_can_pay_ten() {
    for database in [Database::Sqlite, Database::Postgres] {
        let mut currency = Currency::start(RFC9474, database);
        let alice = currency.account("alice", 100);
        let wallet = ForeignWallet::new(&currency.url(""));
        let requests: Vec<_> = (0..PARALLEL)
            .map(|index| request_mint(&[wallet.blind(10, "a")], &format!("{:x}", 1000 + index)))
            .collect();
        let statuses: Vec<u16> = thread::scope(|scope| {
            let running: Vec<_> = requests
                .iter()
                .map(|request| scope.spawn(|| wallet.post("/mint", Some(&alice), request).http_status))
                .collect();
            running.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(
            statuses.iter().filter(|status| **status == 200).count(),
            10,
            "{statuses:?}"
        );
        assert_eq!(
            statuses.iter().filter(|status| **status == 402).count(),
            PARALLEL - 10,
            "{statuses:?}"
        );
        assert_eq!(currency.balance("alice"), 0);
        currency.audit();
        currency.stop();
    }
}

#[test]
fn what_was_accepted_is_finished_before_the_server_stops() {
    const BLINDS: usize = 1000;
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let alice = currency.account("alice", BLINDS as u64);
    let wallet = ForeignWallet::new(&currency.url(""));
    // Any number in range is a blind to the issuer.
    let blinds: Vec<Value> = (0..BLINDS)
        .map(|index| {
            json!({
                "blinded_payload_hash": format!("{:x}", index + 2),
                "mint_key_id": wallet.key(1)["id"],
                "reference": index.to_string(),
                "type": "blinded payload hash",
            })
        })
        .collect();
    let request = json!({"blinds": blinds, "message_reference": 1, "transaction_reference": "ab", "type": "request mint"});
    let answer = thread::scope(|scope| {
        let running = scope.spawn(|| wallet.post("/mint", Some(&alice), &request));
        while currency.balance("alice") > 0 {
            thread::sleep(Duration::from_millis(5));
        }
        currency.stop();
        running.join().unwrap()
    });
    assert_eq!(answer.http_status, 200, "{answer:?}");
    assert_eq!(answer.body["blind_signatures"].as_array().unwrap().len(), BLINDS);
    currency.audit();
}
