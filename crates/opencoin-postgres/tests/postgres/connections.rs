//! Connections to a real server: TLS and its verification, the encoding of the database, idle connections
//! that the server has closed, and read-only servers.

use std::path::PathBuf;
use std::process::Command as Process;
use std::time::Duration;

use opencoin_conformance::{RENEW_BYTES_MAX, growth_of_a_renew};
use opencoin_ledger::{Ledger, LedgerError};
use opencoin_postgres::PostgresLedger;
use opencoin_testkit::postgres::{EphemeralPostgres, TestDatabase};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use super::{debit, open};

/// Script that makes an authority and certificates. It is for the signer; here the database uses them.
const CERTIFICATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/signer/certificates.sh");
/// A connection that was idle for this long is pinged before it is used.
const IDLE: Duration = Duration::from_millis(1100);

/// A certificate for `localhost`, and the authority that signed it.
struct Certificates(TempDir);

impl Certificates {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = Process::new("sh")
            .arg(CERTIFICATES)
            .arg(folder.path())
            .arg("localhost")
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

#[tokio::test]
async fn the_server_must_have_a_certificate_for_its_name() {
    let (ours, others) = (Certificates::new(), Certificates::new());
    let server = EphemeralPostgres::start_with_tls(&ours.path("signer.pem"), &ours.path("signer.key"));
    let database = TestDatabase::create_on(&server.url());
    let url = |host: &str, mode: &str, authority: Option<&Certificates>| {
        let place = format!("{host}:{}/{}", server.tls_port(), database.name());
        let authority =
            authority.map(|authority| format!("&sslrootcert={}", authority.path("authority.pem").display()));
        format!(
            "postgres://postgres@{place}?{mode}{}",
            authority.unwrap_or_default()
        )
    };
    let full = "sslmode=verify-full";
    let good = url("localhost", full, Some(&ours));
    PostgresLedger::connect(&good)
        .await
        .unwrap()
        .ready()
        .await
        .unwrap();
    let shown = PostgresLedger::protection(&good).await.unwrap();
    assert!(shown.is_enough());
    assert_eq!(
        shown.to_string(),
        "on this machine, over TLSv1.3 (sslmode=verify-full)"
    );
    for (wrong, why) in [
        (url("localhost", full, Some(&others)), "another authority"),
        (url("localhost", full, None), "no public authority has signed it"),
        (
            url("127.0.0.1", full, Some(&ours)),
            "a certificate for another host",
        ),
        (
            url("localhost", "sslmode=disable", None),
            "the server requires TLS",
        ),
    ] {
        let refused = PostgresLedger::connect(&wrong).await;
        assert!(
            matches!(
                refused,
                Err(LedgerError::Unavailable(_) | LedgerError::Database(_))
            ),
            "{why}: {refused:?}"
        );
        let text = refused.unwrap_err().to_string();
        assert_eq!(
            text.contains("sslrootcert=FILE"),
            wrong.contains(full),
            "{why}: {text}"
        );
    }
    // Without verify-full the connection is encrypted, but the server is not verified.
    let preferred = PostgresLedger::protection(&url("localhost", "", None))
        .await
        .unwrap();
    assert_eq!(
        preferred.to_string(),
        "on this machine, over TLSv1.3 (sslmode=prefer by default)"
    );
    let socket = PostgresLedger::protection(&database.url()).await.unwrap();
    assert_eq!(socket.to_string(), "over a Unix socket");
}

#[tokio::test]
async fn a_database_with_another_encoding_is_refused() {
    let database = TestDatabase::create();
    let name = format!("{}_latin1", database.name());
    let drop = format!("DROP DATABASE IF EXISTS {name}");
    database.execute(&drop);
    database.execute(&format!(
        "CREATE DATABASE {name} ENCODING LATIN1 LOCALE 'C' TEMPLATE template0"
    ));
    let url = database.url().replace(database.name(), &name);
    for refused in [
        PostgresLedger::connect(&url).await.map(drop_ledger),
        PostgresLedger::connect_to_existing(&url).await.map(drop_ledger),
        PostgresLedger::connect_to_read(&url).await.map(drop_ledger),
    ] {
        let text = refused.unwrap_err().to_string();
        assert!(
            text.contains("LATIN1") && text.contains("--encoding UTF8"),
            "{text}"
        );
    }
    database.execute(&drop);
}

fn drop_ledger(_: PostgresLedger) {}

#[tokio::test]
async fn connections_that_the_server_closed_while_idle_are_replaced() {
    let ([ledger, _], database) = open().await;
    assert!(ledger.apply(&[debit(1)]).await.is_ok() && ledger.ready().await.is_ok());
    tokio::time::sleep(IDLE).await;
    database.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    assert_eq!(ledger.ready().await, Ok(()));
    assert!(ledger.apply(&[debit(2)]).await.is_ok());
    assert!(ledger.mint_keys().await.is_ok());
}

#[tokio::test]
async fn a_read_only_database_is_not_ready() {
    let ([ledger, _], database) = open().await;
    assert_eq!(ledger.ready().await, Ok(()));
    let set = |value: &str| {
        database.execute(&format!(
            "ALTER DATABASE {} SET default_transaction_read_only = {value}",
            database.name()
        ));
    };
    set("on");
    let other = PostgresLedger::connect_to_existing(&database.url())
        .await
        .unwrap();
    assert!(matches!(other.ready().await, Err(LedgerError::Unavailable(_))));
}

#[tokio::test]
async fn a_failed_connection_reports_its_cause() {
    let url = "postgres://nobody@localhost/none?host=/no/such/folder";
    let text = PostgresLedger::connect(url).await.unwrap_err().to_string();
    assert!(text.contains("No such file or directory"), "{text}");
}

#[tokio::test]
async fn a_renew_stores_few_bytes() {
    const RENEWS: u64 = 2_000;
    let (ledgers, database) = open().await;
    let size = async || {
        let mut connection = PgConnection::connect(&database.url()).await.unwrap();
        let query = sqlx::query_scalar("SELECT pg_database_size(current_database())");
        let size: i64 = query.fetch_one(&mut connection).await.unwrap();
        u64::try_from(size).unwrap()
    };
    let growth = growth_of_a_renew(&ledgers, RENEWS, size).await;
    assert!(growth <= RENEW_BYTES_MAX, "{growth} bytes for each renew");
}
