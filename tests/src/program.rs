//! Running the real binary.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

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
    let output = Command::new(path()).args(arguments).env_remove("OPENCOIN_TOKEN").stdin(Stdio::null()).output().unwrap();
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
        assert_eq!(self.code, Some(0), "opencoin {} failed:\n{}{}", self.arguments, self.stdout, self.stderr);
        self
    }

    /// Demands this exit code and this text on stderr.
    #[must_use]
    pub fn refused(self, code: i32, text: &str) -> Self {
        let shown = format!("opencoin {}:\n{}{}", self.arguments, self.stdout, self.stderr);
        assert_eq!(self.code, Some(code), "{shown}");
        assert!(self.stderr.contains(text), "expected {text:?} in the error of {shown}");
        self
    }

    /// stdout as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("opencoin {}: {error}: {}", self.arguments, self.stdout))
    }
}

/// The binary that `cargo build -p opencoin-cli` made: beside this program, or one folder up from a test.
pub(crate) fn path() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let folder = program.parent().unwrap();
    let folder = if folder.ends_with("deps") { folder.parent().unwrap() } else { folder };
    let path = folder.join("opencoin");
    assert!(path.is_file(), "{} is not built; `cargo xtask test` builds it, or `cargo build -p opencoin-cli`", path.display());
    path
}
