//! Following an honest log.

use opencoin_log::key_no::KeyNo;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_testkit::log_builder::LogBuilder;
use serde_json::Value;

use crate::support::{LogServer, Mischief, RunningAuditor, findings, options};

fn grow(log: &mut LogBuilder, batches: u64) {
    for _ in 0..batches {
        log.issue(KeyNo::FIRST, 90);
        log.seal();
        log.spend(KeyNo::FIRST, 40);
        log.seal();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_followed_as_it_grows() {
    let issuer = LogServer::start(LogBuilder::begun_of).await;
    issuer.change(|log| grow(log, 10));
    let folder = tempfile::tempdir().unwrap();
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    auditor.wait_for_cosigned(issuer.size()).await;
    for _ in 0..3 {
        issuer.change(|log| grow(log, 2));
        let status = auditor.wait_for_cosigned(issuer.size()).await;
        assert_eq!(status["size"], issuer.size());
        assert_eq!(status["verdict"], "good");
        assert_eq!(findings(&status), [""; 0]);
    }
    let note: SignedCheckpoint = auditor.text(&auditor.cosigned_path()).await.parse().unwrap();
    let vkeys: serde_json::Value = serde_json::from_str(&auditor.text("/status.json").await).unwrap();
    let key = vkeys["vkeys"][0].as_str().unwrap().parse().unwrap();
    let verified = note.note().verify(&[key]).unwrap();
    assert!(verified[0].time.is_some());
    let policy = issuer.change(|log| {
        let info = log.cddc().cdd().additional_info.clone();
        opencoin_log::log_block::LogBlock::find(&info).unwrap().unwrap()
    });
    policy.policy().verify_checkpoint(&note, None).unwrap();
    let supply = auditor.status().await["supply"].clone();
    // 13 rounds of 90 issued and 40 spent.
    assert_eq!(supply[0]["outstanding"], 16 * 50, "{supply}");
    auditor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_goes_on_where_it_stopped_and_downloads_nothing_again() {
    let issuer = LogServer::start(LogBuilder::begun_of).await;
    issuer.change(|log| grow(log, 6));
    let folder = tempfile::tempdir().unwrap();
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    auditor.wait_for_cosigned(issuer.size()).await;
    auditor.stop().await;
    let asked = issuer.asked().len();
    issuer.change(|log| grow(log, 1));
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    auditor.wait_for_cosigned(issuer.size()).await;
    let again = issuer.asked()[asked..]
        .iter()
        .any(|path| path == "/log/tile/entries/000");
    assert!(!again, "{:?}", &issuer.asked()[asked..]);
    auditor.stop().await;

    // The log is away: the status names the witnesses of the newest checkpoint all the same.
    issuer.misbehave(Mischief::Away);
    let auditor = RunningAuditor::start(folder.path(), &[], options()).await;
    let is_away = |status: &Value| !status["trouble"].is_null();
    let status = auditor.wait_for("the log is away", is_away).await;
    let witnesses = status["checkpoint"]["cosigned_by"].as_array().map(Vec::len);
    assert_eq!(witnesses, Some(2), "{status}");
    auditor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_light_auditor_takes_samples_and_cosigns_nothing() {
    let issuer = LogServer::start(LogBuilder::begun_of).await;
    issuer.change(|log| grow(log, 6));
    let folder = tempfile::tempdir().unwrap();
    let mut options = options();
    options.is_light = true;
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options).await;
    let size = issuer.size();
    let status = auditor
        .wait_for("sampled", |status| {
            status["size"] == size && status["sampled"].as_u64() > Some(0)
        })
        .await;
    assert_eq!(status["verdict"], "sampled");
    assert_eq!(auditor.get(&auditor.cosigned_path()).await.0, 404);
    auditor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_description_of_the_currency_is_taken_from_the_log() {
    let issuer = LogServer::start(LogBuilder::begun_of).await;
    let folder = tempfile::tempdir().unwrap();
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    auditor.wait_for_cosigned(issuer.size()).await;
    issuer.change(|log| {
        let newer = log.currency().described(|cdd| cdd.cdd_serial = 2);
        let leaf = opencoin_log::leaf::Leaf::Currency(Box::new(newer.cddc().clone()));
        log.add(&leaf);
        log.seal();
    });
    auditor
        .wait_for("described", |status| status["description"] == 2)
        .await;
    auditor.wait_for_cosigned(issuer.size()).await;
    auditor.stop().await;
}
