//! Commands for people and scripts: wallets, documents, error messages.

use std::fs;
use std::net::TcpListener;
use std::thread;

use opencoin_e2e::files::{names, set_mode, text, write_secret};
use opencoin_e2e::{CHAUM82, Currency, Database, RFC9474, SQLITE, Wallet, get_text, opencoin};
use serde_json::Value;

#[test]
fn coins_go_from_hand_to_hand_on_sqlite() {
    hand_to_hand(RFC9474, Database::Sqlite);
}

#[test]
fn coins_go_from_hand_to_hand_on_postgres_with_the_first_suite() {
    hand_to_hand(CHAUM82, Database::Postgres);
}

fn hand_to_hand(suite: &str, database: Database) {
    let mut currency = Currency::start(suite, database);
    let (alice_token, bob_token) = (currency.account("alice", 500), currency.account("bob", 0));
    let (alice, bob) = (currency.wallet("alice"), currency.wallet("bob"));
    alice.run(&["mint", "137", "--token", &alice_token]);
    assert_eq!((alice.balance(), currency.balance("alice")), (137, 363));

    // Bob receives the file; it can be received only once.
    let gift = currency.scratch("gift.oc");
    alice.run(&["send", "50", "--subject", "a little gift", "--out", text(&gift)]);
    assert_eq!(alice.balance(), 87);
    assert!(
        opencoin(&["inspect", text(&gift)])
            .success()
            .stdout
            .contains("a little gift")
    );
    bob.receive(&gift);
    assert_eq!(bob.balance(), 50);
    let second = bob.run_unchecked(&["receive", text(&gift)]);
    assert_ne!(second.code, Some(0), "{second:?}");
    assert_eq!(bob.balance(), 50);

    // Alice takes a file back before anybody has received it.
    let mistake = currency.scratch("mistake.oc");
    alice.send("20", &mistake);
    alice.run(&["reclaim", "--all"]);
    assert_eq!(alice.balance(), 87);
    let late = bob.run_unchecked(&["receive", text(&mistake)]);
    assert_ne!(late.code, Some(0), "{late:?}");

    // The server crashes while signing is paused: `resume` finishes the mint.
    currency.issuer(&["signing", "pause"]);
    let _ = alice.run_unchecked(&["mint", "10", "--token", &alice_token]);
    assert_eq!((alice.balance(), currency.balance("alice")), (87, 353));
    currency.kill();
    currency.serve();
    currency.issuer(&["signing", "resume"]);
    alice.run(&["resume"]);
    assert_eq!((alice.balance(), currency.balance("alice")), (97, 353));

    // The server is away during a redeem: nothing is lost.
    currency.stop();
    let away = bob.run_unchecked(&["redeem", "20", "--token", &bob_token]);
    assert_ne!(away.code, Some(0), "{away:?}");
    currency.serve();
    bob.run(&["resume"]);
    let done = currency.balance("bob");
    if done == 0 {
        bob.run(&["redeem", "20", "--token", &bob_token]);
    }
    assert_eq!((bob.balance(), currency.balance("bob")), (30, 20));

    let history = bob.run(&["history"]).stdout;
    assert!(history.contains("a little gift"), "{history}");
    currency.audit();
    currency.stop();
}

#[test]
fn coins_travel_as_a_line_of_text() {
    let currency = Currency::start(RFC9474, Database::Sqlite);
    let token = currency.account("alice", 100);
    let (alice, bob) = (currency.wallet("alice"), currency.wallet("bob"));
    alice.run(&["mint", "100", "--token", &token]);
    let send = |amount| {
        let sent = alice.run(&["send", amount, "--subject", "lunch", "--as", "text"]);
        sent.stdout.trim_end().to_owned()
    };

    // As the argument itself. The form is named.
    let line = send("20");
    let received = bob.run(&["receive", &line, "--json"]).json();
    assert_eq!(
        (&received["form"], &received["amount"]),
        (&"text".into(), &20.into())
    );
    assert_eq!(received["subject"], "lunch");
    // As a quoted mail in a file.
    let line = send("30");
    let (begin, end) = line.split_at(line.len() / 2);
    let mail = currency.scratch("mail.txt");
    fs::write(
        &mail,
        format!("Alice wrote {{on Monday}}:\r\n> {begin}\r\n> {end}\r\n\r\nBob\r\n"),
    )
    .unwrap();
    let shown = opencoin(&["inspect", text(&mail)]).success().stdout;
    assert!(shown.contains("lunch"), "{shown}");
    assert!(bob.run(&["receive", text(&mail)]).stdout.contains("from a text"));
    assert_eq!(bob.balance(), 50);

    // Damaged on the way: the error says so, does not repeat the money, and costs nothing.
    let line = send("10");
    let damaged = line.replacen(&line[40..44], "", 1);
    let refused = bob.run_unchecked(&["receive", &damaged]).refused(1, "is damaged");
    assert!(!refused.stderr.contains(&line[50..90]), "{}", refused.stderr);
    let newer = line.replacen("stack1", "stack2", 1);
    let _ = bob
        .run_unchecked(&["receive", &newer])
        .refused(1, "newer program");
    assert_eq!(bob.balance(), 50);
    bob.run(&["receive", &line]);
    assert_eq!((alice.balance(), bob.balance()), (40, 60));
}

#[test]
fn documents_are_verified_without_the_issuer() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let token = currency.account("alice", 50);
    let alice = currency.wallet("alice");
    alice.run(&["mint", "17", "--token", &token]);
    let stack = currency.scratch("stack.oc");
    alice.send("17", &stack);
    let (cddc, mkcs) = (currency.scratch("cddc.json"), currency.scratch("mkcs.json"));
    for (path, file) in [("/cddc", &cddc), ("/mkcs", &mkcs)] {
        fs::write(file, get_text(&currency.url(path))).unwrap();
    }
    currency.stop();
    let verify = ["verify", "--cddc", text(&cddc), "--mkc", text(&mkcs)];
    let verified = opencoin(&[&verify[..], &[text(&stack)]].concat()).success();
    assert!(verified.stdout.contains("worth 17"), "{verified:?}");
    // Printing a printed document gives the same bytes.
    for form in ["compact", "pretty"] {
        let exact = opencoin(&["inspect", text(&stack), "--form", form])
            .success()
            .stdout;
        let copy = currency.scratch("copy.json");
        fs::write(&copy, &exact).unwrap();
        assert_eq!(
            opencoin(&["inspect", text(&copy), "--form", form])
                .success()
                .stdout,
            exact
        );
    }
    // A changed document does not verify.
    let mut forged: Value = serde_json::from_str(&fs::read_to_string(&stack).unwrap()).unwrap();
    forged["coins"][0]["payload"]["serial"] = Value::String("abcdef".to_owned());
    let forgery = currency.scratch("forgery.oc");
    fs::write(&forgery, forged.to_string()).unwrap();
    let _ = opencoin(&[&verify[..], &[text(&forgery)]].concat()).refused(1, "coins[0]");
    let mut cheat: Value = serde_json::from_str(&fs::read_to_string(&cddc).unwrap()).unwrap();
    cheat["cdd"]["currency_divisor"] = Value::from(1000);
    let cheat_file = currency.scratch("cheat.json");
    fs::write(&cheat_file, cheat.to_string()).unwrap();
    let _ = opencoin(&["verify", "--cddc", text(&cheat_file)]).refused(1, "does not verify");
}

#[test]
fn a_credit_counts_once_for_each_reference() {
    let currency = Currency::start(RFC9474, Database::Sqlite);
    let _token = currency.account("alice", 0);
    for expected in [70, 70] {
        currency.credit("alice", 70, "statement 1");
        assert_eq!(currency.balance("alice"), expected);
    }
    let conflict =
        currency.issuer_unchecked(&["account", "credit", "alice", "71", "--reference", "statement 1"]);
    let _ = conflict.refused(1, "reference");
    let _ = currency
        .issuer_unchecked(&["account", "create", "alice"])
        .refused(1, "exists");
    let _ = currency
        .issuer_unchecked(&["account", "show", "bob"])
        .refused(4, "no account bob");
    currency.audit();
}

#[test]
fn errors_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    let nowhere = text(&nowhere);
    let _ = opencoin(&["issuer", "serve", "--dir", nowhere]).refused(4, "opencoin issuer init");
    let _ = opencoin(&["issuer", "audit", "--dir", nowhere]).refused(3, "opencoin issuer init");
    let _ = opencoin(&["issuer", "serve", "--dirr", nowhere]).refused(2, "--dir");
    let init = |more: &[&str]| {
        let mut all = vec!["issuer", "init", "--dir", nowhere, "--name", "OpenCent"];
        all.extend(more);
        opencoin(&all)
    };
    let _ = init(&["--cipher-suite", "ROT13"]).refused(2, "RSA-SHA384-PSS-RFC9474");
    let _ = init(&["--denominations", "1,1"]).refused(1, "denominations");
    let _ = init(&["--denominations", "0"]).refused(2, "denominations");
    let _ = init(&["--key-bits", "1024"]).refused(1, "key_bits must be 2048");
    let _ = init(&["--url", "example.org"]).refused(2, "begins with https://");
    let long = format!("https://h/{}", "é".repeat(500));
    let _ = init(&["--url", &long]).refused(2, "has 1 to 1000 characters");
    let _ = init(&["--database", "mysql://x"]).refused(1, "postgres://");
    for address in [
        "postgres://opencoin:s3cret@127.0.0.1:1/books",
        "postgres://opencoin@127.0.0.1:1/books?password=s3cret",
    ] {
        for (command, variable) in [
            (&["issuer", "init", "--name", "OpenCent"][..], "OPENCOIN_DATABASE"),
            (&["issuer", "serve"], "OPENCOIN_ISSUER_DATABASE"),
            (&["issuer", "audit"], "OPENCOIN_AUDIT_DATABASE"),
            (&["signer"], "OPENCOIN_SIGNER_DATABASE"),
        ] {
            let said = opencoin(&[command, &["--dir", nowhere, "--database", address]].concat())
                .refused(2, variable);
            assert!(!said.stderr.contains("s3cret"), "{}", said.stderr);
        }
    }
    assert!(
        !folder.path().join("nowhere").exists(),
        "a refused init leaves nothing behind"
    );
    let _ = opencoin(&["inspect", nowhere]).refused(1, "cannot read");
    let nonsense = folder.path().join("nonsense.json");
    fs::write(
        &nonsense,
        r#"{"type": "coinstack", "coins": [{}], "subject": ""}"#,
    )
    .unwrap();
    let _ = opencoin(&["inspect", text(&nonsense)]).refused(1, "coins[0]: missing field");
    let wallet = Wallet::new(&folder.path().join("wallet"));
    let _ = wallet
        .run_unchecked(&["mint", "5", "--token", "oc_x"])
        .refused(4, "opencoin wallet add");
    let _ = wallet
        .run_unchecked(&["mint", "0", "--token", "oc_x"])
        .refused(2, "more than zero");
    let _ = wallet
        .run_unchecked(&["mint", "1,5", "--token", "oc_x"])
        .refused(2, "12.50, or 12 for 12.00");
    for command in ["issuer", "wallet", "inspect", "verify", "demo"] {
        assert!(opencoin(&[command, "--help"]).success().stdout.contains("Usage"));
    }
}

#[test]
fn init_leaves_an_existing_currency_unchanged() {
    let currency = Currency::start(RFC9474, Database::Sqlite);
    let before = fs::read(currency.dir().join("issuer.toml")).unwrap();
    let _ = currency
        .issuer_unchecked(&["init", "--name", "Other"])
        .refused(1, "nothing was changed");
    assert_eq!(fs::read(currency.dir().join("issuer.toml")).unwrap(), before);
}

#[test]
fn a_missing_key_or_certificate_is_named() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let token = currency.account("alice", 70);
    currency.stop();
    let missing = |folder: &str, prefix: &str| {
        let folder = currency.dir().join(folder);
        folder.join(
            names(&folder)
                .into_iter()
                .find(|name| name.starts_with(prefix))
                .unwrap(),
        )
    };
    let (key, certificate) = (missing("keys", "mint-"), missing("mkcs", ""));
    let hidden = currency.scratch("hidden");
    fs::rename(&key, &hidden).unwrap();
    let id = key
        .file_stem()
        .unwrap()
        .to_str()
        .unwrap()
        .trim_start_matches("mint-");
    let _ = currency
        .issuer_unchecked(&["serve"])
        .refused(1, &format!("the private half of mint key {id} is missing"));
    fs::rename(&hidden, &key).unwrap();
    fs::rename(&certificate, &hidden).unwrap();
    let _ = currency
        .issuer_unchecked(&["audit"])
        .refused(1, "certificates verify");
    fs::rename(&hidden, &certificate).unwrap();
    // A single missing certificate may still arrive from another machine, but without any the ledger is another one's.
    let (certificates, away) = (currency.dir().join("mkcs"), currency.scratch("mkcs"));
    fs::rename(&certificates, &away).unwrap();
    fs::create_dir(&certificates).unwrap();
    let _ = currency.issuer_unchecked(&["serve"]).refused(1, "no certificate");
    fs::remove_dir(&certificates).unwrap();
    fs::rename(&away, &certificates).unwrap();
    currency.serve();
    let alice = currency.wallet("alice");
    let token_file = currency.scratch("token");
    fs::write(&token_file, format!("{token}\n")).unwrap();
    set_mode(&token_file, 0o644);
    let open = ["mint", "7", "--token-file", text(&token_file)];
    let _ = alice.run_unchecked(&open).refused(1, "chmod 600");
    set_mode(&token_file, 0o600);
    alice.run(&["mint", "7", "--token-file", text(&token_file)]);
    let _ = alice
        .run_unchecked(&["reclaim", "9"])
        .refused(4, "no send number 9");
    currency.stop();
}

#[test]
fn the_audit_finds_a_damaged_ledger() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let _token = currency.account("alice", 70);
    currency.stop();
    currency.audit();
    currency.change_ledger("UPDATE accounts SET balance = 71");
    let _ = currency.issuer_unchecked(&["audit"]).refused(1, "broken");
}

#[test]
fn the_demo_runs_to_its_end() {
    for suite in [RFC9474, CHAUM82] {
        let told = opencoin(&["demo", "--cipher-suite", suite]).success().stdout;
        for word in ["Alice", "Bob", "receipt", "refused", "audit"] {
            assert!(told.contains(word), "{told}");
        }
    }
}

#[test]
fn amounts_are_written_as_the_currency_shows_them() {
    let options = ["--divisor", "100", "--denominations", "0.01,0.02,0.05,0.10,1.00"];
    let mut currency = Currency::make(RFC9474, SQLITE, &options);
    currency.serve();
    let created = currency.issuer(&["account", "create", "alice", "--json"]).json();
    let token = created["token"].as_str().unwrap();
    let credit = ["account", "credit", "alice", "5", "--reference", "statement 1"];
    let credited = currency.issuer(&credit).stdout;
    assert_eq!(
        credited,
        "credited 5.00 OpenCent to alice; balance 5.00 OpenCent\n"
    );
    assert_eq!(currency.balance("alice"), 500);
    let alice = currency.wallet("alice");
    let minted = alice.run(&["mint", "1.37", "--token", token, "--json"]).json();
    assert_eq!((minted["amount"].as_u64(), alice.balance()), (Some(137), 137));
    assert_eq!(
        alice.run(&["balance"]).stdout.lines().next(),
        Some("1.37 OpenCent")
    );
    // A program may give an amount in the smallest unit, with the divisor.
    let gift = currency.scratch("gift.oc");
    let sent = alice.run(&["send", "50/100", "--out", text(&gift)]).stdout;
    assert!(sent.starts_with("sent 0.50 OpenCent in "), "{sent}");
    for (amount, code, reason) in [
        (
            "0.005",
            2,
            "not a multiple of the smallest unit, 1/100 of OpenCent",
        ),
        ("50/10", 2, "counts in 1/10"),
        ("1,37", 2, "12.50, or 12 for 12.00"),
        ("0", 2, "more than zero"),
        (
            "87",
            1,
            "the wallet holds 0.87 OpenCent, but 87.00 OpenCent are needed",
        ),
    ] {
        let _ = alice.run_unchecked(&["send", amount]).refused(code, reason);
    }
    assert_eq!(alice.balance(), 87);
    // `reclaim` needs an explicit choice.
    let _ = alice.run_unchecked(&["reclaim"]).refused(2, "--all");
    let id = alice.run(&["history", "--json"]).json();
    let sends = id
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["kind"] == "send");
    let id = sends.map(|entry| entry["id"].to_string()).next_back().unwrap();
    assert_eq!(alice.run(&["reclaim", &id]).stdout, "took back 0.50 OpenCent\n");
    assert_eq!(alice.balance(), 137);
    currency.stop();
    // The exit code tells a script that it can retry.
    let away = alice.run_unchecked(&["redeem", "0.20", "--token", token]);
    let _ = away.refused(3, "nothing was done");
    assert_eq!(alice.balance(), 137);
}

#[test]
fn a_misspelt_folder_url_or_currency_is_not_found() {
    let currency = Currency::start(RFC9474, Database::Sqlite);
    let (typo, alice) = (currency.scratch("typo"), Wallet::new(&currency.scratch("alice")));
    for command in [
        &["balance"][..],
        &["history"],
        &["mint", "1"],
        &["resume"],
        &["reclaim", "--all"],
    ] {
        let _ = Wallet::new(&typo)
            .run_unchecked(command)
            .refused(4, "opencoin wallet add URL");
    }
    assert!(!typo.exists(), "only `add` creates a wallet");
    for (url, reason) in [
        ("127.0.0.1:8080", "begins with https://"),
        ("http://127.0.0.1:8080?x=1", "without ? and #"),
        (
            "http://u:p@127.0.0.1:8080",
            "must not contain a user name or a password",
        ),
    ] {
        let _ = Wallet::new(&typo).run_unchecked(&["add", url]).refused(2, reason);
        let init = ["issuer", "init", "--name", "X", "--dir", text(&typo)];
        let _ = opencoin(&[&init[..], &["--url", url]].concat()).refused(2, reason);
    }
    assert!(!typo.exists());
    let port = currency.port();
    alice.run(&["add", &format!(" HTTP://127.0.0.1:{port}/ ")]);
    let again = alice.run(&["add", &currency.url(""), "--json"]).json();
    assert_eq!(again["url"].as_str(), Some(currency.url("").as_str()));
    for command in [&["balance"][..], &["send", "1"], &["reclaim", "--all"]] {
        let named = [command, &["--currency", "Nope"]].concat();
        let _ = alice.run_unchecked(&named).refused(4, "it holds OpenCent (");
    }
    // The wallet warns of plain HTTP to another machine before it sends anything.
    let other = Wallet::new(&currency.scratch("other"));
    let _ = other
        .run_unchecked(&["add", "http://127.0.0.1.invalid:1"])
        .refused(3, "does not use TLS");
}

#[test]
fn misleading_names_and_damaged_key_requests_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let init = |name: &str, dir: &str| {
        let dir = folder.path().join(dir);
        opencoin(&["issuer", "init", "--name", name, "--dir", text(&dir)])
    };
    for name in [
        "OpenCent\n\u{1b}[8m",
        "tneCnepO\u{202e}",
        "Open\u{200b}Cent",
        " OpenCent",
        &"x".repeat(65),
    ] {
        let _ = init(name, "currency").refused(1, "name: must");
    }
    let _ = init("OpenCent", "what?").refused(1, "question mark");
    let currency = Currency::make(RFC9474, SQLITE, &["--divisor", "100"]);
    let leap = ["cdd", "change", "--expiry", "2040-06-30T23:59:60Z"];
    let _ = currency.issuer_unchecked(&leap).refused(2, "second 60");
    assert!(!currency.dir().join("pending.json").exists());
    let passed = currency.issuer_unchecked(&["check"]).stdout;
    assert!(!passed.contains("pending request"), "{passed}");
    fs::write(currency.dir().join("pending.json"), "{}").unwrap();
    let failed = currency.issuer_unchecked(&["check"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.stdout.contains("FAILED  pending request: "), "{failed:?}");
}

#[test]
fn a_request_that_cannot_be_finished_is_abandoned() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let token = currency.account("alice", 100);
    let alice = currency.wallet("alice");
    alice.run(&["mint", "50", "--token", &token]);

    // The whole output of `account create` is not a token: nothing is sent and nothing is pending.
    let printed = currency.scratch("printed");
    write_secret(&printed, &format!("account alice\n{token}\nkeep it safe\n"));
    let _ = alice
        .run_unchecked(&["redeem", "20", "--token-file", text(&printed)])
        .refused(1, "one line");
    assert_eq!(alice.balance(), 50);

    // The answer to a redeem with an unknown token is lost.
    currency.stop();
    let listener = TcpListener::bind(("127.0.0.1", currency.port())).unwrap();
    let hangs_up = thread::spawn(move || drop(listener.accept().unwrap()));
    let _ = alice
        .run_unchecked(&["redeem", "20", "--token", "oc_0000"])
        .refused(3, "opencoin wallet abandon");
    hangs_up.join().unwrap();
    currency.serve();
    let asked = alice.run_unchecked(&["resume"]).refused(3, "needs the token");
    assert!(
        asked.stderr.contains("opencoin wallet resume --token-file FILE"),
        "{}",
        asked.stderr
    );
    let resumed = alice.run_unchecked(&["resume", "--token", "oc_0000"]);
    assert_ne!(resumed.code, Some(0), "{resumed:?}");
    assert_eq!(alice.balance(), 30);
    let history = alice.run(&["history", "--json"]).json();
    let id = history.as_array().unwrap().last().unwrap()["id"].to_string();
    let abandoned = alice.run(&["abandon", &id, "--json"]).json();
    assert_eq!(
        (&abandoned["amount"], &abandoned["spent"]),
        (&20.into(), &0.into())
    );
    assert_eq!(alice.balance(), 50);
    let _ = alice.run_unchecked(&["abandon", &id]).refused(1, "it has ended");
    alice.run(&["redeem", "50", "--token", &token]);
    assert_eq!(currency.balance("alice"), 100);
    currency.stop();
}
