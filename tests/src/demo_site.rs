//! A demo that serves pages: a real process with accounts, coins and payouts.

use std::collections::BTreeMap;
use std::path::Path;

use crate::process::{Log, Process};
use crate::program::command;

/// The last words that the demo prints when it serves.
const READY: &str = "All of it is forgotten";

/// A demo that serves on free ports. Killed when dropped.
pub struct DemoSite {
    process: Process,
    /// The address of the pages for everybody.
    pub public: String,
    /// The address of the operator's pages.
    pub operator: String,
    /// The operator's token.
    pub token: String,
    /// The passphrase of the master key.
    pub passphrase: String,
    /// The token of a second operator.
    pub second_token: String,
    /// The passwords of the accounts.
    pub passwords: BTreeMap<String, String>,
}

impl DemoSite {
    /// Starts a demo with its files below this folder, on a free port.
    #[must_use]
    pub fn start(folder: &Path) -> Self {
        Self::start_with(folder, &["--listen", "127.0.0.1:0"])
    }

    /// Starts a demo with these options.
    #[must_use]
    pub fn start_with(folder: &Path, options: &[&str]) -> Self {
        let mut demo = command();
        demo.env("TMPDIR", folder).args(["demo", "--serve"]).args(options);
        let process = Process::start(&mut demo, READY, &Log::default());
        let printed = process.printed().join("\n");
        let words: Vec<&str> = printed.split_whitespace().collect();
        let after = |word: &str| {
            let place = words.iter().position(|printed| *printed == word);
            let found = place.and_then(|place| words.get(place + 1));
            (*found.unwrap_or_else(|| panic!("no {word} in {printed}"))).to_owned()
        };
        let address = |word| after(word).trim_end_matches('/').to_owned();
        let passwords = words
            .windows(3)
            .filter(|words| words[1] == "password")
            .map(|words| (words[0].to_owned(), words[2].to_owned()));
        Self {
            public: address("everybody"),
            operator: address("operators").trim_end_matches("/console").to_owned(),
            token: after("token"),
            passphrase: after("passphrase"),
            second_token: second_token(&words),
            passwords: passwords.collect(),
            process,
        }
    }

    /// Stops it as Ctrl-C or an operator does (SIGTERM).
    pub fn stop(self) {
        self.process.stop();
    }
}

/// The token of the operator who is printed after the first one.
fn second_token(words: &[&str]) -> String {
    let mut tokens = words.windows(2).filter(|words| words[0] == "token");
    tokens.nth(1).expect("a demo has two operators")[1].to_owned()
}
