//! The account commands, run with the real binary against a real server.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use opencoin_e2e::{
    Answers, Currency, CuttingProxy, Database, Output, PATIENCE, RFC9474, command, run, send_signal,
};
use rustix::process::Signal;
use serde_json::Value;

const PASSWORD: &str = "a long enough password";

/// An account holder with a folder for the session.
pub(crate) struct Holder {
    pub(crate) name: &'static str,
    pub(crate) dir: PathBuf,
    pub(crate) url: String,
}

impl Holder {
    /// Opens an account, sets its first password with its token, and logs in.
    pub(crate) fn new(currency: &Currency, url: &str, name: &'static str, amount: u64) -> Self {
        let token = currency.account(name, amount);
        let holder = Self {
            name,
            dir: currency.scratch(name),
            url: url.to_owned(),
        };
        let mut first = command();
        first
            .env("OPENCOIN_TOKEN", token)
            .env("OPENCOIN_NEW_PASSWORD", PASSWORD);
        let _ = run(&mut first, &["account", "password", "--first", "--url", url]).success();
        holder.log_in();
        holder
    }

    pub(crate) fn log_in(&self) {
        let _ = self
            .unchecked(&["account", "login", "--url", &self.url, self.name])
            .success();
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = command();
        command
            .env("OPENCOIN_PASSWORD", PASSWORD)
            .env("OPENCOIN_WALLET_DIR", &self.dir);
        command
    }

    pub(crate) fn unchecked(&self, arguments: &[&str]) -> Output {
        run(&mut self.command(), arguments)
    }

    pub(crate) fn account(&self, arguments: &[&str]) -> Output {
        self.unchecked(&[&["account"], arguments].concat()).success()
    }

    pub(crate) fn balance(&self) -> u64 {
        self.account(&["balance", "--json"]).json()["balance"]
            .as_u64()
            .unwrap()
    }

    /// The number of payments whose answer is still missing.
    pub(crate) fn unanswered(&self) -> usize {
        let text = fs::read_to_string(self.dir.join("payments.json")).unwrap();
        serde_json::from_str::<Value>(&text)
            .unwrap()
            .as_array()
            .unwrap()
            .len()
    }
}

fn ids(entries: &Value) -> Vec<u64> {
    entries["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["id"].as_u64().unwrap())
        .collect()
}

#[test]
fn two_holders_pay_each_other() {
    for database in [Database::Sqlite, Database::Postgres] {
        let mut currency = Currency::start(RFC9474, database);
        let alice = Holder::new(&currency, &currency.url(""), "alice", 500);
        let bob = Holder::new(&currency, &currency.url("/"), "bob", 0);
        let session = alice.dir.join("session.json");
        assert_eq!(
            fs::metadata(&session).unwrap().permissions().mode() & 0o777,
            0o600
        );

        // The directory lists only accounts that ask for it.
        bob.account(&["list-me", "on"]);
        assert_eq!(alice.account(&["directory"]).stdout, "bob\n");
        assert_eq!(
            alice.account(&["directory", "--json"]).json()["accounts"],
            serde_json::json!(["bob"])
        );

        let paid = alice
            .account(&["pay", "bob", "120", "--label", "rent", "--json"])
            .json();
        assert_eq!(
            (&paid["amount"], &paid["repeated"], &paid["label"]),
            (&(-120).into(), &false.into(), &"rent".into())
        );
        assert_eq!(
            (alice.balance(), bob.balance(), alice.unanswered()),
            (380, 120, 0)
        );
        let shown = bob.account(&["show"]).stdout;
        assert!(
            shown.contains("paid by alice  rent") && shown.contains("+120") && shown.contains("balance 120"),
            "{shown}"
        );
        // The same command again is another payment.
        alice.account(&["pay", "bob", "120", "--label", "rent"]);
        assert_eq!((alice.balance(), bob.balance()), (260, 240));
        // With the same idempotency key it is the same payment.
        let keyed = |amount: &str| {
            alice.unchecked(&["account", "pay", "bob", amount, "--key", "invoice-7", "--json"])
        };
        let first = keyed("10").success().json();
        let second = keyed("10").success().json();
        assert_eq!((&first["id"], &second["repeated"]), (&second["id"], &true.into()));
        let _ = keyed("11").refused(1, "the issuer refuses");
        assert_eq!((alice.balance(), bob.balance()), (250, 250));

        // A refusal shows the issuer's reason and leaves no unanswered payment.
        let _ = alice
            .unchecked(&["account", "pay", "nobody", "1"])
            .refused(4, "there is no account of this name");
        let _ = alice
            .unchecked(&["account", "pay", "bob", "10000"])
            .refused(1, "does not hold enough money");
        let _ = alice
            .unchecked(&["account", "pay", "bob", "0"])
            .refused(2, "more than zero");
        let _ = alice
            .unchecked(&["account", "pay", "bob", "1", "--key", "two words"])
            .refused(2, "visible ASCII");
        assert_eq!(alice.unanswered(), 0);

        // Pages contain every entry once.
        let all = ids(&alice.account(&["history", "--all", "--json"]).json());
        assert_eq!(all.len(), 4);
        let mut pages = Vec::new();
        let mut page = alice.account(&["history", "--limit", "1", "--json"]).json();
        loop {
            pages.extend(ids(&page));
            let Some(before) = page["before"].as_u64() else {
                break;
            };
            page = alice
                .account(&[
                    "history",
                    "--limit",
                    "1",
                    "--before",
                    &before.to_string(),
                    "--json",
                ])
                .json();
        }
        assert_eq!(pages, all);

        // A payout.
        let payout = alice
            .account(&["payout", "50", "DE02 1203 0000 0000 2020 51", "--json"])
            .json();
        assert_eq!(
            (&payout["state"], &payout["repeated"]),
            (&"requested".into(), &false.into())
        );
        assert_eq!((alice.balance(), alice.unanswered()), (200, 0));
        let listed = alice.account(&["payouts", "--json"]).json();
        assert_eq!(
            (&listed["payouts"][0]["id"], &listed["after"]),
            (&payout["id"], &payout["id"])
        );
        assert!(alice.account(&["payouts"]).stdout.contains("requested  to DE02"));
        let after = listed["after"].to_string();
        assert_eq!(
            alice.account(&["payouts", "--after", &after, "--json"]).json()["payouts"],
            serde_json::json!([])
        );
        currency.audit();
        currency.stop();
    }
}

#[test]
fn sessions_begin_with_the_password_and_end() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let alice = Holder::new(&currency, &currency.url(""), "alice", 100);
    let again = Holder {
        dir: currency.scratch("elsewhere"),
        url: currency.url(""),
        ..alice
    };
    let _ = again
        .unchecked(&["account", "balance"])
        .refused(1, "opencoin account login");
    let mut wrong = again.command();
    wrong.env("OPENCOIN_PASSWORD", "a wrong password");
    let _ = run(&mut wrong, &["account", "login", "--url", &again.url, "alice"])
        .refused(1, "the name or the password is wrong");
    assert!(!again.dir.join("session.json").exists());
    again.log_in();
    let _ = again
        .unchecked(&["account", "balance", "--url", "http://127.0.0.1:1"])
        .refused(1, "the session in this folder is with");

    // A new password ends all other sessions; the error says to log in again.
    let mut change = again.command();
    change.env("OPENCOIN_NEW_PASSWORD", "another long password");
    let _ = run(&mut change, &["account", "password"]).success();
    assert_eq!(again.balance(), 100);
    let ended = alice
        .unchecked(&["account", "pay", "bob", "1"])
        .refused(1, "log in again");
    let token = |holder: &Holder| {
        let text = fs::read_to_string(holder.dir.join("session.json")).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["token"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(
        !ended.stderr.contains(&token(&alice)) && !ended.stderr.contains(PASSWORD),
        "{ended:?}"
    );
    let _ = alice
        .unchecked(&["account", "login", "--url", &alice.url, "alice"])
        .refused(1, "does not recognise");

    // An expired session is not sent to the issuer.
    let (file, old) = (again.dir.join("session.json"), token(&again));
    let kept = fs::read_to_string(&file).unwrap();
    let mut over: Value = serde_json::from_str(&kept).unwrap();
    over["expires_at"] = "2020-01-01T00:00:00Z".into();
    fs::write(&file, over.to_string()).unwrap();
    let _ = again
        .unchecked(&["account", "balance"])
        .refused(1, "the session has ended (2020-01-01 00:00:00 UTC); log in again");

    // A damaged session file is reported, and the next login replaces it.
    fs::write(&file, "").unwrap();
    let damaged = again.unchecked(&["account", "balance"]);
    let _ = damaged.refused(1, "`opencoin account login --url URL NAME");
    let mut login = again.command();
    login.env("OPENCOIN_PASSWORD", "another long password");
    let _ = run(&mut login, &["account", "login", "--url", &again.url, "alice"]).success();
    assert_eq!(again.balance(), 100);
    fs::write(&file, &kept).unwrap();

    // A logout also ends the session at the issuer.
    again.account(&["logout"]);
    assert!(!file.exists());
    let mut late = again.command();
    late.env("OPENCOIN_TOKEN", old);
    let _ = run(&mut late, &["account", "balance", "--url", &again.url]).refused(1, "does not recognise");
    let _ = again
        .unchecked(&["account", "logout"])
        .refused(1, "nobody is logged in");
    currency.stop();
}

#[test]
fn a_wallet_uses_the_session_and_a_service_only_its_scopes() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let alice = Holder::new(&currency, &currency.url(""), "alice", 200);
    let _ = alice.unchecked(&["wallet", "add", &currency.url("")]).success();
    let _ = alice.unchecked(&["wallet", "mint", "50"]).success();
    let _ = alice.unchecked(&["wallet", "redeem", "20"]).success();
    assert_eq!(alice.balance(), 170);

    let declared = alice
        .unchecked(&["service", "declare", "till", "--scope", "mint", "--json"])
        .success()
        .json();
    let (id, key) = (
        declared["id"].as_str().unwrap(),
        declared["key"].as_str().unwrap(),
    );
    let listed = alice.unchecked(&["service", "list"]).success().stdout;
    assert!(
        listed.contains("till  may mint; new") && !listed.contains(key),
        "{listed}"
    );
    let _ = alice
        .unchecked(&["service", "declare", "till", "--scope", "read"])
        .refused(1, "the issuer refuses");

    // The service logs in from another folder.
    let till = Holder {
        name: "till",
        dir: currency.scratch("till"),
        url: currency.url(""),
    };
    let _ = till.unchecked(&["wallet", "add", &currency.url("")]).success();
    let _ = till
        .unchecked(&["wallet", "mint", "30"])
        .refused(1, "opencoin account login");
    let log_in = |key: &str| {
        let mut login = till.command();
        run(
            login.env("OPENCOIN_SERVICE_KEY", key),
            &["service", "login", "--store", "--url", &till.url, id],
        )
    };
    let _ = log_in("ocsk_wrong").refused(1, "does not recognise");
    assert!(
        !log_in(key).success().stdout.contains("oc"),
        "a stored token is not printed"
    );
    let _ = till.unchecked(&["wallet", "mint", "30"]).success();
    let _ = till
        .unchecked(&["wallet", "redeem", "5"])
        .refused(1, "does not allow this");
    let _ = till
        .unchecked(&["account", "balance"])
        .refused(1, "does not allow this");
    let _ = till
        .unchecked(&["account", "pay", "alice", "1"])
        .refused(1, "holder's own session");
    assert_eq!(alice.balance(), 140);
    // The issuer stores about once a second when services were last seen.
    let is_live = |_| {
        std::thread::sleep(std::time::Duration::from_millis(200));
        let status = alice.unchecked(&["service", "status"]).success().stdout;
        status.contains("live")
    };
    assert!((0..50).any(is_live));

    // A new key invalidates the old key and its sessions.
    let rotated = alice
        .unchecked(&["service", "rotate", id, "--json"])
        .success()
        .json();
    let _ = till
        .unchecked(&["wallet", "mint", "5"])
        .refused(1, "does not recognise");
    let _ = log_in(key).refused(1, "does not recognise");
    let _ = log_in(rotated["key"].as_str().unwrap()).success();
    let _ = till.unchecked(&["wallet", "mint", "5"]).success();
    let _ = alice.unchecked(&["service", "remove", id]).success();
    let _ = till
        .unchecked(&["wallet", "mint", "5"])
        .refused(1, "does not recognise");
    let _ = alice
        .unchecked(&["service", "remove", id])
        .refused(4, "the account has no such service");
    let _ = alice
        .unchecked(&["service", "remove", "../sessions"])
        .refused(2, "not the id of a service");
    currency.audit();
    currency.stop();
}

#[test]
fn a_lost_answer_does_not_pay_twice() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let proxy = CuttingProxy::start(currency.port());
    let alice = Holder::new(&currency, &proxy.url(), "alice", 500);
    let _bob = currency.account("bob", 0);
    let pay = || alice.unchecked(&["account", "pay", "bob", "100", "--label", "rent"]);

    // Every answer is lost: the payment is done once, but the payer does not know.
    proxy.set(Answers::Cut);
    let _ = pay().refused(3, "it is not known whether it was paid");
    assert!(proxy.lost() > 1, "the command retries");
    assert_eq!((currency.balance("bob"), alice.unanswered()), (100, 1));
    let _ = pay().refused(3, "it is not known whether it was paid");
    proxy.set(Answers::Pass);
    assert!(
        alice
            .account(&["show"])
            .stdout
            .contains("no answer was seen to a payment of 100 OpenCent to bob")
    );
    // A different payment does not finish the unanswered one.
    alice.account(&["pay", "bob", "7"]);
    assert_eq!((currency.balance("bob"), alice.unanswered()), (107, 1));

    // A refused session is no answer to the earlier payment.
    let session = alice.dir.join("session.json");
    let mut other: Value = serde_json::from_str(&fs::read_to_string(&session).unwrap()).unwrap();
    other["token"] = "ocs_of_nobody".into();
    fs::write(&session, other.to_string()).unwrap();
    let _ = pay().refused(1, "log in again");
    assert_eq!(alice.unanswered(), 1);
    alice.log_in();

    let found = pay().success();
    assert!(
        found.stdout.contains("was done before and is not repeated")
            && found.stderr.contains("note: this finishes"),
        "{found:?}"
    );
    assert_eq!((currency.balance("bob"), alice.unanswered()), (107, 0));
    // The next one is a new payment.
    assert!(!pay().success().stdout.contains("before"));
    assert_eq!(currency.balance("bob"), 207);

    // The payer's process is killed before the answer arrives.
    proxy.set(Answers::Hold);
    let lost = proxy.lost();
    let mut dying = alice
        .command()
        .args(["account", "pay", "bob", "100", "--label", "rent"])
        .spawn()
        .unwrap();
    proxy.wait_for_lost(lost + 1);
    // While it runs, no other payment starts.
    let _ = pay().refused(3, "another payment from");
    dying.kill().unwrap();
    dying.wait().unwrap();
    proxy.set(Answers::Pass);
    assert_eq!((currency.balance("bob"), alice.unanswered()), (307, 1));
    assert!(pay().success().stdout.contains("was done before"));
    assert_eq!((currency.balance("bob"), alice.unanswered()), (307, 0));

    // A payout is finished in the same way.
    proxy.set(Answers::Cut);
    let payout = || alice.unchecked(&["account", "payout", "50", "an account at a bank"]);
    let _ = payout().refused(3, "not known");
    proxy.set(Answers::Pass);
    assert!(payout().success().stdout.contains("was done before"));
    assert_eq!(currency.balance("alice"), 500 - 307 - 50);
    currency.audit();
    currency.stop();
}

#[test]
fn a_redeem_is_finished_in_another_session() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let alice = Holder::new(&currency, &currency.url(""), "alice", 100);
    let _ = alice.unchecked(&["wallet", "add", &currency.url("")]).success();
    let _ = alice.unchecked(&["wallet", "mint", "50"]).success();
    // The issuer closes the connection without an answer. When it is back, the session has ended.
    currency.stop();
    let listener = TcpListener::bind(("127.0.0.1", currency.port())).unwrap();
    let hangs_up = thread::spawn(move || drop(listener.accept().unwrap()));
    let _ = alice
        .unchecked(&["wallet", "redeem", "20"])
        .refused(3, "nothing is lost");
    hangs_up.join().unwrap();
    currency.serve();
    let wallet_holds = |balance: u64, pending: u64| {
        let shown = alice.unchecked(&["wallet", "balance", "--json"]).success().json();
        let amounts = [&shown["balance"], &shown["pending"]].map(Value::as_u64);
        assert_eq!(amounts, [Some(balance), Some(pending)], "{shown}");
    };
    let session = alice.dir.join("session.json");
    let kept = fs::read_to_string(&session).unwrap();
    alice.account(&["logout"]);
    let _ = alice
        .unchecked(&["wallet", "resume"])
        .refused(3, "needs the token");
    wallet_holds(30, 20);
    fs::write(&session, kept).unwrap();
    let _ = alice.unchecked(&["wallet", "resume"]).refused(3, "unauthorized");
    wallet_holds(30, 20);
    alice.log_in();
    let _ = alice.unchecked(&["wallet", "resume"]).success();
    assert_eq!((alice.balance(), currency.balance("alice")), (70, 70));
    wallet_holds(30, 0);
    currency.audit();
    currency.stop();
}

/// A process that prints new entries, line by line.
struct Watcher {
    child: Child,
    lines: Receiver<String>,
}

impl Watcher {
    fn start(holder: &Holder, more: &[&str]) -> Self {
        let mut command = holder.command();
        command
            .args(["account", "watch", "--json"])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (stdout, (sender, lines)) = (child.stdout.take().unwrap(), mpsc::channel());
        thread::spawn(move || {
            BufReader::new(stdout)
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    /// The amount of the next entry.
    fn next(&self) -> i64 {
        let line = self.lines.recv_timeout(PATIENCE).expect("an entry in time");
        serde_json::from_str::<Value>(&line).unwrap()["amount"]
            .as_i64()
            .unwrap()
    }

    /// Ends it as Ctrl-C does.
    fn interrupt(mut self) {
        send_signal(&self.child, Signal::INT);
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        let rest: Vec<String> = self.lines.iter().collect();
        assert!(rest.is_empty(), "nothing more was expected: {rest:?}");
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_watcher_misses_nothing_while_the_server_restarts() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let proxy = CuttingProxy::start(currency.port());
    let alice = Holder::new(&currency, &currency.url(""), "alice", 100);
    let bob = Holder::new(&currency, &proxy.url(), "bob", 3);
    let pay = |amount: &str| alice.account(&["pay", "bob", amount]);
    let from_first = Watcher::start(&bob, &["--after", "0"]);
    assert_eq!(from_first.next(), 3);
    pay("5");
    assert_eq!(from_first.next(), 5);
    // The connection breaks; later the server stops, and then it crashes.
    let lost = proxy.lost();
    proxy.set(Answers::Cut);
    pay("6");
    proxy.wait_for_lost(lost + 1);
    proxy.set(Answers::Pass);
    assert_eq!(from_first.next(), 6);
    currency.stop();
    currency.serve();
    pay("7");
    pay("8");
    assert_eq!((from_first.next(), from_first.next()), (7, 8));
    currency.kill();
    currency.serve();
    pay("9");
    assert_eq!(from_first.next(), 9);
    from_first.interrupt();

    // A watcher continues after a given entry.
    let page = bob.account(&["history", "--limit", "2", "--json"]).json();
    let before_last = Watcher::start(&bob, &["--after", &ids(&page)[1].to_string()]);
    assert_eq!(before_last.next(), 9);
    // It ends when the session ends.
    bob.account(&["logout"]);
    let mut watcher = before_last;
    assert_eq!(watcher.child.wait().unwrap().code(), Some(1));
    currency.stop();
}
