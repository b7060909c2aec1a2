//! Runs the real binary.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

/// The passphrase of the private keys of every currency, and of every witness.
pub const PASSPHRASE: &str = "correct-horse-battery-staple";

/// The passphrase of the master keys.
pub const MASTER_PASSPHRASE: &str = "Tr0ub4dor-and-three";

/// Makes a debug build encrypt keys cheaply. A release build ignores it.
const CHEAP_KEYS: (&str, &str) = ("OPENCOIN_TEST_CHEAP_KEYS", "1");

/// Variables of the test's own environment that the program must not get.
const FOREIGN_VARIABLES: [&str; 9] = [
    "OPENCOIN_TOKEN",
    "OPENCOIN_PASSWORD",
    "OPENCOIN_NEW_PASSWORD",
    "OPENCOIN_SERVICE_KEY",
    "OPENCOIN_URL",
    "OPENCOIN_CA_FILE",
    "OPENCOIN_PROXY",
    "OPENCOIN_WALLET_DIR",
    "OPENCOIN_WITNESS_DIR",
];

/// The result of a run of the binary.
#[derive(Debug)]
pub struct Output {
    arguments: String,
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs `opencoin` with these arguments to its end, without input.
pub fn opencoin(arguments: &[&str]) -> Output {
    run(&mut command(), arguments)
}

/// As [`opencoin`], with a command that has its environment set.
pub fn run(command: &mut Command, arguments: &[&str]) -> Output {
    let output = command.args(arguments).stdin(Stdio::null()).output().unwrap();
    Output {
        arguments: arguments.join(" "),
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Output {
    /// Requires exit code 0.
    #[must_use]
    pub fn success(self) -> Self {
        assert_eq!(
            self.code,
            Some(0),
            "opencoin {} failed:\n{}{}",
            self.arguments,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Requires this exit code and this text in standard error.
    #[must_use]
    pub fn refused(self, code: i32, text: &str) -> Self {
        let shown = format!("opencoin {}:\n{}{}", self.arguments, self.stdout, self.stderr);
        assert_eq!(self.code, Some(code), "{shown}");
        assert!(
            self.stderr.contains(text),
            "expected {text:?} in the error of {shown}"
        );
        self
    }

    /// Standard output as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("opencoin {}: {error}: {}", self.arguments, self.stdout))
    }
}

/// The binary with the passphrases in its environment, and without tokens.
#[must_use]
pub fn command() -> Command {
    let mut command = Command::new(path());
    for name in FOREIGN_VARIABLES {
        command.env_remove(name);
    }
    command.env("OPENCOIN_PASSPHRASE", PASSPHRASE);
    command.env("OPENCOIN_MASTER_PASSPHRASE", MASTER_PASSPHRASE);
    command.env("OPENCOIN_WITNESS_PASSPHRASE", PASSPHRASE);
    command.env(CHEAP_KEYS.0, CHEAP_KEYS.1);
    command
}

/// The path of the binary from `cargo build -p opencoin-cli`: in the folder of this program, or of a test's parent.
fn path() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let folder = program.parent().unwrap();
    let is_test = folder.ends_with("deps");
    let folder = if is_test { folder.parent().unwrap() } else { folder };
    let path = folder.join("opencoin");
    assert!(
        path.is_file(),
        "{} is not built; `cargo xtask test` builds it, or `cargo build -p opencoin-cli`",
        path.display()
    );
    path
}
