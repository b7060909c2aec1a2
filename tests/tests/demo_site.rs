//! The demo that serves pages, until it is stopped.

use std::net::TcpListener;

use opencoin_e2e::{DemoSite, get_text, opencoin};
use serde_json::Value;

#[test]
fn the_demo_serves_pages_until_it_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let site = DemoSite::start(folder.path());
    let supply: Value = serde_json::from_str(&get_text(&format!("{}/v1/supply", site.public))).unwrap();
    // Alice has minted 1.37, and Bob has put 0.20 of it into his account.
    assert_eq!(supply["outstanding"], 117);
    let client = reqwest::blocking::Client::new();
    let page = client
        .get(&site.public)
        .header("Accept", "text/html")
        .send()
        .unwrap();
    assert!(page.text().unwrap().contains("1.17"));

    assert_eq!(site.passwords.len(), 3);
    for (name, password) in &site.passwords {
        let login = serde_json::json!({ "name": name, "password": password }).to_string();
        let url = format!("{}/v1/sessions", site.public);
        let answer = client.post(url).body(login).send().unwrap();
        assert!(answer.status().is_success(), "{name}: {}", answer.status());
    }
    let url = format!("{}/v1/admin/payouts", site.operator);
    let payouts = client.get(url).bearer_auth(&site.token).send().unwrap();
    let payouts: Value = serde_json::from_str(&payouts.text().unwrap()).unwrap();
    assert_eq!(payouts["payouts"].as_array().unwrap().len(), 3, "{payouts}");

    let url = format!("{}/v1/admin/audit", site.operator);
    let audit = client.post(url).bearer_auth(&site.token).send().unwrap();
    assert_eq!(audit.status(), 202, "the demo audits its books");

    assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    site.stop();
    assert_eq!(
        folder.path().read_dir().unwrap().count(),
        0,
        "the demo leaves files"
    );
}

#[test]
fn the_demo_serves_on_loopback_alone_and_on_the_address_that_it_is_told() {
    let serve = |address: &str| opencoin(&["demo", "--serve", "--listen", address]);
    let _ = serve("0.0.0.0:0").refused(1, "choose an address of this machine alone");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let _ = serve(&address).refused(1, "choose another address with --listen");
    let _ = opencoin(&["demo", "--listen", "127.0.0.1:0"]).refused(2, "--serve");
}
