//! The connection to PostgreSQL breaks just before or just after the commit of each command, and futures are
//! dropped at every await point.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;

use opencoin_conformance::Store;
use opencoin_conformance::{FaultCase, Pair, assert_books_hold, batches_are_dropped_anywhere};
use opencoin_ledger::LedgerError;
use opencoin_postgres::PostgresLedger;
use opencoin_testkit::postgres::TestDatabase;
use opencoin_testkit::postgres_proxy::{Fault, PostgresProxy};

/// Several times the number of polls that a batch needs.
const BATCHES_DROPPED: usize = 320;

/// Causes the fault at the commit of every command. `check` then reads the ledger through the same proxy.
async fn at_every_commit(fault: Fault, check: impl AsyncFn(&FaultCase, &dyn Store)) {
    for case in FaultCase::all().await {
        let database = TestDatabase::create();
        let proxy = PostgresProxy::start(&database.url());
        let ledger = PostgresLedger::connect(&proxy.url()).await.unwrap();
        case.prepare(Arc::new(ledger.clone())).await;
        proxy.strike_once(fault);
        let answer = case.apply(&ledger).await;
        assert!(
            matches!(answer, Err(LedgerError::Unavailable(_))),
            "{}: {answer:?}",
            case.name()
        );
        let counts = proxy.counts();
        let (before, after) = if fault == Fault::BeforeCommit {
            (1, 0)
        } else {
            (0, 1)
        };
        assert_eq!(
            (counts.before_commit, counts.after_commit),
            (before, after),
            "{}",
            case.name()
        );
        check(&case, &ledger).await;
        ledger.close().await;
    }
}

#[tokio::test]
async fn a_command_that_fails_before_its_commit_is_not_stored() {
    at_every_commit(Fault::BeforeCommit, async |case, ledger| {
        case.assert_not_stored(ledger).await
    })
    .await;
}

#[tokio::test]
async fn a_command_whose_confirmation_is_lost_is_stored_once() {
    at_every_commit(Fault::AfterCommit, async |case, ledger| {
        case.assert_stored(ledger).await
    })
    .await;
}

#[tokio::test]
async fn a_dropped_batch_is_stored_completely_or_not_at_all() {
    let database = TestDatabase::create();
    let first = PostgresLedger::connect(&database.url()).await.unwrap();
    let second = PostgresLedger::connect(&database.url()).await.unwrap();
    let pair: Pair = [Arc::new(first), Arc::new(second)];
    let dropped = batches_are_dropped_anywhere(&pair, BATCHES_DROPPED).await;
    println!("{dropped:?}");
    assert!(
        dropped.stored > 0 && dropped.not_stored > 0 && dropped.finished > 0,
        "{dropped:?}"
    );
    assert_books_hold(&pair).await;
}
