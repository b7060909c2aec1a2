//! What an auditor does when a rule is broken.

use std::collections::BTreeSet;

use opencoin_evidence::check_evidence;
use opencoin_log::key_no::KeyNo;
use opencoin_testkit::frauds;
use opencoin_testkit::log_builder::LogBuilder;
use serde_json::Value;

use crate::support::{LogServer, RunningAuditor, findings, options};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_above_a_broken_rule_is_cosigned_and_evidence_is_kept() {
    let issuer = LogServer::start(LogBuilder::begun_of).await;
    issuer.change(|log| {
        log.issue(KeyNo::FIRST, 9);
        log.seal();
    });
    let folder = tempfile::tempdir().unwrap();
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    let good = issuer.size();
    auditor.wait_for_cosigned(good).await;
    issuer.change(|log| {
        log.spend(KeyNo::FIRST, 10);
        log.seal_changed(|_, batch| batch.paid_in += 1);
    });
    let status = auditor
        .wait_for("accused", |status| {
            let evidence = status["findings"][0]["evidence"].is_string();
            evidence && status["refusal"].is_string()
        })
        .await;
    assert_eq!(status["cosigned"]["size"], good);
    assert_eq!(status["verdict"], "broken");
    assert!(
        findings(&status)[0].contains("10 coins of key 1 came back"),
        "{status:#}"
    );
    let refusal = status["refusal"].as_str().unwrap();
    assert!(refusal.contains("10 coins of key 1"), "{refusal}");
    let id = status["findings"][0]["evidence"].as_str().unwrap().to_owned();
    let file = auditor.text(&format!("/evidence/{id}")).await;
    assert_eq!(check_evidence(file.as_bytes()).unwrap().kind, "over-redemption");
    let list: Value = serde_json::from_str(&auditor.text("/evidence").await).unwrap();
    assert_eq!(list[0]["id"], id);
    // The log grows, and the auditor goes on to copy it, but not to cosign.
    issuer.change(|log| {
        log.issue(KeyNo::FIRST, 5);
        // The coin that was never issued is still there.
        log.seal_changed(|_, batch| batch.accounts += 1);
    });
    let size = issuer.size();
    let status = auditor
        .wait_for("followed", |status| status["size"] == size)
        .await;
    assert_eq!(status["cosigned"]["size"], good);
    auditor.stop().await;
    // It does not forget.
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    let status = auditor
        .wait_for("refusing", |status| status["refusal"].is_string())
        .await;
    assert_eq!(status["cosigned"]["size"], good);
    assert_eq!(findings(&status).len(), 1);
    auditor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fraud_of_each_kind_is_proven_by_a_file() {
    let issuer = LogServer::start(frauds::honest).await;
    let honest = issuer.change(|log| log.fork());
    let (mut unproven, mut kinds) = (Vec::new(), BTreeSet::new());
    for fraud in frauds::all() {
        if !kinds.insert(fraud.kind) {
            continue;
        }
        let mut log = honest.fork();
        (fraud.commit)(&mut log);
        issuer.replace(log);
        let folder = tempfile::tempdir().unwrap();
        let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
        let status = auditor
            .wait_for(fraud.name, |status| {
                status["findings"]
                    .as_array()
                    .is_some_and(|found| !found.is_empty())
                    && (status["refusal"].is_string() || status["cosigned"].is_object())
            })
            .await;
        let evidence = status["evidence"].as_array().unwrap();
        let made: Vec<&str> = evidence.iter().filter_map(|file| file["kind"].as_str()).collect();
        if fraud.kind.is_some_and(|kind| !made.contains(&kind)) {
            unproven.push((fraud.name, fraud.kind, made.join(", "), findings(&status)));
        }
        auditor.stop().await;
    }
    assert!(unproven.is_empty(), "{unproven:#?}");
}
