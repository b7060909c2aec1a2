//! The client hangs up after its request was stored, before it gets the answer. The repeated request gets the same answer
//! and moves no money again.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::Write;

use opencoin_e2e::foreign_wallet::{
    Answer, ForeignWallet, request_mint, request_redeem, request_renew, request_resume,
};
use opencoin_e2e::raw_http::{connect, post};
use opencoin_e2e::{Currency, Database, RFC9474, wait_until};
use serde_json::Value;

/// Sends a request and hangs up once it is stored, without reading the answer. A client that hangs up earlier may do so
/// before the server has read the request; then nothing is stored.
fn send_and_hang_up(
    currency: &Currency,
    path: &str,
    token: &str,
    message: &Value,
    stored: impl Fn() -> bool,
) {
    let mut stream = connect(&currency.url(""));
    let request = post(path, token, &message.to_string());
    stream.write_all(&request).unwrap();
    wait_until("the request is stored", stored);
}

fn signatures(answer: &Answer) -> &Value {
    assert_eq!(answer.http_status, 200, "{answer:?}");
    &answer.body["blind_signatures"]
}

#[test]
fn a_client_that_hung_up_gets_the_same_answer_to_its_repeated_request() {
    for database in [Database::Sqlite, Database::Postgres] {
        let mut currency = Currency::start(RFC9474, database);
        let alice = currency.account("alice", 100);
        let wallet = ForeignWallet::new(&currency.url(""));
        let resumed = |reference: &str| wallet.post("/resume", None, &request_resume(reference));

        let blinded = wallet.blinds(&[5, 2]);
        let request = request_mint(&blinded, "a1");
        send_and_hang_up(&currency, "/mint", &alice, &request, || {
            resumed("a1").http_status != 404
        });
        assert_eq!(currency.balance("alice"), 93);
        let again = wallet.post("/mint", Some(&alice), &request);
        assert_eq!(signatures(&again), signatures(&resumed("a1")));
        let coins = wallet.unblind(&blinded, &again);

        let blinded = wallet.blinds(&[5, 2]);
        let request = request_renew(&coins, &blinded, "a2");
        send_and_hang_up(&currency, "/renew", &alice, &request, || {
            resumed("a2").http_status != 404
        });
        let again = wallet.post("/renew", None, &request);
        assert_eq!(signatures(&again), signatures(&resumed("a2")));
        let coins = wallet.unblind(&blinded, &again);

        let request = request_redeem(&coins);
        send_and_hang_up(&currency, "/redeem", &alice, &request, || {
            currency.balance("alice") == 100
        });
        assert_eq!(wallet.post("/redeem", Some(&alice), &request).http_status, 200);
        assert_eq!(currency.balance("alice"), 100);
        currency.audit();
        currency.stop();
    }
}
