//! The server conforms to its OpenAPI description. Schemathesis reads the description from the server, sends valid and
//! invalid requests, and checks every answer: no status 5xx, no undocumented status, content type, header, body or
//! method, and no access without a required token.
//!
//! The number of requests is bounded and their seed fixed. The output of a failed run shows how to repeat a request.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::process::{Command, Stdio};

use opencoin_e2e::{Currency, Database, Process, RFC9474};
use reqwest::blocking::Client;
use serde_json::{Value, json};

/// Schemathesis, installed by `cargo xtask test`.
const SCHEMATHESIS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/schemas/bin/schemathesis");
const SETTINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/openapi/schemathesis.toml");
const HOOKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/openapi/hooks.py");
const SEED: &str = "20261121";
/// The paths of the operator's listener. The description has the paths of both listeners.
const OPERATORS_PATHS: &str = "^/(v1/admin|v1/openapi|health)";
const PAYEE: &str = "bob";

/// A currency whose server also has an operator's listener.
struct Served {
    currency: Currency,
    operators: String,
    server: Process,
    holder: String,
    operator: String,
    http: Client,
}

impl Served {
    fn start(database: Database) -> Self {
        let currency = Currency::make_on(RFC9474, database, &[]);
        let (server, operators) = currency.serve_operators(&[]);
        let holder = currency.account("alice", 1_000_000);
        let _payee = currency.account(PAYEE, 0);
        let operator = currency.admin_token("till");
        Self {
            currency,
            operators,
            server,
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

    /// Runs schemathesis against the server at this URL with this token, and requires that it finds no fault.
    fn check(&self, url: &str, token: &str, options: &[&str]) {
        let program = Path::new(SCHEMATHESIS);
        assert!(
            program.exists(),
            "{} does not exist; `cargo xtask test` installs it",
            program.display()
        );
        let mut schemathesis = Command::new(program);
        schemathesis.args([
            "--config-file",
            SETTINGS,
            "run",
            &format!("{url}/v1/openapi.json"),
        ]);
        schemathesis
            .args(["--no-color", "--seed", SEED])
            .args(options)
            .stdin(Stdio::null());
        schemathesis
            .env("OPENCOIN_FUZZ_TOKEN", token)
            .env("OPENCOIN_FUZZ_PAYEE", PAYEE)
            .env("SCHEMATHESIS_HOOKS", HOOKS);
        // It writes files into its working directory, and must not use a proxy for this machine.
        schemathesis
            .current_dir(self.currency.dir().parent().unwrap())
            .env("NO_PROXY", "127.0.0.1");
        let output = schemathesis.output().unwrap();
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

    /// Stops the server, and checks its log and the audit.
    fn end(self) {
        self.server.stop();
        let log = self.currency.log();
        // An operator's request may stop a mint key, which is meant to be heard.
        let is_fault =
            |line: &&str| line.contains("ERROR") && !line.contains("ALARM: a mint key was stopped");
        assert_eq!(log.lines().find(is_fault), None, "{log}");
        assert!(!log.contains("panicked"), "{log}");
        self.currency.audit();
    }
}

#[test]
fn the_server_conforms_to_its_description() {
    let served = Served::start(Database::Sqlite);
    served.check(&served.public(), &served.holder, &[]);
    let entries = served
        .http
        .get(served.currency.url("/v1/account/entries"))
        .bearer_auth(&served.holder)
        .send()
        .unwrap();
    assert!(
        entries.text().unwrap().contains("\"transfer\""),
        "no transfer succeeded"
    );
    served.check(
        &served.operators,
        &served.operator,
        &["--include-path-regex", OPERATORS_PATHS],
    );
    served.end();
}

/// Most requests of a service are refused, as described. Its session is still valid at the end.
#[test]
fn the_server_conforms_to_its_description_for_services() {
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
        // The excluded request would end the session.
        served.check(
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
fn the_server_conforms_to_its_description_on_postgres() {
    let served = Served::start(Database::Postgres);
    let few = ["--phases", "fuzzing,stateful", "-n", "3"];
    served.check(&served.public(), &served.holder, &few);
    served.check(
        &served.operators,
        &served.operator,
        &[&few[..], &["--include-path-regex", OPERATORS_PATHS]].concat(),
    );
    served.end();
}
