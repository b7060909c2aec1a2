//! The public log of a running currency: witnesses that others have written cosign it, verifiers that others have written
//! read it, wallets find in it what was promised to them, and a witness that has seen more closes restored books.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use opencoin_e2e::files::text;
use opencoin_e2e::{
    Currency, Database, PATIENCE, Process, RFC9474, SQLITE, Wallet, Witness, get_text, wait_until,
};
use opencoin_testkit::log_peers::{AicsWitness, LiteWitness, aics_tlog, go_verify, or_skip, tlog_tiles};
use reqwest::blocking::Client;
use serde_json::Value;

/// The shortest rhythm.
pub(crate) const RHYTHM: [(&str, &str); 3] = [
    ("OPENCOIN_ISSUER_PUBLIC_LOG_EVERY", "1s"),
    ("OPENCOIN_ISSUER_PUBLIC_LOG_LEAVES_MIN", "1"),
    ("OPENCOIN_ISSUER_PUBLIC_LOG_LATEST", "1s"),
];

/// A currency whose log is sealed every second. It has no witnesses yet, and no server runs.
pub(crate) fn currency() -> Currency {
    currency_at(SQLITE)
}

/// The same with books at this address.
pub(crate) fn currency_at(database_url: &str) -> Currency {
    let mut currency = Currency::make(RFC9474, database_url, &[]);
    for (name, value) in RHYTHM {
        currency.set_variable(name, value);
    }
    currency
}

/// The key of the log, from the line `log KEY URL` of the newest description.
pub(crate) fn log_key(currency: &Currency) -> String {
    let description = currency.issuer(&["log", "status", "--json"]).json();
    description["key"].as_str().unwrap().to_owned()
}

pub(crate) fn origin(key: &str) -> &str {
    key.split('+').next().unwrap()
}

pub(crate) fn name_witnesses(currency: &Currency, witnesses: &[(&str, &str)], quorum: &str) {
    let named: Vec<String> = witnesses
        .iter()
        .map(|(key, url)| format!("{key} {url}"))
        .collect();
    let mut command = vec!["log", "witnesses", "--quorum", quorum];
    for witness in &named {
        command.extend(["--witness", witness]);
    }
    currency.issuer(&command);
}

/// A currency with one witness, ours, in whose log Alice has found what was promised for her first mint of 10.
pub(crate) struct Witnessed {
    pub(crate) currency: Currency,
    pub(crate) witness: Witness,
    pub(crate) witnessing: Process,
    pub(crate) token: String,
    pub(crate) alice: Wallet,
}

impl Witnessed {
    pub(crate) fn start() -> Self {
        let (witness, mut currency) = (Witness::make(&[]), currency());
        let _added = witness.run("add", &[&log_key(&currency)]).success();
        let witnessing = witness.serve();
        name_witnesses(&currency, &[(&witness.vkeys[0], &witness.url())], "1");
        currency.serve();
        let token = currency.account("alice", 100);
        let alice = currency.wallet("alice");
        alice.run(&["mint", "10", "--token", &token]);
        wait_until_fulfilled(&alice, 1);
        Self {
            currency,
            witness,
            witnessing,
            token,
            alice,
        }
    }
}

/// What the wallet knows of the log after a look at it.
pub(crate) fn look(wallet: &Wallet) -> Value {
    wallet.run(&["log", "--json"]).json()
}

pub(crate) fn wait_until_fulfilled(wallet: &Wallet, promises: u64) -> Value {
    let mut seen = Value::Null;
    wait_until("the promises are fulfilled", || {
        seen = look(wallet);
        seen["promises"]["open"] == 0 && seen["promises"]["kept"] == promises
    });
    assert_eq!(seen["faults"], serde_json::json!([]), "{seen}");
    seen
}

pub(crate) fn export(currency: &Currency, name: &str) -> String {
    let folder = currency.scratch(name);
    currency.issuer(&["log", "export", text(&folder)]);
    text(&folder).to_owned()
}

#[test]
fn witnesses_and_verifiers_of_others_agree_with_the_log() {
    let mut currency = currency();
    let key = log_key(&currency);
    let (Some(lite), Some(aics)) = (
        or_skip(LiteWitness::start(origin(&key), &key)),
        or_skip(AicsWitness::start(origin(&key), &key)),
    ) else {
        return;
    };
    let witnesses = [(lite.vkey(), lite.url()), (aics.vkey(), aics.url())];
    name_witnesses(&currency, &witnesses, "2");
    currency.serve();
    let token = currency.account("alice", 100);
    let alice = currency.wallet("alice");
    alice.run(&["mint", "37", "--token", &token]);
    let seen = wait_until_fulfilled(&alice, 1);
    assert_eq!(seen["newest"]["witnesses"].as_array().unwrap().len(), 2, "{seen}");
    let old = get_text(&currency.url("/log/checkpoint"));
    alice.run(&["redeem", "10", "--token", &token]);
    let seen = wait_until_fulfilled(&alice, 2);
    let size = seen["newest"]["size"].as_u64().unwrap();

    // Over HTTP and from the exported files: the checkpoint, every leaf, and growth.
    let checkpoint = currency.scratch("checkpoint");
    fs::write(&checkpoint, get_text(&currency.url("/log/checkpoint"))).unwrap();
    let quorum = [
        "verify-checkpoint",
        "--note",
        text(&checkpoint),
        "--log-key",
        &key,
        "--witness-key",
        lite.vkey(),
        "--witness-key",
        aics.vkey(),
        "--quorum",
        "2",
    ];
    let _said = or_skip(aics_tlog(&quorum)).map(|verdict| verdict.accepted());
    let folder = export(&currency, "log");
    let old_file = currency.scratch("old");
    fs::write(&old_file, old).unwrap();
    let published = fs::read_to_string(format!("{folder}/checkpoint")).unwrap();
    assert_eq!(published.lines().nth(1).unwrap(), size.to_string());
    let new_file = currency.scratch("new");
    fs::write(&new_file, published).unwrap();
    let _said =
        or_skip(go_verify(&["checkpoint", &key, origin(&key), &folder])).map(|verdict| verdict.accepted());
    for index in 0..size {
        let verdict = or_skip(go_verify(&["inclusion", &key, &folder, &index.to_string()]));
        let _said = verdict.map(|verdict| verdict.accepted());
    }
    let consistency = ["consistency", &folder, text(&old_file), text(&new_file), &key];
    let _said = or_skip(go_verify(&consistency)).map(|verdict| verdict.accepted());
    let last = (size - 1).to_string();
    let tiles = currency.url("/log");
    for place in [folder.as_str(), &tiles] {
        let leaf = or_skip(tlog_tiles(&["get-leaf", "-c", place, &last])).map(|verdict| verdict.accepted());
        assert!(
            leaf.is_none_or(|leaf| leaf.starts_with(&[0x01, 0xff])),
            "the last leaf ends a batch"
        );
    }
    currency.stop();
    currency.audit();
}

#[test]
fn a_witness_that_has_seen_more_closes_restored_books() {
    let Witnessed {
        mut currency,
        witness: _kept,
        witnessing,
        token,
        alice,
    } = Witnessed::start();
    currency.stop();
    let (books, kept) = (currency.ledger_file(), currency.scratch("kept.sqlite"));
    fs::copy(&books, &kept).unwrap();

    currency.serve();
    alice.run(&["mint", "20", "--token", &token]);
    wait_until_fulfilled(&alice, 2);
    currency.stop();
    // Nothing on this machine knows that the books are old.
    fs::copy(&kept, &books).unwrap();
    fs::remove_file(currency.dir().join("high-water-mark.toml")).unwrap();
    fs::remove_file(currency.dir().join("log/signed")).unwrap();

    currency.serve();
    wait_until("the server has asked the witness", || {
        let ready = Client::new().get(currency.url("/health/ready")).send().unwrap();
        ready.status().as_u16() == 503
    });
    let refused = alice.run_unchecked(&["mint", "5", "--token", &token]);
    assert_ne!(refused.code, Some(0), "{}", refused.stderr);
    let said = currency.log();
    assert!(said.contains("older than what the witnesses have seen"), "{said}");
    currency.stop();

    // The operator has no newer state. The witness never cosigns the log again, so another description names none.
    currency.issuer(&[
        "accept-restored-state",
        "--yes-spent-coins-may-be-forgotten",
        "--yes-no-copy-of-the-log-exists",
    ]);
    currency.issuer(&["log", "witnesses", "--none"]);
    currency.serve();
    let bob = currency.wallet("bob");
    bob.run(&["mint", "5", "--token", &token]);
    wait_until_fulfilled(&bob, 1);
    // Whoever has seen the lost part of the log can show it.
    let said = alice.run_unchecked(&["log"]);
    assert_eq!(said.code, Some(1), "{}{}", said.stdout, said.stderr);
    currency.stop();
    currency.audit();
    witnessing.stop();
}

#[test]
fn a_log_without_its_quorum_goes_on_and_says_so() {
    let Witnessed {
        mut currency,
        witness,
        witnessing,
        token,
        alice,
    } = Witnessed::start();

    witnessing.kill();
    alice.run(&["mint", "7", "--token", &token]);
    let shown = || currency.issuer(&["log", "status"]).stdout;
    wait_until("a batch is sealed that the witness has not cosigned", || {
        shown().contains("not published yet")
    });
    wait_until("the server says why", || {
        currency
            .log()
            .contains("a quorum of witnesses has not cosigned the public log")
    });
    // What the witness has cosigned is still shown. The promise is open, and the coins are good.
    assert!(shown().contains("the quorum is reached"), "{}", shown());
    let seen = look(&alice);
    assert_eq!(
        (&seen["promises"]["open"], &seen["problem"]),
        (&1.into(), &Value::Null),
        "{seen}"
    );
    assert_eq!(alice.balance(), 17);

    let witnessing = witness.serve();
    wait_until_fulfilled(&alice, 2);
    currency.stop();
    witnessing.stop();
}

/// What a hostile witness does with its connections, in turn.
const HOSTILITIES: [fn(&mut TcpStream); 8] = [
    // Nothing, until the client gives up.
    |connection| drop(connection.read_to_end(&mut Vec::new())),
    |connection| answer(connection, "200 OK", "garbage"),
    |connection| {
        answer(
            connection,
            "200 OK",
            "\u{2014} witness.example/ours AAAAAAAAAAAAAAAAAAAAAAAA\n",
        )
    },
    |connection| answer(connection, "409 Conflict", "18446744073709551615\n"),
    |connection| answer(connection, "409 Conflict", "1\n"),
    |connection| answer(connection, "422 Unprocessable Entity", ""),
    |connection| {
        let _ = connection.write_all(b"HTTP/1.1 302 Found\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n");
    },
    // An endless answer.
    |connection| {
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while connection.write_all(&[b'a'; 65_536]).is_ok() {}
    },
];

fn answer(connection: &mut TcpStream, status: &str, body: &str) {
    let length = body.len();
    // The client may have gone.
    let _ = write!(
        connection,
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
}

/// Starts a hostile witness, which ends with this process, and returns its URL.
fn hostile_witness(asked: Arc<AtomicUsize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            connection.set_read_timeout(Some(PATIENCE)).unwrap();
            let _ = connection.read(&mut [0; 4096]);
            let turn = asked.fetch_add(1, Ordering::SeqCst);
            HOSTILITIES[turn % HOSTILITIES.len()](&mut connection);
        }
    });
    url
}

#[test]
fn a_hostile_witness_harms_nothing() {
    let (honest, mut currency) = ([Witness::make(&[]), Witness::make(&[])], currency());
    let key = log_key(&currency);
    let witnessing = honest.each_ref().map(|witness| {
        let _added = witness.run("add", &[&key]).success();
        witness.serve()
    });
    let (asked, absent) = (Arc::new(AtomicUsize::new(0)), Witness::make(&[]));
    let urls = honest.each_ref().map(Witness::url);
    let witnesses = [
        (honest[0].vkeys[0].as_str(), urls[0].as_str()),
        (&honest[1].vkeys[0], &urls[1]),
        (&absent.vkeys[0], &hostile_witness(Arc::clone(&asked))),
    ];
    name_witnesses(&currency, &witnesses, "2");
    currency.serve();
    let token = currency.account("alice", 100);
    let alice = currency.wallet("alice");
    let mut promises = 0;
    while asked.load(Ordering::SeqCst) < 2 * HOSTILITIES.len() {
        alice.run(&["mint", "1", "--token", &token]);
        promises += 1;
        let seen = wait_until_fulfilled(&alice, promises);
        assert_eq!(seen["newest"]["witnesses"].as_array().unwrap().len(), 2, "{seen}");
        assert!(promises < 40, "the hostile witness is asked for every batch");
    }
    let ready = Client::new().get(currency.url("/health/ready")).send().unwrap();
    assert_eq!(ready.status().as_u16(), 200);
    currency.stop();
    for witness in witnessing {
        witness.stop();
    }
    currency.audit();
}

/// A currency that was created without a log, and has coins and money, gets one. What was before is declared.
fn a_log_is_enabled_later(mut currency: Currency) {
    for (name, value) in RHYTHM {
        currency.set_variable(name, value);
    }
    currency.serve();
    let token = currency.account("alice", 100);
    let alice = currency.wallet("alice");
    alice.run(&["mint", "20", "--token", &token]);
    alice.run(&["redeem", "5", "--token", &token]);
    currency.stop();
    currency.issuer(&["account", "debit", "alice", "10", "--reference", "paid out"]);

    let witness = Witness::make(&[]);
    let named = format!("{} {}", witness.vkeys[0], witness.url());
    let enabled = currency
        .issuer(&["log", "enable", "--witness", &named, "--json"])
        .json();
    assert_eq!(enabled["opened"], true, "{enabled}");
    let again = currency.issuer(&["log", "enable", "--json"]).json();
    assert_eq!(
        (&again["opened"], &again["key"]),
        (&false.into(), &enabled["key"]),
        "{again}"
    );
    let _added = witness.run("add", &[enabled["key"].as_str().unwrap()]).success();
    let witnessing = witness.serve();
    currency.serve();

    alice.run(&["mint", "7", "--token", &token]);
    let seen = wait_until_fulfilled(&alice, 1);
    assert!(seen["newest"]["size"].as_u64() > Some(0), "{seen}");
    alice.run(&["redeem", "20", "--token", &token]);
    wait_until_fulfilled(&alice, 2);
    let folder = export(&currency, "log");
    let entries = fs::read_dir(format!("{folder}/tile/entries/000.p")).unwrap();
    let entries = entries.map(|file| file.unwrap().path()).max().unwrap();
    let entries = String::from_utf8_lossy(&fs::read(entries).unwrap()).into_owned();
    assert_eq!(
        entries.matches("\"opening\": true").count(),
        1,
        "the first batch says that it began late"
    );
    assert!(
        entries.contains("\"paid_in\": 100, \"paid_out\": 10"),
        "{entries}"
    );
    currency.stop();
    currency.audit();
    witnessing.stop();
}

#[test]
fn a_log_is_enabled_later_on_sqlite() {
    a_log_is_enabled_later(Currency::make(RFC9474, SQLITE, &["--without-log"]));
}

#[test]
fn a_log_is_enabled_later_on_postgres() {
    a_log_is_enabled_later(Currency::make_on(RFC9474, Database::Postgres, &["--without-log"]));
}
