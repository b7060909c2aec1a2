//! Words for people and data for programs.

use std::io::{self, Write};

use anyhow::{Context, Result};
use serde::Serialize;

/// Writes a line to stdout.
pub fn line(text: &str) -> Result<()> {
    writeln!(io::stdout().lock(), "{text}").context("the output could not be written to its end")
}

/// Writes exact bytes to stdout, nothing after them.
pub fn exact(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

/// Writes one JSON value as a line to stdout.
pub fn json(value: &impl Serialize) -> Result<()> {
    line(&serde_json::to_string(value)?)
}

/// Writes a line to stderr. There is nobody to tell when that fails.
pub fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
