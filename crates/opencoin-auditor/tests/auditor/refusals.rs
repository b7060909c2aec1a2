//! What keeps an auditor from cosigning, also after it was interrupted at a bad moment.
//!
//! Each interruption is played by changing what the stopped auditor has stored to what was stored at that moment.

use std::path::Path;

use opencoin_log::key_no::KeyNo;
use opencoin_testkit::log_builder::LogBuilder;
use serde_json::Value;

use crate::support::{LogServer, RunningAuditor, change_database, options};

/// Nothing that was found is in the database.
const NOTHING_FOUND: &str = "DELETE FROM findings; DELETE FROM evidence;";
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
