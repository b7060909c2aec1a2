//! The proxy injects its faults, tested with a real server and the client library that the product uses.
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests as well")]

use opencoin_testkit::postgres::TestDatabase;
use opencoin_testkit::postgres_proxy::{Fault, PostgresProxy, Rates};
use sqlx::{Connection, PgConnection};

/// How a client commits a row.
#[derive(Clone, Copy)]
enum Way {
    Transaction,
    OneStatement,
}

async fn insert(url: &str, number: i64, way: Way) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::query("SELECT n FROM t WHERE n = $1 FOR UPDATE")
        .bind(number)
        .execute(&mut connection)
        .await?;
    match way {
        Way::Transaction => {
            let mut transaction = connection.begin().await?;
            sqlx::query("INSERT INTO t VALUES ($1)")
                .bind(number)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await
        }
        Way::OneStatement => {
            let sql = "WITH new AS (INSERT INTO t VALUES ($1) RETURNING n) SELECT n FROM new";
            sqlx::query_scalar::<_, i64>(sql)
                .bind(number)
                .fetch_one(&mut connection)
                .await
                .map(|_| ())
        }
    }
}

async fn stored(database: &TestDatabase) -> Vec<i64> {
    let mut connection = PgConnection::connect(&database.url()).await.unwrap();
    sqlx::query_scalar("SELECT n FROM t ORDER BY n")
        .fetch_all(&mut connection)
        .await
        .unwrap()
}

fn proxied() -> (TestDatabase, PostgresProxy) {
    let database = TestDatabase::create();
    database.execute("CREATE TABLE t (n int8 PRIMARY KEY)");
    let proxy = PostgresProxy::start(&database.url());
    (database, proxy)
}

#[tokio::test]
async fn a_fault_strikes_one_commit_on_its_side_of_it() {
    for way in [Way::Transaction, Way::OneStatement] {
        let (database, proxy) = proxied();
        insert(&proxy.url(), 1, way).await.unwrap();
        proxy.strike_once(Fault::BeforeCommit);
        assert!(matches!(
            insert(&proxy.url(), 2, way).await,
            Err(sqlx::Error::Io(_))
        ));
        assert_eq!(stored(&database).await, [1]);
        proxy.strike_once(Fault::AfterCommit);
        assert!(matches!(
            insert(&proxy.url(), 2, way).await,
            Err(sqlx::Error::Io(_))
        ));
        assert_eq!(stored(&database).await, [1, 2]);
        proxy.strike_once(Fault::InCommit);
        assert!(matches!(
            insert(&proxy.url(), 3, way).await,
            Err(sqlx::Error::Io(_))
        ));
        insert(&proxy.url(), 4, way).await.unwrap();
        let counts = proxy.counts();
        assert_eq!(
            (counts.before_commit, counts.in_commit, counts.after_commit),
            (1, 1, 1)
        );
        assert_eq!((counts.commits, counts.connections), (5, 5));
    }
}

#[tokio::test]
async fn a_refused_statement_is_told_and_the_next_commit_struck() {
    for way in [Way::Transaction, Way::OneStatement] {
        let (database, proxy) = proxied();
        insert(&proxy.url(), 1, way).await.unwrap();
        proxy.strike_once(Fault::AfterCommit);
        assert!(matches!(
            insert(&proxy.url(), 1, way).await,
            Err(sqlx::Error::Database(_))
        ));
        assert!(matches!(
            insert(&proxy.url(), 2, way).await,
            Err(sqlx::Error::Io(_))
        ));
        assert_eq!(stored(&database).await, [1, 2]);
        assert_eq!(proxy.counts().after_commit, 1);
    }
}

#[tokio::test]
async fn faults_at_random_are_those_of_their_seed() {
    let mut struck = Vec::new();
    for _ in 0..2 {
        let (database, proxy) = proxied();
        proxy.strike_at_random(
            7,
            Rates {
                before_commit: 300,
                in_commit: 0,
                after_commit: 300,
            },
        );
        let mut failed = Vec::new();
        for number in 0..30 {
            if insert(&proxy.url(), number, Way::OneStatement).await.is_err() {
                failed.push(number);
            }
        }
        let counts = proxy.counts();
        assert!(counts.before_commit > 0 && counts.after_commit > 0, "{counts:?}");
        assert_eq!(failed.len() as u64, counts.before_commit + counts.after_commit);
        assert_eq!(stored(&database).await.len() as u64, 30 - counts.before_commit);
        proxy.strike_no_more();
        insert(&proxy.url(), 30, Way::Transaction).await.unwrap();
        struck.push(failed);
    }
    assert_eq!(struck[0], struck[1]);
}

#[tokio::test]
async fn switching_cuts_and_leads_elsewhere() {
    let (old, proxy) = proxied();
    let mut connection = PgConnection::connect(&proxy.url()).await.unwrap();
    proxy.switch_to("postgres://postgres@127.0.0.1:1/nowhere");
    assert!(connection.ping().await.is_err());
    assert!(insert(&proxy.url(), 1, Way::Transaction).await.is_err());
    proxy.switch_to(&old.url());
    insert(&proxy.url(), 1, Way::Transaction).await.unwrap();
    assert_eq!(stored(&old).await, [1]);
}
