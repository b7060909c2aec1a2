//! The benchmark runs on both databases and with every engine, and its report is complete and consistent. Its figures
//! depend on the machine and are not checked.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};

use opencoin_e2e::files::all_below;
use opencoin_e2e::{Output, command, opencoin, run};
use opencoin_testkit::postgres::TestDatabase;
use opencoin_testkit::softhsm::{LABEL, PIN, TestToken};
use serde_json::Value;

/// Operations, coins per request and clients. The quick table has a row for each combination.
const OPERATIONS: [&str; 3] = ["mint", "renew", "redeem"];
const COINS: [u64; 2] = [1, 64];
const CLIENTS: [u64; 2] = [1, 8];
const SPENT_ROWS: &str = "20000";
/// Options for a table with one row for each operation.
const SMALL: [&str; 6] = ["--parts", "table", "--coins", "64", "--clients", "8"];

#[test]
fn the_quick_run_measures_everything_and_passes_the_audit() {
    let folder = tempfile::tempdir().unwrap();
    let (json, svg) = (folder.path().join("bench.json"), folder.path().join("bench.svg"));
    let files = ["--json", json.to_str().unwrap(), "--svg", svg.to_str().unwrap()];
    let table = opencoin(&[&["bench", "--quick", "--spent-rows", SPENT_ROWS], &files[..]].concat())
        .success()
        .stdout;
    let report = read(&json);
    check_table(&table, &report);
    check_parts(&report);
    check_engine(&report, &table, &svg, "memory");
    assert!(
        table.contains("refused: nothing") && table.contains("audit: every invariant holds"),
        "{table}"
    );

    let not_measured: Vec<_> = targets(&report)
        .filter(|(_, met)| met.is_null())
        .map(|(what, _)| what)
        .collect();
    let (of_many_clients, others): (Vec<&str>, Vec<&str>) = not_measured
        .into_iter()
        .partition(|what| what.contains("throughput with 256 clients"));
    assert_eq!(of_many_clients.len(), 6, "{of_many_clients:#?}");
    // This run has keys of two primes, and on some CPUs no lanes.
    let is_of_another_run = |what: &&str| what.contains("3 primes") || what.contains("in lanes");
    assert!(
        others.len() >= 3 && others.iter().all(is_of_another_run),
        "{others:#?}"
    );

    let plot = fs::read_to_string(svg).unwrap();
    assert_eq!(
        plot.matches("<polyline").count(),
        OPERATIONS.len() * COINS.len(),
        "{plot}"
    );
    assert!(
        plot.starts_with("<svg") && plot.ends_with("</svg>\n") && !plot.contains("NaN"),
        "{plot}"
    );
}

#[test]
fn postgres_is_measured_only_with_an_empty_database() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("bench.json");
    let (database, json_text) = (TestDatabase::create(), json.to_str().unwrap());
    let url = database.url();
    let mut arguments = vec!["bench", "--quick", "--database", &url, "--json", json_text];
    arguments.extend(["--spent-rows", SPENT_ROWS, "--parts", "table"]);
    arguments.extend(["--operations", "redeem", "--coins", "1", "--clients", "8,256"]);
    let table = opencoin(&arguments).success().stdout;
    assert!(
        table.contains("books in PostgreSQL") && table.contains("audit: every invariant holds"),
        "{table}"
    );

    let report = read(&json);
    let cells = report["cells"].as_array().unwrap().iter();
    cells.chain(full_table(&report)).for_each(check_figures);
    assert!(
        figure(&report["bare_inserts"], "rows_per_second") > 0.0,
        "{report:#}"
    );
    assert!(
        report["half_load"].is_null() && report["one_by_one"].is_null(),
        "{report:#}"
    );
    let many_clients = "redeem 1 coin: throughput with 256 clients / with 8";
    let (_, met) = targets(&report).find(|(what, _)| *what == many_clients).unwrap();
    assert!(met.is_boolean(), "{report:#}");
    let _ = opencoin(&arguments).refused(1, "the database holds the books of a currency");
}

#[test]
fn the_console_is_open_while_wallets_are_measured() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("bench.json");
    let files = ["--json", json.to_str().unwrap()];
    let table = opencoin(&[&["bench", "--quick", "--parts", "consoles"], &files[..]].concat())
        .success()
        .stdout;
    let part = &read(&json)["consoles"];
    let rounds = |name: &str| part[name].as_array().unwrap().len();
    assert_eq!([rounds("alone"), rounds("with_consoles")], [3, 3], "{part:#}");
    for round in ["alone", "with_consoles"].map(|name| part[name].as_array().unwrap()) {
        round.iter().for_each(check_figures);
    }
    // The first browser asks for both of its pages at once.
    assert!(figure(part, "pages") >= 6.0, "{part:#}");
    assert!(table.contains("renews with the console / alone: "), "{table}");
}

#[test]
fn a_signer_process_is_measured_beside_the_issuer() {
    let folder = tempfile::tempdir().unwrap();
    let (json, svg) = (folder.path().join("bench.json"), folder.path().join("bench.svg"));
    let files = ["--json", json.to_str().unwrap(), "--svg", svg.to_str().unwrap()];
    let table = opencoin(
        &[
            &["bench", "--quick", "--engine", "signer", "--key-primes", "3"],
            &SMALL[..],
            &files[..],
        ]
        .concat(),
    )
    .success()
    .stdout;
    let report = read(&json);
    check_engine(&report, &table, &svg, "signer");
    for cell in report["cells"].as_array().unwrap() {
        check_figures(cell);
        assert_eq!(cell["key_primes"], 3, "{cell:#}");
        assert!(
            figure(cell, "signer_cpu_us_per_coin") > 0.0 || cell["operation"] == "redeem",
            "{cell:#}"
        );
        assert!(figure(cell, "signer_memory_mib") > 0.0, "{cell:#}");
    }
    assert!(
        figure(&report, "signer_memory_peak_mib") > 0.0 && table.contains("signer memory: at most"),
        "{table}"
    );
    assert!(table.contains("audit: every invariant holds"), "{table}");
}

#[test]
fn a_token_is_measured_and_its_keys_are_destroyed() {
    let token = TestToken::create();
    let objects = || objects(&token.tokens_folder());
    let before = objects();
    let folder = tempfile::tempdir().unwrap();
    let (json, svg) = (folder.path().join("bench.json"), folder.path().join("bench.svg"));
    let module = token.module();
    let module = module.to_str().unwrap();
    let bench = |pin: &str, label: &str, options: &[&str]| {
        let (variable, configuration) = token.environment();
        let token = [
            "bench",
            "--quick",
            "--engine",
            "token",
            "--pkcs11-module",
            module,
            "--token-label",
            label,
        ];
        run(
            command().env(variable, configuration).env("OPENCOIN_PIN", pin),
            &[&token, &SMALL[..], options].concat(),
        )
    };

    let files = ["--json", json.to_str().unwrap(), "--svg", svg.to_str().unwrap()];
    let table = bench(PIN, LABEL, &files).success().stdout;
    let report = read(&json);
    check_engine(&report, &table, &svg, "token");
    report["cells"].as_array().unwrap().iter().for_each(check_figures);
    assert!(
        table.contains("mint one signature of the token") && table.contains("audit: every invariant holds"),
        "{table}"
    );
    assert_eq!(objects(), before, "the keys of the run are destroyed");

    let _ = bench(PIN, LABEL, &["--key-bits", "2048,100"]).refused(1, "a mint key of 100 bits");
    assert_eq!(objects(), before, "also when the run fails");
    let _ = bench(PIN, LABEL, &["--key-primes", "3"]).refused(1, "tokens make RSA keys with 2 primes only");
    let _ = bench("0000", LABEL, &[]).refused(1, "refuses the PIN");
    let _ = bench(PIN, "another", &[]).refused(1, "there is no token \"another\"");
}

#[test]
fn lanes_and_primes_are_compared_in_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("bench.json");
    // The first setting comes last, and the parts beside the table are measured with it.
    let options = ["bench", "--quick", "--lanes", "auto,off", "--key-primes", "2,3"];
    let files = ["--operations", "mint", "--json", json.to_str().unwrap()];
    let table = opencoin(&[&options[..], &SMALL[..], &files[..]].concat())
        .success()
        .stdout;
    let report = read(&json);
    let cells = report["cells"].as_array().unwrap();
    let kinds: Vec<(u64, bool)> = cells
        .iter()
        .map(|cell| {
            (
                cell["key_primes"].as_u64().unwrap(),
                cell["in_lanes"].as_bool().unwrap(),
            )
        })
        .collect();
    let lanes = report["lanes"] == "used";
    assert_eq!(kinds, [(2, false), (3, false), (2, lanes), (3, lanes)], "{table}");
}

#[test]
fn the_public_log_is_measured_and_its_books_balance() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("bench.json");
    let options = ["bench", "--quick", "--parts", "log", "--operations", "redeem"];
    let table = opencoin(&[&options[..], &["--json", json.to_str().unwrap()]].concat())
        .success()
        .stdout;
    let report = read(&json);
    check_public_log(&report["public_log"]);
    let mut of_log = targets(&report).filter(|(what, _)| {
        ["a log", "sealing", "witnessed", "leaf", "leaves"]
            .iter()
            .any(|word| what.contains(word))
    });
    assert!(of_log.by_ref().all(|(_, met)| met.is_boolean()), "{report:#}");
    assert!(
        table.contains("refused: nothing") && table.contains("audit: every invariant holds"),
        "{table}"
    );
}

#[test]
fn the_public_log_is_measured_in_another_database() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("bench.json");
    let [database, log_database] = [TestDatabase::create(), TestDatabase::create()];
    let (url, log_url) = (database.url(), log_database.url());
    let options = ["bench", "--quick", "--parts", "log", "--operations", "mint"];
    let databases = ["--database", &url, "--log-database", &log_url];
    let _ = opencoin(&[&options[..], &databases[..2]].concat()).refused(1, "--log-database");
    let _ = opencoin(&[&options[..], &["--engine", "signer"]].concat()).refused(1, "--parts log");
    let table = opencoin(&[&options[..], &databases[..], &["--json", json.to_str().unwrap()]].concat())
        .success()
        .stdout;
    check_public_log(&read(&json)["public_log"]);
    assert!(table.contains("audit: every invariant holds"), "{table}");
}

#[test]
fn a_log_is_written_once_and_replayed_without_an_issuer() {
    let folder = tempfile::tempdir().unwrap();
    let (json, log) = (folder.path().join("bench.json"), folder.path().join("log"));
    let files = [
        "--log-folder",
        log.to_str().unwrap(),
        "--json",
        json.to_str().unwrap(),
    ];
    let replay =
        |leaves: &str| opencoin(&[&["bench", "--parts", "replay", "--leaves", leaves], &files[..]].concat());
    let table = replay("100500").success().stdout;
    let report = read(&json);
    let part = &report["replay"];
    let number = |name: &str| part[name].as_f64().unwrap();
    assert_eq!(
        (number("leaves"), number("batches")),
        (100_500.0, 2.0),
        "{report:#}"
    );
    assert!(number("cpu_seconds") > 0.0 && number("memory_peak_mib") > 0.0);
    assert!(
        report.get("cells").is_none() && table.contains("replay of 100500 leaves"),
        "{table}"
    );
    assert!(targets(&report).all(|(_, met)| met.is_boolean()), "{report:#}");
    assert_eq!(targets(&report).count(), 2);

    let checkpoint = fs::read(log.join("checkpoint")).unwrap();
    let _ = replay("100500").success();
    assert_eq!(fs::read(log.join("checkpoint")).unwrap(), checkpoint);
    let _ = replay("200000").refused(1, "the log has 100500 leaves");
}

#[test]
fn options_that_do_not_fit_the_engine_are_refused() {
    let bench = |options: &[&str]| -> Output {
        run(
            command().env("OPENCOIN_PIN", PIN),
            &[&["bench", "--quick"], options].concat(),
        )
    };
    let token = ["--pkcs11-module", "/nowhere/module.so", "--token-label", "bench"];
    let _ = bench(&[&["--engine", "token"], &token[..]].concat())
        .refused(1, "there is no PKCS#11 module /nowhere/module.so");
    let _ = bench(&["--engine", "token"]).refused(2, "--pkcs11-module");
    let _ = bench(&token).refused(1, "--engine token");
    let _ = bench(&["--engine", "signer", "--lanes", "off"]).refused(1, "only with --engine memory");
    let _ = bench(&["--engine", "cloud"]).refused(2, "possible values: memory, signer, token");
}

#[test]
fn impossible_measurements_are_refused() {
    let _ = opencoin(&["bench", "--quick", "--coins", "0"]).refused(1, "--coins: a request has 1 to 1000");
    let _ = opencoin(&["bench", "--quick", "--seconds-per-cell", "nan"]).refused(2, "more than 0");
    let _ = opencoin(&["bench", "--quick", "--spent-rows", "0"]).refused(2, "--spent-rows");
    let _ = opencoin(&["bench", "--parts", "replay", "--leaves", "1"]).refused(2, "--leaves");
}

fn read(json: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap()
}

fn check_table(table: &str, report: &Value) {
    let cells = report["cells"].as_array().unwrap();
    assert_eq!(
        cells.len(),
        OPERATIONS.len() * COINS.len() * CLIENTS.len(),
        "{table}"
    );
    for operation in OPERATIONS {
        for (coins, clients) in COINS
            .iter()
            .flat_map(|coins| CLIENTS.map(|clients| (*coins, clients)))
        {
            let is_cell = |cell: &&Value| {
                cell["operation"] == operation && cell["coins"] == coins && cell["clients"] == clients
            };
            let cell = cells.iter().find(is_cell).unwrap();
            check_figures(cell);
            let rate = format!("{:.0}", figure(cell, "coins_per_second"));
            assert_eq!(cell["key_primes"], 2, "{cell:#}");
            let lanes = if cell["in_lanes"] == true { "on" } else { "off" };
            let (coins, clients) = (coins.to_string(), clients.to_string());
            let row = [operation, "2048", "2", lanes, &coins, &clients];
            let is_row =
                |line: &&str| line.split_whitespace().take(row.len()).eq(row) && line.contains(&rate);
            assert!(
                table.lines().any(|line| is_row(&line)),
                "{row:?} with {rate} coins/s in:\n{table}"
            );
        }
    }
}

/// Checks the parts of the report beside the table.
fn check_parts(report: &Value) {
    let raw = &report["raw_rsa"][0];
    let [private, public, verification] =
        ["private", "public", "verification"].map(|name| figure(&raw[name], "cpu_us"));
    assert!(
        0.0 < public && public < private && 0.0 < verification && verification < private,
        "{raw:#}"
    );
    let inserts = &report["bare_inserts"];
    assert!(
        figure(inserts, "rows_per_second") > 0.0 && figure(inserts, "cpu_us_per_row") >= 0.0,
        "{inserts:#}"
    );

    let half = &report["half_load"];
    let share = figure(half, "requests_per_second") / figure(&half["best"], "requests_per_second");
    assert!((share - 0.5).abs() < 1e-6, "{half:#}");
    for latencies in [&half["alone"], &half["beside_large"]] {
        assert!(
            figure(latencies, "answered") > 0.0 && figure(latencies, "refused") == 0.0,
            "{half:#}"
        );
        assert!(
            figure(latencies, "p50_ms") > 0.0 && figure(latencies, "p50_ms") <= figure(latencies, "p99_ms"),
            "{half:#}"
        );
    }
    assert!(figure(half, "large_answered") >= 1.0, "{half:#}");

    check_figures(&report["one_by_one"]["in_batches"]);
    check_figures(&report["one_by_one"]["one_by_one"]);
    full_table(report).for_each(check_figures);
}

/// Checks what was measured of the public log, with one operation.
fn check_public_log(log: &Value) {
    let costs = log["costs"].as_array().unwrap();
    assert_eq!(costs.len(), COINS.len(), "{log:#}");
    for cells in costs.iter().flat_map(|cost| [&cost["without"], &cost["with"]]) {
        let cells = cells.as_array().unwrap();
        assert!(!cells.is_empty(), "{log:#}");
        cells.iter().for_each(check_figures);
    }
    let witnessed = &log["witnessed"];
    assert!(
        figure(witnessed, "answered") > 0.0 && witnessed["witnesses"] == 2,
        "{log:#}"
    );
    let [p50, p99, max] = ["p50_ms", "p99_ms", "max_ms"].map(|name| figure(witnessed, name));
    assert!(0.0 < p50 && p50 <= p99 && p99 <= max, "{log:#}");
    let [under_load, alone] = ["under_load", "alone"].map(|name| &log["sealing"][name]);
    for sealing in [under_load, alone] {
        let seconds = sealing["seconds"].as_array().unwrap();
        assert!(
            seconds.iter().all(|seconds| seconds.as_f64() > Some(0.0)),
            "{log:#}"
        );
        assert!(!seconds.is_empty() && figure(sealing, "leaves") > 0.0, "{log:#}");
    }
    for mints in ["before", "meanwhile"].map(|name| &under_load[name]) {
        assert!(
            figure(mints, "answered") > 0.0 && figure(mints, "refused") == 0.0,
            "{log:#}"
        );
    }
    // A leaf and its length have 40 bytes, and a proof has 30 hashes of 44 characters.
    assert!(figure(alone, "bytes_per_leaf") > 40.0, "{log:#}");
    assert!(figure(log, "proof_file_bytes") > 30.0 * 44.0, "{log:#}");
}

/// Checks that table, figures and plot name the engine and its speed alone.
fn check_engine(report: &Value, table: &str, svg: &Path, engine: &str) {
    let named = format!("engine {engine}");
    assert_eq!(report["engine"], engine, "{report:#}");
    let lines = table.lines().filter(|line| line.contains(&named)).count();
    assert_eq!(lines, 2, "what signs, and how fast it is alone:\n{table}");
    let plot = fs::read_to_string(svg).unwrap();
    assert!(plot.contains(&named), "{plot}");
    let [alone] = report["engine_rates"].as_array().unwrap().as_slice() else {
        panic!("one size of keys: {report:#}")
    };
    assert!(
        figure(alone, "signatures_per_second") > 0.0 && figure(alone, "cpu_us_per_signature") > 0.0,
        "{alone:#}"
    );
    for cell in report["cells"].as_array().unwrap() {
        let share = figure(cell, "coins_per_second") / figure(alone, "signatures_per_second");
        let signs = cell["operation"] != "redeem";
        let of_engine = cell["of_engine"].as_f64();
        assert!(
            if signs {
                (of_engine.unwrap() - share).abs() < 1e-6
            } else {
                of_engine.is_none()
            },
            "{cell:#}"
        );
        assert_eq!(
            cell["signer_memory_mib"].is_number(),
            engine == "signer",
            "{cell:#}"
        );
    }
}

/// The files of the objects in a token.
fn objects(folder: &Path) -> Vec<PathBuf> {
    let mut found = all_below(folder);
    found.retain(|path| path.extension().is_some_and(|extension| extension == "object"));
    found
}

/// The measurements before and after the table of spent coins was filled, in pairs with the same load.
fn full_table(report: &Value) -> impl Iterator<Item = &Value> {
    let part = &report["full_table"];
    assert_eq!(part["rows"].to_string(), SPENT_ROWS);
    let [before, after] = ["before", "after"].map(|name| part[name].as_array().unwrap());
    let load = |cell: &Value| ["coins", "clients"].map(|name| cell[name].as_u64());
    assert!(
        !before.is_empty() && before.iter().map(load).eq(after.iter().map(load)),
        "{part:#}"
    );
    before.iter().chain(after)
}

/// The name of each target, and whether it is met.
fn targets(report: &Value) -> impl Iterator<Item = (&str, &Value)> {
    report["targets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|target| (target["what"].as_str().unwrap(), &target["met"]))
}

/// Checks that a cell has answers and consistent latencies.
fn check_figures(cell: &Value) {
    let figure = |name| figure(cell, name);
    assert!(
        figure("coins_per_second") > 0.0 && figure("issuer_memory_mib") > 0.0,
        "{cell:#}"
    );
    let per_request = cell["coins"].as_f64().unwrap();
    assert!(
        (figure("coins_per_second") / figure("requests_per_second") - per_request).abs() < 1e-6,
        "{cell:#}"
    );
    assert!(
        figure("p50_ms") > 0.0 && figure("p50_ms") <= figure("p99_ms"),
        "{cell:#}"
    );
    assert!(cell["refused"].as_object().unwrap().is_empty(), "{cell:#}");
}

fn figure(of: &Value, name: &str) -> f64 {
    of[name].as_f64().unwrap_or_else(|| panic!("{name} in {of:#}"))
}
