//! The benchmark runs, on both databases, and says what it should. How fast it is depends on the machine and is no test.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;

use opencoin_e2e::opencoin;
use opencoin_testkit::postgres::TestDatabase;
use serde_json::Value;

/// Operations, coins a request, clients: the quick table has a row for each combination.
const OPERATIONS: [&str; 3] = ["mint", "renew", "redeem"];
const COINS: [u64; 2] = [1, 8];
const CLIENTS: [u64; 2] = [1, 8];

#[test]
fn the_quick_table_is_whole_and_the_books_balance() {
    let folder = tempfile::tempdir().unwrap();
    let (json, svg) = (folder.path().join("bench.json"), folder.path().join("bench.svg"));
    let files = ["--json", json.to_str().unwrap(), "--svg", svg.to_str().unwrap()];
    let table = opencoin(&[&["bench", "--quick"], &files[..]].concat()).success().stdout;

    let report: Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    let cells = report["cells"].as_array().unwrap();
    assert_eq!(cells.len(), OPERATIONS.len() * COINS.len() * CLIENTS.len(), "{table}");
    for operation in OPERATIONS {
        for (coins, clients) in COINS.iter().flat_map(|coins| CLIENTS.map(|clients| (*coins, clients))) {
            let row: Vec<String> =
                [operation.to_owned()].into_iter().chain([2048, coins, clients].map(|n| n.to_string())).collect();
            let is_row = |line: &str| line.split_whitespace().take(row.len()).eq(row.iter().map(String::as_str));
            assert_eq!(table.lines().filter(|line| is_row(line)).count(), 1, "{row:?} in:\n{table}");
            let is_cell = |cell: &&Value| cell["operation"] == operation && cell["coins"] == coins && cell["clients"] == clients;
            check_figures(cells.iter().find(is_cell).unwrap());
        }
    }
    assert!(table.contains("refused: nothing") && table.contains("audit: every invariant holds"), "{table}");
    let plot = fs::read_to_string(svg).unwrap();
    assert_eq!(plot.matches("<polyline").count(), OPERATIONS.len() * COINS.len(), "{plot}");
    assert!(plot.starts_with("<svg") && plot.ends_with("</svg>\n") && !plot.contains("NaN"), "{plot}");
}

#[test]
fn postgres_is_measured_once_and_not_over_the_books_of_another_currency() {
    let database = TestDatabase::create();
    let url = database.url();
    let arguments = ["bench", "--quick", "--operations", "redeem", "--coins", "8", "--clients", "2", "--database", &url];
    let table = opencoin(&arguments).success().stdout;
    assert!(table.contains("books in PostgreSQL") && table.contains("audit: every invariant holds"), "{table}");
    let _ = opencoin(&arguments).refused(1, "the database holds the books of a currency");
}

#[test]
fn what_no_request_can_hold_is_not_measured() {
    let _ = opencoin(&["bench", "--quick", "--coins", "0"]).refused(1, "--coins: a request has 1 to 1000");
    let _ = opencoin(&["bench", "--quick", "--seconds-per-cell", "nan"]).refused(2, "more than 0");
}

/// Whatever the machine, a cell has answers, and latencies in order.
fn check_figures(cell: &Value) {
    let figure = |name: &str| cell[name].as_f64().unwrap_or_else(|| panic!("{name} in {cell:#}"));
    assert!(figure("coins_per_second") > 0.0 && figure("issuer_memory_mib") > 0.0, "{cell:#}");
    let per_request = cell["coins"].as_f64().unwrap();
    assert!((figure("coins_per_second") / figure("requests_per_second") - per_request).abs() < 1e-6, "{cell:#}");
    assert!(figure("p50_ms") > 0.0 && figure("p50_ms") <= figure("p99_ms"), "{cell:#}");
    assert!(cell["refused"].as_object().unwrap().is_empty(), "{cell:#}");
}
