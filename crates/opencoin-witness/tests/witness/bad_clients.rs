//! Clients that send garbage, too much, too slowly or too often.

use std::time::Duration;

use opencoin_log::witness::ADD_CHECKPOINT_BYTES_MAX;
use opencoin_witness::WitnessServerOptions;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{ORIGIN, TestLog, World, exchange, post};

#[tokio::test]
async fn garbage_and_long_bodies_are_refused_and_do_no_harm() {
    let log = TestLog::new(ORIGIN, 9);
    let world = World::start(&[&log]).await;
    let good = log.request(0, 9).to_string();
    let many_lines = format!(
        "old 0\n{}\n{}",
        format!("{}\n", log.root(1).to_base64()).repeat(64),
        log.checkpoint(9)
    );
    for (body, status) in [
        ("\0\u{1}\u{2}".to_owned(), 400),
        ("old 0\r\n\r\n".to_owned(), 400),
        (many_lines, 400),
        ("x".repeat(ADD_CHECKPOINT_BYTES_MAX), 400),
        ("x".repeat(ADD_CHECKPOINT_BYTES_MAX + 1), 413),
        (good.replace('\n', "\r\n"), 400),
    ] {
        assert_eq!(world.post(&body).await.status, status, "{} bytes", body.len());
    }
    // Announced to be enormous: refused without waiting for it.
    let head = b"POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: 99999999999\r\n\r\n";
    assert_eq!(exchange(&world.address, head).await.status, 413);
    // Enormous without saying so.
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    let mut endless =
        b"POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    endless.extend(chunk.repeat(9).into_bytes());
    assert_eq!(exchange(&world.address, &endless).await.status, 413);
    let mut not_utf8 = post("/add-checkpoint", "1234");
    let body = not_utf8.len() - 4;
    not_utf8[body..].fill(0xff);
    assert_eq!(exchange(&world.address, &not_utf8).await.status, 400);
    assert_eq!(world.post(&good).await.status, 200);
}

#[test]
fn any_bytes_are_answered_and_change_nothing() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let log = TestLog::new(ORIGIN, 9);
    let world = runtime.block_on(World::start(&[&log]));
    let good = log.request(0, 9).to_string().into_bytes();
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    // One byte of a good request is changed, or everything is.
    let bytes = prop_oneof![
        vec(any::<u8>(), 0..300),
        (0..good.len(), 1_u8..).prop_map(move |(at, change)| {
            let mut changed = good.clone();
            changed[at] ^= change;
            changed
        }),
    ];
    TestRunner::new(config)
        .run(&bytes, |body| {
            let result = runtime.block_on(world.witness().add_checkpoint(&body)).result;
            prop_assert!(result.is_err());
            Ok(())
        })
        .unwrap();
    assert_eq!(runtime.block_on(world.size(&log)), None);
}

#[tokio::test]
async fn a_slow_body_ends_and_a_silent_connection_too() {
    let log = TestLog::new(ORIGIN, 9);
    let mut options = WitnessServerOptions {
        body_duration_max: Duration::from_millis(200),
        ..WitnessServerOptions::default()
    };
    options.connections.head_duration_max = Duration::from_millis(200);
    let world = World::start_with(&[&log], false, options).await;
    for (sent, answer) in [
        (&post("/add-checkpoint", "old 0")[..80], "HTTP/1.1 408"),
        (b"POST /add-checkpoint HT", ""),
    ] {
        let mut stream = TcpStream::connect(&world.address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        let mut received = String::new();
        let _ = stream.read_to_string(&mut received).await;
        assert!(received.starts_with(answer), "{received}");
    }
    assert_eq!(world.post(&log.request(0, 9).to_string()).await.status, 200);
}

#[tokio::test]
async fn an_address_that_asks_too_often_waits() {
    let log = TestLog::new(ORIGIN, 9);
    let options = WitnessServerOptions {
        requests_per_second: 1,
        trusted_proxies: vec!["127.0.0.1".parse().unwrap()],
        ..WitnessServerOptions::default()
    };
    let world = World::start_with(&[&log], false, options).await;
    let from = |address: &str| {
        format!(
            "GET /health/live HTTP/1.1\r\nhost: w\r\nx-forwarded-for: {address}\r\nconnection: close\r\n\r\n"
        )
    };
    let ask = async |address: &str| exchange(&world.address, from(address).as_bytes()).await;
    let mut refused = None;
    // Five at once are allowed; a busy machine lets some more come back meanwhile.
    for _ in 0..200 {
        let reply = ask("192.0.2.1").await;
        if reply.status == 429 {
            refused = Some(reply);
            break;
        }
        assert_eq!(reply.status, 200);
    }
    let refused = refused.expect("a limit");
    assert!(refused.head.contains("retry-after: 1"), "{refused:?}");
    assert_eq!(
        ask("192.0.2.2").await.status,
        200,
        "another address has its own limit"
    );
    assert_eq!(
        world.post(&log.request(0, 9).to_string()).await.status,
        200,
        "this machine has none"
    );
}
