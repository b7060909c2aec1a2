//! Commands that change keys are killed at many moments: the currency stays sound, and the next call finishes
//! what was begun.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use opencoin_e2e::{Currency, Output, RFC9474, Wallet, command, opencoin};
use serde_json::Value;

const SQLITE: &str = "sqlite:ledger.sqlite";

/// Runs `opencoin ARGUMENTS` and kills it after this long; whether it was still running.
fn kill_after(arguments: &[&str], delay: Duration) -> bool {
    let mut child = command()
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    thread::sleep(delay);
    let was_running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    was_running
}

/// Kills a command while it runs, so many times, at moments spread over the time that it takes; `check` looks at what
/// each left. Where it had ended before, as the command of a finished work does at once, the moments come earlier.
fn kill_at_many_moments(arguments: &[&str], mut takes: Duration, times: u32, mut check: impl FnMut()) {
    let mut killed = 0;
    while killed < times {
        if kill_after(arguments, takes * killed / times) {
            killed += 1;
        } else {
            takes = takes * 3 / 4;
        }
        check();
    }
}

fn timed(run: impl FnOnce() -> Output) -> Duration {
    let begun = Instant::now();
    let _ = run().success();
    begun.elapsed()
}

fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// Every key with a certificate that will sign has its private half, and the certificates verify.
fn demand_sound(currency: &Currency) -> Vec<Value> {
    let keys = currency.issuer(&["keys", "list", "--json"]).json();
    let keys = keys.as_array().unwrap().clone();
    for key in keys
        .iter()
        .filter(|key| key["state"] == "future" || key["state"] == "signing")
    {
        assert_eq!(key["private_half"], Value::Bool(true), "{key}");
    }
    keys
}

#[test]
fn a_rotation_that_is_killed_is_finished_by_the_next_one() {
    let mut currency = Currency::make(RFC9474, SQLITE, &[]);
    currency.serve();
    let dir = currency.dir();
    let rotate = [
        "issuer",
        "keys",
        "rotate",
        "--now",
        "--dir",
        dir.to_str().unwrap(),
    ];
    let takes = timed(|| opencoin(&rotate));
    let before = demand_sound(&currency).len();
    kill_at_many_moments(&rotate, takes, 12, || drop(demand_sound(&currency)));
    currency.issuer(&["keys", "rotate", "--now"]);
    assert!(!dir.join("pending.json").exists(), "nothing waits");
    assert!(demand_sound(&currency).len() >= before + 4);
    work(&currency);
    currency.stop();
}

#[test]
fn an_import_that_is_killed_is_finished_by_the_next_one() {
    let mut currency = Currency::make(RFC9474, SQLITE, &["--offline-master"]);
    let (dir, vault) = (currency.dir(), currency.scratch("vault"));
    let (dir, vault) = (dir.to_str().unwrap(), vault.to_str().unwrap());
    let _ = opencoin(&["issuer", "serve", "--dir", dir]).refused(1, "has no certificates yet");
    let made = opencoin(&["master", "create", "--dir", vault, "--key-bits", "3072"]).success();
    let id = made
        .stdout
        .split_once("will be ")
        .unwrap()
        .1
        .lines()
        .next()
        .unwrap();
    let pending = format!("{dir}/pending.json");
    let sign = |name: &str| {
        let out = currency.scratch(name).to_str().unwrap().to_owned();
        let _ = opencoin(&["master", "sign", &pending, "--dir", vault, "--yes", "--out", &out]).success();
        out
    };
    let first = sign("first.json");
    let takes = timed(|| opencoin(&["master", "sign", &pending, "--dir", vault, "--show"]));
    let _ = opencoin(&["issuer", "import", &first, "--dir", dir]).refused(1, "--id");
    let _ = opencoin(&["issuer", "import", &first, "--id", "abc", "--dir", dir]).refused(1, "not of abc");
    let import = ["issuer", "import", &first, "--id", id, "--dir", dir];
    kill_at_many_moments(&import, takes * 4, 20, || {});
    let _ = opencoin(&import).success();
    let known: BTreeSet<String> = demand_sound(&currency)
        .iter()
        .map(|key| key["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(known.len(), 4);
    // Another generation; the certificates of the first are of no use any more.
    currency.issuer(&["keys", "rotate", "--now"]);
    let second = sign("second.json");
    let _ = opencoin(&["issuer", "import", &first, "--dir", dir])
        .refused(1, "not the certificates of the request");
    let import = ["issuer", "import", &second, "--dir", dir];
    kill_at_many_moments(&import, takes * 4, 20, || drop(demand_sound(&currency)));
    let _ = opencoin(&import).success();
    assert_eq!(demand_sound(&currency).len(), 8);
    currency.serve();
    work(&currency);
    currency.stop();
}

#[test]
fn a_destruction_that_is_killed_is_finished_by_the_next_one_and_resume_goes_on() {
    let policy = [
        "--signing-window",
        "14s",
        "--overlap",
        "2s",
        "--lead",
        "1s",
        "--coin-lifetime",
        "60days",
        "--resume-window",
        "1s",
    ];
    let mut currency = Currency::make(RFC9474, SQLITE, &policy);
    currency.serve();
    // Accepted and not signed: these answers must come after the private halves are gone.
    currency.issuer(&["signing", "pause"]);
    let token = currency.account("alice", 1000);
    let waiting: Vec<Wallet> = (0..3)
        .map(|number| Wallet::new(&currency.scratch(&format!("wallet{number}"))))
        .collect();
    for wallet in &waiting {
        wallet.run(&["add", &currency.url("")]);
        let _ = wallet
            .run_unchecked(&["mint", "100", "--token", &token])
            .refused(3, "will sign later");
    }
    currency.issuer(&["signing", "resume"]);
    let dir = currency.dir();
    let destroy = ["issuer", "keys", "destroy", "--dir", dir.to_str().unwrap()];
    let has_destroyed = || names(&dir.join("keys")).len() < 4;
    // Not before its time.
    let _ = opencoin(&destroy).success();
    assert!(!has_destroyed());
    let deadline = Instant::now() + Duration::from_secs(180);
    while demand_sound(&currency)
        .iter()
        .any(|key| key["state"] == "signing")
    {
        assert!(Instant::now() < deadline, "the window does not end");
        thread::sleep(Duration::from_millis(200));
    }
    // The resume window of the policy ends soon; then one of these begins to destroy.
    while !has_destroyed() {
        assert!(Instant::now() < deadline, "nothing is destroyed");
        kill_at_many_moments(&destroy, Duration::from_millis(600), 5, || {
            drop(demand_sound(&currency))
        });
    }
    let _ = opencoin(&destroy).success();
    let left = names(&dir.join("keys"));
    assert!(left.is_empty(), "{left:?}");
    // Whatever the server had in memory is gone, too.
    currency.stop();
    currency.serve();
    for wallet in &waiting {
        wallet.run(&["resume"]);
        assert_eq!(wallet.balance(), 100);
    }
    currency.audit();
    currency.stop();
}

/// A mint, a renew and a redeem with the keys that there are now.
fn work(currency: &Currency) {
    let (alice, bob) = (
        Wallet::new(&currency.scratch("alice")),
        Wallet::new(&currency.scratch("bob")),
    );
    let token = currency.account("alice", 100);
    let stack = currency.scratch("stack");
    alice.run(&["add", &currency.url("")]);
    alice.run(&["mint", "18", "--token", &token]);
    alice.run(&["send", "7", "--out", stack.to_str().unwrap()]);
    bob.run(&["add", &currency.url("")]);
    bob.run(&["receive", stack.to_str().unwrap()]);
    bob.run(&["redeem", "7", "--token", &token]);
    assert_eq!(currency.balance("alice"), 100 - 18 + 7);
    currency.audit();
}
