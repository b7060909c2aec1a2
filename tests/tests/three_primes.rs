//! A currency whose mint keys have three primes works as any other, with its keys on the machine of a signer. Its key
//! files are readable by OpenSSL, and move between machines and passphrases.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use opencoin_e2e::files::{all_below, copy_folder, set_mode, write_secret};
use opencoin_e2e::{
    Currency, Database, MASTER_PASSPHRASE, PASSPHRASE, RFC9474, SQLITE, opencoin, wait_until,
};

const OTHER_PASSPHRASE: &str = "another passphrase";

/// What OpenSSL says first about a private key in an encrypted file: its length and the number of its primes.
fn kind(path: &Path, passphrase: &str) -> String {
    let mut openssl = Command::new("openssl");
    openssl
        .args([
            "pkey",
            "-noout",
            "-text",
            "-check",
            "-passin",
            "env:OPENED_WITH",
            "-in",
        ])
        .arg(path)
        .env("OPENED_WITH", passphrase);
    let output = openssl.output().expect("openssl is in Debian's package openssl");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find(|line| line.contains(" primes)"));
    line.unwrap_or_else(|| panic!("{text}")).to_owned()
}

fn check_key_files(folder: &Path, passphrase: &str) -> BTreeSet<String> {
    let names = all_below(folder).into_iter().map(|path| {
        assert_eq!(
            kind(&path, passphrase),
            "Private-Key: (2048 bit, 3 primes)",
            "{path:?}"
        );
        path.file_name().unwrap().to_str().unwrap().to_owned()
    });
    names.collect()
}

/// Mints, pays another wallet, which renews, and redeems.
fn work(currency: &Currency, round: &str, token: &str) {
    let [alice, bob] = ["alice", "bob"].map(|name| currency.wallet(&format!("{name}-{round}")));
    let stack = currency.scratch(&format!("stack-{round}"));
    alice.run(&["mint", "18", "--token", token]);
    alice.send("11", &stack);
    bob.receive(&stack);
    bob.run(&["redeem", "11", "--token", token]);
    alice.run(&["redeem", "7", "--token", token]);
    assert_eq!((alice.balance(), bob.balance()), (0, 0));
}

#[test]
fn coins_are_minted_renewed_and_redeemed_and_keys_rotate() {
    let options = ["--key-primes", "3", "--signer-socket", "signer.sock"];
    let mut currency = Currency::make_on(RFC9474, Database::Sqlite, &options);
    let (dir, keys) = (currency.dir(), currency.dir().join("keys"));
    let first = check_key_files(&keys, PASSPHRASE);
    assert_eq!(first.len(), 4);
    assert_eq!(
        kind(&dir.join("master/master.pem"), MASTER_PASSPHRASE),
        "Private-Key: (3072 bit, 2 primes)"
    );
    let settings = fs::read_to_string(dir.join("issuer.toml")).unwrap();
    assert!(settings.contains("\nkey_primes = 3\n"), "{settings}");

    let signer = currency.signer();
    currency.serve();
    let token = currency.account("alice", 100);
    work(&currency, "first", &token);

    // The next keys have three primes as well, and sign at once.
    currency.issuer(&["keys", "rotate", "--now"]);
    let second = check_key_files(&keys, PASSPHRASE);
    assert!(second.is_superset(&first) && second.len() == 8, "{second:?}");
    for name in second.difference(&first) {
        let id = name.trim_start_matches("mint-").trim_end_matches(".pem");
        currency.wait_until_published(id);
    }
    work(&currency, "second", &token);
    let has_signed = |name: &String| {
        let keys = currency.keys();
        let key = keys
            .iter()
            .find(|key| name.contains(key["id"].as_str().unwrap()))
            .unwrap();
        key["signed"].as_u64() > Some(0)
    };
    assert!(second.difference(&first).any(has_signed));
    assert!(!currency.log().contains("ERROR"), "{}", currency.log());
    assert_eq!(currency.balance("alice"), 100);
    currency.stop();
    signer.stop();
    currency.audit();
}

#[test]
fn key_files_can_be_copied_and_get_another_passphrase() {
    let mut currency = Currency::make(RFC9474, SQLITE, &["--key-primes", "3"]);
    let keys = currency.dir().join("keys");
    let backup = currency.scratch("backup");
    copy_folder(&keys, &backup);
    let (log, log_backup) = (currency.dir().join("log"), currency.scratch("log-backup"));
    copy_folder(&log, &log_backup);
    let [old, new] = [("old", PASSPHRASE), ("new", OTHER_PASSPHRASE)].map(|(name, passphrase)| {
        let path = currency.scratch(name);
        write_secret(&path, passphrase);
        path.to_str().unwrap().to_owned()
    });
    currency.issuer(&[
        "keys",
        "passphrase",
        "--passphrase-file",
        &old,
        "--new-passphrase-file",
        &new,
    ]);
    assert_eq!(
        check_key_files(&keys, OTHER_PASSPHRASE),
        check_key_files(&backup, PASSPHRASE)
    );

    // The keys of the backup sign as well.
    fs::remove_dir_all(&keys).unwrap();
    copy_folder(&backup, &keys);
    set_mode(&keys, 0o700);
    fs::remove_dir_all(&log).unwrap();
    copy_folder(&log_backup, &log);
    set_mode(&log, 0o700);
    currency.serve();
    let token = currency.account("alice", 100);
    work(&currency, "restored", &token);
    currency.stop();
    currency.audit();
}

#[test]
fn the_number_of_primes_can_change_at_a_rotation() {
    let mut currency = Currency::make(RFC9474, SQLITE, &[]);
    let keys = currency.dir().join("keys");
    let kinds = || {
        let files = all_below(&keys);
        files
            .iter()
            .map(|path| kind(path, PASSPHRASE))
            .collect::<BTreeSet<_>>()
    };
    let two = "Private-Key: (2048 bit, 2 primes)".to_owned();
    let three = "Private-Key: (2048 bit, 3 primes)".to_owned();
    assert_eq!(kinds(), BTreeSet::from([two.clone()]));
    currency.set_variable("OPENCOIN_ISSUER_ROTATION_KEY_PRIMES", "3");
    currency.issuer(&["keys", "rotate", "--now"]);
    assert_eq!(kinds(), BTreeSet::from([two, three]));
    currency.serve();
    let token = currency.account("alice", 100);
    wait_until("the new keys are published", || {
        currency.published_keys().len() >= 4
    });
    work(&currency, "both", &token);
    currency.stop();
    currency.audit();
}

#[test]
fn what_cannot_have_three_primes_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    let init = |more: &[&str]| {
        let init = ["issuer", "init", "--name", "OpenCent", "--dir"];
        opencoin(&[&init[..], &[nowhere.to_str().unwrap()], more].concat())
    };
    for wrong in ["4", "1", "two"] {
        let _ = init(&["--key-primes", wrong]).refused(2, "a key has 2 or 3 primes");
    }
    let token = ["--pkcs11-module", "/nowhere/library.so", "--token-label", "keys"];
    let _ = init(&[&["--key-primes", "3"], &token[..]].concat())
        .refused(1, "tokens make RSA keys with 2 primes only");
    assert!(!nowhere.exists());

    let mut currency = Currency::make(RFC9474, SQLITE, &[]);
    currency.set_variable("OPENCOIN_ISSUER_ROTATION_KEY_PRIMES", "4");
    let _ = currency
        .issuer_unchecked(&["keys", "plan"])
        .refused(1, "a key has 2 or 3 primes");
}
