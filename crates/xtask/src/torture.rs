//! `cargo xtask torture`: the torture of `tests/src/torture`, optimised, for as long as the user says.

use std::env;
use std::path::Path;

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::apt;
use crate::steps::Steps;
use crate::test::cargo;

/// Builds the programs and runs `torture` with these options.
pub(crate) async fn run(workspace: &Path, options: &[&str]) -> Result<()> {
    let mut steps = Steps::new()?;
    // Fails early rather than after minutes of compiling.
    apt::ensure_postgres(&mut steps).await?;
    let build = ["build", "--release", "--locked", "-p", "opencoin-cli", "-p", "opencoin-e2e", "--bins"];
    steps.run("programs", &mut cargo(workspace, &build)).await?;
    // We are target/debug/xtask.
    let program = env::current_exe()?;
    let target = program.ancestors().nth(2).context("cargo runs this program from its target folder")?;
    steps.run("torture", Command::new(target.join("release").join("torture")).args(options).current_dir(workspace)).await
}
