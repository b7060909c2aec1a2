//! Payments by key between two wallets, with real servers: a witness, an auditor whose signature makes them final, a proof
//! that is verified without any connection, lost answers, and a wallet that is restored from its phrase.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;
use std::process::Command;

use opencoin_e2e::files::text;
use opencoin_e2e::{
    Answers, Currency, CuttingProxy, Database, Log, Output, Process, RFC9474, Wallet, Witness, command,
    free_port, get_text, opencoin, run, wait_until,
};
use serde_json::{Value, json};

/// An auditor of our own, in a folder.
struct Auditor {
    folder: tempfile::TempDir,
    vkey: String,
    port: u16,
    log: Log,
}

impl Auditor {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = opencoin(&[
            "auditor",
            "init",
            "--json",
            "--name",
            "auditor.example/ours",
            "--dir",
            text(folder.path()),
        ]);
        let vkey = made.success().json()["vkey"].as_str().unwrap().to_owned();
        Self {
            folder,
            vkey,
            port: free_port(),
            log: Log::default(),
        }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn serve(&self, currency: &Currency) -> Process {
        let mut serve = command();
        serve.args(["auditor", "serve", "--json", "--dir", text(self.folder.path())]);
        serve.args(["--listen", &format!("127.0.0.1:{}", self.port), &currency.url("")]);
        Process::start(&mut serve, "{", &self.log)
    }

    /// The prefix of its copy of the log.
    fn mirror(&self) -> String {
        let status: Value = serde_json::from_str(&get_text(&format!("{}/status.json", self.url()))).unwrap();
        let hash = status["currencies"][0]["origin_hash"].as_str().unwrap();
        format!("{}/{hash}/log", self.url())
    }
}

/// A currency whose log is sealed every second. `options` are further ones of `issuer init`.
fn currency(database: Database, options: &[&str]) -> Currency {
    let mut currency = Currency::make_on(RFC9474, database, options);
    currency.seal_every_second();
    currency
}

/// Runs `opencoin key verify` in a folder that has nothing else, with nobody to ask and no place for a wallet.
fn verify_alone(folder: &Path, proof: &Path, cddc: &Path) -> Output {
    let mut alone: Command = command();
    alone
        .current_dir(folder)
        .env_remove("HOME")
        .env_remove("XDG_DATA_HOME");
    run(
        &mut alone,
        &["key", "verify", text(proof), "--cddc", text(cddc), "--json"],
    )
}

fn events(output: &Output) -> Vec<Value> {
    let lines = output.stdout.lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_payment_by_key_is_final_and_proven_without_a_connection() {
    let (auditor, witness) = (Auditor::make(), Witness::make(&[]));
    let named = format!("{} {}", auditor.vkey, auditor.url());
    let options = ["--auditor", &named, "--joint-quorum", "1"];
    let mut currency = currency(Database::Sqlite, &options);
    let _added = witness.run("add", &[&currency.log_key()]).success();
    let witnessing = witness.serve();
    let named = format!("{} {}", witness.vkeys[0], witness.url());
    currency.issuer(&["log", "witnesses", "--quorum", "1", "--witness", &named]);
    currency.serve();
    let auditing = auditor.serve(&currency);
    let token = currency.account("alice", 100);
    let (alice, bob) = (currency.wallet("alice"), currency.wallet("bob"));

    // Money gets onto a key account as coins, from an account, and from the operator.
    let (from, to) = (alice.introduced_key(), bob.introduced_key());
    alice.run(&["mint", "50", "--token", &token]);
    alice.key(&["redeem", "30"]);
    currency.credit(&from, 20, "statement 1, line 2");
    wait_until("the credits are in the log", || alice.proven() == 50);
    // The beginning of what Bob watches.
    bob.key(&["watch", "--once"]);

    let proof = currency.scratch("invoice-17.tlog-proof");
    let pay = ["pay", &to, "12", "--memo", "invoice 17", "--json"];
    let paid = alice.key(&[&pay[..], &["--proof", text(&proof)]].concat()).json();
    assert_eq!(paid["state"], "final");
    assert_eq!(paid["payment"], format!("{from}.1"));
    assert_eq!((alice.proven(), bob.proven()), (38, 12));
    let shown = alice.run(&["balance", "--json"]).json();
    assert_eq!(shown["key_accounts"]["balance"], 38, "{shown:#}");
    let watched = bob.key(&["watch", "--once", "--json", "--from", &auditor.mirror()]);
    let watched = events(&watched);
    assert_eq!(watched.len(), 1, "{watched:?}");
    let entry = &watched[0];
    assert_eq!(
        (&entry["event"], &entry["amount"], &entry["memo"], &entry["final"]),
        (&json!("received"), &json!(12), &json!("invoice 17"), &json!(true))
    );

    // The payee gets the proof too.
    let bobs = currency.scratch("bobs.tlog-proof");
    let shown = bob.key(&[
        "show",
        "--payment",
        &format!("{from}.1"),
        "--proof",
        text(&bobs),
        "--json",
    ]);
    assert_eq!(shown.json()["state"], "final");

    // Out of the key accounts again.
    bob.key(&["mint", "5"]);
    assert_eq!(bob.balance(), 5);
    alice.key(&["pay", "--to-account", "alice", "3"]);
    assert_eq!(currency.balance("alice"), 53);
    currency.wait_until_all_is_published();
    assert_eq!((alice.proven(), bob.proven()), (35, 7));
    for wallet in [&alice, &bob] {
        wait_until("the promises are kept", || {
            let log = wallet.run(&["log", "--json"]).json();
            assert_eq!(log["faults"], json!([]), "{log}");
            log["promises"]["open"] == 0
        });
    }
    let cddc = currency.scratch("cddc");
    fs::write(&cddc, get_text(&currency.url("/cddc"))).unwrap();
    auditing.stop();
    currency.stop();
    currency.audit();

    // Nobody is there any more.
    drop(witnessing);
    let empty = currency.scratch("empty");
    fs::create_dir(&empty).unwrap();
    for file in [&proof, &bobs] {
        let verified = verify_alone(&empty, file, &cddc).success().json();
        assert_eq!(
            (
                &verified["from"],
                &verified["to"],
                &verified["amount"],
                &verified["final"]
            ),
            (&json!(from), &json!(to), &json!(12), &json!(true))
        );
        assert_eq!(verified["cosigned_by"], json!(["w1", "a1"]));
    }
    let words = run(
        &mut command(),
        &["key", "verify", text(&proof), "--cddc", text(&cddc)],
    );
    let words = words.success().stdout;
    for part in [
        &format!("key {from} has paid 12 OpenCent"),
        "\"invoice 17\"",
        "joint signature",
    ] {
        assert!(words.contains(part), "{words}");
    }
    // Another amount, and another currency.
    let changed = fs::read_to_string(&proof)
        .unwrap()
        .replacen("index ", "index 1", 1);
    fs::write(&bobs, changed).unwrap();
    let _ = verify_alone(&empty, &bobs, &cddc).refused(1, "not-proven");
    let other = self::currency(Database::Sqlite, &[]);
    let other_cddc = fs::read_dir(other.dir().join("cddc")).unwrap().next();
    let other_cddc = other_cddc.unwrap().unwrap().path();
    let _ = verify_alone(&empty, &proof, &other_cddc).refused(1, "not-proven");
}

#[test]
fn a_payment_whose_answer_is_lost_is_made_once() {
    for database in [Database::Sqlite, Database::Postgres] {
        let port = free_port();
        let proxy = CuttingProxy::start(port);
        let currency = currency(database, &["--url", &proxy.url()]);
        let server = currency.serve_with(port, &[]);
        let wallet = |name: &str| {
            let wallet = Wallet::new(&currency.scratch(name));
            wallet.run(&["add", &proxy.url()]);
            wallet
        };
        let (alice, bob) = (wallet("alice"), wallet("bob"));
        let (from, to) = (alice.introduced_key(), bob.introduced_key());
        currency.credit(&from, 50, "statement 1, line 2");
        let pay = ["pay", &to, "12", "--json"];

        // The server carries it out, nobody hears of it, and the server is killed.
        proxy.set(Answers::Cut);
        let lost = alice.key_unchecked(&pay);
        assert_eq!(lost.code, Some(3), "{lost:?}");
        assert!(lost.stderr.contains("outcome-unknown"), "{lost:?}");
        drop(server);
        proxy.set(Answers::Pass);
        let _ = alice
            .key_unchecked(&["pay", &to, "13", "--json"])
            .refused(3, "outcome-unknown");
        let _server = currency.serve_with(port, &[]);
        let paid = alice.key(&pay).json();
        assert_eq!(
            (&paid["repeated"], &paid["payment"]),
            (&json!(true), &json!(format!("{from}.1")))
        );
        let next = alice.key(&pay).json();
        assert_eq!(
            (&next["repeated"], &next["payment"]),
            (&json!(false), &json!(format!("{from}.2")))
        );
        currency.wait_until_all_is_published();
        assert_eq!((alice.proven(), bob.proven()), (26, 24));
        // A refusal frees the number.
        let _ = alice
            .key_unchecked(&["pay", &to, "27", "--json"])
            .refused(1, "insufficient-funds");
        let last = alice.key(&["pay", &to, "26", "--json"]).json();
        assert_eq!(last["payment"], format!("{from}.3"));
        currency.audit();
    }
}

#[test]
fn a_restored_wallet_has_its_keys_and_their_money() {
    let mut currency = currency(Database::Sqlite, &[]);
    currency.serve();
    let (alice, bob) = (currency.wallet("alice"), currency.wallet("bob"));
    let (from, to) = (alice.introduced_key(), bob.introduced_key());
    currency.credit(&from, 50, "statement 1, line 2");
    alice.key(&["pay", &to, "5"]);
    currency.wait_until_all_is_published();
    let phrase = alice.run(&["backup", "--json"]).json();
    let file = currency.scratch("phrase");
    opencoin_e2e::files::write_secret(&file, phrase["phrase"].as_str().unwrap());

    let restored = Wallet::new(&currency.scratch("restored"));
    let found = restored.run(&[
        "restore",
        &currency.url(""),
        "--phrase-file",
        text(&file),
        "--json",
    ]);
    let found = &found.json()[0];
    assert_eq!(
        (&found["keys"], &found["key_balance"]),
        (&json!([from]), &json!(45))
    );
    assert_eq!(restored.proven(), 45);
    let paid = restored.key(&["pay", &to, "6", "--json"]).json();
    assert_eq!(paid["payment"], format!("{from}.2"));
    // The old wallet does not know of that, is refused, and asks.
    let _ = alice
        .key_unchecked(&["pay", &to, "7", "--json"])
        .refused(1, "wrong-sequence");
    let paid = alice.key(&["pay", &to, "7", "--json"]).json();
    assert_eq!(paid["payment"], format!("{from}.3"));
    currency.wait_until_all_is_published();
    assert_eq!(bob.proven(), 18);
}
