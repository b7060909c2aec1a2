//! A wallet that is connected with an account by a link.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use opencoin_e2e::{Answers, Currency, CuttingProxy, Database, RFC9474};

use crate::accounts::Holder;

#[test]
fn a_wallet_is_connected_by_a_link_and_needs_no_password() {
    let mut currency = Currency::start(RFC9474, Database::Sqlite);
    let url = currency.url("");
    let alice = Holder::new(&currency, &url, "alice", 200);
    let scopes = ["--scope", "mint", "--scope", "redeem"];
    let declare = [&["service", "declare", "phone"], &scopes[..], &["--json"]].concat();
    let declared = alice.unchecked(&declare).success().json();
    let (id, key) = (
        declared["id"].as_str().unwrap(),
        declared["key"].as_str().unwrap(),
    );
    let link = format!("{url}/account/pair#1.{id}.{key}");

    let proxy = CuttingProxy::start(currency.port());
    let through_proxy = link.replace(&url, &proxy.url());
    let phone = Holder {
        name: "phone",
        dir: currency.scratch("phone"),
        url: proxy.url(),
    };
    let _ = phone
        .unchecked(&["wallet", "pair", &link.replace("#1.", "#9.")])
        .refused(2, "not a link");
    // The first answer is lost, and then the program is tried again.
    proxy.set(Answers::Cut);
    let lost = phone.unchecked(&["wallet", "pair", &through_proxy]);
    let _ = lost.refused(3, "use the same link again");
    proxy.set(Answers::Pass);
    let paired = phone
        .unchecked(&["wallet", "pair", &through_proxy])
        .success()
        .stdout;
    assert!(!paired.contains(key), "{paired}");
    let _ = phone.unchecked(&["wallet", "mint", "30"]).success();
    let _ = phone.unchecked(&["wallet", "redeem", "10"]).success();
    assert_eq!(alice.balance(), 180);
    // Without a session it logs in by itself.
    fs::remove_file(phone.dir.join("session.json")).unwrap();
    let _ = phone.unchecked(&["wallet", "mint", "5"]).success();
    let mode = fs::metadata(phone.dir.join("pairing.json"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    // Whoever sees the link later has nothing, and a removed wallet neither.
    let thief = Holder {
        name: "thief",
        dir: currency.scratch("thief"),
        url: url.clone(),
    };
    let _ = thief
        .unchecked(&["wallet", "pair", &link])
        .refused(1, "the link was used already");
    let _ = alice.unchecked(&["service", "remove", id]).success();
    fs::remove_file(phone.dir.join("session.json")).unwrap();
    let _ = phone
        .unchecked(&["wallet", "mint", "5"])
        .refused(1, "this wallet was removed from the account");

    let elsewhere = Holder {
        name: "alice",
        dir: currency.scratch("elsewhere"),
        url,
    };
    elsewhere.log_in();
    let _ = alice.unchecked(&["account", "logout", "--everywhere"]).success();
    let _ = elsewhere
        .unchecked(&["account", "balance"])
        .refused(1, "log in again");
    currency.stop();
}
