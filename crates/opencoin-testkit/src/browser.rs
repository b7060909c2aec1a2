//! A browser for tests of pages: Chromium with its driver, and axe, which finds what people with disabilities cannot use.
//!
//! `cargo xtask setup` installs them. Where that is not possible, [`find`] returns the reason, and the tests are skipped.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// The programs, which must be in PATH.
pub const PROGRAMS: [&str; 2] = ["chromium", DRIVER];
/// Drives Chromium by the protocol WebDriver.
pub const DRIVER: &str = "chromedriver";

/// The folder of the Python package with axe, relative to the root of the repository.
pub const AXE_FOLDER: &str = "target/browser/axe";
/// Where the package is in the folder with the packages of Python.
const AXE: &str = "site-packages/axe_playwright_python/axe.min.js";

/// What was found.
#[derive(Debug, Clone)]
pub struct Installed {
    /// The script of axe.
    pub axe: PathBuf,
}

/// The file with the reason why the browser could not be installed. It exists after a failed installation only.
#[must_use]
pub fn failure_file() -> PathBuf {
    root().join("target/browser/failed.txt")
}

/// Finds the browser and axe.
///
/// # Errors
/// The reason why they are not there.
pub fn find() -> Result<Installed, String> {
    let axe = axe();
    if let (true, Some(axe)) = (has_programs(), axe) {
        return Ok(Installed { axe });
    }
    let reason = fs::read_to_string(failure_file());
    let reason = reason.unwrap_or_else(|_| "run `cargo xtask setup` to install it".to_owned());
    Err(format!("the browser is not installed: {reason}"))
}

/// Whether Chromium and its driver are in PATH.
#[must_use]
pub fn has_programs() -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let is_there = |program: &OsStr| env::split_paths(&path).any(|folder| folder.join(program).is_file());
    PROGRAMS.iter().all(|program| is_there(program.as_ref()))
}

/// The script of axe, below the folder of the version of Python that installed it.
fn axe() -> Option<PathBuf> {
    let libraries = fs::read_dir(root().join(AXE_FOLDER).join("lib")).ok()?;
    libraries
        .flatten()
        .map(|library| library.path().join(AXE))
        .find(|script| script.is_file())
}

fn root() -> &'static Path {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("this crate is crates/opencoin-testkit")
}
