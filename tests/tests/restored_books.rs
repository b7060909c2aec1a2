//! Books that were set back are not served until an operator says so; backups are made while wallets work and
//! put back whole.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests as well")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use opencoin_e2e::foreign_wallet::{ForeignWallet, request_mint, request_redeem};
use opencoin_e2e::{Currency, Database, Output, RFC9474, command, run};
use opencoin_testkit::postgres::{TestDatabase, programs};

const ACCEPT: [&str; 2] = ["accept-restored-state", "--yes-spent-coins-may-be-forgotten"];
/// How long a server may take to notice something.
const PATIENCE: Duration = Duration::from_secs(20);

/// `opencoin issuer serve`, which is expected to refuse.
fn refused_to_serve(currency: &Currency, text: &str) {
    let _refused = currency
        .issuer_unchecked(&["serve", "--listen", "127.0.0.1:0"])
        .refused(1, text);
}

/// What the books say: the account `alice`, who is credited with the entries that are looked for.
fn credit(currency: &Currency, number: u64) {
    currency.issuer(&[
        "account",
        "credit",
        "alice",
        "1",
        "--reference",
        &format!("credit {number}"),
    ]);
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}

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
            let mint = |number: u32| {
                let blind = wallet.blind(1, "a");
                let signed = wallet.post(
                    "/mint",
                    Some(&token),
                    &request_mint(std::slice::from_ref(&blind), &format!("{number:x}")),
                );
                wallet.unblind(&[blind], &signed).remove(0)
            };
            (0x100..0x120).map(mint).collect::<Vec<_>>()
        });
        backup(&currency, "backup");
        minting.join().unwrap()
    });
    let from = currency.scratch("backup");
    let late = backup(&currency, "late");
    // What the late backup has never heard of: the coin is spent.
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
        "a server that stops leaves one file"
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
    assert_eq!(mark(&currency), spent_mark, "nothing was decided");
    currency.issuer(&ACCEPT);
    assert_ne!(mark(&currency), spent_mark);
    currency.serve();
    currency.audit();
    // That is what the operator has accepted.
    assert_eq!(
        wallet
            .post("/redeem", Some(&token), &request_redeem(&coins[..1]))
            .http_status,
        200
    );
    currency.audit();
    currency.stop();

    // The machine is lost: the whole folder comes back, its keys from elsewhere.
    let elsewhere = currency.scratch("elsewhere");
    let _done = restore_into(&elsewhere, &from, &[]).success();
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
fn a_backup_that_was_changed_or_is_anothers_is_refused_and_nothing_is_touched() {
    let currency = Currency::make(RFC9474, "sqlite:ledger.sqlite", &[]);
    let other = Currency::make(RFC9474, "sqlite:ledger.sqlite", &[]);
    let _token = currency.account("alice", 5);
    let from = backup(&currency, "backup");
    let _exists = currency
        .issuer_unchecked(&["backup", "--to", from.to_str().unwrap()])
        .refused(1, "is there already");
    let _other =
        restore_into(&other.dir(), &from, &["--replace"]).refused(1, "this is a backup of the currency");
    let books = from.join("ledger.sqlite");
    let mut bytes = fs::read(&books).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&books, bytes).unwrap();
    let _changed =
        restore_into(&currency.dir(), &from, &["--replace"]).refused(1, "differs from its description in the manifest");
    currency.audit();
    let listed: Vec<String> = fs::read_dir(currency.dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        !listed
            .iter()
            .any(|name| name.contains("unfinished") || name.contains("replaced")),
        "{listed:?}"
    );
}

#[test]
fn a_restore_or_backup_that_is_killed_leaves_the_old_books_or_the_new_ones() {
    let currency = Currency::make(RFC9474, "sqlite:ledger.sqlite", &[]);
    let _token = currency.account("alice", 5);
    let from = backup(&currency, "backup");
    credit(&currency, 1);
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
            // Under its name it is there whole.
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
fn sqlite_books_that_are_replaced_by_hand_are_noticed() {
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
    // Lost books are not begun anew.
    fs::remove_file(&books).unwrap();
    refused_to_serve(&currency, "there is no database");
    assert!(!books.exists());
    let other = Currency::make(RFC9474, "sqlite:ledger.sqlite", &[]);
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

/// `pg_dump`, `pg_restore`: PostgreSQL's own programs.
fn postgres_program(name: &str, arguments: &[&str]) {
    let output = Command::new(programs().unwrap().join(name))
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{name}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Replaces the database by what a dump holds, as a restore in place or a failover to a standby that was
/// behind does.
fn set_back(database: &TestDatabase, dump: &Path) {
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
fn a_postgresql_database_goes_through_its_own_tools_and_books_that_go_backwards_are_noticed() {
    let database = TestDatabase::create();
    let mut currency = Currency::start_on(RFC9474, &database.url());
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

    // Into another database: the same books.
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

    // A server that runs.
    credit(&currency, 1);
    let seen = mark(&currency);
    credit(&currency, 2);
    wait_until("the mark is raised", || mark(&currency) != seen);
    assert_eq!(ready(&currency), 200);
    set_back(&database, &dump);
    wait_until("the server notices", || ready(&currency) == 503);
    assert!(
        currency
            .log()
            .contains("ALARM: the books are not those of a moment ago"),
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
    // Another machine, with a mark of its own, serves what was accepted once.
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

fn copy_folder(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}
