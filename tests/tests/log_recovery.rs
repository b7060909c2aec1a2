//! A lost time is recovered from a copy of the public log: the restored books stay closed, `opencoin log recover` gives
//! them what the log has, no coin is lost, and none can be spent twice.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;

use opencoin_e2e::files::{copy_folder, text};
use opencoin_e2e::replayed_log::ReplayedLog;
use opencoin_e2e::{Currency, FileServer, Rows, SQLITE, Wallet, wait_until};
use opencoin_testkit::log_peers::{LiteWitness, or_skip};
use opencoin_testkit::postgres::TestDatabase;
use reqwest::blocking::Client;

use crate::public_log::{
    Witnessed, currency_at, export, log_key, name_witnesses, origin, wait_until_fulfilled,
};
use crate::restored_books::{postgres_program, set_back};

/// Books as they were, and what happened in the lost time.
struct Lost {
    /// A copy of the log that somebody has.
    copy: String,
    /// Alice's wallet as it was at the backup: it still holds coins that she has spent since.
    old_wallet: Wallet,
    /// A wallet that has not got its coins for what Alice sent.
    carol: Wallet,
}

/// Makes a backup, and loses what happens afterwards: Alice turns 3 of her coins in, mints 20, sends 2 to Carol, and mints
/// 5; the answers to Carol and to the last mint get lost. Bob is credited 40. `promises` of Alice were fulfilled before.
fn lose(currency: &mut Currency, database: Option<&TestDatabase>, token: &str, alice: &Wallet) -> Lost {
    currency.stop();
    let (books, kept) = (currency.ledger_file(), currency.scratch("kept"));
    match database {
        None => {
            fs::copy(&books, &kept).unwrap();
        }
        Some(database) => {
            let file = format!("--file={}", kept.display());
            postgres_program("pg_dump", &["--format=custom", &file, &database.url()]);
        }
    }
    let old = currency.scratch("old-alice");
    copy_folder(&currency.scratch("alice"), &old);

    currency.serve();
    alice.run(&["redeem", "3", "--token", token]);
    alice.run(&["mint", "20", "--token", token]);
    let sent = currency.scratch("sent");
    alice.send("2", &sent);
    let carol = currency.wallet("carol");
    currency.account("bob", 40);
    currency.issuer(&["signing", "pause"]);
    let delayed = alice.run_unchecked(&["mint", "5", "--token", token]);
    assert_ne!(delayed.code, Some(0), "{}{}", delayed.stdout, delayed.stderr);
    let delayed = carol.run_unchecked(&["receive", text(&sent)]);
    assert_eq!(carol.balance(), 0, "{}{}", delayed.stdout, delayed.stderr);
    let is_fulfilled = |wallet: &Wallet| wallet.run(&["log", "--json"]).json()["promises"]["open"] == 0;
    wait_until("all promises are fulfilled", || {
        is_fulfilled(alice) && is_fulfilled(&carol)
    });
    let copy = export(currency, "copy");
    currency.stop();
    match database {
        None => {
            fs::copy(&kept, &books).unwrap();
        }
        Some(database) => set_back(database, &kept),
    }
    Lost {
        copy,
        old_wallet: Wallet::new(&old),
        carol,
    }
}

fn is_closed(currency: &Currency) -> bool {
    let ready = Client::new().get(currency.url("/health/ready")).send().unwrap();
    ready.status().as_u16() == 503
}

/// Asserts that the books of [`lose`] are whole again, and that nobody has gained anything. A server runs.
fn assert_whole(
    currency: &mut Currency,
    rows: Option<&TestDatabase>,
    token: &str,
    alice: &Wallet,
    lost: &Lost,
) {
    // What Alice minted is hers, although her account has not paid for it. Accepted blinds are signed again.
    assert_eq!(alice.balance(), 10 + 20 - 3 - 2);
    alice.run(&["resume", "--token", token]);
    assert_eq!(alice.balance(), 10 + 20 - 3 - 2 + 5);
    lost.carol.run(&["resume"]);
    assert_eq!(lost.carol.balance(), 2);
    let twice = lost.old_wallet.run_unchecked(&["redeem", "10", "--token", token]);
    assert_ne!(twice.code, Some(0), "a coin that was spent stays spent");
    alice.run(&["redeem", "20", "--token", token]);
    for wallet in [alice, &lost.carol] {
        let seen = wallet.run(&["log", "--json"]).json();
        assert_eq!(seen["faults"], serde_json::json!([]), "{seen}");
    }
    let shown = currency.issuer(&["log", "recovered", "--json"]).json();
    assert_eq!(shown["unassigned"], 40 - 20 + 3 - 5 + 5, "{shown}");
    // The operator finds in the statements of the bank and in the complaints of holders whose money it is.
    let gone = currency.issuer_unchecked(&["account", "show", "bob"]);
    assert_ne!(gone.code, Some(0), "an account that was opened meanwhile is lost");
    currency.issuer(&["account", "create", "bob"]);
    let early = currency.issuer_unchecked(&[
        "account",
        "credit",
        "bob",
        "40",
        "--reference",
        "b",
        "--recovered",
    ]);
    assert!(early.stderr.contains("Debit accounts first"), "{}", early.stderr);
    for (verb, name, amount) in [
        ("debit", "alice", "20"),
        ("credit", "bob", "40"),
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
    wait_until("everything is sealed and published", || {
        let status = currency.issuer(&["log", "status", "--json"]).json();
        status["waiting"] == 0 && status["published"] == status["size"]
    });
    let rows = rows.map_or_else(|| Rows::Sqlite(currency.ledger_file()), Rows::Postgres);
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
    let lost = lose(&mut currency, None, &token, &alice);

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
    let recovered = currency.issuer(&["log", "recover", "--from", &lost.copy]);
    assert!(
        recovered.stdout.contains("signed again when their wallets ask"),
        "{}",
        recovered.stdout
    );
    let again = currency.issuer(&["log", "recover", "--from", &lost.copy]);
    assert!(again.stdout.contains("nothing to recover"), "{}", again.stdout);

    currency.serve();
    assert_whole(&mut currency, None, &token, &alice, &lost);
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
    let Lost { copy, .. } = lose(&mut currency, None, &token, &alice);
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

/// The books are closed by a witness that others have written, and recovered from a copy that somebody serves.
fn books_that_a_foreign_witness_has_closed(database: Option<&TestDatabase>) {
    let url = database.map_or_else(|| SQLITE.to_owned(), TestDatabase::url);
    let mut currency = currency_at(&url);
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
    let lost = lose(&mut currency, database, &token, &alice);
    // Nothing on this machine knows that the books are old.
    fs::remove_file(currency.dir().join("high-water-mark.toml")).unwrap();
    fs::remove_file(currency.dir().join("log/signed")).unwrap();
    currency.serve();
    wait_until("the witness has closed the server", || is_closed(&currency));
    currency.stop();

    let mirror = FileServer::start(lost.copy.as_ref());
    currency.issuer(&["log", "recover", "--from", &mirror.url()]);
    currency.serve();
    assert_whole(&mut currency, database, &token, &alice, &lost);
}

#[test]
fn books_that_a_foreign_witness_has_closed_are_recovered_on_sqlite() {
    books_that_a_foreign_witness_has_closed(None);
}

#[test]
fn books_that_a_foreign_witness_has_closed_are_recovered_on_postgres() {
    books_that_a_foreign_witness_has_closed(Some(&TestDatabase::create()));
}
