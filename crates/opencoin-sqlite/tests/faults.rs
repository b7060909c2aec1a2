//! Each statement of each command fails once and nothing is stored, and futures are dropped at every await
//! point.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use opencoin_conformance::{FaultCase, Pair, assert_books_hold, batches_are_dropped_anywhere};
use opencoin_ledger::LedgerError;
use opencoin_sqlite::{Mode, SqliteLedger};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};

/// All kinds of statements with which commands write.
const STATEMENTS: [&str; 15] = [
    "INSERT ON accounts",
    "UPDATE ON accounts",
    "INSERT ON mint_keys",
    "UPDATE ON mint_keys",
    "INSERT ON transactions",
    "INSERT ON blinds",
    "UPDATE ON blinds",
    "INSERT ON spent",
    "INSERT ON recouped",
    "UPDATE ON signing",
    "INSERT ON payouts",
    "UPDATE ON payouts",
    "INSERT ON waiting_mints",
    "UPDATE ON waiting_mints",
    "DELETE ON waiting_mints",
];
const FAULT: &str = "a fault of the test";
/// Many times the number of polls that a batch needs.
const BATCHES_DROPPED: usize = 320;

/// Changes the file without the ledger.
async fn tamper(path: &Path, statements: &str) {
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .connect()
        .await
        .unwrap();
    connection.execute(sqlx::raw_sql(statements)).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_command_with_a_failed_statement_is_not_stored() {
    let (mut struck, mut faults) = (BTreeSet::new(), 0);
    for case in FaultCase::all().await {
        let faults_before = faults;
        for statement in STATEMENTS {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("ledger.sqlite");
            let ledger = SqliteLedger::open(path.to_str().unwrap(), Mode::Create)
                .await
                .unwrap();
            case.prepare(Arc::new(ledger.clone())).await;
            tamper(
                &path,
                &format!("CREATE TRIGGER fault BEFORE {statement} BEGIN SELECT RAISE(ABORT, '{FAULT}'); END"),
            )
            .await;
            match case.apply(&ledger).await {
                Err(error) => {
                    assert_eq!(error, LedgerError::Database(FAULT.to_owned()));
                    tamper(&path, "DROP TRIGGER fault").await;
                    case.assert_not_stored(&ledger).await;
                    struck.insert(statement);
                    faults += 1;
                }
                Ok(_) => case.assert_stored(&ledger).await, // this command does not use the statement
            }
            ledger.close().await;
        }
        assert!(faults > faults_before, "no statement of {} failed", case.name());
    }
    println!("{faults} faults");
    assert_eq!(struck.len(), STATEMENTS.len(), "{struck:?}");
}

#[tokio::test]
async fn a_dropped_batch_is_stored_completely_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    let first = SqliteLedger::open(path.to_str().unwrap(), Mode::Create)
        .await
        .unwrap();
    let second = SqliteLedger::open(path.to_str().unwrap(), Mode::Existing)
        .await
        .unwrap();
    let pair: Pair = [Arc::new(first), Arc::new(second)];
    let dropped = batches_are_dropped_anywhere(&pair, BATCHES_DROPPED).await;
    println!("{dropped:?}");
    assert_books_hold(&pair).await;
}
