//! Two histories, and auditors that tell each other.

use opencoin_evidence::check_evidence;
use opencoin_gossip::{GossipKind, GossipMessage};
use opencoin_log::key_no::KeyNo;
use opencoin_testkit::log_builder::LogBuilder;
use serde_json::Value;

use crate::support::{LogServer, Mischief, RunningAuditor, now_s, options};

/// A log with a second history of the same size.
fn two_histories(issuer: &LogServer) -> LogBuilder {
    issuer.change(|log| {
        log.issue(KeyNo::FIRST, 9);
        log.seal();
        let mut other = log.fork();
        log.issue(KeyNo::FIRST, 5);
        log.seal();
        other.issue(KeyNo::FIRST, 5);
        other.seal();
        other
    })
}

fn has_split_view(status: &Value) -> bool {
    let evidence = status["evidence"].as_array().unwrap();
    evidence.iter().any(|file| file["kind"] == "split view")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_shows_two_histories_to_one_auditor_is_found() {
    let issuer = LogServer::start(LogBuilder::begun_of).await;
    let other = two_histories(&issuer);
    let folder = tempfile::tempdir().unwrap();
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    let good = issuer.size();
    auditor.wait_for_cosigned(good).await;
    issuer.replace(other);
    let status = auditor.wait_for("split", has_split_view).await;
    assert_eq!(status["cosigned"]["size"], good);
    // A larger tree of the other history is proven with its files.
    issuer.change(|log| {
        log.issue(KeyNo::FIRST, 5);
        log.seal();
    });
    let is_twice = |status: &Value| status["evidence"].as_array().unwrap().len() > 1;
    let status = auditor.wait_for("split again", is_twice).await;
    assert_eq!(status["cosigned"]["size"], good);
    for file in status["evidence"].as_array().unwrap() {
        let id = file["id"].as_str().unwrap();
        let text = auditor.text(&format!("/evidence/{id}")).await;
        assert_eq!(check_evidence(text.as_bytes()).unwrap().kind, "split view");
    }
    auditor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_with_a_second_history_of_its_own_size_is_cosigned_no_more() {
    let issuer = LogServer::start(LogBuilder::begun_of).await;
    let other = two_histories(&issuer);
    let folder = tempfile::tempdir().unwrap();
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    auditor.wait_for_cosigned(issuer.size()).await;
    let note = other.checkpoint_at(other.size(), now_s());
    let message = GossipMessage::new(GossipKind::Checkpoint, note.to_string()).unwrap();
    assert_eq!(auditor.post("/v1/gossip", message.to_json()).await, 204);
    auditor.wait_for("split", has_split_view).await;
    // The log goes on to show the same tree, with newer cosignatures.
    let is_refused = |status: &Value| status["refusal"].is_string();
    let status = auditor.wait_for("refused", is_refused).await;
    let refusal = status["refusal"].as_str().unwrap();
    assert!(refusal.contains("two histories"), "{refusal}");
    auditor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn auditors_who_are_shown_different_histories_find_out_from_each_other() {
    // One currency, which each auditor reads from another server.
    let one = LogServer::start(LogBuilder::begun_of).await;
    let other = two_histories(&one);
    let two = LogServer::start(|_| other).await;
    two.name_itself();
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let first = RunningAuditor::start(folders[0].path(), &[&one], options()).await;
    let mut with_peer = options();
    with_peer.peers = vec![first.url.clone()];
    let second = RunningAuditor::start(folders[1].path(), &[&two], with_peer).await;
    // A light one knows only the second.
    let mut light = options();
    light.is_light = true;
    light.peers = vec![second.url.clone()];
    let third = RunningAuditor::start(folders[2].path(), &[&one], light).await;
    for auditor in [&first, &second, &third] {
        auditor.wait_for("split", has_split_view).await;
    }
    for auditor in [first, second, third] {
        auditor.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_say_nothing_are_refused() {
    let issuer = LogServer::start(LogBuilder::begun_of).await;
    let folder = tempfile::tempdir().unwrap();
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    auditor.wait_for_cosigned(issuer.size()).await;
    let message = |kind, text: String| GossipMessage::new(kind, text).unwrap().to_json();
    let note = issuer.change(|log| log.checkpoint_at(log.size(), now_s()));
    let stranger = LogBuilder::of(std::sync::Arc::new(
        opencoin_testkit::log_builder::LogCurrency::new("other.test", "http://other.test"),
    ));
    // What is known or of another log is taken and forgotten.
    for text in [note.to_string(), stranger.checkpoint_at(0, now_s()).to_string()] {
        let body = message(GossipKind::Checkpoint, text);
        assert_eq!(auditor.post("/v1/gossip", body).await, 204);
    }
    let forged = note
        .to_string()
        .replacen("issuer.test/log\n", "issuer.test/log\n1", 1);
    let body = message(GossipKind::Checkpoint, forged);
    assert_eq!(auditor.post("/v1/gossip", body).await, 422);
    let body = message(GossipKind::Evidence, "{}".to_owned());
    assert_eq!(auditor.post("/v1/gossip", body).await, 422);
    assert_eq!(auditor.post("/v1/gossip", "{}").await, 400);
    assert_eq!(auditor.post("/v1/gossip", "x".repeat(100_000)).await, 413);
    let status = auditor.status().await;
    assert_eq!(status["findings"], serde_json::json!([]));
    auditor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_from_the_future_of_the_log_is_placed_when_the_log_gets_there() {
    let issuer = LogServer::start(LogBuilder::begun_of).await;
    let other = two_histories(&issuer);
    // The auditor sees the log before it has split.
    let before = issuer.change(|log| log.batches().last().unwrap().first);
    issuer.show(before);
    let folder = tempfile::tempdir().unwrap();
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    auditor.wait_for_cosigned(before).await;
    let note = other.checkpoint_at(other.size(), now_s());
    let body = GossipMessage::new(GossipKind::Checkpoint, note.to_string())
        .unwrap()
        .to_json();
    assert_eq!(auditor.post("/v1/gossip", body).await, 204);
    auditor.stop().await;
    // It is remembered.
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    issuer.show(issuer.size());
    auditor.wait_for("split", has_split_view).await;
    auditor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_whose_entries_nobody_shows_are_counted_until_they_are_placed() {
    let issuer = LogServer::start(LogBuilder::begun_of).await;
    let before = issuer.size();
    let notes = issuer.change(|log| {
        [5, 9].map(|count| {
            log.issue(KeyNo::FIRST, count);
            log.seal();
            log.checkpoint_at(log.size(), now_s())
        })
    });
    issuer.show(before);
    let folder = tempfile::tempdir().unwrap();
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    let status = auditor.wait_for_cosigned(before).await;
    assert_eq!(status["unresolved"], serde_json::json!([]));
    assert!(!auditor.text("/").await.contains("second history"));
    issuer.misbehave(Mischief::NoFiles);
    let begun = now_s();
    for note in &notes {
        let message = GossipMessage::new(GossipKind::Checkpoint, note.to_string());
        assert_eq!(auditor.post("/v1/gossip", message.unwrap().to_json()).await, 204);
    }
    let both = |status: &Value| status["unresolved"].as_array().unwrap().len() == 2;
    let status = auditor.wait_for("heard", both).await;
    for (shown, note) in status["unresolved"].as_array().unwrap().iter().zip(&notes) {
        assert_eq!(shown["size"], note.checkpoint().size());
        assert_eq!(shown["root"], note.checkpoint().root().to_string());
        let seen_at = shown["seen_at"].as_u64().unwrap();
        assert!((begun..=now_s()).contains(&seen_at), "{seen_at}");
    }
    let page = auditor.text("/").await;
    assert!(page.contains("2 checkpoints that others have shown"), "{page}");
    auditor.stop().await;
    // It still knows after a restart. The log gets there, and all is of one history.
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    auditor.wait_for("still known", both).await;
    issuer.misbehave(Mischief::None);
    issuer.show(issuer.size());
    let is_placed = |status: &Value| status["unresolved"] == serde_json::json!([]);
    let status = auditor.wait_for("placed", is_placed).await;
    assert_eq!(status["findings"], serde_json::json!([]));
    auditor.stop().await;
}
