//! Mint keys and descriptions that the issuer hands out and its log does not have.

use std::sync::Arc;

use opencoin_evidence::check_evidence;
use opencoin_testkit::log_builder::{LogBuilder, LogCurrency, LogTerms};
use serde_json::Value;

use crate::support::{LogServer, RunningAuditor, findings, now_s, options};

/// The merge delay, which is shorter than the time that clocks may differ by.
const WITHIN_S: u32 = 200;
/// The clock of witnesses when the merge delay has passed.
const AHEAD_S: u64 = 280;

async fn issuer() -> LogServer {
    let make = |currency: Arc<LogCurrency>| {
        let terms = LogTerms {
            within_s: WITHIN_S,
            ..LogTerms::default()
        };
        let url = &currency.cddc().cdd().cdd_location;
        LogBuilder::begun_of(Arc::new(LogCurrency::on_terms("issuer.test", url, terms)))
    };
    LogServer::start(make).await
}

async fn check_file(auditor: &RunningAuditor, id: &Value, kind: &str) {
    let file = auditor.text(&format!("/evidence/{}", id.as_str().unwrap())).await;
    assert_eq!(check_evidence(file.as_bytes()).unwrap().kind, kind);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mint_key_that_is_handed_out_and_not_logged_is_proven_after_the_merge_delay() {
    let issuer = issuer().await;
    let (secret, keys) = issuer.change(|log| {
        let logged = log.mint_keys().into_iter().map(|(.., key)| key.mkc().clone());
        let secret = log.currency().mint_key(5, 2, now_s() - 10).mkc().clone();
        let later = log.currency().mint_key(6, 2, now_s() + 1_000_000).mkc().clone();
        let keys = logged.chain([secret.clone(), later]).collect();
        (secret, keys)
    });
    issuer.hand_out(keys);
    let folder = tempfile::tempdir().unwrap();
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    let status = auditor.wait_for_cosigned(issuer.size()).await;
    assert_eq!(findings(&status), [""; 0]);
    issuer.cosign_ahead(AHEAD_S);
    let status = auditor
        .wait_for("proven", |status| status["findings"][0]["evidence"].is_string())
        .await;
    assert_eq!(status["verdict"], "broken");
    let found = findings(&status);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains(&secret.mint_key.id.to_string()), "{found:?}");
    check_file(&auditor, &status["findings"][0]["evidence"], "secret key").await;
    let status = auditor
        .wait_for("refusing", |status| status["refusal"].is_string())
        .await;
    assert!(
        status["refusal"].as_str().unwrap().contains("not in the log"),
        "{status:#}"
    );
    auditor.stop().await;
    // It is not found a second time when the log has grown.
    issuer.change(LogBuilder::seal);
    let size = issuer.size();
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    let status = auditor
        .wait_for("refusing", |status| {
            status["size"] == size && status["refusal"].is_string()
        })
        .await;
    assert_eq!(
        (
            findings(&status).len(),
            status["evidence"].as_array().unwrap().len()
        ),
        (1, 1)
    );
    auditor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mint_key_that_enters_the_log_late_is_no_fault() {
    let issuer = issuer().await;
    let key = issuer.change(|log| log.currency().mint_key(2, 2, now_s() - 10));
    issuer.hand_out(vec![key.mkc().clone()]);
    let folder = tempfile::tempdir().unwrap();
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    auditor.wait_for_cosigned(issuer.size()).await;
    issuer.change(|log| {
        log.add_certified_key(&key);
        log.seal();
    });
    issuer.cosign_ahead(AHEAD_S);
    let status = auditor.wait_for_cosigned(issuer.size()).await;
    assert_eq!(findings(&status), [""; 0]);
    auditor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_description_that_is_not_logged_is_remarked_after_the_merge_delay() {
    let issuer = issuer().await;
    issuer.describe(|cdd| cdd.cdd_serial = 2);
    let folder = tempfile::tempdir().unwrap();
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    let status = auditor.wait_for_cosigned(issuer.size()).await;
    assert_eq!(findings(&status), [""; 0]);
    issuer.cosign_ahead(AHEAD_S);
    let status = auditor
        .wait_for("remarked", |status| status["findings"][0].is_object())
        .await;
    assert_eq!(status["findings"][0]["broken"], false);
    assert!(findings(&status)[0].contains("description 2"), "{status:#}");
    auditor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_description_with_the_number_of_the_one_in_the_log_is_proven() {
    let issuer = issuer().await;
    issuer.describe(|cdd| cdd.currency_name = "Other".to_owned());
    let folder = tempfile::tempdir().unwrap();
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    let status = auditor
        .wait_for("proven", |status| status["findings"][0]["evidence"].is_string())
        .await;
    assert_eq!(status["verdict"], "broken");
    check_file(&auditor, &status["findings"][0]["evidence"], "disorder").await;
    auditor.stop().await;
}
