//! Monitoring of a running server: metrics, health, the log.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::net::TcpListener;

use opencoin_e2e::foreign_wallet::{ForeignWallet, request_mint, request_redeem, request_renew};
use opencoin_e2e::{CHAUM82, Currency, Process, RFC9474, SQLITE, metrics, wait_for};
use opencoin_testkit::postgres::TestDatabase;
use opencoin_testkit::postgres_proxy::PostgresProxy;
use reqwest::blocking::{Client, Response};
use serde_json::Value;

/// A currency whose server has an operator's listener and logs in JSON.
struct Watched {
    currency: Currency,
    operators: String,
    server: Process,
}

impl Watched {
    fn start(suite: &str, database: &str) -> Self {
        let mut currency = Currency::make(suite, database, &[]);
        currency.set_variable("OPENCOIN_LOG", "info");
        let (server, operators) = currency.serve_operators(&["--log-format", "json"]);
        Self {
            currency,
            operators,
            server,
        }
    }

    fn get(&self, path: &str) -> Response {
        Client::new()
            .get(format!("{}{path}", self.operators))
            .send()
            .unwrap()
    }

    /// Waits until the metrics meet the condition, and returns them.
    fn wait_for(&self, what: &str, holds: impl Fn(&BTreeMap<String, f64>) -> bool) -> BTreeMap<String, f64> {
        wait_for(what, || {
            let metrics = metrics(&self.operators);
            if holds(&metrics) {
                Ok(metrics)
            } else {
                Err(metrics)
            }
        })
    }
}

#[test]
fn requests_coins_and_keys_are_counted() {
    let watched = Watched::start(RFC9474, SQLITE);
    let content_type = watched.get("/metrics").headers()["content-type"].clone();
    let content_type = content_type.to_str().unwrap();
    assert!(
        content_type.starts_with("application/openmetrics-text; version=1.0.0"),
        "{content_type}"
    );
    let token = watched.currency.account("alice", 500);
    let wallet = ForeignWallet::new(&watched.currency.url(""));
    let coins = wallet.mint(&token, &[5, 5, 1], "a1");
    let fresh = wallet.blinds(&[5, 5, 1]);
    let coins = wallet.unblind(
        &fresh,
        &wallet.post("/", None, &request_renew(&coins, &fresh, "a2")),
    );
    let redeem = request_redeem(&coins[..1]);
    assert_eq!(wallet.post("/redeem", Some(&token), &redeem).http_status, 200);
    assert_eq!(
        wallet.post("/redeem", Some("oc_nobody"), &redeem).http_status,
        401
    );
    let other = wallet.blinds(&[5]);
    let spent = wallet.post("/renew", None, &request_renew(&coins[..1], &other, "a3"));
    assert_eq!(spent.error_word.as_deref(), Some("double-spend"));
    let _ = wallet.post_bytes("/", None, b"no request".to_vec());
    let _ = wallet.post_bytes("/no/such/path", None, Vec::new());
    watched.currency.issuer(&["signing", "pause"]);
    let delayed = wallet.post("/mint", Some(&token), &request_mint(&other, "a4"));
    assert_eq!(delayed.http_status, 202);

    let five = "{denomination=\"5\"}";
    let coins_signed = format!("opencoin_coins_signed{five}");
    let metrics = watched.wait_for("signing is paused and the last mint is counted", |metrics| {
        metrics["opencoin_signing_paused"] == 1.0 && metrics.get(&coins_signed) == Some(&5.0)
    });
    let requests = |kind: &str, outcome: &str| {
        let sample = format!("opencoin_requests_total{{request=\"{kind}\",outcome=\"{outcome}\"}}");
        metrics.get(&sample).copied()
    };
    for (kind, outcome) in [
        ("mint", "ok"),
        ("mint", "delay"),
        ("renew", "ok"),
        ("redeem", "ok"),
        ("renew", "double-spend"),
    ] {
        assert_eq!(
            requests(kind, outcome),
            Some(1.0),
            "{kind} {outcome}: {metrics:#?}"
        );
    }
    assert_eq!(requests("redeem", "unauthorized"), Some(1.0));
    assert_eq!(
        (requests("unknown", "malformed"), requests("unknown", "not-found")),
        (Some(1.0), Some(1.0))
    );
    for (name, value) in [
        (format!("opencoin_coins_returned{five}"), 3.0),
        (format!("opencoin_coins_outstanding{five}"), 2.0),
        (
            "opencoin_request_duration_seconds_count{request=\"renew\"}".to_owned(),
            2.0,
        ),
        ("opencoin_sign_duration_seconds_count".to_owned(), 2.0),
        ("opencoin_ledger_up".to_owned(), 1.0),
        ("opencoin_ledger_queue_commands".to_owned(), 0.0),
        ("opencoin_ledger_failures_total".to_owned(), 0.0),
        ("opencoin_signer_failures_total".to_owned(), 0.0),
        ("opencoin_rate_limited_total".to_owned(), 0.0),
    ] {
        assert_eq!(metrics.get(&name), Some(&value), "{name}: {metrics:#?}");
    }
    let key = wallet.key(5);
    let stopped = format!(
        "opencoin_mint_key_stopped{{mint_key={},denomination=\"5\"}}",
        key["id"]
    );
    assert_eq!(metrics[&stopped], 0.0);
    let signs_until = metrics[&format!("opencoin_denomination_signing_until_timestamp_seconds{five}")];
    assert!(
        signs_until > metrics["process_start_time_seconds"],
        "{signs_until}"
    );
    assert!(metrics["process_resident_memory_bytes"] > 1e6 && metrics["process_open_fds"] > 3.0);
    assert!(
        metrics["opencoin_connections"] >= 1.0,
        "the wallet keeps its connection"
    );
    assert!(
        metrics
            .keys()
            .any(|name| name.starts_with("opencoin_build_info{version="))
    );

    watched.currency.issuer(&[
        "keys",
        "revoke",
        key["id"].as_str().unwrap(),
        "--reason",
        "by the test",
    ]);
    let metrics = watched.wait_for("the key was stopped", |metrics| metrics[&stopped] == 1.0);
    assert_eq!(
        metrics[&format!("opencoin_denomination_signing_until_timestamp_seconds{five}")],
        0.0
    );
    watched.server.stop();
}

#[test]
fn a_request_has_an_id_in_its_answer_and_in_its_log_line() {
    let watched = Watched::start(CHAUM82, SQLITE);
    let ask = || {
        let request = Client::new()
            .post(watched.currency.url("/redeem"))
            .header("x-request-id", "chosen-by-the-client");
        let response = request.body("no request").send().unwrap();
        response.headers()["x-request-id"].to_str().unwrap().to_owned()
    };
    let ids = [ask(), ask()];
    assert!(ids[0] != ids[1] && ids.iter().all(|id| id.len() == 32), "{ids:?}");
    assert_eq!(watched.get("/health/live").status(), 200);
    assert_eq!(watched.get("/health/ready").status(), 200);
    let first = watched.get("/");
    assert_eq!(
        first.url().path(),
        "/console/login",
        "operators have pages of their own"
    );
    for path in ["/cddc", "/mint"] {
        assert_eq!(
            watched.get(path).status(),
            404,
            "the operator's listener has none of the public paths"
        );
    }
    assert_eq!(
        Client::new()
            .get(watched.currency.url("/metrics"))
            .send()
            .unwrap()
            .status(),
        404
    );
    watched.server.stop();
    let log = watched.currency.log();
    let lines: Vec<Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    for id in ids {
        let line = lines
            .iter()
            .find(|line| line["span"]["id"] == id.as_str())
            .unwrap();
        let expected = [
            ("kind", "redeem"),
            ("path", "/redeem"),
            ("outcome", "malformed"),
            ("level", "INFO"),
        ];
        assert!(
            expected.iter().all(|(name, value)| line[name] == *value),
            "{line}"
        );
        assert!(line["status"] == 400 && line["latency_us"].is_u64(), "{line}");
    }
    assert!(!log.contains("chosen-by-the-client"));
}

#[test]
fn metrics_are_available_while_the_database_hangs() {
    let database = TestDatabase::create();
    let proxy = PostgresProxy::start(&database.url());
    let watched = Watched::start(RFC9474, &proxy.url());
    assert_eq!(metrics(&watched.operators)["opencoin_ledger_up"], 1.0);
    // The system accepts connections, but no answer ever comes.
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = hanging.local_addr().unwrap();
    proxy.switch_to(&format!("postgres://nobody@{address}/books"));
    watched.wait_for("the database is reported as down", |metrics| {
        metrics["opencoin_ledger_up"] == 0.0
    });
    // The last counts are shown for a while, until they are out of date.
    let is_of_coins = |name: &String| name.starts_with("opencoin_coins_");
    let metrics = watched.wait_for("the counts of coins disappear", |metrics| {
        !metrics.keys().any(is_of_coins)
    });
    assert_eq!(metrics["opencoin_ledger_up"], 0.0);
    assert!(
        metrics.contains_key("opencoin_denomination_signing_until_timestamp_seconds{denomination=\"5\"}")
    );
    assert_eq!(watched.get("/health/live").status(), 200);
    drop(hanging);
}

#[test]
fn an_operators_listener_beyond_loopback_is_refused() {
    let currency = Currency::make(RFC9474, SQLITE, &[]);
    let serve = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "0.0.0.0:0"];
    let _ = currency
        .issuer_unchecked(&serve)
        .refused(1, "0.0.0.0:0 can be reached from other machines");
}
