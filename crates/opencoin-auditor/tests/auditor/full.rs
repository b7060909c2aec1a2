//! An auditor that has no room for more evidence still says what it has found, and cosigns no more.

use opencoin_gossip::{GossipKind, GossipMessage};
use opencoin_log::key_no::KeyNo;
use opencoin_testkit::log_builder::LogBuilder;
use serde_json::Value;

use crate::support::{LogServer, RunningAuditor, change_database, findings, now_s, options};

/// As much evidence of one currency as is kept, of the auditor's own and of others.
const FULL: &str = "INSERT INTO evidence (id, currency, kind, statement, verdict, text, kept_at, is_received)
    WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < 512)
    SELECT randomblob(32), 1, 'full', 'number ' || number, 'complaint', '{}', 1, number % 2 FROM numbers;";

/// An auditor in this folder that has cosigned the log and has no more room for evidence.
async fn full_auditor(folder: &std::path::Path, issuer: &LogServer) -> RunningAuditor {
    let auditor = RunningAuditor::start(folder, &[issuer], options()).await;
    auditor.wait_for_cosigned(issuer.size()).await;
    auditor.stop().await;
    change_database(folder, FULL).await;
    let auditor = RunningAuditor::start(folder, &[issuer], options()).await;
    let is_followed = |status: &Value| status["read_at"].is_u64();
    auditor.wait_for("followed again", is_followed).await;
    auditor
}

fn is_refused_without_trouble(status: &Value) -> bool {
    let refusal = status["refusal"].as_str().unwrap_or_default();
    status["trouble"].is_null() && refusal.contains("a rule is broken")
}

/// Lets the log break a rule.
fn break_rule(log: &mut LogBuilder) {
    log.spend(KeyNo::FIRST, 10);
    log.seal_changed(|_, batch| batch.paid_in += 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_followed_though_its_faults_are_proven_no_more() {
    let issuer = LogServer::start(LogBuilder::begun_of).await;
    let good = issuer.size();
    let folder = tempfile::tempdir().unwrap();
    let auditor = full_auditor(folder.path(), &issuer).await;
    issuer.change(break_rule);
    let status = auditor.wait_for("refused", is_refused_without_trouble).await;
    assert_eq!(status["cosigned"]["size"], good);
    assert!(!findings(&status).is_empty());
    for finding in status["findings"].as_array().unwrap() {
        assert!(finding["evidence"].is_null(), "{finding}");
    }
    // It goes on to copy the log.
    issuer.change(|log| {
        log.issue(KeyNo::FIRST, 5);
        log.seal();
    });
    let size = issuer.size();
    let is_followed = |status: &Value| status["size"] == size && status["trouble"].is_null();
    auditor.wait_for("followed", is_followed).await;
    auditor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_histories_keep_the_auditor_from_cosigning() {
    let issuer = LogServer::start(LogBuilder::begun_of).await;
    let other = issuer.change(|log| {
        let mut other = log.fork();
        log.issue(KeyNo::FIRST, 5);
        log.seal();
        other.issue(KeyNo::FIRST, 5);
        other.next_digest();
        other.seal_changed(|_, batch| batch.accounts += 1);
        other
    });
    let folder = tempfile::tempdir().unwrap();
    let auditor = full_auditor(folder.path(), &issuer).await;
    let note = other.checkpoint_at(other.size(), now_s());
    let message = GossipMessage::new(GossipKind::Checkpoint, note.to_string()).unwrap();
    assert_eq!(auditor.post("/v1/gossip", message.to_json()).await, 204);
    let status = auditor.wait_for("refused", is_refused_without_trouble).await;
    assert!(findings(&status)[0].contains("two histories"), "{status:#}");
    auditor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_of_others_keeps_the_auditor_from_cosigning() {
    let issuer = LogServer::start(LogBuilder::begun_of).await;
    let good = issuer.size();
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let auditor = full_auditor(folders[0].path(), &issuer).await;
    auditor.wait_for_cosigned(good).await;
    auditor.stop().await;
    issuer.change(break_rule);
    let witness = RunningAuditor::start(folders[1].path(), &[&issuer], options()).await;
    let is_proven = |status: &Value| {
        status["evidence"]
            .as_array()
            .is_some_and(|files| !files.is_empty())
    };
    let status = witness.wait_for("proven", is_proven).await;
    let id = status["evidence"][0]["id"].as_str().unwrap();
    let file = witness.text(&format!("/evidence/{id}")).await;
    witness.stop().await;
    issuer.show(good);
    let auditor = RunningAuditor::start(folders[0].path(), &[&issuer], options()).await;
    let is_settled = |status: &Value| status["read_at"].is_u64() && status["refusal"].is_null();
    auditor.wait_for("settled", is_settled).await;
    let message = GossipMessage::new(GossipKind::Evidence, file.clone()).unwrap();
    assert_eq!(auditor.post("/v1/gossip", message.to_json()).await, 204);
    let status = auditor.wait_for("refused", is_refused_without_trouble).await;
    assert!(findings(&status)[0].contains("proven by evidence"), "{status:#}");
    auditor.stop().await;
    // The evidence is kept, and the auditor was interrupted before it wrote down what that proves.
    change_database(folders[0].path(), "DELETE FROM findings; DELETE FROM evidence;").await;
    let auditor = RunningAuditor::start(folders[0].path(), &[], options()).await;
    let message = GossipMessage::new(GossipKind::Evidence, file).unwrap();
    assert_eq!(auditor.post("/v1/gossip", message.to_json()).await, 204);
    auditor.wait_for("kept", is_proven).await;
    let cosigned = auditor.wait_for("refused", is_refused_without_trouble).await["cosigned"].clone();
    auditor.stop().await;
    change_database(folders[0].path(), "DELETE FROM findings;").await;
    let auditor = RunningAuditor::start(folders[0].path(), &[], options()).await;
    let status = auditor.wait_for("refused", is_refused_without_trouble).await;
    assert!(findings(&status)[0].contains("proven by evidence"), "{status:#}");
    assert_eq!(status["cosigned"], cosigned);
    auditor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_signs_ever_more_histories_leaves_room_for_other_evidence() {
    const PAIRS: u64 = 10;
    let issuer = LogServer::start(LogBuilder::begun_of).await;
    let folder = tempfile::tempdir().unwrap();
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    auditor.wait_for_cosigned(issuer.size()).await;
    for pair in 1..=PAIRS {
        for _ in 0..2 {
            let note = issuer.change(|log| {
                let (size, root) = (log.size() + pair, log.next_digest());
                log.signed_checkpoint(size, root, log.currency().witnesses(), now_s())
            });
            let message = GossipMessage::new(GossipKind::Checkpoint, note.to_string()).unwrap();
            assert_eq!(auditor.post("/v1/gossip", message.to_json()).await, 204);
        }
    }
    let status = auditor.wait_for("refused", is_refused_without_trouble).await;
    let evidence = status["evidence"].as_array().unwrap();
    assert!(
        evidence.iter().all(|file| file["kind"] == "split view"),
        "{status:#}"
    );
    assert_eq!(evidence.len(), 8, "{status:#}");
    auditor.stop().await;
}
