//! `opencoin issuer check` beyond the settings: a rolled-back ledger, tables of other versions, the operator's listener.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs;

use opencoin_e2e::files::{names, set_mode};
use opencoin_e2e::{Currency, Database, RFC9474, free_port};

/// A currency whose server has run once.
fn served() -> Currency {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    currency.account("alice", 5);
    currency.stop();
    currency
}

/// Runs the check, and returns the result and detail of one of its items. The result is `ok`, `warn` or `failed`, or
/// empty if the item is not checked.
fn check(currency: &Currency, thing: &str, flags: &[&str]) -> (String, String) {
    let listen = format!("127.0.0.1:{}", currency.port());
    let output = currency.issuer_unchecked(&[&["check", "--json", "--listen", &listen], flags].concat());
    let report = output.json();
    assert_eq!(
        output.code,
        Some(i32::from(report["passed"] != true)),
        "{report:#}"
    );
    let found = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["check"] == thing);
    let text = |field: &str| {
        found
            .map(|found| found[field].as_str().unwrap().to_owned())
            .unwrap_or_default()
    };
    (text("result"), text("detail"))
}

#[test]
fn a_rolled_back_ledger_is_reported_with_the_command_to_run() {
    let currency = served();
    let dir = currency.dir();
    let files = || -> BTreeSet<String> {
        // SQLite creates these when it reads.
        let sqlite = ["ledger.sqlite-wal", "ledger.sqlite-shm"].map(str::to_owned);
        &names(&dir) - &BTreeSet::from(sqlite)
    };
    let before = files();
    assert_eq!(check(&currency, "history", &[]).0, "ok");
    assert_eq!(
        check(&currency, "disk", &[]).0,
        "ok",
        "the tests need disk space as well"
    );
    let refused = |flags: &str| {
        let (result, detail) = check(&currency, "history", &[]);
        let command = format!(
            "opencoin issuer accept-restored-state --dir {} --yes-spent-coins-may-be-forgotten --yes-no-copy-of-the-log-exists{flags}",
            dir.display()
        );
        assert!(result == "failed" && detail.ends_with(&command), "{detail}");
    };
    let mark = dir.join("high-water-mark.toml");
    let text = fs::read_to_string(&mark).unwrap();
    let entry = text.lines().find(|line| line.starts_with("entry = ")).unwrap();
    fs::write(&mark, text.replace(entry, "entry = 1000")).unwrap();
    refused("");
    let history = text.lines().find(|line| line.starts_with("history = ")).unwrap();
    fs::write(
        &mark,
        text.replace(history, &format!("history = \"{}\"", "ab".repeat(16))),
    )
    .unwrap();
    refused(" --yes-these-are-other-books");
    fs::write(&mark, "nonsense").unwrap();
    assert_eq!(check(&currency, "history", &[]).0, "failed");
    assert_eq!(files(), before, "no file is created");
    fs::remove_file(&mark).unwrap();
    let (result, detail) = check(&currency, "history", &[]);
    assert!(
        result == "ok" && detail.contains("never served from here"),
        "{detail}"
    );
    assert!(!mark.exists(), "no file is created");
}

#[test]
fn tables_of_another_version_are_reported_with_what_to_do() {
    let currency = served();
    let (result, detail) = check(&currency, "schema", &[]);
    assert!(
        result == "ok" && detail.contains("the version of this program"),
        "{detail}"
    );
    currency.change_ledger(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
            VALUES (9000, 'from the future', 1, x'00', 0);",
    );
    let (result, detail) = check(&currency, "schema", &[]);
    assert!(
        result == "warn" && detail.contains("the tables have version 9000"),
        "{detail}"
    );
    currency.change_ledger("UPDATE schema_compatibility SET oldest_program = 9000");
    let (result, detail) = check(&currency, "schema", &[]);
    assert!(result == "failed" && detail.contains("update it"), "{detail}");
    assert_eq!(check(&currency, "books", &[]).0, "", "a fault is reported once");
    currency.change_ledger(
        "DELETE FROM _sqlx_migrations WHERE version = 9000; UPDATE _sqlx_migrations SET version = version - 2",
    );
    let (result, detail) = check(&currency, "schema", &[]);
    assert!(
        result == "failed" && detail.contains("run `opencoin issuer migrate`"),
        "{detail}"
    );
}

#[test]
fn the_operators_listener_is_checked() {
    let currency = served();
    let listener = |flags: &[&str]| check(&currency, "admin.listen", flags);
    let free = format!("127.0.0.1:{}", free_port());
    assert_eq!(listener(&[]).0, "", "there is none");
    assert_eq!(listener(&["--admin-listen", &free]).0, "ok");
    let (result, detail) = listener(&["--admin-listen", "0.0.0.0:0"]);
    assert!(
        result == "failed" && detail.contains("can be reached from other machines"),
        "{detail}"
    );
    assert_eq!(
        listener(&["--admin-listen", "0.0.0.0:0", "--admin-insecure-http"]).0,
        "ok"
    );
    let public = format!("127.0.0.1:{}", currency.port());
    let (result, detail) = listener(&["--admin-listen", &public]);
    assert!(
        result == "failed" && detail.contains("choose another port"),
        "{detail}"
    );
    let held = std::net::TcpListener::bind(&free).unwrap();
    assert_eq!(listener(&["--admin-listen", &free]).0, "warn");
    drop(held);

    let tokens = || check(&currency, "admin tokens", &["--admin-listen", &free]);
    let (result, detail) = tokens();
    assert!(
        result == "ok" && detail.contains("admin-token create"),
        "{detail}"
    );
    let token = currency.admin_token("desk");
    assert_eq!(tokens().0, "ok");
    let file = currency.dir().join("admin-tokens.json");
    set_mode(&file, 0o644);
    let (result, detail) = tokens();
    assert!(result == "warn" && detail.contains("chmod 600"), "{detail}");
    assert!(!detail.contains(&token));
    fs::write(&file, "{").unwrap();
    assert_eq!(tokens().0, "failed");
}
