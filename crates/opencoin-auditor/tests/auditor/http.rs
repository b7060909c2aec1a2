//! What an auditor serves.

use opencoin_log::bundle;
use opencoin_log::key_no::KeyNo;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log::tile::{Resource, TileId, TilePath, tiles_of_size};
use opencoin_testkit::log_builder::LogBuilder;
use serde_json::Value;

use crate::support::{LogServer, RunningAuditor, change_database, options};

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_log_is_served() {
    let issuer = LogServer::start(LogBuilder::begun_of).await;
    issuer.change(|log| {
        for _ in 0..5 {
            log.issue(KeyNo::FIRST, 130);
            log.seal();
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    let size = issuer.size();
    auditor.wait_for_cosigned(size).await;
    let cosigned = auditor.cosigned_path();
    let prefix = cosigned.strip_suffix("/checkpoint").unwrap();
    for prefix in [prefix.to_owned(), format!("{prefix}/log")] {
        let note: SignedCheckpoint = auditor
            .text(&format!("{prefix}/checkpoint"))
            .await
            .parse()
            .unwrap();
        assert_eq!(note.checkpoint().size(), size);
        for (id, width) in tiles_of_size(size) {
            let resource = Resource::Tile(id);
            let path = TilePath { resource, width }.to_string();
            let expected = issuer.change(|log| log.file(&path).unwrap());
            assert_eq!(
                auditor.get(&format!("{prefix}/{path}")).await,
                (200, expected),
                "{path}"
            );
        }
        let id = TileId { level: 0, index: 1 };
        let resource = Resource::Entries(1);
        let width = id.width_in(size).unwrap();
        let path = TilePath { resource, width }.to_string();
        let (status, bytes) = auditor.get(&format!("{prefix}/{path}")).await;
        assert_eq!(status, 200);
        assert_eq!(
            bundle::decode(&bytes, width).unwrap().len(),
            usize::from(width.get())
        );
        for missing in [
            "tile/entries/999",
            "tile/0/999",
            "tile/9/000",
            "tile/../x",
            "tile/entries/000.p/0",
        ] {
            assert_eq!(
                auditor.get(&format!("{prefix}/{missing}")).await.0,
                404,
                "{missing}"
            );
        }
    }
    assert_eq!(
        auditor.get(&format!("/{}/checkpoint", "0".repeat(64))).await.0,
        404
    );
    assert_eq!(auditor.get("/nonsense/checkpoint").await.0, 404);
    auditor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_what_was_found_and_loads_nothing() {
    let issuer = LogServer::start(|currency| {
        let mut log = LogBuilder::begun_of(currency);
        log.issue(KeyNo::FIRST, 250);
        log.seal();
        log.spend(KeyNo::FIRST, 20);
        log.seal();
        log
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    auditor.wait_for_cosigned(issuer.size()).await;
    let client = reqwest::Client::new();
    let answer = client.get(format!("{}/", auditor.url)).send().await.unwrap();
    let policy = answer.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let page = answer.text().await.unwrap();
    for expected in [
        "Auditor auditor.test/a1",
        "TestCent",
        "Every rule holds.",
        "2.30 TestCent",
        "<svg",
        "2 of 2: w1 at ",
        "auditor.test/a1+",
        "None.",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    for forbidden in ["<script", "style=", "onload", "http-equiv"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    let node =
        opencoin_gossip::NodeSelf::parse(auditor.text("/v1/nodes/self").await.trim().as_bytes()).unwrap();
    assert_eq!(node.logs()["issuer.test/log"], issuer.size());
    assert_eq!(auditor.text("/health/ready").await, "ready\n");
    assert_eq!(auditor.get("/nothing").await.0, 404);
    assert_eq!(auditor.post("/", "x").await, 405);
    let status: Value = serde_json::from_str(&auditor.text("/status.json").await).unwrap();
    assert_eq!(status["role"], "full");
    auditor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_served_needs_no_state_of_the_replay() {
    let issuer = LogServer::start(LogBuilder::begun_of).await;
    let folder = tempfile::tempdir().unwrap();
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    auditor.wait_for_cosigned(issuer.size()).await;
    // The state of a log with many accounts is large. Nobody who asks for a file makes the auditor read it.
    let sql = "UPDATE progress SET snapshot_size = 1, runs = 'unreadable';";
    change_database(folder.path(), sql).await;
    let cosigned = auditor.cosigned_path();
    let prefix = cosigned.strip_suffix("/checkpoint").unwrap();
    let id = TileId { level: 0, index: 0 };
    let (resource, width) = (Resource::Tile(id), id.width_in(issuer.size()).unwrap());
    let tile = TilePath { resource, width }.to_string();
    for path in [
        format!("{prefix}/log/checkpoint"),
        format!("{prefix}/log/{tile}"),
        "/status.json".to_owned(),
        "/".to_owned(),
    ] {
        assert_eq!(auditor.get(&path).await.0, 200, "{path}");
    }
    auditor.stop().await;
}
