//! Other projects' programs for transparency logs, so that tests check our log against code that shares nothing with
//! it: witnesses that cosign its checkpoints, verifiers that read its tiles, and a client for our own witness.
//!
//! `cargo xtask setup` installs them into `target/interop`. Some come from places where a version may disappear. What is
//! not installed is [`Missing`] with the reason, and [`or_skip`] lets a test say that it was skipped.
//!
//! Formats: signed-note, tlog-checkpoint, tlog-cosignature, tlog-witness and tlog-tiles of c2sp.org.

mod aics_witness;
mod feeder;
mod litewitness;
mod server;
mod verifiers;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

pub use aics_witness::AicsWitness;
pub use feeder::{Feeder, Proof};
pub use litewitness::LiteWitness;
pub use verifiers::{Verdict, aics_tlog, go_verify, tlog_tiles};

/// The folder with Debian's Go packages, for the environment variable `GOPATH`.
pub const GO_PATH: &str = "/usr/share/gocode";

/// The folder of [`LITEWITNESS`] in [`folder`].
pub const LITEWITNESS_FOLDER: &str = "torchwood";

/// The folder of [`PYTHON`], relative to the root of the repository.
pub const PYTHON_FOLDER: &str = "target/interop/py";

/// Something that `cargo xtask setup` installs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The name in messages.
    pub name: &'static str,
    /// A program that is there if all of it is, relative to [`folder`].
    program: &'static str,
}

/// The verifier of `tests/interop/verify.go`.
pub const VERIFIER: Peer = Peer {
    name: "the verifier in Go",
    program: "verify",
};

/// The witness litewitness with its tool witnessctl, of the project torchwood.
pub const LITEWITNESS: Peer = Peer {
    name: "litewitness",
    program: "torchwood/usr/bin/litewitness",
};

/// The Python packages aics-witness, aics-tlog and tlog-scales.
pub const PYTHON: Peer = Peer {
    name: "aics-witness with aics-tlog and tlog-scales",
    program: "py/bin/aics-witness",
};

impl Peer {
    /// The path of the program.
    #[must_use]
    pub fn program(self) -> PathBuf {
        folder().join(self.program)
    }

    /// The file with the reason why it could not be installed. It exists after a failed installation only.
    #[must_use]
    pub fn failure_file(self) -> PathBuf {
        let name = Path::new(self.program)
            .iter()
            .next()
            .expect("a path has a first part");
        folder().join(name).with_extension("failed")
    }

    /// The path of the program, if it is installed.
    ///
    /// # Errors
    /// It is not installed.
    pub fn find(self) -> Result<PathBuf, Missing> {
        let missing = |reason: String| Missing { peer: self, reason };
        if let Ok(reason) = fs::read_to_string(self.failure_file()) {
            return Err(missing(reason));
        }
        let program = self.program();
        if program.is_file() {
            Ok(program)
        } else {
            Err(missing("run `cargo xtask setup` to install it".to_owned()))
        }
    }
}

/// A program is not installed.
#[derive(Debug, Clone)]
pub struct Missing {
    peer: Peer,
    reason: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} is not installed: {}", self.peer.name, self.reason)
    }
}

/// The folder with everything that is installed.
#[must_use]
pub fn folder() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("this crate is crates/opencoin-testkit")
        .join("target/interop")
}

/// Returns what is installed. Otherwise prints the reason in the line with which a test says that it was skipped; the
/// test must then end.
#[expect(clippy::print_stdout, reason = "the runner of the tests reads the line")]
pub fn or_skip<T>(found: Result<T, Missing>) -> Option<T> {
    found.map_err(|missing| println!("SKIPPED: {missing}")).ok()
}
