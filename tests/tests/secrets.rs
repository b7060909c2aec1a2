//! Passphrases and private keys do not appear in logs at TRACE, files, command lines or the output of commands.

use std::fs;

use opencoin_e2e::files::all_below;
use opencoin_e2e::thief::decrypt;
use opencoin_e2e::{Currency, MASTER_PASSPHRASE, Output, PASSPHRASE, RFC9474, SQLITE, command, opencoin};
use rsa::traits::PrivateKeyParts;

/// A secret that must not be found, and its description.
struct Needle {
    name: String,
    bytes: Vec<u8>,
}

fn needles(currency: &Currency) -> Vec<Needle> {
    let mut needles = vec![
        Needle {
            name: "the passphrase".to_owned(),
            bytes: PASSPHRASE.into(),
        },
        Needle {
            name: "the passphrase of the master key".to_owned(),
            bytes: MASTER_PASSPHRASE.into(),
        },
    ];
    let master = currency.dir().join("master/master.pem");
    let mint_keys = all_below(&currency.dir().join("keys"))
        .into_iter()
        .map(|path| (path, PASSPHRASE));
    for (path, passphrase) in mint_keys.chain([(master, MASTER_PASSPHRASE)]) {
        let key = decrypt(&path, passphrase);
        for (part, number) in [("d", key.d()), ("p", &key.primes()[0]), ("q", &key.primes()[1])] {
            let forms = [
                ("hex", number.to_str_radix(16).into_bytes()),
                ("decimal", number.to_str_radix(10).into_bytes()),
                ("little-endian bytes", number.to_bytes_le()),
                ("big-endian bytes", number.to_bytes_be()),
            ];
            needles.extend(forms.map(|(form, bytes)| Needle {
                name: format!("{part} of {} in {form}", path.display()),
                bytes,
            }));
        }
    }
    needles
}

fn require_clean(needles: &[Needle], place: &str, text: &[u8]) {
    for Needle { name, bytes } in needles {
        let is_there = text.windows(bytes.len()).any(|window| window == bytes);
        assert!(!is_there, "{name} is in {place}");
    }
}

#[test]
fn passphrases_and_private_keys_are_not_disclosed() {
    let mut currency = Currency::make(RFC9474, SQLITE, &[]);
    currency.set_variable("OPENCOIN_LOG", "trace");
    let (dir, server) = (currency.dir(), currency.serve_on(currency.port()));

    let mut said: Vec<Output> = Vec::new();
    let mut issuer = |arguments: &[&str]| said.push(currency.issuer(arguments));
    let token = currency.account("alice", 500);
    let wallet = currency.wallet("wallet");
    wallet.run(&["mint", "40", "--token", &token]);
    issuer(&["keys", "rotate", "--now"]);
    wallet.run(&["redeem", "5", "--token", &token]);
    issuer(&["cdd", "change", "--info", "a new description"]);
    let keys = currency.keys();
    let id = keys[0]["id"].as_str().unwrap();
    issuer(&["keys", "revoke", id, "--reason", "by the test"]);
    wallet.run(&["mint", "40", "--token", &token]);
    issuer(&["keys", "plan"]);
    issuer(&["audit"]);
    // The revoked key's private half is one of the secrets, so it is destroyed after they are collected.
    let needles = needles(&currency);
    issuer(&["keys", "destroy"]);
    let mut wrong = command();
    wrong
        .args(["issuer", "serve", "--dir"])
        .arg(&dir)
        .env("OPENCOIN_PASSPHRASE", format!("{PASSPHRASE}!"));
    let refused = wrong.output().unwrap();
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("the passphrase is not this key's"),
        "{refused:?}"
    );
    let rotate = [
        "issuer",
        "keys",
        "rotate",
        "--passphrase-file",
        "/nowhere",
        "--dir",
    ];
    said.push(opencoin(&[&rotate[..], &[dir.to_str().unwrap()]].concat()));

    require_clean(
        &needles,
        "the command line of the server",
        &fs::read(format!("/proc/{}/cmdline", server.id())).unwrap(),
    );
    server.stop();
    let log = currency.log();
    assert!(log.contains("DEBUG"), "the log has every level");
    require_clean(&needles, "the server's log", log.as_bytes());
    require_clean(&needles, "the refusal of a wrong passphrase", &refused.stderr);
    for output in &said {
        require_clean(
            &needles,
            "the output of a command",
            format!("{output:?}").as_bytes(),
        );
    }
    for path in all_below(currency.dir().parent().unwrap()) {
        require_clean(&needles, &path.display().to_string(), &fs::read(&path).unwrap());
    }
}
