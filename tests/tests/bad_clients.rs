//! Clients that hang up, dawdle, or send nonsense: the issuer goes on, and money is where it was or the answer can be had again.

use std::io::Write;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use opencoin_e2e::foreign_wallet::{ForeignWallet, request_mint};
use opencoin_e2e::raw_http::{body, connect, exchange, post, rest, status};
use opencoin_e2e::{Currency, Database, RFC9474};
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

const SEED: u64 = 3;
const CREDIT: u64 = 100;
const IDLE_CONNECTIONS: usize = 500;
const RANDOM_REQUESTS: usize = 200;
/// A normal request beside bad clients, on a busy machine.
const QUICK: Duration = Duration::from_secs(5);
/// The limits of a head and a body are 10 and 15 seconds; the rest is for a busy machine.
const ENDED_WITHIN: Duration = Duration::from_secs(35);

#[test]
fn a_client_that_hangs_up_anywhere_can_ask_again() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let alice = currency.account("alice", CREDIT);
    let wallet = ForeignWallet::new(&currency.url(""));
    let mut references = Vec::new();
    let head_end = |bytes: &[u8]| bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    for case in 0..7_u32 {
        let reference = format!("{:x}", 0xa0 + case);
        let message = request_mint(&[wallet.blind(1, "a")], &reference).to_string();
        let bytes = post("/mint", &alice, &message);
        let head = head_end(&bytes);
        let sent = [0, 10, head - 1, head, head + 20, bytes.len() - 1, bytes.len()][case as usize];
        let mut stream = connect(&currency.url(""));
        stream.write_all(&bytes[..sent]).unwrap();
        stream.shutdown(Shutdown::Both).unwrap();
        drop(stream);
        references.push(bytes);
    }
    for bytes in &references {
        let first = exchange(&currency.url(""), bytes);
        assert_eq!(status(&first), 200, "{first}");
        let again = exchange(&currency.url(""), bytes);
        assert_eq!(body(&again), body(&first));
    }
    assert_eq!(currency.balance("alice"), CREDIT - references.len() as u64);
    currency.audit();
    currency.stop();
}

#[test]
fn slow_clients_end_and_do_not_hold_up_others() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let alice = currency.account("alice", CREDIT);
    let wallet = ForeignWallet::new(&currency.url(""));
    let idle: Vec<_> = (0..IDLE_CONNECTIONS).map(|_| connect(&currency.url(""))).collect();
    let bytes = post("/mint", &alice, &request_mint(&[wallet.blind(1, "a")], "ab").to_string());
    let begun = Instant::now();
    let mut half_head = connect(&currency.url(""));
    half_head.write_all(&bytes[..10]).unwrap();
    let mut half_body = connect(&currency.url(""));
    half_body.write_all(&bytes[..bytes.len() - 1]).unwrap();

    let asked = Instant::now();
    assert_eq!(
        status(&exchange(&currency.url(""), &post("/mint", &alice, &request_mint(&[wallet.blind(1, "a")], "cd").to_string()))),
        200
    );
    assert!(asked.elapsed() < QUICK, "{:?}", asked.elapsed());

    assert!(matches!(status(&rest(&mut half_head)), 0 | 408));
    assert_eq!(status(&rest(&mut half_body)), 408);
    assert!(begun.elapsed() < ENDED_WITHIN, "{:?}", begun.elapsed());
    for mut stream in idle {
        assert!(matches!(status(&rest(&mut stream)), 0 | 408));
    }
    assert!(begun.elapsed() < ENDED_WITHIN, "{:?}", begun.elapsed());
    assert_eq!(currency.balance("alice"), CREDIT - 1);
    currency.audit();

    // Half a body does not hold up a server that stops.
    let mut half_body = connect(&currency.url(""));
    half_body.write_all(&bytes[..bytes.len() - 1]).unwrap();
    let stopped = Instant::now();
    currency.stop();
    assert!(stopped.elapsed() < QUICK, "{:?}", stopped.elapsed());
}

#[test]
fn nonsense_is_refused_and_changes_nothing() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let alice = currency.account("alice", CREDIT);
    let url = currency.url("");
    let refused = |bytes: &[u8], allowed: &[u16]| {
        let answer = exchange(&url, bytes);
        assert!(allowed.contains(&status(&answer)), "seed {SEED}: {answer:.200} to {:.100}", String::from_utf8_lossy(bytes));
    };
    let mut rng = StdRng::seed_from_u64(SEED);
    for _ in 0..RANDOM_REQUESTS {
        let mut noise = vec![0; 64];
        rng.fill_bytes(&mut noise);
        // A newline ends the line, so that nothing waits for more.
        refused(&[noise.as_slice(), b"\r\n\r\n"].concat(), &[0, 400]);
        let mut request = b"POST /mint HTTP/1.1\r\nhost: i\r\ncontent-length: 64\r\nconnection: close\r\n\r\n".to_vec();
        request.extend(&noise);
        refused(&request, &[400]);
    }
    let long = "x".repeat(64 * 1024);
    refused(format!("GET /cddc HTTP/1.1\r\nhost: i\r\nlong: {long}\r\n\r\n").as_bytes(), &[0, 431]);
    refused(b"POST /mint HTTP/1.1\r\nhost: i\r\ncontent-length: 99999999\r\nconnection: close\r\n\r\n{}", &[413]);
    refused(b"POST /mint HTTP/1.1\r\nhost: i\r\ncontent-length: -1\r\n\r\n{}", &[400]);
    refused(
        b"POST /mint HTTP/1.1\r\nhost: i\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        &[400],
    );
    refused(b"POST /mint HTTP/1.1\r\nhost: i\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\nzz\r\n", &[400]);
    refused(
        b"POST /mint HTTP/1.1\r\nhost: i\r\nexpect: 100-continue\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}",
        &[100],
    );
    let piped = "GET /health/live HTTP/1.1\r\nhost: i\r\n\r\n".repeat(20)
        + "GET /health/live HTTP/1.1\r\nhost: i\r\nconnection: close\r\n\r\n";
    assert_eq!(exchange(&url, piped.as_bytes()).matches("200 OK").count(), 21);
    assert_eq!(currency.balance("alice"), CREDIT);
    assert_eq!(status(&exchange(&url, &post("/mint", &alice, "{}"))), 400);
    currency.audit();
    currency.stop();
}
