//! Running the real binary.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

/// What the private keys of every currency here are encrypted with.
pub const PASSPHRASE: &str = "correct-horse-battery-staple";

/// What the master keys are encrypted with.
pub const MASTER_PASSPHRASE: &str = "Tr0ub4dor-and-three";

/// Lets a debug build encrypt keys cheaply. A release build knows no such thing.
const CHEAP_KEYS: (&str, &str) = ("OPENCOIN_TEST_CHEAP_KEYS", "1");

/// What the environment of a test run must not say.
const FOREIGN_VARIABLES: [&str; 7] = [
    "OPENCOIN_TOKEN",
    "OPENCOIN_PASSWORD",
    "OPENCOIN_NEW_PASSWORD",
    "OPENCOIN_SERVICE_KEY",
    "OPENCOIN_URL",
    "OPENCOIN_CA_FILE",
    "OPENCOIN_WALLET_DIR",
];

/// What a run of the binary left behind.
#[derive(Debug)]
pub struct Output {
    arguments: String,
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Results.
    pub stdout: String,
    /// Everything else.
    pub stderr: String,
}

/// Runs `opencoin` with these arguments to its end, without input.
///
/// # Panics
/// When the binary has not been built.
pub fn opencoin(arguments: &[&str]) -> Output {
    run(&mut command(), arguments)
}

/// The same with an environment of its own.
///
/// # Panics
/// When the binary has not been built.
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
    /// Demands exit code 0.
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

    /// Demands this exit code and this text on stderr.
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

    /// stdout as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("opencoin {}: {error}: {}", self.arguments, self.stdout))
    }
}

/// The binary with an environment of its own: the passphrases of every currency here, and nobody's token.
#[must_use]
pub fn command() -> Command {
    let mut command = Command::new(path());
    for name in FOREIGN_VARIABLES {
        command.env_remove(name);
    }
    command.env("OPENCOIN_PASSPHRASE", PASSPHRASE);
    command.env("OPENCOIN_MASTER_PASSPHRASE", MASTER_PASSPHRASE);
    command.env(CHEAP_KEYS.0, CHEAP_KEYS.1);
    command
}

/// The binary that `cargo build -p opencoin-cli` made: beside this program, or one folder up from a test.
fn path() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let folder = program.parent().unwrap();
    let folder = if folder.ends_with("deps") {
        folder.parent().unwrap()
    } else {
        folder
    };
    let path = folder.join("opencoin");
    assert!(
        path.is_file(),
        "{} is not built; `cargo xtask test` builds it, or `cargo build -p opencoin-cli`",
        path.display()
    );
    path
}
