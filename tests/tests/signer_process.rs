//! The process that signs, as an operator runs it: over mutual TLS from another folder than the server's,
//! refusing to start where something is wrong, and refusing to sign for books that were set back.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use opencoin_e2e::{Currency, Log, Process, RFC9474, Wallet, free_port, run};
use opencoin_testkit::postgres::TestDatabase;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/signer/certificates.sh");
const SQLITE: &str = "sqlite:ledger.sqlite";
/// What a signer says when it can be reached.
const READY: &str = "signing for OpenCent at ";
/// How long a server may take to find its signer again.
const PATIENCE: Duration = Duration::from_secs(30);

/// The certificates of a signer on this machine and its server, under an authority of their own.
fn certificates(folder: &Path) {
    let made = Command::new("sh")
        .arg(SCRIPT)
        .arg(folder)
        .arg("127.0.0.1")
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Copies a folder with its permissions, as it is carried from one machine to another.
fn copy(from: &Path, to: &Path) {
    assert!(
        Command::new("cp")
            .arg("-a")
            .args([from, to])
            .status()
            .unwrap()
            .success()
    );
}

/// Copies the books on SQLite, all of their files, in place of those that are there.
fn put_books(from: &Path, to: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let name = format!("ledger.sqlite{suffix}");
        let _ = fs::remove_file(to.join(&name));
        if from.join(&name).exists() {
            fs::copy(from.join(&name), to.join(&name)).unwrap();
        }
    }
}

/// Writes into the settings that `side` of these certificates speaks with the signer at this port.
fn speak_tls(folder: &Path, certificates: &Path, side: &str, port: u16) {
    let files = folder.join("tls");
    fs::create_dir_all(&files).unwrap();
    for name in [
        "authority.pem".to_owned(),
        format!("{side}.pem"),
        format!("{side}.key"),
    ] {
        fs::copy(certificates.join(&name), files.join(&name)).unwrap();
    }
    let path = folder.join("issuer.toml");
    let settings = fs::read_to_string(&path).unwrap();
    let signer = format!(
        "\n[signer]\nby = \"tls\"\naddress = \"127.0.0.1:{port}\"\nname = \"127.0.0.1\"\ncertificate = \"tls/{side}.pem\"\n\
         key = \"tls/{side}.key\"\nauthority = \"tls/authority.pem\"\n"
    );
    fs::write(&path, settings + &signer).unwrap();
}

fn start_signer(folder: &Path, options: &[&str], log: &Log) -> Process {
    let mut command = opencoin_e2e::command();
    command
        .arg("signer")
        .arg("--dir")
        .arg(folder)
        .args(options)
        .env("OPENCOIN_LOG", "warn");
    Process::start(&mut command, READY, log)
}

/// Server or signer has just come up: they may not have found each other yet.
fn mint(wallet: &Wallet, amount: &str, token: &str) {
    let _ = wallet.run_unchecked(&["mint", amount, "--token", token]);
    resume(wallet);
}

fn wait_for(log: impl Fn() -> String, text: &str) {
    let begun = Instant::now();
    while !log().contains(text) {
        assert!(
            begun.elapsed() < PATIENCE,
            "{text:?} is not in the log: {}",
            log()
        );
        thread::sleep(Duration::from_millis(100));
    }
}

fn resume(wallet: &Wallet) {
    let begun = Instant::now();
    while wallet.run_unchecked(&["resume"]).code != Some(0) {
        assert!(begun.elapsed() < PATIENCE, "what was accepted is not signed");
        thread::sleep(Duration::from_millis(100));
    }
}

fn wallet(currency: &Currency, name: &str) -> Wallet {
    let wallet = Wallet::new(&currency.scratch(name));
    wallet.run(&["add", &currency.url("")]);
    wallet
}

#[test]
fn a_signer_on_another_machine_signs_for_whom_its_authority_has_certified() {
    let database = TestDatabase::create();
    let mut currency = Currency::make(RFC9474, &database.url(), &[]);
    let [ours, theirs, machine] = ["ours", "theirs", "signer-machine"].map(|name| currency.scratch(name));
    certificates(&ours);
    certificates(&theirs);
    // The private keys go to the signer's machine and stay nowhere else.
    let port = free_port();
    copy(&currency.dir(), &machine);
    for folder in ["keys", "master"] {
        fs::remove_dir_all(currency.dir().join(folder)).unwrap();
    }
    speak_tls(&machine, &ours, "signer", port);
    speak_tls(&currency.dir(), &ours, "server", port);
    let signer_log = Log::default();
    let signer = start_signer(&machine, &[], &signer_log);
    currency.serve();
    let token = currency.account("alice", 100);
    let alice = wallet(&currency, "alice");
    mint(&alice, "18", &token);
    alice.run(&["redeem", "7", "--token", &token]);
    currency.stop();

    // A server with somebody else's certificate accepts, and has to delay all that it accepts.
    let files = currency.dir().join("tls");
    for name in ["server.pem", "server.key"] {
        fs::copy(theirs.join(name), files.join(name)).unwrap();
    }
    currency.serve();
    let _ = alice
        .run_unchecked(&["mint", "20", "--token", &token])
        .refused(3, "will sign later");
    let _ = alice.run_unchecked(&["resume"]).refused(3, "will sign later");
    assert_eq!(alice.balance(), 11);
    wait_for(|| currency.log(), "no connection to the signer");
    wait_for(|| currency.log(), "signatures are delayed");
    wait_for(|| signer_log.text(), "invalid peer certificate");
    currency.stop();

    // With its own, all that was accepted is signed.
    for name in ["server.pem", "server.key"] {
        fs::copy(ours.join(name), files.join(name)).unwrap();
    }
    currency.serve();
    resume(&alice);
    assert_eq!(alice.balance(), 31);
    // A key that others can read is not private, on either side.
    fs::set_permissions(files.join("server.key"), Permissions::from_mode(0o644)).unwrap();
    let _ = currency
        .issuer_unchecked(&["serve", "--listen", "127.0.0.1:0"])
        .refused(1, "server.key (mode 0644): run `chmod 600");
    assert!(!signer_log.text().contains("ERROR"), "{}", signer_log.text());
    currency.stop();
    signer.stop();
    currency.audit();
}

#[test]
fn what_is_wrong_is_said_before_a_signer_starts() {
    let plain = Currency::make(RFC9474, SQLITE, &[]);
    let refused = |currency: &Currency, options: &[&str], text: &str| {
        let dir = currency.dir();
        let arguments = [&["signer", "--dir", dir.to_str().unwrap()], options].concat();
        let _ = run(&mut currency.command(), &arguments).refused(1, text);
    };
    refused(&plain, &[], "issuer.toml has no [signer]");

    let mut currency = Currency::make(RFC9474, SQLITE, &["--signer-socket", "signer.sock"]);
    let key = fs::read_dir(currency.dir().join("keys"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    refused(
        &currency,
        &[],
        &format!("mode 644); `chmod 600 {}`", key.display()),
    );
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    let wrong = currency.scratch("wrong");
    fs::write(&wrong, "not the passphrase").unwrap();
    fs::set_permissions(&wrong, Permissions::from_mode(0o600)).unwrap();
    refused(
        &currency,
        &["--passphrase-file", wrong.to_str().unwrap()],
        "passphrase",
    );

    let signer = currency.signer();
    refused(
        &currency,
        &[],
        "signer.sock already: stop it first, or choose another socket",
    );
    currency.serve();
    let token = currency.account("alice", 100);
    let alice = wallet(&currency, "alice");
    mint(&alice, "18", &token);
    signer.stop();

    // Without its counts it would not notice books that were set back.
    let state = currency.dir().join("signer");
    fs::rename(&state, currency.scratch("lost")).unwrap();
    refused(
        &currency,
        &[],
        "if they are lost, --new-counts begins with new ones",
    );
    let signer = start_signer(&currency.dir(), &["--new-counts"], &Log::default());
    mint(&alice, "18", &token);
    assert_eq!(alice.balance(), 36);
    signer.stop();
    // From then on they are counts like others.
    let signer = currency.signer();
    mint(&alice, "4", &token);
    assert_eq!(alice.balance(), 40);
    assert!(!currency.log().contains("ALARM"), "{}", currency.log());
    signer.stop();
    currency.stop();
    currency.audit();
}

#[test]
fn books_that_were_set_back_are_signed_for_when_an_operator_has_said_so() {
    let mut currency = Currency::make(RFC9474, SQLITE, &["--signer-socket", "signer.sock"]);
    let signer = currency.signer();
    currency.serve();
    let token = currency.account("alice", 1000);
    let (alice, bob) = (wallet(&currency, "alice"), wallet(&currency, "bob"));
    mint(&alice, "18", &token);
    currency.stop();
    signer.stop();
    let backup = currency.scratch("backup");
    fs::create_dir(&backup).unwrap();
    put_books(&currency.dir(), &backup);

    let signer = currency.signer();
    currency.serve();
    mint(&alice, "18", &token);
    currency.stop();
    signer.stop();
    put_books(&backup, &currency.dir());

    // The restored books know nothing of the second mint, and would say once more what was signed for it.
    let signer = currency.signer();
    currency.issuer(&["accept-restored-state", "--yes-spent-coins-may-be-forgotten"]);
    currency.serve();
    let _ = bob
        .run_unchecked(&["mint", "18", "--token", &token])
        .refused(3, "will sign later");
    let alarm = "ALARM: the books have counted fewer blinds of a mint key than were signed with it";
    let is_said = || {
        let _ = bob.run_unchecked(&["resume"]).refused(3, "will sign later");
        currency.log()
    };
    wait_for(is_said, alarm);
    signer.stop();
    // Starting it again does not make it forget.
    let signer = currency.signer();
    let _ = bob.run_unchecked(&["resume"]).refused(3, "will sign later");
    wait_for(|| currency.log(), "ALARM: a mint key's counts disagreed before");
    signer.stop();

    let dir = currency.dir();
    let accepted = run(
        &mut currency.command(),
        &["signer", "--accept-books", "--dir", dir.to_str().unwrap()],
    )
    .success();
    assert_eq!(
        accepted
            .stdout
            .lines()
            .filter(|line| line.ends_with("signed, as the books say"))
            .count(),
        4,
        "{accepted:?}"
    );
    let signer = currency.signer();
    resume(&bob);
    assert_eq!(bob.balance(), 18);
    mint(&bob, "18", &token);
    bob.run(&["redeem", "36", "--token", &token]);
    assert_eq!(currency.balance("alice"), 1000 - 18);
    signer.stop();
    currency.stop();
    currency.audit();
}
