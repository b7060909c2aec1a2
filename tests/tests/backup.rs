//! A wallet that is lost and restored, one that is encrypted, one that was killed, and coins as a short code.

use std::fs;

use opencoin_e2e::files::{text, write_secret};
use opencoin_e2e::{CHAUM82, Currency, Database, RFC9474, SQLITE, Wallet, opencoin};

fn funded(suite: &str) -> (Currency, Wallet) {
    let mut currency = Currency::make(suite, SQLITE, &[]);
    currency.serve();
    let token = currency.account("alice", 10_000);
    let alice = currency.wallet("alice");
    alice.run(&["mint", "5000", "--token", &token]);
    (currency, alice)
}

#[test]
fn a_deleted_wallet_is_restored_from_its_phrase() {
    for suite in [RFC9474, CHAUM82] {
        let (currency, alice) = funded(suite);
        let bob = currency.wallet("bob");
        let stack = currency.scratch("stack");
        alice.send("1234", &stack);
        bob.receive(&stack);
        bob.send("34", &stack);
        alice.receive(&stack);
        let had = alice.balance();
        assert_eq!(had, 5000 - 1234 + 34);
        let shown = alice.run(&["backup", "--json"]).json();
        assert_eq!(
            (&shown["uncovered"], &shown["issuers"][0]),
            (&0.into(), &currency.url("").into())
        );
        let phrase = currency.scratch("phrase");
        write_secret(&phrase, shown["phrase"].as_str().unwrap());
        fs::remove_dir_all(currency.scratch("alice")).unwrap();

        let restore = ["restore", &currency.url(""), "--phrase-file", text(&phrase)];
        let restored = alice.run(&[&restore[..], &["--json"]].concat()).json();
        assert_eq!(
            (&restored[0]["amount"], alice.balance()),
            (&had.into(), had),
            "{suite}"
        );
        let again = alice.run(&restore);
        assert!(again.stdout.contains("restored 0 "), "{}", again.stdout);
        assert_eq!(alice.balance(), had);
        alice.send("77", &stack);
        bob.receive(&stack);
        currency.audit();

        let other = bob.run_unchecked(&restore).refused(1, "another backup phrase");
        assert!(other.stderr.contains("empty folder"), "{}", other.stderr);
        write_secret(&phrase, "abandon abandon");
        let new = Wallet::new(&currency.scratch("new"));
        let _ = new
            .run_unchecked(&restore)
            .refused(1, "12 or 24 words, and this has 2");
        assert!(!currency.scratch("new").exists());
    }
}

#[test]
fn an_encrypted_wallet_asks_for_its_passphrase() {
    let (currency, alice) = funded(RFC9474);
    let (passphrase, wrong) = (currency.scratch("passphrase"), currency.scratch("wrong"));
    write_secret(&passphrase, "correct horse");
    write_secret(&wrong, "wrong horse");
    let with = ["--wallet-passphrase-file", text(&passphrase)];
    alice.run(&["passphrase", "--new-passphrase-file", text(&passphrase)]);
    let _ = alice
        .run_unchecked(&["balance"])
        .refused(1, "this needs the passphrase of the wallet");
    let _ = alice
        .run_unchecked(&["balance", "--wallet-passphrase-file", text(&wrong)])
        .refused(1, "passphrase of the wallet is wrong");
    let balance = alice.run(&[&["balance", "--json"][..], &with].concat()).json();
    assert_eq!(balance["balance"], 5000);
    let file = fs::read(currency.scratch("alice").join("wallet.db")).unwrap();
    let name = balance["currency"].as_str().unwrap();
    assert!(!String::from_utf8_lossy(&file).contains(name));
    alice.run(&[&["passphrase", "--remove"][..], &with].concat());
    assert_eq!(alice.balance(), 5000);

    let dir = currency.scratch("born encrypted");
    let add = [
        "wallet",
        "add",
        &currency.url(""),
        "--encrypt",
        "--dir",
        text(&dir),
    ];
    let _ = opencoin(&[&add[..], &with].concat()).success();
    let _ = opencoin(&["wallet", "history", "--dir", text(&dir)]).refused(1, "passphrase of the wallet");
}

#[test]
fn a_damaged_wallet_says_what_to_do() {
    let (currency, alice) = funded(RFC9474);
    let file = currency.scratch("alice").join("wallet.db");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    for command in ["balance", "resume"] {
        let refused = alice.run_unchecked(&[command]).refused(1, "cut off");
        assert!(refused.stderr.contains("backup phrase"), "{}", refused.stderr);
    }
    fs::write(&file, &bytes).unwrap();
    assert_eq!(alice.balance(), 5000);
}

#[test]
fn a_short_code_travels_as_text_and_as_one_picture() {
    let (currency, alice) = funded(RFC9474);
    let bob = currency.wallet("bob");
    let sent = alice.run(&["send", "3439", "--as", "code"]);
    let link = sent.stdout.trim();
    assert!(link.len() < 170 && link.contains("/#opencoincode1"), "{link}");
    let received = bob.run(&["receive", link, "--json"]).json();
    assert_eq!(
        (&received["form"], &received["amount"]),
        (&"code".into(), &3439.into())
    );
    let again = bob
        .run_unchecked(&["receive", link])
        .refused(1, "received these coins before");
    assert!(!again.stderr.contains("opencoincode1"), "{}", again.stderr);

    let picture = currency.scratch("code.png");
    alice.run(&["send", "43", "--as", "code", "--out", text(&picture)]);
    let inspected = opencoin(&["inspect", text(&picture)]).refused(1, "short code");
    assert!(
        inspected.stderr.contains("wallet receive"),
        "{}",
        inspected.stderr
    );
    let received = bob.run(&["receive", text(&picture), "--json"]).json();
    assert_eq!(
        (&received["form"], &received["amount"]),
        (&"qr".into(), &43.into())
    );

    // To a wallet that does not know the currency.
    let code = currency.scratch("code.txt");
    alice.run(&["send", "7", "--as", "code", "--out", text(&code)]);
    let other = Currency::start(RFC9474, Database::Sqlite);
    let carol = other.wallet("carol");
    let damaged = currency.scratch("damaged.txt");
    let link = fs::read_to_string(&code).unwrap();
    fs::write(&damaged, &link[..link.len() - 3]).unwrap();
    let _ = bob
        .run_unchecked(&["receive", text(&damaged)])
        .refused(1, "the code is damaged");
    let _ = carol
        .run_unchecked(&["receive", text(&code)])
        .refused(4, "--trust");
    let received = carol.run(&["receive", text(&code), "--trust", "--json"]).json();
    assert_eq!(
        (&received["form"], &received["amount"]),
        (&"code".into(), &7.into())
    );
    let _ = alice
        .run_unchecked(&["send", "7", "--as", "code", "--lock"])
        .refused(2, "cannot be locked");
    currency.audit();
}
