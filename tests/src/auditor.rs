//! An auditor as its operator runs it.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::files::text;
use crate::{Log, Process, command, free_port, get_text, opencoin, wait_for};

/// An auditor in a temporary folder.
pub struct Auditor {
    folder: TempDir,
    /// Its public key.
    pub vkey: String,
    /// The port for everybody.
    pub port: u16,
    /// What its servers have logged.
    pub logged: Log,
}

impl Auditor {
    /// Makes an auditor with this name.
    #[must_use]
    pub fn make(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("auditor");
        let init = ["auditor", "init", "--json", "--name", name, "--dir", text(&dir)];
        let made = opencoin(&init).success().json();
        Self {
            folder,
            vkey: made["vkey"].as_str().unwrap().to_owned(),
            port: free_port(),
            logged: Log::default(),
        }
    }

    /// The folder of the auditor.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("auditor")
    }

    /// The command that starts its server. It follows these issuers too.
    #[must_use]
    pub fn command(&self, issuers: &[&str], options: &[&str]) -> Command {
        let (dir, listen) = (self.dir(), format!("127.0.0.1:{}", self.port));
        let mut command = command();
        command.args(["auditor", "serve", "--dir", text(&dir), "--listen", &listen]);
        command.args(["--every", "200ms", "--requests-per-second", "0"]);
        command.args(options).args(issuers);
        command
    }

    /// Starts its server, which follows these issuers too. `options` are further options of the command.
    #[must_use]
    pub fn serve(&self, issuers: &[&str], options: &[&str]) -> Process {
        // Alarms are what the tests provoke.
        let mut command = self.command(issuers, options);
        Process::start(command.env("OPENCOIN_LOG", "off"), "serving ", &self.logged)
    }

    /// The URL of a path of its server.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What it says of all logs that it follows.
    #[must_use]
    pub fn statuses(&self) -> Vec<Value> {
        let status: Value = serde_json::from_str(&get_text(&self.url("/status.json"))).unwrap();
        status["currencies"].as_array().unwrap().clone()
    }

    /// What it says of the log with this origin.
    #[must_use]
    pub fn status(&self, origin: &str) -> Value {
        let statuses = self.statuses();
        let found = statuses.iter().find(|status| status["origin"] == origin);
        found
            .unwrap_or_else(|| panic!("{origin} in {statuses:#?}"))
            .clone()
    }

    /// Waits until what it says of a log is as `is_meant` says.
    pub fn wait_for_status(&self, what: &str, origin: &str, is_meant: impl Fn(&Value) -> bool) -> Value {
        wait_for(what, || {
            let status = self.status(origin);
            if is_meant(&status) {
                Ok(status)
            } else {
                Err(status)
            }
        })
    }

    /// The checkpoint of this log that it has cosigned last; `None` if there is none.
    #[must_use]
    pub fn cosigned(&self, status: &Value) -> Option<String> {
        let hash = status["origin_hash"].as_str().unwrap();
        let answer = reqwest::blocking::get(self.url(&format!("/{hash}/checkpoint"))).unwrap();
        answer.status().is_success().then(|| answer.text().unwrap())
    }

    /// The files of evidence that it has against a log: kind and text.
    #[must_use]
    pub fn evidence(&self, origin: &str) -> Vec<(String, String)> {
        let list: Value = serde_json::from_str(&get_text(&self.url("/evidence"))).unwrap();
        let list = list.as_array().unwrap().iter();
        list.filter(|entry| entry["origin"] == origin)
            .map(|entry| {
                let id = entry["id"].as_str().unwrap();
                let kind = entry["kind"].as_str().unwrap().to_owned();
                (kind, get_text(&self.url(&format!("/evidence/{id}"))))
            })
            .collect()
    }
}
