//! The server keeps to its own description: schemathesis reads it from the server, asks whatever it allows
//! and much that it does not, and compares every answer: no failure of the server's own, no status, type of
//! content, header or body that is not described, no method beside those that are, nothing without a token
//! that needs one.
//!
//! The number of questions is bounded and their seed fixed; the output of a run that found something shows
//! how to ask again.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::process::{Command, Stdio};

use opencoin_e2e::{Currency, Database, Log, Process, RFC9474, free_port};
use reqwest::blocking::Client;
use serde_json::{Value, json};

/// Where `cargo xtask test` has put schemathesis.
const SCHEMATHESIS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/schemas/bin/schemathesis");
const SETTINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/openapi/schemathesis.toml");
const HOOKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/openapi/hooks.py");
const SEED: &str = "20261121";
/// What the operator's listener serves of the description, which names the paths of both.
const OPERATORS_PATHS: &str = "^/(v1/admin|v1/openapi|health)";
const PAYEE: &str = "bob";

/// A currency whose server listens to operators as well.
struct Served {
    currency: Currency,
    operators: String,
    server: Process,
    log: Log,
    holder: String,
    operator: String,
    http: Client,
}

impl Served {
    fn start(database: Database) -> Self {
        let mut currency = Currency::start(RFC9474, database);
        currency.stop();
        let operators = format!("127.0.0.1:{}", free_port());
        let (log, mut command) = (Log::default(), currency.command());
        command.args([
            "issuer",
            "serve",
            "--listen",
            &format!("127.0.0.1:{}", currency.port()),
        ]);
        command
            .args(["--admin-listen", &operators, "--dir"])
            .arg(currency.dir())
            .env("OPENCOIN_LOG", "warn");
        let server = Process::start(&mut command, "serving ", &log);
        let holder = currency.account("alice", 1_000_000);
        let _payee = currency.account(PAYEE, 0);
        let operator = currency
            .issuer(&["admin-token", "create", "till", "--json"])
            .json();
        let operator = operator["token"].as_str().unwrap().to_owned();
        Self {
            currency,
            operators: format!("http://{operators}"),
            server,
            log,
            holder,
            operator,
            http: Client::new(),
        }
    }

    fn public(&self) -> String {
        self.currency.url("")
    }

    fn post(&self, path: &str, token: Option<&str>, body: &Value) -> Value {
        let mut request = self.http.post(self.currency.url(path)).body(body.to_string());
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        serde_json::from_str(&answer.text().unwrap()).unwrap()
    }

    /// The token of a service with these scopes.
    fn service(&self, name: &str, scopes: &[&str]) -> String {
        let declared = self.post(
            "/v1/services",
            Some(&self.holder),
            &json!({ "name": name, "scopes": scopes }),
        );
        let login = json!({ "id": declared["id"], "key": declared["key"] });
        self.post("/v1/services/session", None, &login)["token"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Asks the server of this URL with this token, and demands that all answers are as described.
    fn ask(&self, url: &str, token: &str, options: &[&str]) {
        let program = Path::new(SCHEMATHESIS);
        assert!(
            program.exists(),
            "{} is not there; `cargo xtask test` makes it",
            program.display()
        );
        let mut ask = Command::new(program);
        ask.args([
            "--config-file",
            SETTINGS,
            "run",
            &format!("{url}/v1/openapi.json"),
        ]);
        ask.args(["--no-color", "--seed", SEED])
            .args(options)
            .stdin(Stdio::null());
        ask.env("OPENCOIN_FUZZ_TOKEN", token)
            .env("OPENCOIN_FUZZ_PAYEE", PAYEE)
            .env("SCHEMATHESIS_HOOKS", HOOKS);
        // It keeps files beside it, and must not ask a proxy for this machine.
        ask.current_dir(self.currency.dir().parent().unwrap())
            .env("NO_PROXY", "127.0.0.1");
        let output = ask.output().unwrap();
        let (said, errors) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            output.status.success(),
            "schemathesis {options:?}, {}:\n{said}{errors}",
            output.status
        );
        assert!(said.contains(&format!("Seed: {SEED}")), "{said}");
    }

    /// Ends the server: it has panicked at nothing, and no money came from nowhere.
    fn end(self) {
        self.server.stop();
        let log = self.log.text();
        assert!(!log.contains("panicked") && !log.contains("ERROR"), "{log}");
        self.currency.audit();
    }
}

#[test]
fn the_server_keeps_to_its_description() {
    let served = Served::start(Database::Sqlite);
    served.ask(&served.public(), &served.holder, &[]);
    let entries = served
        .http
        .get(served.currency.url("/v1/account/entries"))
        .bearer_auth(&served.holder)
        .send()
        .unwrap();
    assert!(
        entries.text().unwrap().contains("\"transfer\""),
        "something was done"
    );
    served.ask(
        &served.operators,
        &served.operator,
        &["--include-path-regex", OPERATORS_PATHS],
    );
    served.end();
}

/// Most of it is refused to a service, in the words that are described; the session is asked for once more at
/// the end.
#[test]
fn the_server_keeps_to_its_description_towards_services() {
    let served = Served::start(Database::Sqlite);
    let options = [
        "--phases",
        "fuzzing",
        "-n",
        "2",
        "--exclude-checks",
        "positive_data_acceptance",
    ];
    for (name, scopes) in [("reader", ["read"].as_slice()), ("till", &["mint", "redeem"])] {
        let token = served.service(name, scopes);
        // It would end itself.
        served.ask(
            &served.public(),
            &token,
            &[&options[..], &["--exclude-name", "DELETE /v1/sessions"]].concat(),
        );
        let balance = served
            .http
            .get(served.currency.url("/v1/account/balance"))
            .bearer_auth(&token)
            .send()
            .unwrap();
        assert_eq!(
            balance.status().as_u16(),
            if scopes == ["read"] { 200 } else { 403 }
        );
    }
    served.end();
}

#[test]
fn the_server_keeps_to_its_description_on_postgres() {
    let served = Served::start(Database::Postgres);
    let few = ["--phases", "fuzzing,stateful", "-n", "3"];
    served.ask(&served.public(), &served.holder, &few);
    served.ask(
        &served.operators,
        &served.operator,
        &[&few[..], &["--include-path-regex", OPERATORS_PATHS]].concat(),
    );
    served.end();
}
