//! Audits of a SQLite file: they find tampering, resume where they stopped, and do not change the file.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::sync::Arc;

use opencoin_audit::{AuditSource, Auditor, Sample};
use opencoin_conformance::Store;
use opencoin_conformance::{
    Pair, TAMPERINGS, acceptances_are_read, an_auditor_goes_on_in_broken_books, an_auditor_resumes,
    books_to_tamper_with, tampering_is_found,
};
use opencoin_ledger::LedgerError;
use opencoin_sqlite::{Mode, SqliteLedger};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};
use tempfile::TempDir;

/// Books, and a read-only view of them for an auditor.
async fn open() -> (Pair, SqliteLedger, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let first = SqliteLedger::open(&address(&folder), Mode::Create).await.unwrap();
    let source = SqliteLedger::open_to_read(&address(&folder)).await.unwrap();
    let first: Arc<dyn Store> = Arc::new(first);
    ([Arc::clone(&first), first], source, folder)
}

fn address(folder: &TempDir) -> String {
    folder.path().join("ledger.sqlite").to_str().unwrap().to_owned()
}

/// Changes the file without the ledger.
async fn tamper(folder: &TempDir, statements: &str) {
    let mut connection = SqliteConnectOptions::new()
        .filename(address(folder))
        .connect()
        .await
        .unwrap();
    let statements = statements
        .replace("COUNTS_KEY", "no")
        .replace("COUNTS", "mint_keys");
    connection.execute(sqlx::raw_sql(&statements)).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn all_tampering_is_found() {
    for tampering in TAMPERINGS {
        let (ledgers, source, folder) = open().await;
        tampering_is_found(&ledgers, &source, tampering, async |statements: &str| {
            tamper(&folder, statements).await
        })
        .await;
    }
}

#[tokio::test]
async fn an_auditor_of_broken_books_reports_new_faults() {
    let (ledgers, source, folder) = open().await;
    an_auditor_goes_on_in_broken_books(&ledgers, &source, async |statements: &str| {
        tamper(&folder, statements).await
    })
    .await;
}

#[tokio::test]
async fn an_auditor_resumes_where_it_stopped() {
    let (ledgers, source, folder) = open().await;
    an_auditor_resumes(&ledgers, &source, async |statements: &str| {
        tamper(&folder, statements).await
    })
    .await;
}

#[tokio::test]
async fn stored_acceptances_are_read_page_by_page() {
    let (ledgers, source, _folder) = open().await;
    acceptances_are_read(&ledgers, &source).await;
}

#[tokio::test]
async fn a_seed_determines_the_sample() {
    let (ledgers, source, _folder) = open().await;
    books_to_tamper_with(&ledgers).await;
    let mut drawn = Vec::new();
    for sample in [
        Sample { size: 2, seed: 1 },
        Sample { size: 2, seed: 1 },
        Sample { size: 9, seed: 1 },
    ] {
        drawn.push(Auditor::new().full(&source, Some(sample)).await.unwrap().drawn);
    }
    assert_eq!((drawn[0].len(), &drawn[0], drawn[2].len()), (2, &drawn[1], 4));
    let of_seed = async |seed| {
        Auditor::new()
            .full(&source, Some(Sample { size: 1, seed }))
            .await
            .unwrap()
            .drawn
    };
    let first = of_seed(0).await;
    let mut other = false;
    for seed in 1..20 {
        other |= of_seed(seed).await != first;
    }
    assert!(other, "another seed draws another sample");
}

#[tokio::test]
async fn an_audit_changes_nothing_and_needs_current_tables() {
    let (ledgers, source, folder) = open().await;
    books_to_tamper_with(&ledgers).await;
    drop((ledgers, source));
    // The file as an issuer leaves it when it stops.
    let issuer = SqliteLedger::open(&address(&folder), Mode::Existing)
        .await
        .unwrap();
    issuer.close().await;
    let before = fs::read(address(&folder)).unwrap();
    let source = SqliteLedger::open_to_read(&address(&folder)).await.unwrap();
    assert!(Auditor::new().turn(&source).await.unwrap().report.holds());
    assert_eq!(source.database(), "SQLite");
    source.close().await;
    assert_eq!(fs::read(address(&folder)).unwrap(), before);

    tamper(&folder, "UPDATE _sqlx_migrations SET version = version - 2").await;
    assert!(matches!(
        SqliteLedger::open_to_read(&address(&folder)).await,
        Err(LedgerError::SchemaOlder { .. })
    ));
    let newer = "UPDATE _sqlx_migrations SET version = 9000 WHERE version = 0; UPDATE schema_compatibility SET oldest_program = 9000";
    tamper(&folder, newer).await;
    assert!(matches!(
        SqliteLedger::open_to_read(&address(&folder)).await,
        Err(LedgerError::SchemaUnknown(9000))
    ));
    let missing = SqliteLedger::open_to_read("/nowhere/ledger.sqlite").await;
    assert!(matches!(missing, Err(LedgerError::Address(_))));
}
