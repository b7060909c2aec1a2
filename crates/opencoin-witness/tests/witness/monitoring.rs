//! What monitors, people and operators read, and how a server stops.

use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log::witness::checkpoint_path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{NAME, ORIGIN, TestLog, World, get};

#[tokio::test]
async fn the_last_checkpoint_has_the_signatures_of_log_and_witness_alone() {
    let log = TestLog::new(ORIGIN, 9);
    let world = World::start(&[&log]).await;
    let path = format!("/{}", checkpoint_path(ORIGIN));
    assert_eq!(world.get(&path).await.status, 404);
    let mut request = log.request(0, 9);
    // Anybody could have written the line of another witness.
    let foreign = "\u{2014} witness.example/other AAAAAQIDBA==".parse().unwrap();
    request.checkpoint.add(foreign).unwrap();
    assert_eq!(world.post(&request.to_string()).await.status, 200);

    let reply = world.get(&path).await;
    assert!(
        reply.head.contains("content-type: text/plain; charset=utf-8"),
        "{reply:?}"
    );
    let signed: SignedCheckpoint = reply.body.parse().unwrap();
    assert_eq!(signed.note().signatures().len(), 2);
    let keys = [
        log.key.verifier().clone(),
        world.witness().keys().vkeys().remove(0),
    ];
    let verified = signed.note().verify(&keys).unwrap();
    assert_eq!(verified.iter().map(|line| line.key).collect::<Vec<_>>(), [0, 1]);

    for path in [path.to_uppercase(), "/00/checkpoint".to_owned(), "/x".to_owned()] {
        assert_eq!(world.get(&path).await.status, 404, "{path}");
    }
    assert_eq!(world.get("/add-checkpoint").await.status, 405);
}

#[tokio::test]
async fn the_page_names_keys_and_logs_and_runs_nothing() {
    let log = TestLog::new("log.example/<b>&", 9);
    let world = World::start(&[&log]).await;
    assert!(world.get("/").await.body.contains("never"));
    world.post(&log.request(0, 9).to_string()).await;
    let reply = world.get("/").await;
    assert!(
        reply.head.contains("content-security-policy: default-src 'none'"),
        "{reply:?}"
    );
    let vkey = world.witness().keys().vkeys()[0].to_string();
    for shown in [
        NAME,
        &vkey,
        "log.example/&lt;b&gt;&amp;",
        &log.root(9).to_base64(),
        "2027-01-15T08:00:00Z",
        &checkpoint_path(&log.origin),
    ] {
        assert!(reply.body.contains(shown), "{shown} is not in {}", reply.body);
    }
    assert!(!reply.body.contains("<b>") && !reply.body.contains("<script"));
}

#[tokio::test]
async fn metrics_count_requests_and_show_each_log() {
    let log = TestLog::new(ORIGIN, 9);
    let world = World::start(&[&log]).await;
    world.post("nonsense").await;
    world.post(&log.request(0, 9).to_string()).await;
    world.post(&log.request(0, 9).to_string()).await;
    world.post(&log.forked_at(1, 1).request(9, 9).to_string()).await;
    assert_eq!(world.get("/metrics").await.status, 404, "only for operators");
    let reply = get(&world.operator_address, "/metrics").await;
    assert!(
        reply.head.contains("content-type: application/openmetrics-text"),
        "{reply:?}"
    );
    for line in [
        r#"opencoin_witness_submissions_total{origin="log.example/one",status="200"} 1"#,
        r#"opencoin_witness_submissions_total{origin="log.example/one",status="409"} 1"#,
        r#"opencoin_witness_submissions_total{origin="log.example/one",status="422"} 1"#,
        r#"opencoin_witness_submissions_total{origin="",status="400"} 1"#,
        r#"opencoin_witness_size{origin="log.example/one"} 9"#,
        r#"opencoin_witness_cosigned_timestamp_seconds{origin="log.example/one"} 1800000000"#,
        r#"opencoin_witness_contradictions{origin="log.example/one"} 1"#,
        "opencoin_witness_database_up 1",
        "opencoin_witness_submission_duration_seconds_count 4",
        "# EOF",
    ] {
        assert!(
            reply.body.lines().any(|found| found == line),
            "{line} is not in {}",
            reply.body
        );
    }
}

#[tokio::test]
async fn a_server_that_stops_finishes_what_it_has_accepted() {
    let log = TestLog::new(ORIGIN, 9);
    let world = World::start(&[&log]).await;
    let request = crate::support::post("/add-checkpoint", &log.request(0, 9).to_string());
    let (begin, end) = request.split_at(request.len() - 10);
    let mut stream = TcpStream::connect(&world.address).await.unwrap();
    stream.write_all(begin).await.unwrap();
    // The server has read the head when it counts the connection.
    let counted = "opencoin_witness_connections 1";
    while !get(&world.operator_address, "/metrics")
        .await
        .body
        .contains(counted)
    {}
    let folder = world.witness_folder();
    let stopped = tokio::spawn(world.stop());
    stream.write_all(end).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let _kept = stopped.await.unwrap();
    let logs = folder.store().await.unwrap().logs().await.unwrap();
    assert_eq!(logs[0].last.as_ref().unwrap().size, 9);
}
