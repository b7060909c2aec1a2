//! Commands that change keys are killed at many moments: the currency stays consistent, and the next call finishes the
//! work.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use opencoin_e2e::files::names;
use opencoin_e2e::{Currency, Output, RFC9474, SQLITE, command, create_master_key, opencoin, wait_until};
use serde_json::Value;

/// Runs `opencoin ARGUMENTS` and kills it after this delay. Returns whether it was still running.
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

/// Kills a command while it runs, at `times` moments spread over the time that it takes, and calls `check` after each.
/// If it ended before it was killed, because the work was already done, the next moments come earlier.
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

/// Checks that every key that signs now or later has its private half, and that the certificates verify. Returns the
/// keys.
fn check_keys(currency: &Currency) -> Vec<Value> {
    let keys = currency.keys();
    for key in keys
        .iter()
        .filter(|key| key["state"] == "future" || key["state"] == "signing")
    {
        assert_eq!(key["private_half"], Value::Bool(true), "{key}");
    }
    keys
}

#[test]
fn the_next_rotation_finishes_one_that_was_killed() {
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
    let before = check_keys(&currency).len();
    kill_at_many_moments(&rotate, takes, 12, || drop(check_keys(&currency)));
    currency.issuer(&["keys", "rotate", "--now"]);
    assert!(!dir.join("pending.json").exists(), "no request is pending");
    assert!(check_keys(&currency).len() >= before + 4);
    work(&currency);
    currency.stop();
}

#[test]
fn the_next_import_finishes_one_that_was_killed() {
    let mut currency = Currency::make(RFC9474, SQLITE, &["--offline-master"]);
    let (dir, vault) = (currency.dir(), currency.scratch("vault"));
    let (dir, vault) = (dir.to_str().unwrap(), vault.to_str().unwrap());
    let _ = opencoin(&["issuer", "serve", "--dir", dir]).refused(1, "has no certificates yet");
    let id = &create_master_key(vault);
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
    let known: BTreeSet<String> = check_keys(&currency)
        .iter()
        .map(|key| key["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(known.len(), 4);
    // The certificates of the first generation are refused for the second.
    currency.issuer(&["keys", "rotate", "--now"]);
    let second = sign("second.json");
    let _ = opencoin(&["issuer", "import", &first, "--dir", dir])
        .refused(1, "not the certificates of the request");
    let import = ["issuer", "import", &second, "--dir", dir];
    kill_at_many_moments(&import, takes * 4, 20, || drop(check_keys(&currency)));
    let _ = opencoin(&import).success();
    assert_eq!(check_keys(&currency).len(), 8);
    currency.serve();
    work(&currency);
    currency.stop();
}

#[test]
fn the_next_destruction_finishes_one_that_was_killed_and_resume_still_works() {
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
    // These mints are accepted but not signed. Their signatures are needed after the private keys are destroyed.
    currency.issuer(&["signing", "pause"]);
    let token = currency.account("alice", 1000);
    let waiting = ["wallet0", "wallet1", "wallet2"].map(|name| currency.wallet(name));
    for wallet in &waiting {
        let _ = wallet
            .run_unchecked(&["mint", "100", "--token", &token])
            .refused(3, "signs later");
    }
    currency.issuer(&["signing", "resume"]);
    let dir = currency.dir();
    let destroy = ["issuer", "keys", "destroy", "--dir", dir.to_str().unwrap()];
    let has_destroyed = || names(&dir.join("keys")).len() < 4;
    // Nothing is destroyed before its time.
    let _ = opencoin(&destroy).success();
    assert!(!has_destroyed());
    wait_until("the signing window ends", || {
        check_keys(&currency).iter().all(|key| key["state"] != "signing")
    });
    // The resume window of the policy ends soon; then one of these commands begins to destroy.
    wait_until("a private key is destroyed", || {
        kill_at_many_moments(&destroy, Duration::from_millis(600), 5, || {
            drop(check_keys(&currency))
        });
        has_destroyed()
    });
    let _ = opencoin(&destroy).success();
    let left = names(&dir.join("keys"));
    assert!(left.is_empty(), "{left:?}");
    // A restart removes the keys from the server's memory, too.
    currency.stop();
    currency.serve();
    for wallet in &waiting {
        wallet.run(&["resume"]);
        assert_eq!(wallet.balance(), 100);
    }
    currency.audit();
    currency.stop();
}

/// Mints, renews and redeems with the present keys.
fn work(currency: &Currency) {
    let (alice, bob) = (currency.wallet("alice"), currency.wallet("bob"));
    let token = currency.account("alice", 100);
    let stack = currency.scratch("stack");
    alice.run(&["mint", "18", "--token", &token]);
    alice.send("7", &stack);
    bob.receive(&stack);
    bob.run(&["redeem", "7", "--token", &token]);
    assert_eq!(currency.balance("alice"), 100 - 18 + 7);
    currency.audit();
}
