//! The fixture of most tests: a currency, its database and its server process.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use opencoin_testkit::postgres::TestDatabase;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    Log, Output, Process, Rows, SERVER_LINE, SIGNER_LINE, Wallet, command, free_port, get_text, run, sqlite,
    wait_until,
};

/// The URL of a ledger in SQLite in the currency's folder.
pub const SQLITE: &str = "sqlite:ledger.sqlite";

/// Settings of the shortest rhythm of the public log: a batch a second, if anything waits.
pub const SHORT_LOG_RHYTHM: [(&str, &str); 3] = [
    ("OPENCOIN_ISSUER_PUBLIC_LOG_EVERY", "1s"),
    ("OPENCOIN_ISSUER_PUBLIC_LOG_LEAVES_MIN", "1"),
    ("OPENCOIN_ISSUER_PUBLIC_LOG_LATEST", "1s"),
];

/// The database of a currency's ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// SQLite, in the currency's folder.
    Sqlite,
    /// A fresh database on the PostgreSQL server that the tests share.
    Postgres,
}

/// A currency in a temporary folder, and its server.
pub struct Currency {
    folder: TempDir,
    port: u16,
    server: Option<Process>,
    log: Log,
    database: Option<TestDatabase>,
    /// Additional environment variables of its programs.
    environment: Vec<(&'static str, OsString)>,
}

impl Currency {
    /// Makes a currency with the denominations 1, 2, 5, 10 and starts its server.
    #[must_use]
    pub fn start(suite: &str, database: Database) -> Self {
        let mut currency = Self::make_on(suite, database, &[]);
        currency.serve();
        currency
    }

    /// Makes a currency without a server. `options` are further options of `issuer init`.
    #[must_use]
    pub fn make(suite: &str, database_url: &str, options: &[&str]) -> Self {
        Self::init(Vec::new(), suite, database_url, options)
    }

    /// As [`Self::make`], with the ledger in its own database.
    #[must_use]
    pub fn make_on(suite: &str, database: Database, options: &[&str]) -> Self {
        Self::make_in(Vec::new(), suite, database, options)
    }

    /// As [`Self::make_on`], with environment variables for the currency's programs.
    #[must_use]
    pub fn make_in(
        environment: Vec<(&'static str, OsString)>,
        suite: &str,
        database: Database,
        options: &[&str],
    ) -> Self {
        match database {
            Database::Sqlite => Self::init(environment, suite, SQLITE, options),
            Database::Postgres => Self::init_in(environment, suite, TestDatabase::create(), options),
        }
    }

    /// As [`Self::make`], with the ledger in this database.
    #[must_use]
    pub fn make_with(suite: &str, database: TestDatabase, options: &[&str]) -> Self {
        Self::init_in(Vec::new(), suite, database, options)
    }

    fn init_in(
        environment: Vec<(&'static str, OsString)>,
        suite: &str,
        database: TestDatabase,
        options: &[&str],
    ) -> Self {
        let mut currency = Self::init(environment, suite, &database.url(), options);
        currency.database = Some(database);
        currency
    }

    fn init(
        environment: Vec<(&'static str, OsString)>,
        suite: &str,
        database_url: &str,
        options: &[&str],
    ) -> Self {
        let currency = Self {
            folder: tempfile::tempdir().unwrap(),
            port: free_port(),
            server: None,
            log: Log::default(),
            database: None,
            environment,
        };
        let base = currency.url("");
        let mut init = vec!["init", "--name", "OpenCent", "--database", database_url];
        init.extend(["--cipher-suite", suite]);
        // The options of the test have priority. Amounts in tests count the smallest unit.
        for (option, value) in [
            ("--divisor", "1"),
            ("--denominations", "1,2,5,10"),
            ("--url", &base),
        ] {
            if !options.contains(&option) {
                init.extend([option, value]);
            }
        }
        currency.issuer(&[&init[..], options].concat());
        currency
    }

    /// The currency's folder.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("currency")
    }

    /// The port in its URL, where its server listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A path for another file or folder of the test.
    #[must_use]
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The URL of a path of the server.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Runs `opencoin issuer ARGUMENTS --dir D` and requires success.
    pub fn issuer(&self, arguments: &[&str]) -> Output {
        self.issuer_unchecked(arguments).success()
    }

    /// Runs `opencoin issuer ARGUMENTS --dir D`.
    pub fn issuer_unchecked(&self, arguments: &[&str]) -> Output {
        let dir = self.dir();
        let all = [&["issuer"], arguments, &["--dir", dir.to_str().unwrap()]].concat();
        run(&mut self.command(), &all)
    }

    /// Opens an account, credits it, and returns its token.
    pub fn account(&self, name: &str, amount: u64) -> String {
        let created = self.issuer(&["account", "create", name, "--json"]).json();
        if amount > 0 {
            self.credit(name, amount, &format!("opening {name}"));
        }
        created["token"].as_str().unwrap().to_owned()
    }

    /// Credits an account.
    pub fn credit(&self, name: &str, amount: u64, reference: &str) {
        let amount = amount.to_string();
        self.issuer(&["account", "credit", name, &amount, "--reference", reference]);
    }

    /// The balance of an account.
    #[must_use]
    pub fn balance(&self, name: &str) -> u64 {
        self.issuer(&["account", "show", name, "--json"]).json()["balance"]
            .as_u64()
            .unwrap()
    }

    /// Runs the audit, requires that it passes, and returns its report.
    pub fn audit(&self) -> Value {
        let report = self.issuer(&["audit", "--json"]).json();
        assert_eq!(report["holds"], Value::Bool(true), "{report:#}");
        report
    }

    /// All mint keys, from `keys list`.
    #[must_use]
    pub fn keys(&self) -> Vec<Value> {
        let keys = self.issuer(&["keys", "list", "--json"]).json();
        keys.as_array().unwrap().clone()
    }

    /// The ids of the mint keys that the server publishes for new coins.
    #[must_use]
    pub fn published_keys(&self) -> BTreeSet<String> {
        let keys: Value = serde_json::from_str(&get_text(&self.url("/mkcs"))).unwrap();
        let ids = keys.as_array().unwrap().iter();
        ids.map(|mkc| mkc["mint_key"]["id"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Waits until the server publishes this mint key for new coins.
    pub fn wait_until_published(&self, key_id: &str) {
        wait_until("the mint key is published", || {
            self.published_keys().contains(key_id)
        });
    }

    /// Creates a token for the operator's API.
    #[must_use]
    pub fn admin_token(&self, name: &str) -> String {
        let created = self.issuer(&["admin-token", "create", name, "--json"]).json();
        created["token"].as_str().unwrap().to_owned()
    }

    /// Creates a wallet in the folder `name` and adds this currency to it.
    #[must_use]
    pub fn wallet(&self, name: &str) -> Wallet {
        let wallet = Wallet::new(&self.scratch(name));
        wallet.run(&["add", &self.url("")]);
        wallet
    }

    /// The file of a ledger in SQLite.
    #[must_use]
    pub fn ledger_file(&self) -> PathBuf {
        self.dir().join("ledger.sqlite")
    }

    /// Reads the ledger, bypassing the program.
    #[must_use]
    pub fn rows(&self) -> Rows<'_> {
        match &self.database {
            Some(database) => Rows::Postgres(database),
            None => Rows::Sqlite(self.ledger_file()),
        }
    }

    /// The ledger's own database in PostgreSQL.
    #[must_use]
    pub fn database(&self) -> &TestDatabase {
        self.database.as_ref().unwrap()
    }

    /// Runs statements in the ledger, bypassing the program.
    pub fn change_ledger(&self, statements: &str) {
        match &self.database {
            Some(database) => database.execute(statements),
            None => sqlite::execute(&self.ledger_file(), statements).unwrap(),
        }
    }

    /// Starts the server and waits until it accepts connections.
    pub fn serve(&mut self) {
        assert!(self.server.is_none(), "one server at a time");
        self.server = Some(self.serve_on(self.port));
    }

    /// Starts an additional server of this currency.
    #[must_use]
    pub fn serve_on(&self, port: u16) -> Process {
        self.serve_with(port, &[])
    }

    /// Starts an additional server with further options.
    #[must_use]
    pub fn serve_with(&self, port: u16, options: &[&str]) -> Process {
        let listen = format!("127.0.0.1:{port}");
        let serve = [&["issuer", "serve", "--listen", &listen], options].concat();
        self.process(&serve, SERVER_LINE)
    }

    /// Starts a server on the currency's port that also has an operator's listener. Returns the listener's URL.
    #[must_use]
    pub fn serve_operators(&self, options: &[&str]) -> (Process, String) {
        let listen = format!("127.0.0.1:{}", free_port());
        let server = self.serve_with(self.port, &[&["--admin-listen", &listen], options].concat());
        (server, format!("http://{listen}"))
    }

    /// Starts the process that signs for the servers of this currency.
    #[must_use]
    pub fn signer(&self) -> Process {
        self.process(&["signer"], SIGNER_LINE)
    }

    /// The binary with this currency's environment.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = command();
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The environment variables of its programs.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        self.environment.clone()
    }

    fn process(&self, arguments: &[&str], ready: &str) -> Process {
        let mut command = self.command();
        command.args(arguments).arg("--dir").arg(self.dir());
        if !self.environment.iter().any(|(name, _)| *name == "OPENCOIN_LOG") {
            command.env("OPENCOIN_LOG", "warn");
        }
        Process::start(&mut command, ready, &self.log)
    }

    /// Sets an environment variable of the programs that start from now on.
    pub fn set_variable(&mut self, name: &'static str, value: &str) {
        self.environment.push((name, value.into()));
    }

    /// Lets servers that start from now on seal a batch of the public log every second.
    pub fn seal_every_second(&mut self) {
        for (name, value) in SHORT_LOG_RHYTHM {
            self.set_variable(name, value);
        }
    }

    /// The key of the public log.
    #[must_use]
    pub fn log_key(&self) -> String {
        let status = self.issuer(&["log", "status", "--json"]).json();
        status["key"].as_str().unwrap().to_owned()
    }

    /// Waits until everything that was accepted is in the published log.
    pub fn wait_until_all_is_published(&self) {
        let rows = self.rows();
        wait_until("all that waits is published", || {
            rows.number(
                "SELECT (SELECT count(*) FROM log_pending) + size
                    - (SELECT coalesce(max(size), 0) FROM log_checkpoint) FROM log_head",
            ) == 0
        });
    }

    /// The server's process id.
    #[must_use]
    pub fn server_id(&self) -> u32 {
        self.server.as_ref().unwrap().id()
    }

    /// What the servers and signers of this currency have logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Stops the server as an operator does (SIGTERM) and requires exit code 0.
    pub fn stop(&mut self) {
        self.server.take().unwrap().stop();
    }

    /// Ends the server as a crash does (SIGKILL).
    pub fn kill(&mut self) {
        self.server.take().unwrap().kill();
    }
}

/// The samples of an operator's listener, by name and labels.
#[must_use]
pub fn metrics(operators: &str) -> BTreeMap<String, f64> {
    let text = get_text(&format!("{operators}/metrics"));
    assert!(text.ends_with("# EOF\n"), "{text}");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}
