//! `cargo xtask torture`: the torture of `tests/src/torture`, optimised, for as long as the user says; with
//! `--failover` that of `tests/src/failover`. `cargo xtask nodes`: the network of `tests/src/nodes`.

use std::env;
use std::path::Path;

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::apt;
use crate::steps::Steps;
use crate::test::cargo;

/// Chooses the program that fails PostgreSQL over.
const FAILOVER: &str = "--failover";

/// Builds the programs and runs `torture` or `failover` with these options.
pub(crate) async fn run(workspace: &Path, options: &[&str]) -> Result<()> {
    let program = if options.contains(&FAILOVER) {
        "failover"
    } else {
        "torture"
    };
    let options: Vec<&str> = options
        .iter()
        .filter(|option| **option != FAILOVER)
        .copied()
        .collect();
    run_program(workspace, program, &options).await
}

/// Builds the programs and runs `nodes` with these options.
pub(crate) async fn nodes(workspace: &Path, options: &[&str]) -> Result<()> {
    run_program(workspace, "nodes", options).await
}

async fn run_program(workspace: &Path, name: &str, options: &[&str]) -> Result<()> {
    let mut steps = Steps::new()?;
    // Fails early rather than after minutes of compiling.
    apt::ensure(&mut steps, &[&apt::POSTGRES]).await?;
    let build = [
        "build",
        "--release",
        "--locked",
        "-p",
        "opencoin-cli",
        "-p",
        "opencoin-e2e",
        "--bins",
    ];
    steps.run("programs", &mut cargo(workspace, &build)).await?;
    // We are target/debug/xtask.
    let program = env::current_exe()?;
    let target = program
        .ancestors()
        .nth(2)
        .context("cargo runs this program from its target folder")?;
    steps
        .run(
            name,
            Command::new(target.join("release").join(name))
                .args(options)
                .current_dir(workspace),
        )
        .await
}
