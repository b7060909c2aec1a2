//! `opencoin issuer audit`: its report, its exit codes, and the faults it reports with `--follow`.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use opencoin_e2e::{Currency, Database, RFC9474, Wallet, send_signal};
use rustix::process::Signal;
use serde_json::Value;

const BALANCES: &str = "every balance is what the journal says";
const PAST: &str = "the journal that was read earlier has not changed";
/// More reports than any of these tests waits for.
const REPORTS_MAX: u32 = 600;

/// A currency whose ledger the test can damage.
struct Books {
    currency: Currency,
    alice: Wallet,
    token: String,
}

impl Books {
    fn start(database: Database) -> Self {
        let currency = Currency::start(RFC9474, database);
        let (token, alice) = (currency.account("alice", 100), currency.wallet("alice"));
        let books = Self {
            currency,
            alice,
            token,
        };
        books.mint("8");
        books
    }

    fn mint(&self, amount: &str) {
        self.alice.run(&["mint", amount, "--token", &self.token]);
    }

    fn tamper(&self, statements: &str) {
        self.currency.change_ledger(statements);
    }

    fn follow(&self, options: &[&str]) -> Follower {
        let mut command = self.currency.command();
        command
            .args("issuer audit --follow --interval 50ms --json --dir".split(' '))
            .arg(self.currency.dir());
        let mut child = command
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Follower { child, lines }
    }
}

/// A running audit with `--follow`. Killed when dropped.
struct Follower {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Follower {
    fn report(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// Waits for a report that meets the condition.
    fn report_with(&mut self, is_expected: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..REPORTS_MAX {
            last = self.report();
            if is_expected(&last) {
                return last;
            }
        }
        panic!("no such report; the last one: {last:#}");
    }

    fn exit_code(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    fn stop(self) -> Option<i32> {
        send_signal(&self.child, Signal::TERM);
        self.exit_code()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // Both fail for a process that has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The names of the checks that failed.
fn broken(report: &Value) -> Vec<&str> {
    let checks = report["checks"].as_array().unwrap().iter();
    checks
        .filter(|check| check["holds"] == false)
        .map(|check| check["name"].as_str().unwrap())
        .collect()
}

#[test]
fn report_and_exit_code_show_whether_the_checks_hold() {
    let books = Books::start(Database::Sqlite);
    let (file, state) = (
        books.currency.scratch("report.json"),
        books.currency.scratch("state"),
    );
    let [file_text, state_text] = [&file, &state].map(|path| path.to_str().unwrap());
    let audit = |options: &[&str]| {
        books
            .currency
            .issuer_unchecked(&[&["audit", "--json"], options].concat())
    };
    let with_state = [
        "--report",
        file_text,
        "--state",
        state_text,
        "--signatures",
        "all",
    ];
    let said = audit(&with_state).success();
    assert_eq!(fs::read_to_string(&file).unwrap(), said.stdout);
    let report = said.json();
    assert_eq!(
        (&report["format"], &report["version"]),
        (&"opencoin-audit".into(), &1.into())
    );
    assert_eq!(
        (&report["database"], &report["extent"]),
        (&"SQLite".into(), &"full".into())
    );
    assert!(
        (1..=40).contains(&report["currency"].as_str().unwrap().len()),
        "{report:#}"
    );
    assert!(
        report["position"] == report["settled"] && report["records"] == report["records_read"],
        "{report:#}"
    );
    assert_eq!(
        (
            &report["totals"]["accounts_sum"],
            &report["totals"]["coins_outstanding"]
        ),
        (&92.into(), &8.into())
    );
    let denominations = report["denominations"].as_array().unwrap();
    let worth = |of: &str| -> u64 {
        denominations
            .iter()
            .map(|sum| sum["denomination"].as_u64().unwrap() * sum[of].as_u64().unwrap())
            .sum()
    };
    assert_eq!(
        (denominations.len(), worth("signed"), worth("outstanding")),
        (4, 8, 8)
    );
    assert_eq!(
        (
            &report["signatures"]["acceptances"],
            &report["signatures"]["proven_by_digest"]
        ),
        (&1.into(), &1.into())
    );
    let sampled = audit(&["--signatures", "sample=5", "--seed", "7"])
        .success()
        .json();
    assert_eq!(
        (
            &sampled["signatures"]["seed"],
            &sampled["signatures"]["acceptances"]
        ),
        (&7.into(), &1.into())
    );

    let _ = audit(&["--signatures", "sample=0"]).refused(2, "sample=N");
    let _ = audit(&["--interval", "5s"]).refused(2, "--follow");
    let _ = audit(&["--database", "sqlite:elsewhere"]).refused(3, "there is no database");
    let _ = audit(&["--database", "mysql://x"]).refused(3, "postgres://");

    books.tamper("UPDATE accounts SET balance = balance + 1");
    let refused = audit(&["--report", file_text]).refused(1, BALANCES);
    assert_eq!(fs::read_to_string(&file).unwrap(), refused.stdout);
    assert!(broken(&refused.json()).contains(&BALANCES));
    books.tamper("UPDATE accounts SET balance = balance - 1");

    books.tamper("UPDATE transactions SET applied_at = applied_at + 1 WHERE kind = 1");
    let _ = audit(&[]).success();
    for _ in 0..2 {
        assert_eq!(
            broken(&audit(&with_state).refused(1, PAST).json()),
            [PAST],
            "the finding remains until the state file is removed"
        );
    }
    fs::write(&state, "damaged").unwrap();
    let _ = audit(&with_state).success();
    let _ = audit(&with_state).success();

    // Another number of the same length, which only the digest reveals.
    books.tamper("UPDATE blinds SET blinds = CAST(substr(blinds, 1, length(blinds) - 1) || x'07' AS BLOB) WHERE reference IN (SELECT reference FROM transactions WHERE kind = 8)");
    let _ = audit(&[]).success();
    let report = audit(&["--signatures", "all"])
        .refused(1, "stored acceptances")
        .json();
    assert_eq!(broken(&report), ["stored acceptances are what mint keys sign"]);
}

fn damage_is_reported_while_following(database: Database) {
    let books = Books::start(database);
    let state = books.currency.scratch("state");
    let state = ["--state", state.to_str().unwrap()];
    let mut follower = books.follow(&state);
    let first = follower.report();
    assert_eq!(
        (&first["extent"], &first["holds"]),
        (&"full".into(), &true.into())
    );
    books.mint("1");
    let more = first["records"].as_u64().unwrap() + 1;
    let next = follower.report_with(|report| report["records"] == more);
    assert_eq!(
        (&next["extent"], &next["holds"]),
        (&"new".into(), &true.into()),
        "{next:#}"
    );
    books.tamper("UPDATE accounts SET balance = balance + 1");
    let report = follower.report_with(|report| report["holds"] == false);
    assert!(
        broken(&report).contains(&BALANCES) && report["extent"] == "full",
        "{report:#}"
    );
    assert_eq!(follower.exit_code(), Some(1));

    let mut follower = books.follow(&[&state[..], &["--keep-going"]].concat());
    assert_eq!(follower.report()["holds"], false);
    books.tamper("UPDATE accounts SET balance = balance - 1");
    follower.report_with(|report| report["holds"] == true);
    assert_eq!(follower.stop(), Some(0));

    let mut follower = books.follow(&state);
    let resumed = follower.report();
    assert_eq!(
        (&resumed["extent"], &resumed["holds"]),
        (&"new".into(), &true.into()),
        "{resumed:#}"
    );
    assert_eq!(resumed["records"], more);
}

#[test]
fn damage_in_sqlite_is_reported_while_following() {
    damage_is_reported_while_following(Database::Sqlite);
}

#[test]
fn damage_in_postgres_is_reported_while_following() {
    damage_is_reported_while_following(Database::Postgres);
}
