//! The wallet of the real program.

use std::path::{Path, PathBuf};

use crate::{Output, opencoin};

/// A wallet of `opencoin wallet` in a folder.
pub struct Wallet {
    dir: PathBuf,
}

impl Wallet {
    /// A wallet in this folder, which the first command creates.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Runs `opencoin wallet ARGUMENTS --dir W` and requires success.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.run_unchecked(arguments).success()
    }

    /// Runs `opencoin wallet ARGUMENTS --dir W`.
    pub fn run_unchecked(&self, arguments: &[&str]) -> Output {
        let dir = self.dir.to_str().unwrap();
        opencoin(&[&["wallet"], arguments, &["--dir", dir]].concat())
    }

    /// Runs `opencoin key ARGUMENTS --dir W` and requires success.
    pub fn key(&self, arguments: &[&str]) -> Output {
        self.key_unchecked(arguments).success()
    }

    /// Runs `opencoin key ARGUMENTS --dir W`.
    pub fn key_unchecked(&self, arguments: &[&str]) -> Output {
        let dir = self.dir.to_str().unwrap();
        opencoin(&[&["key"], arguments, &["--dir", dir]].concat())
    }

    /// Makes a key and introduces it.
    #[must_use]
    pub fn introduced_key(&self) -> String {
        let made = self.key(&["new", "--json"]).json();
        let key = made["key"].as_str().unwrap().to_owned();
        self.key(&["introduce", "--key", &key]);
        key
    }

    /// What a key account holds, as the log proves it.
    #[must_use]
    pub fn proven(&self) -> u64 {
        self.key(&["show", "--json"]).json()["balance"].as_u64().unwrap()
    }

    /// What it holds, from `balance --json`.
    #[must_use]
    pub fn balance(&self) -> u64 {
        self.amount("balance")
    }

    /// A field of `balance --json`: `balance`, `pending`, `revoked` or `sent`.
    #[must_use]
    pub fn amount(&self, field: &str) -> u64 {
        let shown = self.run(&["balance", "--json"]).json();
        shown[field]
            .as_u64()
            .unwrap_or_else(|| panic!("{field} in {shown:#}"))
    }

    /// Sends an amount into the file `stack`, which may exist already.
    pub fn send(&self, amount: &str, stack: &Path) {
        // The program refuses to overwrite a file.
        let _ = std::fs::remove_file(stack);
        self.run(&["send", amount, "--out", stack.to_str().unwrap()]);
    }

    /// Receives the coins in a file.
    pub fn receive(&self, stack: &Path) {
        self.run(&["receive", stack.to_str().unwrap()]);
    }
}
