//! A lost time is recovered from a copy of the public log: the restored books stay closed, `opencoin log recover` gives
//! them what the log has, no coin is lost, and none can be spent twice.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;

use opencoin_e2e::files::{copy_folder, text};
use opencoin_e2e::replayed_log::ReplayedLog;
use opencoin_e2e::{Currency, FileServer, Wallet, wait_until};
use opencoin_testkit::log_peers::{LiteWitness, or_skip};
use reqwest::blocking::Client;

use crate::public_log::{Witnessed, currency, export, log_key, name_witnesses, origin, wait_until_fulfilled};

/// What happened in the lost time.
struct Lost {
    /// A copy of the log that somebody has.
    copy: String,
    /// Alice's wallet as it was at the backup: it still holds coins that she has spent since.
    old_wallet: Wallet,
}

/// Makes a backup, and loses what happens afterwards: Alice mints 20, turns 3 of her coins in, mints 5 whose answer she
/// has not got, and Bob is credited 40. `promises` of Alice were fulfilled before.
fn lose(currency: &mut Currency, token: &str, alice: &Wallet, promises: u64) -> Lost {
    currency.stop();
    let (books, kept) = (currency.ledger_file(), currency.scratch("kept.sqlite"));
    fs::copy(&books, &kept).unwrap();
    let old = currency.scratch("old-alice");
    copy_folder(&currency.scratch("alice"), &old);

    currency.serve();
    alice.run(&["mint", "20", "--token", token]);
    alice.run(&["redeem", "3", "--token", token]);
    currency.account("bob", 40);
    currency.issuer(&["signing", "pause"]);
    let delayed = alice.run_unchecked(&["mint", "5", "--token", token]);
    assert_ne!(delayed.code, Some(0), "{}{}", delayed.stdout, delayed.stderr);
    wait_until_fulfilled(alice, promises + 3);
    let copy = export(currency, "copy");
    currency.stop();
    fs::copy(&kept, &books).unwrap();
    Lost {
        copy,
        old_wallet: Wallet::new(&old),
    }
}

fn is_closed(currency: &Currency) -> bool {
    let ready = Client::new().get(currency.url("/health/ready")).send().unwrap();
    ready.status().as_u16() == 503
}

/// Asserts that the books of [`lose`] are whole again, and that nobody has gained anything. A server runs.
fn assert_whole(currency: &mut Currency, token: &str, alice: &Wallet, old: &Wallet, before: u64) {
    // What Alice minted is hers, although her account has not paid for it.
    assert_eq!(alice.balance(), before + 20 - 3);
    alice.run(&["resume", "--token", token]);
    assert_eq!(
        alice.balance(),
        before + 20 - 3 + 5,
        "accepted blinds are signed again"
    );
    let twice = old.run_unchecked(&["redeem", &before.to_string(), "--token", token]);
    assert_ne!(twice.code, Some(0), "a coin that was spent stays spent");
    alice.run(&["redeem", "20", "--token", token]);
    let seen = alice.run(&["log", "--json"]).json();
    assert_eq!(seen["faults"], serde_json::json!([]), "{seen}");
    let shown = currency.issuer(&["log", "recovered", "--json"]).json();
    assert_eq!(shown["unassigned"], 40 - 20 + 3 - 5 + 5, "{shown}");
    // The operator finds in the statements of the bank and in the complaints of holders whose money it is.
    let again = currency.issuer_unchecked(&["account", "show", "bob"]);
    assert_ne!(
        again.code,
        Some(0),
        "an account that was opened meanwhile is lost"
    );
    currency.issuer(&["account", "create", "bob"]);
    for (verb, name, amount) in [
        ("credit", "bob", "40"),
        ("debit", "alice", "20"),
        ("credit", "alice", "3"),
    ] {
        currency.issuer(&[
            "account",
            verb,
            name,
            amount,
            "--reference",
            amount,
            "--recovered",
        ]);
    }
    let shown = currency.issuer(&["log", "recovered", "--json"]).json();
    assert_eq!(shown["unassigned"], 0, "{shown}");
    wait_until("everything is sealed", || {
        currency.issuer(&["log", "status", "--json"]).json()["waiting"] == 0
    });
    let rows = currency.rows();
    assert_eq!(ReplayedLog::read(&rows).faults_against(&rows), [""; 0]);
    currency.stop();
    currency.audit();
}

#[test]
fn a_lost_time_is_recovered_from_a_copy_of_the_log() {
    let Witnessed {
        mut currency,
        witness: _witness,
        witnessing,
        token,
        alice,
    } = Witnessed::start();
    let Lost { copy, old_wallet } = lose(&mut currency, &token, &alice, 1);

    // The mark of this machine shows that the books are old, and the command says what to do.
    let refused = currency.issuer_unchecked(&["serve"]);
    assert!(
        refused.stderr.contains("opencoin log recover"),
        "{}",
        refused.stderr
    );
    let refused = currency.issuer_unchecked(&["accept-restored-state", "--yes-spent-coins-may-be-forgotten"]);
    assert!(
        refused.stderr.contains("--yes-no-copy-of-the-log-exists"),
        "{}",
        refused.stderr
    );

    let elsewhere = currency.scratch("empty");
    fs::create_dir(&elsewhere).unwrap();
    let missing = currency.issuer_unchecked(&["log", "recover", "--from", text(&elsewhere)]);
    assert!(
        missing.stderr.contains("there is no such file"),
        "{}",
        missing.stderr
    );
    let recovered = currency.issuer(&["log", "recover", "--from", &copy]);
    assert!(
        recovered.stdout.contains("signed again when their wallets ask"),
        "{}",
        recovered.stdout
    );
    let again = currency.issuer(&["log", "recover", "--from", &copy]);
    assert!(again.stdout.contains("nothing to recover"), "{}", again.stdout);

    currency.serve();
    assert_whole(&mut currency, &token, &alice, &old_wallet, 10);
    witnessing.stop();
}

#[test]
fn a_copy_that_is_not_the_newest_or_was_changed_is_refused() {
    let Witnessed {
        mut currency,
        witness: _witness,
        witnessing,
        token,
        alice,
    } = Witnessed::start();
    let early = export(&currency, "early");
    let Lost { copy, .. } = lose(&mut currency, &token, &alice, 1);
    let refused = currency.issuer_unchecked(&["log", "recover", "--from", &early]);
    assert!(
        refused.stderr.contains("witness w1 has seen") && refused.stderr.contains("--although-newer"),
        "{}",
        refused.stderr
    );
    let bundles: Vec<_> = fs::read_dir(format!("{copy}/tile/entries/000.p"))
        .unwrap()
        .collect();
    let bundle = bundles
        .into_iter()
        .map(|file| file.unwrap().path())
        .max()
        .unwrap();
    let good = fs::read(&bundle).unwrap();
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&bundle, changed).unwrap();
    let refused = currency.issuer_unchecked(&["log", "recover", "--from", &copy]);
    assert!(
        refused.stderr.contains("the copy of the log cannot be used"),
        "{}",
        refused.stderr
    );
    fs::write(&bundle, good).unwrap();
    let checkpoint = format!("{copy}/checkpoint");
    let note = fs::read_to_string(&checkpoint).unwrap();
    let (by_log, _) = note.trim_end().rsplit_once('\n').unwrap();
    fs::write(&checkpoint, format!("{by_log}\n")).unwrap();
    let refused = currency.issuer_unchecked(&["log", "recover", "--from", &copy]);
    assert!(refused.stderr.contains("quorum"), "{}", refused.stderr);
    currency.issuer(&["log", "recover", "--from", &copy, "--without-quorum"]);
    currency.audit();
    witnessing.stop();
}

#[test]
fn books_that_a_foreign_witness_has_closed_are_recovered_over_http() {
    let mut currency = currency();
    let key = log_key(&currency);
    let Some(witness) = or_skip(LiteWitness::start(origin(&key), &key)) else {
        return;
    };
    name_witnesses(&currency, &[(witness.vkey(), witness.url())], "1");
    currency.serve();
    let token = currency.account("alice", 100);
    let alice = currency.wallet("alice");
    alice.run(&["mint", "10", "--token", &token]);
    wait_until_fulfilled(&alice, 1);
    let Lost { copy, old_wallet } = lose(&mut currency, &token, &alice, 1);
    // Nothing on this machine knows that the books are old.
    fs::remove_file(currency.dir().join("high-water-mark.toml")).unwrap();
    fs::remove_file(currency.dir().join("log/signed")).unwrap();
    currency.serve();
    wait_until("the witness has closed the server", || is_closed(&currency));
    currency.stop();

    let mirror = FileServer::start(copy.as_ref());
    currency.issuer(&["log", "recover", "--from", &mirror.url()]);
    currency.serve();
    assert_whole(&mut currency, &token, &alice, &old_wallet, 10);
}
