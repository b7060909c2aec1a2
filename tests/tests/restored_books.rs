//! A rolled-back ledger is not served until an operator accepts it. Backups are made while wallets work, and are restored
//! completely or not at all.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests as well")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use opencoin_e2e::files::{copy_folder, names};
use opencoin_e2e::foreign_wallet::{ForeignWallet, request_redeem};
use opencoin_e2e::{Currency, Database, Output, RFC9474, SQLITE, command, deploy, run, wait_until};
use opencoin_testkit::postgres::{TestDatabase, programs};

const ACCEPT: [&str; 3] = [
    "accept-restored-state",
    "--yes-spent-coins-may-be-forgotten",
    "--yes-no-copy-of-the-log-exists",
];

/// Runs `opencoin issuer serve`, which must refuse with this text.
fn refused_to_serve(currency: &Currency, text: &str) {
    let _refused = currency
        .issuer_unchecked(&["serve", "--listen", "127.0.0.1:0"])
        .refused(1, text);
}

/// The status of the health check.
fn ready(currency: &Currency) -> u16 {
    reqwest::blocking::get(currency.url("/health/ready"))
        .unwrap()
        .status()
        .as_u16()
}

fn mark(currency: &Currency) -> String {
    fs::read_to_string(currency.dir().join("high-water-mark.toml")).unwrap()
}

fn backup(currency: &Currency, name: &str) -> PathBuf {
    let to = currency.scratch(name);
    currency.issuer(&["backup", "--to", to.to_str().unwrap()]);
    to
}

fn restore_into(dir: &Path, from: &Path, options: &[&str]) -> Output {
    let arguments = [
        "issuer",
        "restore",
        "--from",
        from.to_str().unwrap(),
        "--dir",
        dir.to_str().unwrap(),
    ];
    run(&mut command(), &[&arguments, options].concat())
}

#[test]
fn a_backup_made_while_wallets_work_is_restored_and_served_once_that_is_accepted() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let token = currency.account("alice", 1000);
    let wallet = ForeignWallet::new(&currency.url(""));
    let coins = thread::scope(|scope| {
        let minting = scope.spawn(|| {
            let mint = |number: u32| wallet.mint(&token, &[1], &format!("{number:x}"));
            (0x100..0x120).flat_map(mint).collect::<Vec<_>>()
        });
        backup(&currency, "backup");
        minting.join().unwrap()
    });
    let from = currency.scratch("backup");
    let late = backup(&currency, "late");
    // A coin is spent after the last backup.
    assert_eq!(
        wallet
            .post("/redeem", Some(&token), &request_redeem(&coins[..1]))
            .http_status,
        200
    );
    let busy = restore_into(&currency.dir(), &late, &["--replace"]);
    let _busy = busy.refused(1, "another process uses the books");
    currency.stop();
    assert!(
        !currency.dir().join("ledger.sqlite-wal").exists(),
        "a stopped server leaves one file"
    );
    let spent_mark = mark(&currency);

    let _occupied = restore_into(&currency.dir(), &late, &[]).refused(1, "--replace");
    let restored = restore_into(&currency.dir(), &late, &["--replace"]).success();
    assert!(
        restored.stdout.contains("ledger.sqlite.replaced-"),
        "{}",
        restored.stdout
    );
    refused_to_serve(&currency, "--yes-spent-coins-may-be-forgotten");
    let _not_said = currency
        .issuer_unchecked(&["accept-restored-state"])
        .refused(1, "restored from a backup");
    for writing in [
        &["account", "credit", "alice", "1", "--reference", "too early"][..],
        &["account", "create", "bob"],
        &["payouts", "paid", "1", "--reference", "too early"],
        &["signing", "pause"],
        &["prune"],
        &["keys", "rotate"],
        &["keys", "destroy"],
    ] {
        let _refused = currency
            .issuer_unchecked(writing)
            .refused(1, "restored from a backup");
    }
    currency.issuer(&["account", "show", "alice"]);
    assert_eq!(mark(&currency), spent_mark, "nothing was accepted");
    currency.issuer(&ACCEPT);
    assert_ne!(mark(&currency), spent_mark);
    currency.serve();
    currency.audit();
    // The operator has accepted that spent coins may be forgotten.
    assert_eq!(
        wallet
            .post("/redeem", Some(&token), &request_redeem(&coins[..1]))
            .http_status,
        200
    );
    currency.audit();
    currency.stop();

    // The machine is lost: the backup is restored into an empty folder. Another `init` or `restore` of this folder has
    // begun, and its files stay. After it is interrupted, they are removed.
    let elsewhere = currency.scratch("elsewhere");
    let unfinished = currency.scratch("elsewhere.unfinished");
    fs::create_dir(&unfinished).unwrap();
    let begun = unfinished.join("begun");
    fs::write(&begun, "").unwrap();
    let lock = File::create(unfinished.join("lock")).unwrap();
    lock.lock().unwrap();
    let _begun = restore_into(&elsewhere, &from, &[]).refused(1, "another process is creating or restoring");
    assert!(begun.exists() && !elsewhere.exists());
    drop(lock);
    let _done = restore_into(&elsewhere, &from, &[]).success();
    assert!(!unfinished.exists() && !elsewhere.join("begun").exists());
    let audit = run(
        &mut command(),
        &["issuer", "audit", "--dir", elsewhere.to_str().unwrap()],
    )
    .success();
    assert!(audit.stdout.contains("ok"), "{}", audit.stdout);
    let dir = elsewhere.to_str().unwrap();
    let _unaccepted =
        run(&mut command(), &["issuer", "serve", "--dir", dir]).refused(1, "restored from a backup");
}

#[test]
fn a_changed_or_foreign_backup_is_refused_and_nothing_is_changed() {
    let currency = Currency::make(RFC9474, SQLITE, &[]);
    let other = Currency::make(RFC9474, SQLITE, &[]);
    let _token = currency.account("alice", 5);
    let from = backup(&currency, "backup");
    let _exists = currency
        .issuer_unchecked(&["backup", "--to", from.to_str().unwrap()])
        .refused(1, "exists already");
    let _other =
        restore_into(&other.dir(), &from, &["--replace"]).refused(1, "this is a backup of the currency");
    let books = from.join("ledger.sqlite");
    let mut bytes = fs::read(&books).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&books, bytes).unwrap();
    let _changed = restore_into(&currency.dir(), &from, &["--replace"])
        .refused(1, "differs from its description in the manifest");
    currency.audit();
    let listed = names(&currency.dir());
    assert!(
        !listed
            .iter()
            .any(|name| name.contains("unfinished") || name.contains("replaced")),
        "{listed:?}"
    );
}

#[test]
fn a_killed_restore_leaves_the_old_or_the_new_ledger_and_a_killed_backup_no_partial_one() {
    let currency = Currency::make(RFC9474, SQLITE, &[]);
    let _token = currency.account("alice", 5);
    let from = backup(&currency, "backup");
    currency.credit("alice", 1, "after the backup");
    let dir = currency.dir();
    let run_and_kill = |arguments: &[&str], milliseconds: u64| {
        let mut command = command();
        command
            .args(["issuer"])
            .args(arguments)
            .arg("--dir")
            .arg(&dir)
            .stdin(Stdio::null());
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
    };
    for round in 0..12 {
        run_and_kill(
            &["restore", "--replace", "--from", from.to_str().unwrap()],
            round * 6,
        );
        currency.audit();
        assert!([5, 6].contains(&currency.balance("alice")));
        let to = currency.scratch(&format!("killed-{round}"));
        run_and_kill(&["backup", "--to", to.to_str().unwrap()], round * 6);
        if to.exists() {
            // A backup that exists under its name is complete.
            let _done = restore_into(&currency.scratch(&format!("of-{round}")), &to, &[]).success();
        }
    }
    let _done = restore_into(&dir, &from, &["--replace"]).success();
    assert_eq!(currency.balance("alice"), 5);
    let _unaccepted = currency
        .issuer_unchecked(&["serve"])
        .refused(1, "restored from a backup");
}

#[test]
fn a_ledger_file_that_was_replaced_by_hand_is_detected() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    currency.stop();
    let books = currency.dir().join("ledger.sqlite");
    let old = currency.scratch("old");
    fs::copy(&books, &old).unwrap();
    currency.serve();
    let _token = currency.account("alice", 5);
    currency.stop();
    fs::copy(&old, &books).unwrap();
    refused_to_serve(&currency, "the books are older than they were");
    // A missing ledger is not created again.
    fs::remove_file(&books).unwrap();
    refused_to_serve(&currency, "there is no database");
    assert!(!books.exists());
    let other = Currency::make(RFC9474, SQLITE, &[]);
    fs::copy(other.dir().join("ledger.sqlite"), &books).unwrap();
    refused_to_serve(&currency, "these are other books");
    let _other = currency
        .issuer_unchecked(&ACCEPT)
        .refused(1, "--yes-these-are-other-books");
    fs::copy(&old, &books).unwrap();
    currency.issuer(&ACCEPT);
    currency.serve();
    currency.audit();
    currency.stop();
}

/// Runs a program of PostgreSQL.
pub(crate) fn postgres_program(name: &str, arguments: &[&str]) {
    deploy::run(Command::new(programs().unwrap().join(name)).args(arguments));
}

/// Replaces the contents of the database by a dump, as a restore does, or a failover to a standby that was behind.
pub(crate) fn set_back(database: &TestDatabase, dump: &Path) {
    let (url, dump) = (database.url(), dump.to_str().unwrap());
    postgres_program(
        "pg_restore",
        &[
            "--clean",
            "--if-exists",
            "--single-transaction",
            "--dbname",
            &url,
            dump,
        ],
    );
}

#[test]
fn postgresql_tools_copy_a_ledger_and_a_running_server_detects_a_rollback() {
    let database = TestDatabase::create();
    let mut currency = Currency::make(RFC9474, &database.url(), &[]);
    currency.serve();
    let token = currency.account("alice", 10);
    let _shared = currency
        .issuer_unchecked(&["backup", "--to", "x"])
        .refused(1, "pg_dump");
    let _shared = currency
        .issuer_unchecked(&["restore", "--from", "x"])
        .refused(1, "is not a sound backup");
    let dump = currency.scratch("books.dump");
    let (url, file) = (database.url(), format!("--file={}", dump.display()));
    postgres_program("pg_dump", &["--format=custom", &file, &url]);

    // Another database with the same contents passes the audit.
    let other = TestDatabase::create();
    postgres_program("pg_restore", &["--dbname", &other.url(), dump.to_str().unwrap()]);
    let settings = currency.dir().join("issuer.toml");
    let text = fs::read_to_string(&settings).unwrap();
    assert!(text.contains(&database.url()));
    let elsewhere = currency.scratch("elsewhere");
    copy_folder(&currency.dir(), &elsewhere);
    fs::write(
        elsewhere.join("issuer.toml"),
        text.replace(&database.url(), &other.url()),
    )
    .unwrap();
    let _done = run(
        &mut command(),
        &["issuer", "audit", "--dir", elsewhere.to_str().unwrap()],
    )
    .success();

    // A running server detects the rollback.
    currency.credit("alice", 1, "after the dump");
    let newest = format!("entry = {}", database.number("SELECT max(id) FROM transactions"));
    wait_until("the mark has the newest entry", || {
        mark(&currency).lines().any(|line| line == newest)
    });
    assert_eq!(ready(&currency), 200);
    set_back(&database, &dump);
    wait_until("the server detects the rollback", || ready(&currency) == 503);
    assert!(
        currency
            .log()
            .contains("ALARM: the books were rolled back or replaced"),
        "{}",
        currency.log()
    );
    let http = reqwest::blocking::Client::new();
    let answer = http
        .post(currency.url("/redeem"))
        .bearer_auth(&token)
        .body("{}")
        .send()
        .unwrap();
    assert_eq!(answer.status().as_u16(), 503);
    assert_eq!(
        reqwest::blocking::get(currency.url("/health/live"))
            .unwrap()
            .status()
            .as_u16(),
        200
    );
    currency.stop();

    refused_to_serve(&currency, "the books are older than they were");
    // A server on another machine, with its own mark, accepts what was accepted once.
    let second = elsewhere.join("high-water-mark.toml");
    fs::copy(currency.dir().join("high-water-mark.toml"), &second).unwrap();
    fs::write(elsewhere.join("issuer.toml"), text).unwrap();
    currency.issuer(&ACCEPT);
    let again = currency.issuer(&ACCEPT);
    assert!(again.stdout.contains("nothing to accept"), "{}", again.stdout);
    currency.serve();
    currency.audit();
    assert_eq!(currency.balance("alice"), 10);
    let dir = elsewhere.to_str().unwrap();
    let examined = run(&mut command(), &["issuer", "accept-restored-state", "--dir", dir]).success();
    assert!(
        examined.stdout.contains("nothing to accept"),
        "{}",
        examined.stdout
    );
    currency.stop();
}
