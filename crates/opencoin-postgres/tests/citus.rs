//! The store passes the conformance tests with tables that Citus distributes over two workers, and transactions in
//! doubt deceive nobody.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests; a test says that it did not run"
)]

use std::sync::{Arc, OnceLock};

use opencoin_audit::AuditSource;
use opencoin_conformance::{FaultCase, Pair, World};
use opencoin_postgres::{Layout, PostgresLedger};
use opencoin_testkit::citus::{CitusCluster, CitusDatabase, PROGRAMS_VARIABLE};
use opencoin_testkit::postgres_proxy::{Fault, Phase, PostgresProxy};

static CLUSTER: OnceLock<Option<CitusCluster>> = OnceLock::new();

fn cluster() -> Option<&'static CitusCluster> {
    let cluster = CLUSTER.get_or_init(CitusCluster::start).as_ref();
    if cluster.is_none() {
        println!("SKIPPED: {PROGRAMS_VARIABLE} does not name the programs of a PostgreSQL with Citus");
    }
    cluster
}

/// Books on distributed tables, opened by two processes.
async fn open() -> (Pair, CitusDatabase) {
    let database = cluster().unwrap().create_database();
    let first = PostgresLedger::connect_distributed(&database.url())
        .await
        .unwrap();
    let second = PostgresLedger::connect(&database.url()).await.unwrap();
    ([Arc::new(first), Arc::new(second)], database)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_on_distributed_tables_passes_the_conformance_tests() {
    if cluster().is_none() {
        return;
    }
    opencoin_conformance::conformance_tests!(one_by_one open);
}

#[tokio::test]
async fn existing_books_are_distributed_with_their_rows() {
    let Some(cluster) = cluster() else { return };
    let database = cluster.create_database();
    let url = database.url();
    let ledger = Arc::new(PostgresLedger::connect(&url).await.unwrap());
    assert_eq!(ledger.layout(), Layout::OneServer);
    let pair: Pair = [Arc::clone(&ledger) as _, Arc::clone(&ledger) as _];
    let _world = World::with_paid_in(&pair, 100).await;
    let before = ledger.audit_facts().await.unwrap();
    ledger.close().await;
    let layout = Layout::Distributed {
        servers: 2,
        shards: 8,
    };
    for _ in 0..2 {
        assert_eq!(PostgresLedger::distribute(&url).await, Ok(layout));
    }
    let ledger = PostgresLedger::connect_to_existing(&url).await.unwrap();
    assert_eq!(ledger.layout(), layout);
    assert_eq!(ledger.audit_facts().await.unwrap(), before);
}

/// The coordinator commits, and its workers are not told until the end of the test.
#[tokio::test]
async fn a_command_in_doubt_is_neither_refused_nor_applied_twice() {
    let Some(cluster) = cluster() else { return };
    let mut in_doubt = 0;
    for case in FaultCase::all().await {
        let database = cluster.create_database_with_proxies();
        let first = PostgresLedger::connect_distributed(&database.url())
            .await
            .unwrap();
        let second = PostgresLedger::connect(&database.url()).await.unwrap();
        case.prepare(Arc::new(first.clone())).await;
        for proxy in database.proxies() {
            proxy.strike_phase(Phase::CommitPrepared, Fault::BeforeCommit);
        }
        let answer = case.apply(&first).await;
        assert!(answer.is_ok(), "{}: {answer:?}", case.name());
        let struck: u64 = database
            .proxies()
            .iter()
            .map(|proxy| proxy.counts().before_commit)
            .sum();
        in_doubt += u64::from(struck > 0);
        case.assert_in_doubt(&second).await;
        database.proxies().iter().for_each(PostgresProxy::strike_no_more);
        database.execute("SELECT recover_prepared_transactions()");
        case.assert_stored(&second).await;
        first.close().await;
        second.close().await;
    }
    println!("{in_doubt} commands were in doubt");
    assert!(in_doubt > 10, "{in_doubt} commands were in doubt");
}
