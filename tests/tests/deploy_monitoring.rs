//! Prometheus with the settings of `deploy/` scrapes two running servers: every metric of the dashboard and of the
//! alerts exists, every query succeeds, and alerts fire when they should.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use opencoin_e2e::deploy::{self, Prometheus};
use opencoin_e2e::foreign_wallet::{ForeignWallet, request_redeem, request_renew};
use opencoin_e2e::{Currency, Process, RFC9474, SQLITE, free_port, get_text, wait_until};
use serde_json::Value;

const DASHBOARD: &str = "grafana/opencoin.json";
/// The width of a dashboard, in Grafana's units.
const DASHBOARD_WIDTH: u64 = 24;
/// Metrics of other programs, which this test does not run.
const FOREIGN: [&str; 3] = [
    "node_filesystem_avail_bytes",
    "node_filesystem_size_bytes",
    "probe_ssl_earliest_cert_expiry",
];
/// Metrics that exist only after a login.
const OF_LOGINS: [&str; 1] = ["opencoin_logins_total"];
/// Metrics that exist only after a witness was asked, or with auditors.
const OF_COSIGNERS: [&str; 6] = [
    "opencoin_log_joint_leaves",
    "opencoin_log_auditor_cosignatures_total",
    "opencoin_log_auditor_failures_total",
    "opencoin_log_witness_cosignatures_total",
    "opencoin_log_witness_failures_total",
    "opencoin_log_witness_leaves",
];
/// Panels that must show data after one mint, renew and redeem.
const ALWAYS_THERE: [&str; 11] = [
    "Servers that answer",
    "Books",
    "Coins can be signed for",
    "Stopped mint keys",
    "Signing",
    "Program",
    "Coins outstanding",
    "Payouts asked for",
    "Connections and bodies",
    "Leaves of the public log",
    "Wait for the public log",
];

#[test]
fn promtool_accepts_settings_and_alerts_and_each_alert_is_tested() {
    let folder = deploy::path("prometheus");
    let promtool =
        |arguments: &[&str]| deploy::run(Command::new("promtool").args(arguments).current_dir(&folder));
    promtool(&["check", "config", "prometheus.yml"]);
    promtool(&["check", "rules", "opencoin-alerts.yml"]);
    promtool(&["test", "rules", "opencoin-alerts.test.yml"]);

    let tests = deploy::text("prometheus/opencoin-alerts.test.yml");
    for line in deploy::text("prometheus/opencoin-alerts.yml").lines() {
        let Some(alert) = line.trim().strip_prefix("- alert: ") else {
            continue;
        };
        assert!(
            tests.contains(&format!("ALERTS{{alertname=\"{alert}\", alertstate=\"firing\",")),
            "{alert} is never seen firing"
        );
    }
}

#[test]
fn every_query_of_dashboard_and_alerts_answers() {
    let currency = Currency::make(RFC9474, SQLITE, &[]);
    let operators = [free_port(), free_port()];
    let servers =
        [(currency.port(), operators[0]), (free_port(), operators[1])].map(|ports| serve(&currency, ports));
    work(&currency);
    let folder = currency.scratch("prometheus");
    fs::create_dir(&folder).unwrap();
    let prometheus = Prometheus::start(&folder, free_port(), operators);
    wait_until("both servers are scraped", || {
        prometheus
            .query("count(count_over_time(up[1m]) > 1 and up == 1) == 2")
            .len()
            == 1
    });
    wait_until("the alerts are evaluated", || {
        rules(&prometheus).iter().all(|rule| rule["health"] == "ok")
    });

    let offered: BTreeSet<String> = (FOREIGN.iter().chain(&OF_LOGINS).chain(&OF_COSIGNERS))
        .map(|name| (*name).to_owned())
        .chain(metrics(operators[0]))
        .collect();
    let alerts: Vec<String> = rules(&prometheus)
        .iter()
        .map(|rule| rule["query"].as_str().unwrap().to_owned())
        .collect();
    assert!(alerts.len() > 20, "{alerts:?}");
    let panels = dashboard_queries();
    let unknown: BTreeSet<String> = (alerts.iter().chain(panels.iter().map(|(_, query)| query)))
        .flat_map(|query| names(query))
        .filter(|name| !offered.contains(name))
        .collect();
    assert_eq!(unknown, BTreeSet::new(), "the server does not have these metrics");

    for (title, query) in panels {
        let found = prometheus.query(&query);
        assert!(
            !found.is_empty() || !ALWAYS_THERE.contains(&title.as_str()),
            "{title} shows nothing: {query}"
        );
    }
    // No alert is pending or firing for a healthy currency.
    let alarms = prometheus.query("ALERTS");
    assert_eq!(alarms, Vec::<Value>::new());

    let [first, second] = servers;
    second.stop();
    wait_until("the alert of a server that is away", || {
        !prometheus
            .query("ALERTS{alertname=\"OpencoinServerDown\", alertstate=\"pending\"}")
            .is_empty()
    });
    first.stop();
}

#[test]
fn the_dashboard_is_valid() {
    let dashboard: Value = serde_json::from_str(&deploy::text(DASHBOARD)).unwrap();
    assert!(
        dashboard["uid"].is_string() && dashboard["title"].is_string() && dashboard["schemaVersion"].is_u64()
    );
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "ids are unique");
    let mut taken = BTreeSet::new();
    for panel in panels {
        let at = |field: &str| panel["gridPos"][field].as_u64().unwrap();
        let (left, top, width, height) = (at("x"), at("y"), at("w"), at("h"));
        assert!(left + width <= DASHBOARD_WIDTH, "{panel}");
        for cell in (left..left + width).flat_map(|x| (top..top + height).map(move |y| (x, y))) {
            assert!(taken.insert(cell), "{} lies on another panel", panel["title"]);
        }
        assert!(
            panel["type"] == "row" || panel["description"].is_string(),
            "{panel}"
        );
        for target in panel["targets"].as_array().unwrap_or(&Vec::new()) {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{target}");
        }
    }
}

/// Starts a server with an operator's listener.
fn serve(currency: &Currency, (port, operator): (u16, u16)) -> Process {
    currency.serve_with(port, &["--admin-listen", &format!("127.0.0.1:{operator}")])
}

/// One mint, one renew, one redeem.
fn work(currency: &Currency) {
    let token = currency.account("alice", 100);
    let wallet = ForeignWallet::new(&currency.url(""));
    let minted = wallet.mint(&token, &[5, 2], "a");
    let blinds = wallet.blinds(&[5, 2]);
    let renewed = wallet.unblind(
        &blinds,
        &wallet.post("/renew", None, &request_renew(&minted, &blinds, "b")),
    );
    assert_eq!(
        wallet
            .post("/redeem", Some(&token), &request_redeem(&renewed[..1]))
            .http_status,
        200
    );
}

/// Titles and queries of the dashboard, with Grafana's variables filled in.
fn dashboard_queries() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&deploy::text(DASHBOARD)).unwrap();
    let mut queries = Vec::new();
    let mut add = |title: &Value, query: &Value| {
        let query = query
            .as_str()
            .unwrap()
            .replace("$__rate_interval", "1m")
            .replace("$instance", ".*");
        assert!(!query.contains('$'), "{query}");
        queries.push((title.as_str().unwrap().to_owned(), query));
    };
    for panel in dashboard["panels"].as_array().unwrap() {
        let targets = panel["targets"].as_array().into_iter().flatten();
        targets.for_each(|target| add(&panel["title"], &target["expr"]));
    }
    for annotation in dashboard["annotations"]["list"].as_array().unwrap() {
        add(&annotation["name"], &annotation["expr"]);
    }
    assert!(queries.len() > 30, "{queries:?}");
    queries
}

/// The metrics of this project that a query names.
fn names(query: &str) -> Vec<String> {
    let words = query.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    let is_metric = |word: &&str| {
        ["opencoin_", "process_", "node_", "probe_"]
            .iter()
            .any(|prefix| word.starts_with(prefix))
    };
    words.filter(is_metric).map(str::to_owned).collect()
}

/// The names of all series that a server declares.
fn metrics(operator: u16) -> Vec<String> {
    let text = get_text(&format!("http://127.0.0.1:{operator}/metrics"));
    let declared = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let series = declared.flat_map(|(name, kind)| {
        let suffixes: &[&str] = match kind {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_count", "_sum"],
            "info" => &["_info"],
            _ => &[""],
        };
        suffixes.iter().map(move |suffix| format!("{name}{suffix}"))
    });
    series.collect()
}

fn rules(prometheus: &Prometheus) -> Vec<Value> {
    let answer = prometheus.get("/api/v1/rules", &[]);
    let groups = answer["data"]["groups"].as_array().unwrap().clone();
    groups
        .into_iter()
        .flat_map(|group| group["rules"].as_array().unwrap().clone())
        .collect()
}
