//! The time of cosignatures, and a database that cannot be used.

use opencoin_log::signature_line::parse_lines;
use opencoin_witness::CLOCK_BEHIND_MAX_S;

use crate::support::{ORIGIN, Reply, START, TestLog, World};

/// The time of the cosignature in an answer.
fn time(reply: &Reply) -> u64 {
    let line = parse_lines(&reply.body).unwrap().remove(0);
    u64::from_be_bytes(line.signature[..8].try_into().unwrap())
}

#[tokio::test]
async fn time_never_goes_back_for_a_log() {
    let (log, other) = (TestLog::new(ORIGIN, 9), TestLog::new("log.example/other", 9));
    let world = World::start(&[&log, &other]).await;
    assert_eq!(time(&world.post(&log.request(0, 3).to_string()).await), START);
    world.set_clock(START - CLOCK_BEHIND_MAX_S);
    assert_eq!(time(&world.post(&log.request(3, 4).to_string()).await), START);
    world.set_clock(START - CLOCK_BEHIND_MAX_S - 1);
    let reply = world.post(&log.request(4, 5).to_string()).await;
    assert_eq!(reply.status, 503, "{reply:?}");
    assert!(reply.head.contains("retry-after: 5"), "{reply:?}");
    assert_eq!(world.size(&log).await, Some(4));
    // A log of which nothing was cosigned later is not concerned.
    let reply = world.post(&other.request(0, 3).to_string()).await;
    assert_eq!(time(&reply), START - CLOCK_BEHIND_MAX_S - 1);
    world.set_clock(0);
    assert_eq!(world.post(&other.request(3, 4).to_string()).await.status, 503);
    world.set_clock(START + 1);
    assert_eq!(time(&world.post(&log.request(4, 5).to_string()).await), START + 1);
}

#[tokio::test]
async fn nothing_is_cosigned_that_cannot_be_stored() {
    let log = TestLog::new(ORIGIN, 9);
    let world = World::start(&[&log]).await;
    assert_eq!(world.post(&log.request(0, 3).to_string()).await.status, 200);
    assert_eq!(world.get("/health/ready").await.status, 200);
    world.witness().store().close().await;
    assert_eq!(world.post(&log.request(3, 4).to_string()).await.status, 503);
    for path in ["/health/ready", "/"] {
        assert_eq!(world.get(path).await.status, 503, "{path}");
    }
    assert_eq!(world.get("/health/live").await.status, 200);
    let logs = world
        .witness_folder()
        .store()
        .await
        .unwrap()
        .logs()
        .await
        .unwrap();
    assert_eq!(logs[0].last.as_ref().unwrap().size, 3);
}
