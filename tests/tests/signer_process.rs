//! The signer process: it signs over mutual TLS from another folder than the server's, refuses to start with wrong
//! settings, and refuses to sign for a rolled-back ledger.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;

use opencoin_e2e::files::{
    all_below, copy_folder, make_certificates, set_mode, use_certificates, write_secret,
};
use opencoin_e2e::{
    Currency, Database, Log, Process, RFC9474, SQLITE, Wallet, free_port, run, wait_for, wait_until,
};

/// The first words that a signer prints once it accepts connections.
const READY: &str = "signing for OpenCent at ";

/// Replaces all files of a ledger in SQLite by those of another folder.
fn replace_ledger(from: &Path, to: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let name = format!("ledger.sqlite{suffix}");
        let _ = fs::remove_file(to.join(&name));
        if from.join(&name).exists() {
            fs::copy(from.join(&name), to.join(&name)).unwrap();
        }
    }
}

/// Adds TLS with the certificate of `side`, signer or server, and the signer's port to the settings.
fn configure_tls(folder: &Path, certificates: &Path, side: &str, port: u16) {
    use_certificates(certificates, folder, side);
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

/// Mints, and resumes until the mint is signed: the server may not be connected to its signer yet.
fn mint(wallet: &Wallet, amount: &str, token: &str) {
    let _ = wallet.run_unchecked(&["mint", amount, "--token", token]);
    resume(wallet);
}

fn wait_for_log(log: impl Fn() -> String, text: &str) {
    wait_for(text, || {
        let log = log();
        if log.contains(text) { Ok(()) } else { Err(log) }
    });
}

fn resume(wallet: &Wallet) {
    wait_until("the accepted mint is signed", || {
        wallet.run_unchecked(&["resume"]).code == Some(0)
    });
}

#[test]
fn a_remote_signer_signs_only_for_servers_with_a_certificate_of_its_authority() {
    let mut currency = Currency::make_on(RFC9474, Database::Postgres, &["--key-primes", "3"]);
    let [ours, theirs, machine] = ["ours", "theirs", "signer-machine"].map(|name| currency.scratch(name));
    make_certificates(&ours);
    make_certificates(&theirs);
    // Only the signer's machine has the private keys.
    let port = free_port();
    copy_folder(&currency.dir(), &machine);
    for folder in ["keys", "master"] {
        fs::remove_dir_all(currency.dir().join(folder)).unwrap();
    }
    configure_tls(&machine, &ours, "signer", port);
    configure_tls(&currency.dir(), &ours, "server", port);
    let signer_log = Log::default();
    let signer = start_signer(&machine, &[], &signer_log);
    currency.serve();
    let token = currency.account("alice", 100);
    let alice = currency.wallet("alice");
    mint(&alice, "18", &token);
    alice.run(&["redeem", "7", "--token", &token]);
    currency.stop();

    // A server with a certificate of another authority accepts requests, but all signatures are delayed.
    let files = currency.dir().join("tls");
    for name in ["server.pem", "server.key"] {
        fs::copy(theirs.join(name), files.join(name)).unwrap();
    }
    currency.serve();
    let _ = alice
        .run_unchecked(&["mint", "20", "--token", &token])
        .refused(3, "signs later");
    let _ = alice.run_unchecked(&["resume"]).refused(3, "signs later");
    assert_eq!(alice.balance(), 11);
    wait_for_log(|| currency.log(), "no connection to the signer");
    wait_for_log(|| currency.log(), "signatures are delayed");
    wait_for_log(|| signer_log.text(), "invalid peer certificate");
    currency.stop();

    // With its own certificate, everything accepted is signed.
    for name in ["server.pem", "server.key"] {
        fs::copy(ours.join(name), files.join(name)).unwrap();
    }
    currency.serve();
    resume(&alice);
    assert_eq!(alice.balance(), 31);
    // A TLS key that others can read is refused.
    set_mode(&files.join("server.key"), 0o644);
    let _ = currency
        .issuer_unchecked(&["serve", "--listen", "127.0.0.1:0"])
        .refused(1, "server.key (mode 0644): run `chmod 600");
    assert!(!signer_log.text().contains("ERROR"), "{}", signer_log.text());
    currency.stop();
    signer.stop();
    currency.audit();
}

#[test]
fn faults_are_reported_before_a_signer_starts() {
    let plain = Currency::make(RFC9474, SQLITE, &[]);
    let refused = |currency: &Currency, options: &[&str], text: &str| {
        let dir = currency.dir();
        let arguments = [&["signer", "--dir", dir.to_str().unwrap()], options].concat();
        let _ = run(&mut currency.command(), &arguments).refused(1, text);
    };
    refused(&plain, &[], "issuer.toml has no signer.by");

    let mut currency = Currency::make(RFC9474, SQLITE, &["--signer-socket", "signer.sock"]);
    let key = &all_below(&currency.dir().join("keys"))[0];
    set_mode(key, 0o644);
    refused(
        &currency,
        &[],
        &format!("mode 644): run `chmod 600 {}`", key.display()),
    );
    set_mode(key, 0o600);
    let wrong = currency.scratch("wrong");
    write_secret(&wrong, "not the passphrase");
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
    let alice = currency.wallet("alice");
    mint(&alice, "18", &token);
    signer.stop();

    // Without its counts a signer would not detect a rolled-back ledger.
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
    // From then on a signer starts without the option.
    let signer = currency.signer();
    mint(&alice, "4", &token);
    assert_eq!(alice.balance(), 40);
    assert!(!currency.log().contains("ALARM"), "{}", currency.log());
    signer.stop();
    currency.stop();
    currency.audit();
}

#[test]
fn a_rolled_back_ledger_is_signed_for_only_after_an_operator_accepts_it() {
    let mut currency = Currency::make(RFC9474, SQLITE, &["--signer-socket", "signer.sock"]);
    let signer = currency.signer();
    currency.serve();
    let token = currency.account("alice", 1000);
    let (alice, bob) = (currency.wallet("alice"), currency.wallet("bob"));
    mint(&alice, "18", &token);
    currency.stop();
    signer.stop();
    let backup = currency.scratch("backup");
    fs::create_dir(&backup).unwrap();
    replace_ledger(&currency.dir(), &backup);

    let signer = currency.signer();
    currency.serve();
    mint(&alice, "18", &token);
    currency.stop();
    signer.stop();
    replace_ledger(&backup, &currency.dir());

    // The restored ledger has lost the second mint, so its counts are lower than the signer's.
    let signer = currency.signer();
    currency.issuer(&[
        "accept-restored-state",
        "--yes-spent-coins-may-be-forgotten",
        "--yes-no-copy-of-the-log-exists",
    ]);
    currency.serve();
    let _ = bob
        .run_unchecked(&["mint", "18", "--token", &token])
        .refused(3, "signs later");
    let alarm = "ALARM: the books have counted fewer blinds of a mint key than it has signed";
    let log_after_resume = || {
        let _ = bob.run_unchecked(&["resume"]).refused(3, "signs later");
        currency.log()
    };
    wait_for_log(log_after_resume, alarm);
    signer.stop();
    // The finding survives a restart of the signer.
    let signer = currency.signer();
    let _ = bob.run_unchecked(&["resume"]).refused(3, "signs later");
    wait_for_log(
        || currency.log(),
        "ALARM: the books had counted fewer blinds of a mint key",
    );
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
