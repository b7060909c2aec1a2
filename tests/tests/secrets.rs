//! Passphrases and private keys are looked for where they must not be: logs at TRACE, files, command lines,
//! what commands say.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};

use opencoin_e2e::thief::decrypt;
use opencoin_e2e::{
    Currency, Log, MASTER_PASSPHRASE, Output, PASSPHRASE, Process, RFC9474, Wallet, command, opencoin,
};
use rsa::traits::PrivateKeyParts;

/// What must not be found, and what it is.
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
    let mint_keys = files(&currency.dir().join("keys"))
        .into_iter()
        .map(|path| (path, PASSPHRASE));
    for (path, passphrase) in mint_keys.chain([(master, MASTER_PASSPHRASE)]) {
        let key = decrypt(&path, passphrase);
        for (part, number) in [("d", key.d()), ("p", &key.primes()[0]), ("q", &key.primes()[1])] {
            let name = |form: &str| format!("{part} of {} {form}", path.display());
            let bytes = number.to_bytes_be();
            needles.push(Needle {
                name: name("in hex"),
                bytes: number.to_str_radix(16).into_bytes(),
            });
            needles.push(Needle {
                name: name("in decimal"),
                bytes: number.to_str_radix(10).into_bytes(),
            });
            let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
            needles.push(Needle {
                name: name("in little-endian bytes"),
                bytes: reversed,
            });
            needles.push(Needle {
                name: name("in bytes"),
                bytes,
            });
        }
    }
    needles
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path))
        } else {
            found.push(path)
        }
    }
    found
}

fn demand_clean(needles: &[Needle], place: &str, text: &[u8]) {
    for Needle { name, bytes } in needles {
        let is_there = text.windows(bytes.len()).any(|window| window == bytes);
        assert!(!is_there, "{name} is in {place}");
    }
}

#[test]
fn passphrases_and_private_keys_stay_where_they_belong() {
    let currency = Currency::make(RFC9474, "sqlite:ledger.sqlite", &[]);
    let (dir, log) = (currency.dir(), Log::default());
    let listen = format!("127.0.0.1:{}", currency.port());
    let mut serve = command();
    serve
        .args(["issuer", "serve", "--listen", &listen, "--dir"])
        .arg(&dir)
        .env("OPENCOIN_LOG", "trace");
    let server = Process::start(&mut serve, "serving ", &log);

    let mut said: Vec<Output> = Vec::new();
    let mut issuer = |arguments: &[&str]| said.push(currency.issuer(arguments));
    let token = currency.account("alice", 500);
    let wallet = Wallet::new(&currency.scratch("wallet"));
    wallet.run(&["add", &currency.url("")]);
    wallet.run(&["mint", "40", "--token", &token]);
    issuer(&["keys", "rotate", "--now"]);
    wallet.run(&["redeem", "5", "--token", &token]);
    issuer(&["cdd", "change", "--info", "a new description"]);
    let keys = currency.issuer(&["keys", "list", "--json"]).json();
    issuer(&[
        "keys",
        "revoke",
        keys[0]["id"].as_str().unwrap(),
        "--reason",
        "by the test",
    ]);
    wallet.run(&["mint", "40", "--token", &token]);
    issuer(&["keys", "plan"]);
    issuer(&["audit"]);
    // The keys that are left; those of the revoked one are needed below, so it is destroyed last.
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
    said.push(opencoin(&[
        "issuer",
        "keys",
        "rotate",
        "--passphrase-file",
        "/nowhere",
        "--dir",
        dir.to_str().unwrap(),
    ]));

    demand_clean(
        &needles,
        "the command line of the server",
        &fs::read(format!("/proc/{}/cmdline", server.id())).unwrap(),
    );
    server.stop();
    assert!(
        log.text().contains("DEBUG"),
        "the log says all that there is to say"
    );
    demand_clean(&needles, "the server's log", log.text().as_bytes());
    demand_clean(&needles, "the refusal of a wrong passphrase", &refused.stderr);
    for output in &said {
        demand_clean(
            &needles,
            &format!("what {output:?} says"),
            format!("{output:?}").as_bytes(),
        );
    }
    for path in files(currency.dir().parent().unwrap()) {
        demand_clean(&needles, &path.display().to_string(), &fs::read(&path).unwrap());
    }
}
