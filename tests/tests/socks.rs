//! A wallet and an account behind a SOCKS5 proxy: no request and no name goes round it.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use opencoin_e2e::files::text;
use opencoin_e2e::socks::SocksProxy;
use opencoin_e2e::{Currency, Database, Log, Process, RFC9474, Wallet, free_port, opencoin, run};
use serde_json::Value;

/// No name server knows it (RFC 6761), so only the proxy can reach it.
const NAME: &str = "issuer.invalid";

#[test]
fn every_request_goes_through_the_proxy_and_names_too() {
    let port = free_port();
    let url = format!("http://{NAME}:{port}");
    let currency = Currency::make_on(RFC9474, Database::Sqlite, &["--url", &url]);
    let _server = currency.serve_with(port, &[]);
    let token = currency.account("alice", 100);
    let proxy = SocksProxy::start(NAME);
    let (alice, bob) = (
        Wallet::new(&currency.scratch("alice")),
        Wallet::new(&currency.scratch("bob")),
    );
    let through = ["--proxy", &proxy.url()];
    let with_proxy = |wallet: &Wallet, arguments: &[&str]| wallet.run(&[arguments, &through].concat());

    // Without the proxy there is no way.
    let _ = alice.run_unchecked(&["add", &url]).refused(3, NAME);
    assert!(proxy.asked().is_empty());
    with_proxy(&alice, &["add", &url]);
    with_proxy(&bob, &["add", &url]);
    with_proxy(&alice, &["mint", "60", "--token", &token]);
    let gift = currency.scratch("gift.oc");
    with_proxy(&alice, &["send", "20", "--out", text(&gift)]);
    with_proxy(&bob, &["receive", text(&gift)]);
    with_proxy(&bob, &["redeem", "5", "--token", &token]);
    with_proxy(&alice, &["log"]);
    alice.key(&["new"]);
    alice.key(&["introduce", through[0], through[1]]);
    assert_eq!((alice.balance(), bob.balance()), (40, 15));
    let shown = run(
        currency
            .command()
            .env("OPENCOIN_TOKEN", &token)
            .env("OPENCOIN_PROXY", proxy.url()),
        &["account", "balance", "--url", &url, "--json"],
    );
    assert_eq!(shown.success().json()["balance"], 45);

    let asked = proxy.asked();
    assert!(
        asked
            .iter()
            .all(|asked| asked.name.as_deref() == Some(NAME) && asked.port == port),
        "{asked:?}"
    );
    let users = [
        "opencoin-account",
        "opencoin-anonymous",
        "opencoin-files",
        "opencoin-key",
    ];
    assert_eq!(proxy.users(), users.map(str::to_owned).into());
    // Processes are kept apart too.
    let account = asked.iter().filter(|asked| asked.user == users[0]);
    let mut passwords: Vec<&String> = account.map(|asked| &asked.password).collect();
    passwords.sort();
    passwords.dedup();
    assert_eq!(passwords.len(), 3, "mint, redeem and account: {asked:?}");
}

/// Both wallets meet at a relay that only the proxy can reach.
#[test]
fn a_live_transfer_goes_through_the_proxy() {
    let (port, relay_port) = (free_port(), free_port());
    let url = format!("http://{NAME}:{port}");
    let currency = Currency::make_on(RFC9474, Database::Sqlite, &["--url", &url]);
    let _server = currency.serve_with(port, &[]);
    let listen = format!("127.0.0.1:{relay_port}");
    let mut relay = currency.command();
    let _relay = Process::start(
        relay.args(["relay", "--listen", &listen]),
        "relaying live transfers on ",
        &Log::default(),
    );
    let token = currency.account("alice", 100);
    let proxy = SocksProxy::start(NAME);
    let (alice, bob) = (currency.scratch("alice"), currency.scratch("bob"));
    let wallet = |dir: &Path, arguments: &[&str]| {
        let mut command = currency.command();
        command
            .env("OPENCOIN_PROXY", proxy.url())
            .env("OPENCOIN_TOKEN", &token);
        command.arg("wallet").args(arguments).arg("--dir").arg(dir);
        command
    };
    let run = |dir: &Path, arguments: &[&str]| run(&mut wallet(dir, arguments), &[]).success();
    run(&alice, &["add", &url]);
    run(&bob, &["add", &url]);
    run(&alice, &["mint", "50"]);

    let relay_url = format!("http://{NAME}:{relay_port}/relay");
    let mut sending = wallet(&alice, &["send", "20", "--live", "--relay", &relay_url, "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut events = BufReader::new(sending.stdout.take().unwrap()).lines();
    let first: Value = serde_json::from_str(&events.next().unwrap().unwrap()).unwrap();
    let invitation = first["invitation"].as_str().unwrap();
    run(&bob, &["receive", invitation, "--yes"]);
    events.for_each(drop);
    assert!(sending.wait().unwrap().success());
    assert_eq!(
        (Wallet::new(&alice).balance(), Wallet::new(&bob).balance()),
        (30, 20)
    );
    let asked = proxy.asked();
    assert!(
        asked.iter().all(|asked| asked.name.as_deref() == Some(NAME)),
        "{asked:?}"
    );
    // What goes to the relay shares no circuit with what goes to the issuer.
    let users_at = |wanted: u16| -> BTreeSet<&str> {
        let there = asked.iter().filter(|asked| asked.port == wanted);
        there.map(|asked| asked.user.as_str()).collect()
    };
    assert!(!users_at(relay_port).is_empty(), "{asked:?}");
    assert!(users_at(relay_port).is_disjoint(&users_at(port)), "{asked:?}");
}

#[test]
fn a_dead_proxy_is_not_bypassed_and_a_leaking_one_is_refused() {
    let currency = Currency::start(RFC9474, Database::Sqlite);
    let wallet = Wallet::new(&currency.scratch("wallet"));
    let dead = format!("socks5h://127.0.0.1:{}", free_port());
    let _ = wallet
        .run_unchecked(&["add", &currency.url(""), "--proxy", &dead])
        .refused(3, &dead);
    assert!(!currency.scratch("wallet").exists());
    let leaking = wallet.run_unchecked(&["add", &currency.url(""), "--proxy", "socks5://127.0.0.1:9050"]);
    let _ = leaking.refused(2, "write socks5h://");
    let account = [
        "account",
        "balance",
        "--url",
        "http://issuer.invalid",
        "--proxy",
        "socks5://127.0.0.1:9050",
    ];
    let _ = opencoin(&account).refused(2, "write socks5h://");
}
