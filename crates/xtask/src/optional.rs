//! Installs programs without which the tests pass too, because those that need them are skipped. The reason of a failed
//! installation is printed, and stored for the tests.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::interrupts::Interrupted;

/// How long `cargo xtask test` does not repeat a failed installation.
const RETRY_AFTER: Duration = Duration::from_secs(3600);

/// When to repeat an installation that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    Always,
    /// Not within [`RETRY_AFTER`].
    Later,
}

/// Installs something, and returns whether it is there. `failed` is the file with the reason of a failure.
pub(crate) async fn attempt(
    name: &str,
    failed: &Path,
    retry: Retry,
    install: impl AsyncFnOnce() -> Result<()>,
) -> Result<bool> {
    let age = fs::metadata(failed).and_then(|file| Ok(file.modified()?.elapsed().unwrap_or_default()));
    if retry == Retry::Later && age.is_ok_and(|age| age < RETRY_AFTER) {
        println!("\n==> {}", warning(name, &fs::read_to_string(failed)?));
        return Ok(false);
    }
    match install().await {
        Ok(()) => {
            if failed.exists() {
                fs::remove_file(failed).with_context(|| failed.display().to_string())?;
            }
            Ok(true)
        }
        Err(error) if error.is::<Interrupted>() => Err(error),
        Err(error) => {
            // The reason for the tests is one line; what led to it is only shown here.
            println!("\n==> {error:#}");
            let reason = error.to_string();
            println!("\n==> {}", warning(name, &reason));
            fs::write(failed, reason).with_context(|| failed.display().to_string())?;
            Ok(false)
        }
    }
}

fn warning(name: &str, reason: &str) -> String {
    format!("WARNING: {name} cannot be installed, so tests that need it will be skipped: {reason}")
}
