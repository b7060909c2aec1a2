//! The store on distributed tables passes the conformance tests.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]
use std::process::Command as Program;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use opencoin_conformance::Pair;
use opencoin_postgres::PostgresLedger;

static NEXT: AtomicU64 = AtomicU64::new(0);
static CREATING: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn psql(port: u16, database: &str, sql: &str) {
    let done = Program::new("psql")
        .args([
            "-h",
            "127.0.0.1",
            "-p",
            &port.to_string(),
            "-U",
            "postgres",
            "-qAt",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            sql,
            database,
        ])
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

struct Dropped(String);
impl Drop for Dropped {
    fn drop(&mut self) {
        for port in [5510, 5511, 5512] {
            psql(
                port,
                "postgres",
                &format!("DROP DATABASE {} WITH (FORCE)", self.0),
            );
        }
    }
}

async fn open() -> (Pair, Dropped) {
    let name = format!("t{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let creating = CREATING.lock().unwrap();
    for port in [5510, 5511, 5512] {
        psql(port, "postgres", &format!("CREATE DATABASE {name}"));
        psql(port, &name, "CREATE EXTENSION citus");
    }
    psql(
        5510,
        &name,
        "SELECT citus_set_coordinator_host('127.0.0.1', 5510); SELECT citus_add_node('127.0.0.1', 5511); SELECT citus_add_node('127.0.0.1', 5512); SET citus.shard_count = 8",
    );
    psql(
        5510,
        "postgres",
        &format!("ALTER DATABASE {name} SET citus.shard_count = 8"),
    );
    drop(creating);
    let url = format!("postgres://postgres@127.0.0.1:5510/{name}?sslmode=disable");
    let first = PostgresLedger::connect_distributed(&url).await.unwrap();
    let second = PostgresLedger::connect(&url).await.unwrap();
    ([Arc::new(first), Arc::new(second)], Dropped(name))
}

opencoin_conformance::conformance_tests!(open);
