//! Concurrent requests on both databases: a coin is renewed once, and an account never pays more than it holds.

use std::thread;

use opencoin_e2e::foreign_wallet::{ForeignWallet, request_mint, request_renew};
use opencoin_e2e::{Currency, Database, RFC9474, in_parallel, wait_until};
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
    let coins = wallet.mint(&alice, &[5], "abc");
    let attempts: Vec<_> = (0..PARALLEL)
        .map(|index| (vec![wallet.blind(5, "r")], format!("{:x}", 1000 + index)))
        .collect();
    let answers = in_parallel(PARALLEL, |index| {
        let (blinded, reference) = &attempts[index];
        wallet.post("/renew", None, &request_renew(&coins, blinded, reference))
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
        let mut statuses = in_parallel(PARALLEL, |index| {
            wallet.post("/mint", Some(&alice), &requests[index]).http_status
        });
        statuses.sort_unstable();
        assert_eq!(statuses, [[200; 10].as_slice(), &[402; PARALLEL - 10]].concat());
        assert_eq!(currency.balance("alice"), 0);
        currency.audit();
        currency.stop();
    }
}

#[test]
fn accepted_requests_are_finished_before_the_server_stops() {
    const BLINDS: usize = 1000;
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let alice = currency.account("alice", BLINDS as u64);
    let wallet = ForeignWallet::new(&currency.url(""));
    // The issuer accepts any number in range as a blind.
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
        wait_until("the mint is accepted", || currency.balance("alice") == 0);
        currency.stop();
        running.join().unwrap()
    });
    assert_eq!(answer.http_status, 200, "{answer:?}");
    assert_eq!(answer.body["blind_signatures"].as_array().unwrap().len(), BLINDS);
    currency.audit();
}
