//! The complete ceremony of docs/KEYS.md, with the master key in one folder and mint keys in SoftHSM behind a signer
//! process in another. The signer is killed, keys rotate and are destroyed, and no coin is lost.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;

use opencoin_e2e::{Currency, Database, RFC9474, create_master_key, opencoin, wait_until};
use opencoin_testkit::softhsm::{LABEL, PIN, TestToken};
use serde_json::Value;

/// A currency whose master key is in another folder, the vault.
struct Offline {
    currency: Currency,
    vault: String,
    id: String,
    signed: u32,
}

impl Offline {
    fn new(currency: Currency) -> Self {
        let vault = currency.scratch("vault").to_str().unwrap().to_owned();
        let id = create_master_key(&vault);
        Self {
            currency,
            vault,
            id,
            signed: 0,
        }
    }

    /// Signs the pending request in the vault and imports the certificates. Returns the text that was shown before signing.
    fn sign_and_import(&mut self) -> String {
        self.signed += 1;
        let request = self.currency.scratch("request.json");
        fs::copy(self.currency.dir().join("pending.json"), &request).unwrap();
        let out = self
            .currency
            .scratch(&format!("certificates{}.json", self.signed));
        let (request, out) = (request.to_str().unwrap(), out.to_str().unwrap());
        let sign = [
            "master",
            "sign",
            request,
            "--dir",
            &self.vault,
            "--yes",
            "--out",
            out,
        ];
        let shown = opencoin(&sign).success();
        self.currency.issuer(&["import", out, "--id", &self.id]);
        shown.stdout
    }
}

#[test]
fn mint_keys_in_a_token_are_used_rotated_and_destroyed() {
    let token = TestToken::create();
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
    let currency = Currency::make_in(environment, RFC9474, Database::Postgres, &options);
    assert!(
        !currency.dir().join("keys").exists(),
        "no private key is in a file"
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
    let [alice, bob] = ["alice", "bob"].map(|name| offline.currency.wallet(name));
    alice.run(&["mint", "77", "--token", &token]);

    // Without its signer the issuer still accepts requests; they are signed when it is back.
    signer.kill();
    let _ = alice
        .run_unchecked(&["mint", "50", "--token", &token])
        .refused(3, "signs later");
    let signer = offline.currency.signer();
    wait_until("the server finds its signer again", || {
        alice.run_unchecked(&["resume"]).code == Some(0)
    });
    assert_eq!(alice.balance(), 127);

    // The next generation is certified in the vault. Both generations then sign.
    offline.currency.issuer(&["keys", "rotate", "--now"]);
    let shown = offline.sign_and_import();
    assert!(
        shown.contains("the last one of this denomination signs until"),
        "{shown}"
    );
    let stack = offline.currency.scratch("stack");
    alice.send("40", &stack);
    bob.receive(&stack);
    bob.run(&["redeem", "15", "--token", &token]);

    // A key is revoked and its private half destroyed in the token. Holders get their money back with a recoup.
    let listed = offline.currency.keys();
    let stolen = listed
        .iter()
        .find(|key| key["denomination"] == 10 && key["outstanding"].as_u64() > Some(0));
    let id = stolen.unwrap()["id"].as_str().unwrap().to_owned();
    offline
        .currency
        .issuer(&["keys", "revoke", &id, "--reason", "the token was out of sight"]);
    offline.currency.issuer(&["keys", "destroy"]);
    let listed = offline.currency.keys();
    let revoked = listed.iter().find(|key| key["id"] == id.as_str()).unwrap();
    assert_eq!(
        (&revoked["state"], &revoked["private_half"]),
        (&Value::from("revoked"), &Value::Bool(false))
    );
    for (wallet, held) in [(&alice, 87), (&bob, 25)] {
        wallet.run(&["add", &offline.currency.url("")]);
        wallet.run(&["recoup"]);
        assert_eq!(wallet.balance(), held);
    }

    // A missing PIN is reported, and the PIN does not appear in the command line or the log.
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
