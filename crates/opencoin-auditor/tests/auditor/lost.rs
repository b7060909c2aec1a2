//! Files that are lost or damaged are made again.

use std::fs;
use std::path::{Path, PathBuf};

use opencoin_log::key_no::KeyNo;
use opencoin_testkit::log_builder::LogBuilder;

use crate::support::{LogServer, RunningAuditor, options};

fn currency_folder(folder: &Path) -> PathBuf {
    let mut entries = fs::read_dir(folder.join("currencies")).unwrap();
    entries.next().unwrap().unwrap().path()
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_files_are_made_again() {
    let issuer = LogServer::start(LogBuilder::begun_of).await;
    issuer.change(|log| {
        for _ in 0..8 {
            log.issue(KeyNo::FIRST, 90);
            log.seal();
            log.spend(KeyNo::FIRST, 40);
            log.seal();
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    auditor.wait_for_cosigned(issuer.size()).await;
    auditor.stop().await;
    let damages: [fn(&Path); 5] = [
        |currency| fs::remove_dir_all(currency.join("spent")).unwrap(),
        |currency| fs::remove_dir_all(currency.join("log")).unwrap(),
        |currency| fs::remove_dir_all(currency).unwrap(),
        |currency| fs::write(currency.join("log/hashes/1"), [0; 8]).unwrap(),
        |currency| {
            let pack = currency.join("log/entries/000000000");
            let mut bytes = fs::read(&pack).unwrap();
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            fs::write(&pack, bytes).unwrap();
        },
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        damage(&currency_folder(folder.path()));
        issuer.change(|log| {
            log.issue(KeyNo::FIRST, 10);
            log.seal();
        });
        let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
        let status = auditor.wait_for_cosigned(issuer.size()).await;
        assert_eq!(status["findings"], serde_json::json!([]), "damage {number}");
        auditor.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_database_is_made_again() {
    let issuer = LogServer::start(LogBuilder::begun_of).await;
    let folder = tempfile::tempdir().unwrap();
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    auditor.wait_for_cosigned(issuer.size()).await;
    auditor.stop().await;
    for file in fs::read_dir(folder.path()).unwrap() {
        let path = file.unwrap().path();
        if path.to_string_lossy().contains("sqlite") {
            fs::remove_file(path).unwrap();
        }
    }
    let auditor = RunningAuditor::start(folder.path(), &[&issuer], options()).await;
    auditor.wait_for_cosigned(issuer.size()).await;
    auditor.stop().await;
}
