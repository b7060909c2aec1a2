//! Failed but stored: the client hangs up while its answer is on its way. Asking again gives the same, and
//! nothing is moved twice.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use opencoin_e2e::foreign_wallet::{
    Answer, ForeignWallet, request_mint, request_redeem, request_renew, request_resume,
};
use opencoin_e2e::{Currency, Database, RFC9474};
use serde_json::Value;

/// How long the books may take to hold what was sent.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

/// Sends a request, reads no answer, and hangs up once the books hold it. (A client that hangs up at once may
/// do so before the server has taken the request up; then nothing has happened.)
fn send_and_hang_up(
    currency: &Currency,
    path: &str,
    token: &str,
    message: &Value,
    stored: impl Fn() -> bool,
) {
    let url = currency.url("");
    let host = url.strip_prefix("http://").unwrap();
    let body = message.to_string();
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let mut stream = TcpStream::connect(host).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let begun = Instant::now();
    while !stored() {
        assert!(
            begun.elapsed() < PATIENCE,
            "the books do not hold the request of {path}"
        );
        thread::sleep(POLL);
    }
    drop(stream);
}

fn signatures(answer: &Answer) -> &Value {
    assert_eq!(answer.http_status, 200, "{answer:?}");
    &answer.body["blind_signatures"]
}

#[test]
fn a_client_that_hung_up_asks_again_and_gets_the_same() {
    for database in [Database::Sqlite, Database::Postgres] {
        let mut currency = Currency::start(RFC9474, database);
        let alice = currency.account("alice", 100);
        let wallet = ForeignWallet::new(&currency.url(""));
        let resumed = |reference: &str| wallet.post("/resume", None, &request_resume(reference));

        let blinded = vec![wallet.blind(5, "a"), wallet.blind(2, "b")];
        let request = request_mint(&blinded, "a1");
        send_and_hang_up(&currency, "/mint", &alice, &request, || {
            resumed("a1").http_status != 404
        });
        assert_eq!(currency.balance("alice"), 93);
        let again = wallet.post("/mint", Some(&alice), &request);
        assert_eq!(signatures(&again), signatures(&resumed("a1")));
        let coins = wallet.unblind(&blinded, &again);

        let blinded = vec![wallet.blind(5, "a"), wallet.blind(2, "b")];
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
