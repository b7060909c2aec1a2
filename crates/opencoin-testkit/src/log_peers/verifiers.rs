//! Verifiers of notes, checkpoints and tiles.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::{Missing, PYTHON, VERIFIER};

/// The exit code with which all of them refuse what they check. Another one means that the test called them wrongly.
const REFUSED: i32 = 1;

/// What a verifier says.
#[derive(Debug)]
pub struct Verdict {
    command: String,
    code: Option<i32>,
    /// Standard output.
    stdout: Vec<u8>,
    /// Standard error.
    stderr: String,
}

impl Verdict {
    pub(super) fn new(command: &Command, output: Output) -> Self {
        Self {
            command: format!("{command:?}"),
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Requires that the verifier accepts, and returns its standard output.
    ///
    /// # Panics
    /// It refuses, or fails in another way.
    #[must_use]
    pub fn accepted(self) -> Vec<u8> {
        assert_eq!(self.code, Some(0), "{}", self.shown());
        self.stdout
    }

    /// Requires that the verifier refuses with this text in its output, so that a test does not take another failure
    /// for the expected one.
    ///
    /// # Panics
    /// It accepts, or fails in another way.
    pub fn refused(self, text: &str) {
        assert_eq!(self.code, Some(REFUSED), "{}", self.shown());
        assert!(
            self.said().contains(text),
            "expected {text:?} of {}",
            self.shown()
        );
    }

    fn said(&self) -> String {
        format!("{}{}", String::from_utf8_lossy(&self.stdout), self.stderr)
    }

    fn shown(&self) -> String {
        format!("{}:\n{}", self.command, self.said())
    }
}

/// Runs the verifier with the Go project's own packages. `tests/interop/verify.go` lists its commands.
///
/// # Errors
/// It is not installed.
///
/// # Panics
/// It does not start.
pub fn go_verify<Argument: AsRef<OsStr>>(arguments: &[Argument]) -> Result<Verdict, Missing> {
    Ok(run(&VERIFIER.find()?, arguments))
}

/// Runs aics-tlog, which verifies notes, checkpoints with cosignatures, and tiles in a folder or at a URL. `--help`
/// lists its commands.
///
/// # Errors
/// It is not installed.
///
/// # Panics
/// It does not start.
pub fn aics_tlog<Argument: AsRef<OsStr>>(arguments: &[Argument]) -> Result<Verdict, Missing> {
    Ok(run(&PYTHON.find()?.with_file_name("aics-tlog"), arguments))
}

/// Runs tlog-tiles of tlog-scales, which reads tiles in a folder or at a URL: `get-leaf -c LOG INDEX` prints an entry
/// if it is in the tree of the checkpoint, `gen-proof LOG INDEX` writes a tlog-proof. It checks no signature.
///
/// # Errors
/// It is not installed.
///
/// # Panics
/// It does not start.
pub fn tlog_tiles<Argument: AsRef<OsStr>>(arguments: &[Argument]) -> Result<Verdict, Missing> {
    Ok(run(&PYTHON.find()?.with_file_name("tlog-tiles"), arguments))
}

fn run(program: &Path, arguments: &[impl AsRef<OsStr>]) -> Verdict {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()));
    Verdict::new(&command, output)
}
