//! A witness of transparency logs as its operator runs it.

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::files::text;
use crate::{Log, Output, Process, command, free_port, opencoin};

/// The name of the witness.
pub const WITNESS_NAME: &str = "witness.example/ours";

/// A witness in a temporary folder.
pub struct Witness {
    /// Its keys and database are in the folder `witness` in this one.
    pub folder: TempDir,
    /// Its public keys.
    pub vkeys: Vec<String>,
    /// The port for logs and monitors.
    pub port: u16,
    /// The port for operators.
    pub operator_port: u16,
    /// What its servers have logged.
    pub logged: Log,
}

impl Witness {
    /// Makes a witness with these flags.
    #[must_use]
    pub fn make(flags: &[&str]) -> Self {
        Self::named(WITNESS_NAME, flags)
    }

    /// Makes a witness with this name and these flags.
    #[must_use]
    pub fn named(name: &str, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("witness");
        let init = ["witness", "init", "--json", "--name", name, "--dir", text(&dir)];
        let made = opencoin(&[&init[..], flags].concat()).success().json();
        assert_eq!(made["name"], name);
        let vkeys = made["vkeys"].as_array().unwrap().iter();
        Self {
            vkeys: vkeys.map(|vkey| vkey.as_str().unwrap().to_owned()).collect(),
            folder,
            port: free_port(),
            operator_port: free_port(),
            logged: Log::default(),
        }
    }

    /// The folder of the witness.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("witness")
    }

    /// Runs `opencoin witness COMMAND --dir D --json ARGUMENTS`.
    pub fn run(&self, command: &str, arguments: &[&str]) -> Output {
        let dir = self.dir();
        opencoin(&[&["witness", command, "--json", "--dir", text(&dir)], arguments].concat())
    }

    /// Starts its server.
    #[must_use]
    pub fn serve(&self) -> Process {
        let dir = self.dir();
        let [address, operators] = [self.port, self.operator_port].map(|port| format!("127.0.0.1:{port}"));
        let mut command = command();
        command.args(["witness", "serve", "--dir", text(&dir), "--listen", &address]);
        command.args(["--admin-listen", &operators]);
        Process::start(&mut command, "serving the witness ", &self.logged)
    }

    /// The prefix for submissions and monitors.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What `list` says of its only log.
    #[must_use]
    pub fn log(&self) -> Value {
        self.run("list", &[]).success().json()[0].clone()
    }
}
