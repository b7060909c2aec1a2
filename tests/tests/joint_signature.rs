//! Auditors sign the public log jointly: the server collects their signatures, and every server of the currency shows the
//! newest checkpoint that enough of them have signed.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use opencoin_e2e::{Currency, Database, RFC9474, TestAuditor, free_port, get_text, metrics, wait_until};
use reqwest::blocking;
use serde_json::{Value, json};

/// The size of the tree in a checkpoint.
fn size(note: &str) -> u64 {
    note.lines().nth(1).unwrap().parse().unwrap()
}

fn signs(note: &str, auditor: &str) -> bool {
    note.contains(&format!("\u{2014} auditor.example/{auditor} "))
}

fn the_newest_checkpoint_that_enough_auditors_have_signed_is_shown(database: Database) {
    let auditors = [1, 2, 3].map(TestAuditor::start);
    let named: Vec<String> = auditors.iter().map(TestAuditor::named).collect();
    let mut options = vec!["--joint-quorum", "2"];
    for auditor in &named {
        options.extend(["--auditor", auditor]);
    }
    let mut currency = Currency::make_on(RFC9474, database, &options);
    currency.seal_every_second();
    for auditor in &auditors {
        auditor.audit(&currency);
        auditor.sign(false);
    }
    let (server, operators) = currency.serve_operators(&[]);
    let port = free_port();
    let other = (database == Database::Postgres).then(|| currency.serve_on(port));
    let shown = |url: &str| blocking::get(url).unwrap();
    let url = currency.url("/log/checkpoint.joint");
    let missing = shown(&url);
    assert_eq!(missing.status(), 404);
    assert_eq!(missing.headers()["opencoin-error"], "not-found");

    auditors[0].sign(true);
    let token = currency.account("alice", 100);
    let alice = currency.wallet("alice");
    alice.run(&["mint", "10", "--token", &token]);
    currency.wait_until_all_is_published();
    assert_eq!(shown(&url).status(), 404, "one of two has signed");
    auditors[2].sign(true);
    let is_complete = |url: &str| {
        let joint = shown(url);
        let published = get_text(&currency.url("/log/checkpoint"));
        joint.status() == 200 && size(&joint.text().unwrap()) == size(&published)
    };
    wait_until("two auditors have signed", || is_complete(&url));
    let first = get_text(&url);
    assert!(signs(&first, "a1") && signs(&first, "a3") && !signs(&first, "a2"));
    if other.is_some() {
        let url = format!("http://127.0.0.1:{port}/log/checkpoint.joint");
        wait_until("the other server shows it", || shown(&url).status() == 200);
        assert_eq!(size(&get_text(&url)), size(&first));
    }
    let status = currency.issuer(&["log", "status", "--json"]).json();
    assert_eq!(status["joint"], json!(size(&first)));
    assert_eq!(status["auditors"].as_array().unwrap().len(), 3);
    assert_eq!(status["witnesses"], json!([]), "auditors are no witnesses");
    let samples = metrics(&operators);
    assert_eq!(samples["opencoin_log_joint_leaves"], size(&first) as f64);

    // One of two is not enough, and nothing else waits for it.
    auditors[0].sign(false);
    alice.run(&["redeem", "3", "--token", &token]);
    currency.wait_until_all_is_published();
    let published = size(&get_text(&currency.url("/log/checkpoint")));
    assert!(published > size(&first));
    assert_eq!(size(&get_text(&url)), size(&first));
    auditors[1].sign(true);
    wait_until("two auditors have signed again", || is_complete(&url));
    let second = get_text(&url);
    assert!(size(&second) >= published);
    assert!(signs(&second, "a2") && signs(&second, "a3"), "{second}");

    let policy = get_text(&currency.url("/v1/log/policy"));
    assert!(policy.contains("\njoint auditors\n") && policy.contains("\ngroup auditors 2 a1 a2 a3\n"));
    let exported = currency.scratch("exported");
    currency.issuer(&["log", "export", exported.to_str().unwrap()]);
    let joint = std::fs::read_to_string(exported.join("checkpoint.joint")).unwrap();
    assert_eq!(size(&joint), size(&second));

    // The next description names no auditors.
    currency.issuer(&["log", "witnesses", "--no-auditors"]);
    wait_until("the server has the new description", || {
        shown(&url).status() == 404
    });
    let refused: Value = serde_json::from_str(&shown(&url).text().unwrap()).unwrap();
    assert_eq!(
        refused["detail"],
        "the description of the currency names no auditors"
    );
    drop(other);
    server.stop();
    currency.audit();
}

#[test]
fn the_newest_checkpoint_that_enough_auditors_have_signed_is_shown_on_sqlite() {
    the_newest_checkpoint_that_enough_auditors_have_signed_is_shown(Database::Sqlite);
}

#[test]
fn the_newest_checkpoint_that_enough_auditors_have_signed_is_shown_by_two_servers() {
    the_newest_checkpoint_that_enough_auditors_have_signed_is_shown(Database::Postgres);
}
