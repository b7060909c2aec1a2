//! Servers that lie, and copies that are better.

use opencoin_log::key_no::KeyNo;
use opencoin_testkit::log_builder::LogBuilder;

use crate::support::{LogServer, Mischief, RunningAuditor, options};

fn grow(log: &mut LogBuilder) {
    for _ in 0..8 {
        log.issue(KeyNo::FIRST, 120);
        log.seal();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_files_are_not_believed_and_the_right_ones_are_taken_later() {
    let issuer = LogServer::start(LogBuilder::begun_of).await;
    let folder = tempfile::tempdir().unwrap();
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    let mut good = issuer.size();
    auditor.wait_for_cosigned(good).await;
    for mischief in [
        Mischief::NoFiles,
        Mischief::WrongBundles,
        Mischief::WrongTiles,
        Mischief::Endless,
        Mischief::Short,
        Mischief::Redirects,
        Mischief::Away,
    ] {
        issuer.misbehave(mischief);
        issuer.change(grow);
        let status = auditor
            .wait_for("in trouble", |status| status["trouble"].is_string())
            .await;
        assert_eq!(status["trouble"], "the log cannot be read", "{mischief:?}");
        assert_eq!(status["cosigned"]["size"], good, "{mischief:?}");
        assert_eq!(status["findings"], serde_json::json!([]), "{mischief:?}");
        issuer.misbehave(Mischief::None);
        good = issuer.size();
        let status = auditor.wait_for_cosigned(good).await;
        assert_eq!(status["findings"], serde_json::json!([]), "{mischief:?}");
    }
    auditor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_issuer_withholds_is_taken_from_another_auditor() {
    let issuer = LogServer::start(LogBuilder::begun_of).await;
    issuer.change(grow);
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let first = RunningAuditor::start(folders[0].path(), &[&issuer], options()).await;
    first.wait_for_cosigned(issuer.size()).await;
    for mischief in [Mischief::WrongBundles, Mischief::NoFiles] {
        issuer.misbehave(mischief);
        let mut options = options();
        options.peers = vec![first.url.clone()];
        let folder = tempfile::tempdir().unwrap();
        let late = RunningAuditor::start(folder.path(), &[&issuer], options).await;
        late.wait_for_cosigned(issuer.size()).await;
        late.stop().await;
    }
    first.stop().await;
}
