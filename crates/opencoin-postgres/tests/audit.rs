//! Audits of books on PostgreSQL: they find tampering, need few privileges, and cope with rows that become
//! visible late.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opencoin_audit::{AuditSource, Auditor, Extent, Wanted};
use opencoin_conformance::Store;
use opencoin_conformance::{
    Pair, TAMPERINGS, World, acceptances_are_read, an_auditor_goes_on_in_broken_books, an_auditor_resumes,
    books_to_tamper_with, credit_at, tampering_is_found,
};
use opencoin_ledger::{HasAccounts, LedgerError, LedgerTime, TokenHash, TransactionNo};
use opencoin_postgres::PostgresLedger;
use opencoin_testkit::postgres::TestDatabase;
use opencoin_testkit::postgres_pair::PostgresPair;
use sqlx::{Connection, Executor, PgConnection};

/// The most times that a test polls.
const POLLS_MAX: u32 = 1000;
/// The pause between two polls.
const PAUSE: Duration = Duration::from_millis(20);

/// Books, and a read-only connection to them for an auditor.
async fn open() -> (Pair, PostgresLedger, TestDatabase) {
    let database = TestDatabase::create();
    let ledger: Arc<dyn Store> = Arc::new(PostgresLedger::connect(&database.url()).await.unwrap());
    let source = PostgresLedger::connect_to_read(&database.url()).await.unwrap();
    ([Arc::clone(&ledger), ledger], source, database)
}

fn tamper(database: &TestDatabase, statements: &str) {
    let statements = statements
        .replace("COUNTS_KEY", "mint_key_no")
        .replace("COUNTS", "mint_key_counts");
    database.execute(&statements);
}

#[tokio::test]
async fn all_tampering_is_found() {
    for tampering in TAMPERINGS {
        let (ledgers, source, database) = open().await;
        tampering_is_found(&ledgers, &source, tampering, async |statements: &str| {
            tamper(&database, statements)
        })
        .await;
    }
}

/// The numbers of records are unique although no constraint says so.
#[tokio::test]
async fn a_repeated_number_is_found() {
    let (ledgers, source, database) = open().await;
    books_to_tamper_with(&ledgers).await;
    tamper(
        &database,
        "UPDATE transactions SET id = (SELECT id FROM transactions WHERE kind = 9) WHERE kind = 10",
    );
    let audited = Auditor::new().turn(&source).await.unwrap();
    assert!(
        audited.report.broken().contains(&"every row makes sense"),
        "{audited:?}"
    );
    let numbers: Vec<_> = audited
        .facts
        .invalid
        .iter()
        .filter(|row| row.contains("same number"))
        .collect();
    assert_eq!(numbers.len(), 1, "{numbers:?}");
}

#[tokio::test]
async fn an_auditor_of_broken_books_reports_new_faults() {
    let (ledgers, source, database) = open().await;
    an_auditor_goes_on_in_broken_books(&ledgers, &source, async |statements: &str| {
        tamper(&database, statements)
    })
    .await;
}

#[tokio::test]
async fn an_auditor_resumes_where_it_stopped() {
    let (ledgers, source, database) = open().await;
    an_auditor_resumes(&ledgers, &source, async |statements: &str| {
        tamper(&database, statements)
    })
    .await;
}

#[tokio::test]
async fn stored_acceptances_are_read_page_by_page() {
    let (ledgers, source, _database) = open().await;
    acceptances_are_read(&ledgers, &source).await;
}

/// The database's time `seconds` ago, in microseconds since the epoch.
async fn ago(connection: &mut PgConnection, seconds: i64) -> i64 {
    let sql = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS int8) - $1 * 1000000";
    sqlx::query_scalar(sql)
        .bind(seconds)
        .fetch_one(connection)
        .await
        .unwrap()
}

/// Begins a transaction that gets its number now and commits after later ones.
async fn begin_credit(connection: &mut PgConnection, at: i64) {
    let sql = format!(
        "BEGIN; UPDATE accounts SET balance = balance + 7, last_entry = last_entry + 1 WHERE id = 4;
        INSERT INTO transactions (id, kind, reference, content, debit_account, credit_account, credit_entry, amount, applied_at)
            SELECT nextval('transaction_numbers'), 2, '\\x03ff', sha256('late'), 1, 4, last_entry, 7, {at} FROM accounts WHERE id = 4;
        INSERT INTO log_pending (at, coins, others, accounts, paid_in, paid_out, recouped)
            VALUES ({at}, '', '', 7, 7, 0, 0)"
    );
    connection.execute(sqlx::raw_sql(&sql)).await.unwrap();
}

#[tokio::test]
async fn a_row_that_becomes_visible_below_newer_ones_is_read() {
    let (ledgers, source, database) = open().await;
    World::with_paid_in(&ledgers, 100).await;
    let mut auditor = Auditor::new();
    let before = auditor.turn(&source).await.unwrap();
    assert_eq!(before.settled, before.position);

    let mut other = PgConnection::connect(&database.url()).await.unwrap();
    let now = ago(&mut other, 0).await;
    begin_credit(&mut other, now).await;
    credit_at(ledgers[0].as_ref(), now, "overtakes").await;
    let audited = auditor.turn(&source).await.unwrap();
    assert!(
        audited.report.holds() && audited.position > before.position,
        "{audited:?}"
    );
    assert_eq!((audited.settled, audited.rows_read), (before.settled, 1));

    other.execute("COMMIT").await.unwrap();
    let audited = auditor.turn(&source).await.unwrap();
    assert_eq!(
        (audited.extent, audited.report.broken(), audited.rows_read),
        (Extent::New, vec![], 2)
    );

    // A row older than the longest attempt has settled.
    credit_at(ledgers[0].as_ref(), ago(&mut other, 121).await, "old").await;
    assert_eq!(
        auditor.turn(&source).await.unwrap().settled,
        before.settled,
        "earlier rows have not settled"
    );
    database.execute("UPDATE transactions SET applied_at = applied_at - 121000000 WHERE kind = 2");
    let mut auditor = Auditor::new();
    let audited = auditor.turn(&source).await.unwrap();
    assert_eq!(
        (audited.settled, auditor.turn(&source).await.unwrap().rows_read),
        (audited.position, 0)
    );
}

/// The duration of a prune has no limit, so its record may become visible below rows that have settled.
#[tokio::test]
async fn a_prune_that_becomes_visible_late_is_no_fault() {
    let (ledgers, source, database) = open().await;
    World::with_paid_in(&ledgers, 100).await;
    let mut other = PgConnection::connect(&database.url()).await.unwrap();
    let prune = "BEGIN; INSERT INTO transactions (id, kind, reference, content, amount, applied_at)
            VALUES (nextval('transaction_numbers'), 11, '\\x0801', sha256('prune'), 0, 301);
        UPDATE mint_keys SET pruned = true WHERE no = 1";
    other.execute(sqlx::raw_sql(prune)).await.unwrap();
    credit_at(ledgers[0].as_ref(), 150, "overtakes").await;
    let mut auditor = Auditor::new();
    assert!(auditor.turn(&source).await.unwrap().report.holds());
    other.execute("COMMIT").await.unwrap();
    let audited = auditor.turn(&source).await.unwrap();
    assert_eq!((audited.extent, audited.report.broken()), (Extent::Full, vec![]));
}

/// The grants are those of docs/AUDIT.md.
#[tokio::test]
async fn a_role_that_may_read_some_columns_is_enough() {
    let (ledgers, _source, database) = open().await;
    books_to_tamper_with(&ledgers).await;
    let role = format!("audits_{}", database.name());
    database.execute(&format!(
        "CREATE ROLE {role} LOGIN;
        GRANT SELECT (id, name, balance, last_entry, seq, credits, status) ON accounts TO {role};
        GRANT SELECT (no, account, amount, reference, paid) ON payouts TO {role};
        GRANT SELECT (no, payouts, amount, state) ON payout_exports TO {role};
        GRANT SELECT ON exported_payouts TO {role};
        GRANT SELECT (account) ON sessions, services, start_codes TO {role};
        GRANT SELECT (reference, id, kind, content, debit_account, debit_entry, credit_account, credit_entry, amount, applied_at, issued)
            ON transactions TO {role};
        GRANT SELECT ON mint_keys, mint_key_counts, blinds, spent, recouped, waiting_mints, log_head, log_keys, log_key_accounts, log_pending, _sqlx_migrations, schema_compatibility TO {role};"
    ));
    let url = database.url();
    let (scheme, rest) = url.split_once("://").unwrap();
    let place = rest.split_once('@').map_or(rest, |(_, place)| place);
    let source = PostgresLedger::connect_to_read(&format!("{scheme}://{role}@{place}"))
        .await
        .unwrap();
    let mut auditor = Auditor::new();
    for extent in [Extent::Full, Extent::New] {
        let audited = auditor.turn(&source).await.unwrap();
        assert_eq!((audited.extent, audited.report.broken()), (extent, vec![]));
    }
    assert_eq!(
        source
            .acceptances(Wanted::After(TransactionNo::BEFORE_ALL))
            .await
            .unwrap()
            .len(),
        4
    );
    assert!(
        source
            .accounts()
            .bearer(&TokenHash::new([1; 32]), LedgerTime::from_unix_micros(0))
            .await
            .is_err(),
        "an auditor may not read token hashes"
    );
    source.close().await;
    database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

/// The standby is audited while the primary changes the books, and the audit finds a fault made on the
/// primary.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_is_audited_while_its_primary_is_in_use() {
    let pair = tokio::task::spawn_blocking(|| {
        let pair = PostgresPair::start();
        pair.create_database("books");
        pair
    });
    let pair = pair.await.unwrap();
    let ledger: Arc<dyn Store> = Arc::new(PostgresLedger::connect(&pair.url("books")).await.unwrap());
    books_to_tamper_with(&[Arc::clone(&ledger), Arc::clone(&ledger)]).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let load = {
        let (is_over, url) = (Arc::clone(&is_over), pair.url("books"));
        tokio::spawn(async move {
            let mut clock = PgConnection::connect(&url).await.unwrap();
            let mut number = 0;
            while !is_over.load(Ordering::Relaxed) {
                let now = ago(&mut clock, 0).await;
                credit_at(ledger.as_ref(), now, &format!("load {number}")).await;
                number += 1;
            }
            number
        })
    };
    let mut auditor = Auditor::new();
    let (mut positions, mut fulls) = (Vec::new(), 0);
    for _ in 0..POLLS_MAX {
        // Fails until the standby has replayed the tables.
        let Ok(source) = PostgresLedger::connect_to_read(&pair.standby_url("books")).await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        match auditor.turn(&source).await {
            Ok(audited) if audited.facts.transactions > 0 => {
                assert_eq!(audited.report.broken(), [""; 0], "{:#?}", audited.report);
                fulls += u32::from(audited.extent == Extent::Full);
                positions.push(audited.position);
            }
            Ok(_) => auditor = Auditor::new(),
            Err(LedgerError::Unavailable(_) | LedgerError::Database(_)) => {}
            Err(error) => panic!("{error}"),
        }
        source.close().await;
        positions.dedup();
        if positions.len() >= 10 {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    assert!(
        positions.len() >= 10 && positions.is_sorted() && fulls == 1,
        "{positions:?}, {fulls} full passes"
    );

    let mut primary = PgConnection::connect(&pair.url("books")).await.unwrap();
    primary
        .execute("UPDATE accounts SET balance = balance + 1 WHERE id = 4")
        .await
        .unwrap();
    let source = PostgresLedger::connect_to_read(&pair.standby_url("books"))
        .await
        .unwrap();
    let mut found = Vec::new();
    for _ in 0..POLLS_MAX {
        found = auditor.turn(&source).await.unwrap().report.broken();
        if !found.is_empty() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    assert!(
        found.contains(&"every balance is what the journal says"),
        "{found:?}"
    );
    is_over.store(true, Ordering::Relaxed);
    assert!(load.await.unwrap() > 10);
    primary.close().await.unwrap();
    source.close().await;
    tokio::task::spawn_blocking(|| drop(pair)).await.unwrap();
}
