//! Coins in every form: a file, a text, QR codes, each also locked; and coins of a currency that a wallet does not know.

use std::fs;
use std::path::Path;

use opencoin_e2e::files::{names, set_mode, text, write_secret};
use opencoin_e2e::{Currency, Database, RFC9474, SQLITE, Wallet, opencoin};

/// What is sent of a currency whose coins make it take some 125 of them.
const AMOUNT: &str = "3439";

/// A currency and two wallets, `alice` with so much money.
fn two_wallets(denominations: &str, amount: &str) -> (Currency, Wallet, Wallet) {
    let mut currency = Currency::make(RFC9474, SQLITE, &["--denominations", denominations]);
    currency.serve();
    let token = currency.account("alice", 100_000);
    let (alice, bob) = (currency.wallet("alice"), currency.wallet("bob"));
    alice.run(&["mint", amount, "--token", &token]);
    (currency, alice, bob)
}

#[test]
fn many_coins_travel_by_file_text_and_pictures() {
    let (currency, alice, bob) = two_wallets("1,2,5,10,28", "14000");
    let send = |arguments: &[&str]| {
        let sent = alice.run(&[&["send", AMOUNT, "--subject", "rent", "--json"], arguments].concat());
        let sent = sent.json();
        assert!(sent["coins"].as_u64().unwrap() >= 125, "{sent}");
        sent
    };
    let received = |coins: &str, form: &str| {
        let received = bob.run(&["receive", coins, "--json"]).json();
        assert_eq!(
            (&received["form"], &received["amount"]),
            (&form.into(), &3439.into())
        );
        assert_eq!(received["subject"], "rent");
    };

    let file = currency.scratch("rent.oc");
    send(&["--out", text(&file)]);
    received(text(&file), "file");

    let line = currency.scratch("rent.txt");
    send(&["--as", "text", "--out", text(&line)]);
    received(text(&line), "text");

    // A folder of frames, a third of which is lost.
    let folder = format!("{}/", text(&currency.scratch("frames")));
    let sent = send(&["--out", &folder]);
    let frames = names(Path::new(&folder));
    let needed = sent["codes_needed"].as_u64().unwrap() as usize;
    println!("{} frames, {needed} needed", frames.len());
    assert!(frames.len() > needed);
    for (number, name) in frames.iter().enumerate() {
        if number % 3 == 1 {
            fs::remove_file(Path::new(&folder).join(name)).unwrap();
        }
    }
    received(&folder, "qr");

    // An animation. Before, only some of its frames in a folder.
    let gif = currency.scratch("rent.gif");
    send(&["--out", text(&gif)]);
    received(text(&gif), "qr");
    assert_eq!((alice.balance(), bob.balance()), (14_000 - 4 * 3439, 4 * 3439));
    currency.audit();
}

#[test]
fn pictures_of_coins_are_recognised_and_damage_is_named() {
    let (currency, alice, bob) = two_wallets("1,2,5,10", "200");
    let out = |name: &str| currency.scratch(name);

    // One coin is one code, in each format. An SVG is read by the text in it.
    for name in ["coin.png", "coin.gif", "coin.svg"] {
        alice.run(&["send", "10", "--subject", "tea", "--out", text(&out(name))]);
        let shown = opencoin(&["inspect", text(&out(name))]).success().stdout;
        assert!(shown.contains("tea"), "{shown}");
        let received = bob.run(&["receive", text(&out(name))]).stdout;
        assert!(
            received.contains("received 10 OpenCent from a QR code"),
            "{received}"
        );
    }
    // Several codes are no PNG: they become a folder beside it.
    let sent = alice
        .run(&["send", "37", "--out", text(&out("more.png")), "--json"])
        .json();
    assert_eq!(sent["file"], text(&out("more")));
    assert!(!out("more.png").exists());
    let pictures = names(&out("more"));
    // Too few pictures: how many are missing, and nothing is lost.
    let few = out("few");
    fs::create_dir(&few).unwrap();
    let first = pictures.first().unwrap();
    fs::copy(out("more").join(first), few.join(first)).unwrap();
    let _ = bob
        .run_unchecked(&["receive", text(&few)])
        .refused(1, "1 of 3 pictures were read; 2 more pictures are needed");
    bob.run(&["receive", text(&out("more"))]);
    assert_eq!((alice.balance(), bob.balance()), (133, 67));

    // For programs, the texts of the codes; a scanner's texts in a file are coins too.
    let sent = alice.run(&["send", "37", "--as", "qr", "--json"]).json();
    let codes: Vec<&str> = sent["codes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|code| code.as_str().unwrap())
        .collect();
    assert!(codes.iter().all(|code| code.starts_with("UR:OPENCOIN-STACK/")));
    fs::write(out("scanned.txt"), codes.join("\n")).unwrap();
    bob.run(&["receive", text(&out("scanned.txt"))]);
    // Without a terminal the codes are written one after the other.
    let shown = alice.run(&["send", "5", "--as", "qr"]);
    assert!(shown.stdout.contains('▀'), "{}", shown.stdout);
    assert!(shown.stderr.contains("wallet reclaim"), "{}", shown.stderr);
    alice.run(&["reclaim", "--all"]);
    assert_eq!((alice.balance(), bob.balance()), (96, 104));

    // What is no picture of coins says what it is.
    let blank = include_bytes!("../../fixtures/transfer/photograph.jpg");
    fs::write(out("other.jpg"), blank).unwrap();
    fs::write(out("cut.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    fs::create_dir(out("empty")).unwrap();
    for (name, why) in [
        ("other.jpg", "something else than coins"),
        ("cut.png", "the picture's file is damaged"),
        ("empty", "no pictures"),
    ] {
        let _ = bob.run_unchecked(&["receive", text(&out(name))]).refused(1, why);
    }
    let wrong_name = ["send", "5", "--as", "qr", "--out", text(&out("coins.oc"))].map(str::to_owned);
    let wrong_name: Vec<&str> = wrong_name.iter().map(String::as_str).collect();
    let _ = alice.run_unchecked(&wrong_name).refused(2, ".gif");
    let _ = alice
        .run_unchecked(&["send", "5", "--out", text(&out("coin.png"))])
        .refused(1, "no coins were taken");
    // What fails leaves no file and no folder.
    for name in ["poor.gif", "poor/"] {
        let path = format!("{}/{name}", text(currency.dir().parent().unwrap()));
        let _ = alice
            .run_unchecked(&["send", "5000", "--out", &path])
            .refused(1, "the wallet holds 96");
        assert!(!Path::new(&path).exists());
    }
    assert_eq!(alice.balance(), 96);
}

#[test]
fn locked_coins_need_their_passphrase() {
    let (currency, alice, bob) = two_wallets("1,2,5,10", "100");
    let (right, wrong) = (currency.scratch("right"), currency.scratch("wrong"));
    write_secret(&right, "correct horse\n");
    write_secret(&wrong, "battery staple\n");
    for (form, name) in [("file", "gift.oc"), ("text", "gift.txt"), ("qr", "gift.gif")] {
        let gift = currency.scratch(name);
        let gift = text(&gift);
        let lock = ["--lock", "--passphrase-file", text(&right)];
        alice.run(&[&["send", "12", "--as", form, "--out", gift], &lock[..]].concat());
        let receive = |passphrase| bob.run_unchecked(&["receive", gift, "--passphrase-file", passphrase]);
        let _ = bob
            .run_unchecked(&["receive", gift])
            .refused(1, "this needs the passphrase of the coins");
        let _ = receive(text(&wrong)).refused(1, "the passphrase is wrong");
        let _ = opencoin(&["inspect", gift, "--passphrase-file", text(&wrong)]).refused(1, "wrong");
        let opened = opencoin(&["inspect", gift, "--passphrase-file", text(&right)]).success();
        assert!(
            opened.stdout.contains("coinstack") || opened.stdout.contains("coins:"),
            "{}",
            opened.stdout
        );
        let received = receive(text(&right)).success().stdout;
        assert!(received.contains("from a locked"), "{received}");
    }
    assert_eq!((alice.balance(), bob.balance()), (64, 36));
    // The passphrase is checked before coins are taken.
    set_mode(&right, 0o644);
    let send = ["send", "12", "--lock", "--passphrase-file", text(&right)];
    assert_eq!(alice.run_unchecked(&send).code, Some(1));
    assert_eq!(alice.balance(), 64);
}

#[test]
fn a_currency_is_added_with_its_coins_only_if_it_is_trusted_and_genuine() {
    let (currency, alice, _) = two_wallets("1,2,5,10", "100");
    let other = Currency::start(RFC9474, Database::Sqlite);
    let carol = other.wallet("carol");
    let gift = currency.scratch("gift.txt");
    alice.run(&["send", "12", "--as", "text", "--out", text(&gift)]);
    let refused = carol
        .run_unchecked(&["receive", text(&gift)])
        .refused(4, "receive --trust");
    assert!(refused.stderr.contains(&currency.url("")), "{}", refused.stderr);
    assert!(carol.balance() == 0);

    // The coins name a URL where another currency is, or something that is no issuer.
    let json = opencoin(&["inspect", text(&gift), "--form", "compact"])
        .success()
        .stdout;
    let forged = currency.scratch("forged.oc");
    for (url, code, why) in [
        (other.url(""), 1, "is another currency"),
        ("file:///etc/passwd".to_owned(), 4, "not the URL of an issuer"),
        (
            currency.url("").replacen("//", "//user:word@", 1),
            4,
            "user name or a password",
        ),
    ] {
        fs::write(&forged, json.replace(&currency.url(""), &url)).unwrap();
        let _ = carol
            .run_unchecked(&["receive", text(&forged), "--trust"])
            .refused(code, why);
    }
    assert!(
        carol.run(&["balance", "--json"]).json().is_object(),
        "nothing was stored"
    );

    let received = carol.run(&["receive", text(&gift), "--trust", "--json"]);
    assert_eq!(received.json()["amount"], 12);
    assert!(
        received.stderr.contains("added OpenCent, id "),
        "{}",
        received.stderr
    );
    let balances = carol.run(&["balance", "--json"]).json();
    assert_eq!(balances.as_array().map(Vec::len), Some(2), "{balances}");
}
