//! What end-to-end tests share: a currency with a real server process, the real binary, and a wallet that
//! knows nothing of this project's libraries.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "helpers of tests")]

mod cutting_proxy;
pub mod deploy;
pub mod failover;
pub mod foreign_wallet;
mod process;
mod program;
pub mod raw_http;
mod round_robin;
pub mod thief;
pub mod torture;

use std::ffi::OsString;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use opencoin_testkit::postgres::TestDatabase;
use serde_json::Value;
use tempfile::TempDir;

pub use cutting_proxy::{Answers, CuttingProxy};
pub use process::{Log, Process};
pub use program::{MASTER_PASSPHRASE, Output, PASSPHRASE, command, opencoin, run};
pub use round_robin::RoundRobin;

/// The suite of the specification's own run.
pub const CHAUM82: &str = "RSA-SHA256-PSS-CHAUM82";
/// The default suite.
pub const RFC9474: &str = "RSA-SHA384-PSS-RFC9474";

/// Where ports are looked for; each process begins somewhere else.
const FIRST_PORT: u16 = 15_000;
const PORTS: u32 = 15_000;
const PORT_STEP: u32 = 97;
/// What a server says when it can be reached.
const SERVER_LINE: &str = "serving ";
/// What a signer says when it can be reached.
const SIGNER_LINE: &str = "signing for ";

/// Where the books of a test are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// In the currency's folder.
    Sqlite,
    /// A database of its own on the server that the tests share.
    Postgres,
}

/// A currency in a folder of its own, and its server.
pub struct Currency {
    folder: TempDir,
    port: u16,
    server: Option<Process>,
    log: Log,
    database: Option<TestDatabase>,
    /// What its programs need in their environment besides: the place of a token, its PIN.
    environment: Vec<(&'static str, OsString)>,
}

impl Currency {
    /// Makes a currency of 1, 2, 5, 10 and starts serving it.
    #[must_use]
    pub fn start(suite: &str, database: Database) -> Self {
        let test_database = (database == Database::Postgres).then(TestDatabase::create);
        let url = test_database
            .as_ref()
            .map_or_else(|| "sqlite:ledger.sqlite".to_owned(), |database| database.url());
        let mut currency = Self::start_on(suite, &url);
        currency.database = test_database;
        currency
    }

    /// The same with its books in the database of this URL.
    #[must_use]
    pub fn start_on(suite: &str, database_url: &str) -> Self {
        let mut currency = Self::make(suite, database_url, &[]);
        currency.serve();
        currency
    }

    /// The same with further options of `issuer init`, and without a server.
    #[must_use]
    pub fn make(suite: &str, database_url: &str, options: &[&str]) -> Self {
        Self::make_in(Vec::new(), suite, database_url, options)
    }

    /// The same with all programs in this environment.
    #[must_use]
    pub fn make_in(
        environment: Vec<(&'static str, OsString)>,
        suite: &str,
        database_url: &str,
        options: &[&str],
    ) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let currency = Self {
            folder,
            port,
            server: None,
            log: Log::default(),
            database: None,
            environment,
        };
        let base = currency.url("");
        let mut init = vec![
            "init",
            "--name",
            "OpenCent",
            "--database",
            database_url,
            "--cipher-suite",
            suite,
        ];
        // Amounts in tests count the smallest unit, unless a test is about amounts.
        for (option, value) in [("--divisor", "1"), ("--denominations", "1,2,5,10")] {
            if !options.contains(&option) {
                init.extend([option, value]);
            }
        }
        // A currency behind a proxy of the test has a URL of its own.
        if !options.contains(&"--url") {
            init.extend(["--url", &base]);
        }
        currency.issuer(&[&init[..], options].concat());
        currency
    }

    /// Where the currency is.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("currency")
    }

    /// The port in its URL, where its server listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A path for a file of the test's own.
    #[must_use]
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The URL of a path of the server.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Runs `opencoin issuer ARGUMENTS --dir D` and demands success.
    pub fn issuer(&self, arguments: &[&str]) -> Output {
        self.issuer_unchecked(arguments).success()
    }

    /// Runs `opencoin issuer ARGUMENTS --dir D`.
    pub fn issuer_unchecked(&self, arguments: &[&str]) -> Output {
        let dir = self.dir();
        let mut all = vec!["issuer"];
        all.extend(arguments);
        all.extend(["--dir", dir.to_str().unwrap()]);
        run(&mut self.command(), &all)
    }

    /// Opens an account, credits it, and gives its token.
    pub fn account(&self, name: &str, amount: u64) -> String {
        let created: Value = self.issuer(&["account", "create", name, "--json"]).json();
        if amount > 0 {
            self.issuer(&[
                "account",
                "credit",
                name,
                &amount.to_string(),
                "--reference",
                &format!("opening {name}"),
            ]);
        }
        created["token"].as_str().unwrap().to_owned()
    }

    /// What an account holds.
    #[must_use]
    pub fn balance(&self, name: &str) -> u64 {
        self.issuer(&["account", "show", name, "--json"]).json()["balance"]
            .as_u64()
            .unwrap()
    }

    /// Runs the audit and demands that it passes.
    pub fn audit(&self) {
        let report = self.issuer(&["audit", "--json"]).json();
        assert_eq!(report["holds"], Value::Bool(true), "{report:#}");
    }

    /// Starts the server and waits until it serves.
    pub fn serve(&mut self) {
        assert!(self.server.is_none(), "one server at a time");
        self.server = Some(self.serve_on(self.port));
    }

    /// Starts one more server of this currency.
    #[must_use]
    pub fn serve_on(&self, port: u16) -> Process {
        self.serve_with(port, &[])
    }

    /// The same with more options.
    #[must_use]
    pub fn serve_with(&self, port: u16, options: &[&str]) -> Process {
        let listen = format!("127.0.0.1:{port}");
        self.process(
            &[&["issuer", "serve", "--listen", &listen], options].concat(),
            SERVER_LINE,
        )
    }

    /// Starts the process that signs for the servers of this currency.
    #[must_use]
    pub fn signer(&self) -> Process {
        self.process(&["signer"], SIGNER_LINE)
    }

    /// The binary in this currency's environment.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = command();
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    fn process(&self, arguments: &[&str], ready: &str) -> Process {
        let mut command = self.command();
        command
            .args(arguments)
            .arg("--dir")
            .arg(self.dir())
            .env("OPENCOIN_LOG", "warn");
        Process::start(&mut command, ready, &self.log)
    }

    /// The server's process id.
    #[must_use]
    pub fn server_id(&self) -> u32 {
        self.server.as_ref().unwrap().id()
    }

    /// What the servers of this currency have logged so far: warnings, errors, panics.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Ends the server as an operator does (SIGTERM) and demands exit code 0.
    pub fn stop(&mut self) {
        self.server.take().unwrap().stop();
    }

    /// Ends the server as a crash does (SIGKILL).
    pub fn kill(&mut self) {
        self.server.take().unwrap().kill();
    }
}

/// A wallet of `opencoin wallet` in a folder.
pub struct Wallet {
    dir: PathBuf,
}

impl Wallet {
    /// A wallet in this folder.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Runs `opencoin wallet ARGUMENTS --dir W` and demands success.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.run_unchecked(arguments).success()
    }

    /// Runs `opencoin wallet ARGUMENTS --dir W`.
    pub fn run_unchecked(&self, arguments: &[&str]) -> Output {
        let mut all = vec!["wallet"];
        all.extend(arguments);
        all.extend(["--dir", self.dir.to_str().unwrap()]);
        opencoin(&all)
    }

    /// What it holds, by `balance --json`.
    #[must_use]
    pub fn balance(&self) -> u64 {
        self.run(&["balance", "--json"]).json()["balance"]
            .as_u64()
            .unwrap()
    }
}

/// A port that nobody listens on, outside the range from which the system gives ports to clients: nobody
/// takes it while a currency is made.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let candidate = (std::process::id().wrapping_mul(PORT_STEP))
            .wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed))
            % PORTS;
        let port = FIRST_PORT + u16::try_from(candidate).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
