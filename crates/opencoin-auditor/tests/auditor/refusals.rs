//! What keeps an auditor from cosigning, also after it was interrupted at a bad moment.
//!
//! Each interruption is played by changing what the stopped auditor has stored to what was stored at that moment.

use std::path::Path;

use opencoin_log::key_no::KeyNo;
use opencoin_testkit::log_builder::LogBuilder;
use serde_json::Value;

use crate::support::{LogServer, Mischief, RunningAuditor, change_database, findings, options};

/// Nothing that was found is in the database.
const NOTHING_FOUND: &str = "DELETE FROM findings; DELETE FROM evidence;";
/// The state of the replay was never stored.
const NOTHING_REPLAYED: &str =
    "DELETE FROM replay_pieces; UPDATE progress SET snapshot_size = 0, runs = NULL;";
/// Nothing was cosigned.
const NOTHING_COSIGNED: &str = "DROP TRIGGER cosigned_is_never_forgotten; DELETE FROM cosigned;";

/// The auditor has read the whole log, and has decided whether to cosign it.
fn is_decided(status: &Value) -> bool {
    let refusal = status["refusal"].as_str();
    let is_refused = refusal.is_some_and(|refusal| !refusal.contains("entries were replayed"));
    is_refused || status["cosigned"].is_object()
}

/// A log whose last batch breaks a rule.
async fn broken_log() -> LogServer {
    let issuer = LogServer::start(LogBuilder::begun_of).await;
    issuer.change(|log| {
        log.issue(KeyNo::FIRST, 9);
        log.seal_changed(|_, batch| batch.paid_in += 1);
    });
    issuer
}

/// Lets an auditor follow the log, stops it, changes its database, and starts it again. Returns what it decides then.
async fn after_interruption(folder: &Path, issuer: &LogServer, sql: &str) -> Value {
    let auditor = RunningAuditor::start(folder, &[issuer], options()).await;
    let status = auditor.wait_for("decided", is_decided).await;
    assert!(status["refusal"].is_string(), "{status:#}");
    auditor.stop().await;
    change_database(folder, sql).await;
    let auditor = RunningAuditor::start(folder, &[issuer], options()).await;
    let status = auditor.wait_for("decided again", is_decided).await;
    auditor.stop().await;
    status
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_replay_knows_to_be_broken_is_not_cosigned_though_no_finding_is_stored() {
    let issuer = broken_log().await;
    let folder = tempfile::tempdir().unwrap();
    let status = after_interruption(folder.path(), &issuer, NOTHING_FOUND).await;
    assert!(status["cosigned"].is_null(), "{status:#}");
    assert_eq!(status["verdict"], "broken");
    let refusal = status["refusal"].as_str().unwrap();
    assert!(refusal.contains("a rule is broken"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_in_entries_on_the_disk_is_stored_and_keeps_the_auditor_from_cosigning() {
    let issuer = broken_log().await;
    let folder = tempfile::tempdir().unwrap();
    let sql = format!("{NOTHING_FOUND}{NOTHING_REPLAYED}");
    let status = after_interruption(folder.path(), &issuer, &sql).await;
    assert!(status["cosigned"].is_null(), "{status:#}");
    assert_eq!(findings(&status).len(), 1, "{status:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_that_ends_within_a_batch_is_not_cosigned_after_an_interruption() {
    let issuer = LogServer::start(LogBuilder::begun_of).await;
    issuer.change(|log| {
        log.issue(KeyNo::FIRST, 9);
        log.seal();
    });
    issuer.show(issuer.size() - 3);
    for sql in [
        NOTHING_FOUND.to_owned(),
        format!("{NOTHING_FOUND}{NOTHING_REPLAYED}"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let status = after_interruption(folder.path(), &issuer, &sql).await;
        assert!(status["cosigned"].is_null(), "{status:#}");
        assert_eq!(status["verdict"], "broken");
        let [finding] = &findings(&status)[..] else {
            panic!("{status:#}");
        };
        assert!(finding.contains("within a batch"), "{finding}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_cosigned_only_if_its_own_entries_were_replayed() {
    let issuer = LogServer::start(LogBuilder::begun_of).await;
    let other = issuer.change(|log| {
        let mut other = log.fork();
        log.issue(KeyNo::FIRST, 9);
        log.seal();
        other.next_digest();
        other.issue(KeyNo::FIRST, 9);
        other.seal();
        other
    });
    let folder = tempfile::tempdir().unwrap();
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    auditor.wait_for_cosigned(issuer.size()).await;
    auditor.stop().await;
    let note = other.checkpoint();
    let sql = format!("{NOTHING_COSIGNED} UPDATE progress SET checkpoint = '{note}';");
    change_database(folder.path(), &sql).await;
    // The entries of the other history are nowhere, so nothing can be known of it.
    issuer.replace(other);
    issuer.misbehave(Mischief::NoFiles);
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    let is_looked_at = |status: &Value| status["trouble"].is_string() || status["cosigned"].is_object();
    let status = auditor.wait_for("looked at", is_looked_at).await;
    assert!(status["cosigned"].is_null(), "{status:#}");
    // They come, are replayed, and are cosigned.
    issuer.misbehave(Mischief::None);
    auditor.wait_for_cosigned(issuer.size()).await;
    auditor.stop().await;
}
