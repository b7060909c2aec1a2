//! The whole ceremony as docs/KEYS.md has it: a master key in one folder, mint keys in SoftHSM behind a
//! signer process in another. The signer is killed, the keys rotate and are destroyed, and nobody loses a
//! coin.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use opencoin_e2e::{Currency, RFC9474, Wallet, opencoin};
use opencoin_testkit::postgres::TestDatabase;
use opencoin_testkit::softhsm::{LABEL, PIN, TestToken};
use serde_json::Value;

/// A currency whose master key is in a vault, as far away as a folder can be.
struct Offline {
    currency: Currency,
    vault: String,
    id: String,
    signed: u32,
}

impl Offline {
    fn new(currency: Currency) -> Self {
        let vault = currency.scratch("vault").to_str().unwrap().to_owned();
        let made = opencoin(&["master", "create", "--dir", &vault, "--key-bits", "3072"]).success();
        let id = made
            .stdout
            .split_once("will be ")
            .unwrap()
            .1
            .lines()
            .next()
            .unwrap()
            .to_owned();
        Self {
            currency,
            vault,
            id,
            signed: 0,
        }
    }

    /// Carries the request that waits to the vault and its certificates back; gives what was shown before it
    /// was signed.
    fn sign_and_import(&mut self) -> String {
        self.signed += 1;
        let request = self.currency.scratch("request.json");
        fs::copy(self.currency.dir().join("pending.json"), &request).unwrap();
        let out = self
            .currency
            .scratch(&format!("certificates{}.json", self.signed));
        let (request, out) = (request.to_str().unwrap(), out.to_str().unwrap());
        let shown = opencoin(&[
            "master",
            "sign",
            request,
            "--dir",
            &self.vault,
            "--yes",
            "--out",
            out,
        ])
        .success();
        self.currency.issuer(&["import", out, "--id", &self.id]);
        shown.stdout
    }
}

#[test]
fn keys_in_a_token_behind_a_signer_for_years() {
    let (token, database) = (TestToken::create(), TestDatabase::create());
    let module = token.module();
    let (variable, configuration) = token.environment();
    let environment = vec![(variable, configuration.into()), ("OPENCOIN_PIN", PIN.into())];
    let options = [
        "--offline-master",
        "--pkcs11-module",
        module.to_str().unwrap(),
        "--token-label",
        LABEL,
        "--signer-socket",
        "signer.sock",
    ];
    let currency = Currency::make_in(environment, RFC9474, &database.url(), &options);
    assert!(
        !currency.dir().join("keys").exists(),
        "no private key lies in a file"
    );
    let mut offline = Offline::new(currency);
    let shown = offline.sign_and_import();
    assert!(
        shown.contains("OpenCent") && shown.contains("denominations: [1, 2, 5, 10]"),
        "{shown}"
    );

    let signer = offline.currency.signer();
    offline.currency.serve();
    let token = offline.currency.account("alice", 1000);
    let (alice, bob) = (
        Wallet::new(&offline.currency.scratch("alice")),
        Wallet::new(&offline.currency.scratch("bob")),
    );
    alice.run(&["add", &offline.currency.url("")]);
    bob.run(&["add", &offline.currency.url("")]);
    alice.run(&["mint", "77", "--token", &token]);

    // Without its signer the issuer goes on accepting; with it, everything is signed.
    signer.kill();
    let _ = alice
        .run_unchecked(&["mint", "50", "--token", &token])
        .refused(3, "will sign later");
    let signer = offline.currency.signer();
    let begun = Instant::now();
    while alice.run_unchecked(&["resume"]).code != Some(0) {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "the server does not find its signer again"
        );
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(alice.balance(), 127);

    // The next generation, by a journey to the vault; both sign from the moment that it is there.
    offline.currency.issuer(&["keys", "rotate", "--now"]);
    let shown = offline.sign_and_import();
    assert!(
        shown.contains("the last one of this denomination signs until"),
        "{shown}"
    );
    let stack = offline.currency.scratch("stack");
    alice.run(&["send", "40", "--out", stack.to_str().unwrap()]);
    bob.run(&["receive", stack.to_str().unwrap()]);
    bob.run(&["redeem", "15", "--token", &token]);

    // A key is revoked, its private half destroyed in the token, and its holders made whole.
    let keys = |currency: &Currency| currency.issuer(&["keys", "list", "--json"]).json();
    let listed = keys(&offline.currency);
    let stolen = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["denomination"] == 10 && key["outstanding"].as_u64() > Some(0));
    let id = stolen.unwrap()["id"].as_str().unwrap().to_owned();
    offline
        .currency
        .issuer(&["keys", "revoke", &id, "--reason", "the token was out of sight"]);
    offline.currency.issuer(&["keys", "destroy"]);
    let listed = keys(&offline.currency);
    let revoked = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["id"] == id.as_str())
        .unwrap();
    assert_eq!(
        (&revoked["state"], &revoked["private_half"]),
        (&Value::from("revoked"), &Value::Bool(false))
    );
    for (wallet, held) in [(&alice, 87), (&bob, 25)] {
        wallet.run(&["add", &offline.currency.url("")]);
        wallet.run(&["recoup"]);
        assert_eq!(wallet.balance(), held);
    }

    // Whoever has the server's folder has no key, and the wrong PIN is said before anything starts.
    let _ = offline
        .currency
        .issuer_unchecked(&["keys", "list", "--pin-file", "/nowhere"])
        .refused(1, "PIN");
    let command_line = fs::read(format!("/proc/{}/cmdline", signer.id())).unwrap();
    assert!(!String::from_utf8_lossy(&command_line).contains(PIN) && !offline.currency.log().contains(PIN));
    signer.stop();
    offline.currency.stop();
    offline.currency.audit();
}
