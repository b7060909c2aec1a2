//! `cargo xtask test`: all that must hold before a change is merged, in the order in which failures are
//! cheapest.
//!
//! Programs that the tests use and that are missing are installed first. One throw-away PostgreSQL serves all
//! tests. It is ours: however this program ends, the server ends with it and its folder is removed.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use opencoin_testkit::postgres::{EphemeralPostgres, SERVER_VARIABLE};
use tokio::process::Command;

use crate::apt::{self, CADDY, MAN, NGINX, OPENSSL, POSTGRES, PROMETHEUS, PYTHON, SOFTHSM, SYSTEMD};
use crate::schemas;
use crate::steps::Steps;

/// How much of PostgreSQL's log is shown when the tests fail.
const LOG_LINES_SHOWN: usize = 40;

/// Documents that are not part of this repository; tests that read them say that they are skipped where they
/// are missing, but nobody reads what a passing test says.
const REFERENCE_RUN: &str = "../shared/spec";

pub(crate) async fn run(workspace: &Path) -> Result<()> {
    ensure_component(workspace, "rustfmt", &["fmt", "--version"]).await?;
    ensure_component(workspace, "clippy", &["clippy", "--version"]).await?;
    let mut steps = Steps::new()?;
    let server = Server::of_environment();
    // First of all, rather than failing after minutes of compiling.
    let mut needed = vec![SOFTHSM, OPENSSL, NGINX, CADDY, PROMETHEUS, SYSTEMD, MAN, PYTHON];
    if matches!(server, Server::Ours) {
        needed.push(POSTGRES);
    }
    apt::ensure(&mut steps, &needed).await?;
    schemas::ensure(&mut steps, workspace).await?;
    let cargo = |arguments: &[&str]| cargo(workspace, arguments);

    steps
        .run("format", &mut cargo(&["fmt", "--all", "--check"]))
        .await?;
    let clippy = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ];
    steps.run("lints", &mut cargo(&clippy)).await?;
    // The end-to-end tests drive this program. With all crates named, the tests find their libraries built.
    steps
        .run(
            "program",
            &mut cargo(&["build", "--workspace", "--bin", "opencoin", "--locked"]),
        )
        .await?;
    let mut tests = cargo(&["test", "--workspace", "--locked"]);
    server.serve(&mut steps, "tests", &mut tests).await?;
    let mut documentation = cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    steps
        .run("documentation", documentation.env("RUSTDOCFLAGS", "-D warnings"))
        .await?;

    if !workspace.join(REFERENCE_RUN).is_dir() {
        println!(
            "\nskipped: the checks against the specification's whole run, which is not there ({REFERENCE_RUN})"
        );
    }
    println!("\neverything passed");
    Ok(())
}

/// The PostgreSQL that the tests use.
enum Server {
    /// One that the caller named in [`SERVER_VARIABLE`].
    Given,
    /// One that we start.
    Ours,
}

impl Server {
    fn of_environment() -> Self {
        if env::var_os(SERVER_VARIABLE).is_some() {
            Self::Given
        } else {
            Self::Ours
        }
    }

    /// Runs a step that needs the server, which is there only for it.
    async fn serve(self, steps: &mut Steps, heading: &str, command: &mut Command) -> Result<()> {
        match self {
            Self::Given => steps.run(heading, command).await,
            Self::Ours => {
                let server = EphemeralPostgres::start();
                let result = steps
                    .run(heading, command.env(SERVER_VARIABLE, server.url()))
                    .await;
                if result.is_err() {
                    show_end_of_log(&server);
                }
                result
            }
        }
    }
}

fn show_end_of_log(server: &EphemeralPostgres) {
    match server.log() {
        Ok(log) => {
            let lines: Vec<_> = log.lines().collect();
            let end = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
            eprintln!(
                "\n==> the end of PostgreSQL's log (tests provoke errors on purpose):\n{}",
                end.join("\n")
            );
        }
        Err(error) => eprintln!("\nPostgreSQL's log cannot be read: {error}"),
    }
}

async fn ensure_component(workspace: &Path, component: &str, arguments: &[&str]) -> Result<()> {
    let mut command = cargo(workspace, arguments);
    let command = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let status = command.status().await.context("cannot start cargo")?;
    ensure!(
        status.success(),
        "{component} is missing: `rustup component add {component}` installs it"
    );
    Ok(())
}

/// The cargo that runs us, in the root of the repository.
pub(crate) fn cargo(workspace: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.args(arguments).current_dir(workspace);
    command
}
