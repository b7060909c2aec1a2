//! `cargo xtask test`: all checks before a change is merged, the fastest ones first.
//!
//! Missing programs are installed first. A temporary PostgreSQL serves all tests. However this program ends, the
//! server is stopped and its folder removed.
//!
//! Lints and build are one step: cargo compiles the workspace with `clippy-driver` in place of `rustc`. `cargo
//! clippy` does the same without generating code, so the workspace would be compiled twice.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use opencoin_testkit::postgres::{EphemeralPostgres, SERVER_VARIABLE};
use tokio::process::Command;

use crate::optional::Retry;
use crate::steps::Steps;
use crate::{apt, browser, log_peers, python, runner};

/// The lines of PostgreSQL's log that are shown when the tests fail.
const LOG_LINES_SHOWN: usize = 40;

/// The variable with which cargo runs `clippy-driver` for the crates of the workspace.
const WRAPPER_VARIABLE: &str = "RUSTC_WORKSPACE_WRAPPER";
/// The lints, as `cargo clippy -- -D warnings` passes them.
const LINTS: (&str, &str) = ("CLIPPY_ARGS", "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__");
/// Makes a debug build encrypt keys with low cost; see `opencoin_crypto`.
const CHEAP_KEYS: (&str, &str) = ("OPENCOIN_TEST_CHEAP_KEYS", "1");

pub(crate) async fn run(workspace: &Path) -> Result<()> {
    let mut steps = Steps::new()?;
    // First, because compiling takes minutes.
    install(&mut steps, workspace, Retry::Later).await?;
    let server = Server::of_environment();
    let cargo = |arguments: &[&str]| cargo(workspace, arguments);

    steps
        .run("format", &mut cargo(&["fmt", "--all", "--check"]))
        .await?;
    let build = [
        "build",
        "--workspace",
        "--all-targets",
        "--locked",
        "--message-format=json-render-diagnostics",
    ];
    let messages = steps
        .read("lints and build", with_lints(&mut cargo(&build)))
        .await?;
    let mut documentation = cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    let documentation = with_lints(&mut documentation).env("RUSTDOCFLAGS", "-D warnings");
    steps.run("documentation", documentation).await?;

    // Examples in the documentation use the built libraries.
    let mut examples = cargo(&["test", "--workspace", "--doc", "--quiet", "--locked"]);
    steps.run("examples", with_lints(&mut examples)).await?;
    server.serve(&mut steps, workspace, &messages).await
}

/// `cargo xtask setup`: installs missing programs that the tests use.
pub(crate) async fn setup(workspace: &Path) -> Result<()> {
    let missing = install(&mut Steps::new()?, workspace, Retry::Always).await?;
    if missing.is_empty() {
        println!("all programs that the tests use are installed");
    } else {
        println!(
            "all programs that the tests use are installed, except {}; the reasons are above",
            missing.join(" and ")
        );
    }
    Ok(())
}

/// Installs what is missing, and returns the names of what cannot be installed and is skipped by tests.
async fn install(steps: &mut Steps, workspace: &Path, retry: Retry) -> Result<Vec<&'static str>> {
    ensure_component(workspace, "rustfmt", &["fmt", "--version"]).await?;
    ensure_component(workspace, "clippy", &["clippy", "--version"]).await?;
    let mut needed: Vec<_> = apt::OTHERS.iter().collect();
    if matches!(Server::of_environment(), Server::Ours) {
        needed.push(&apt::POSTGRES);
    }
    apt::ensure(steps, &needed).await?;
    python::ensure(steps, workspace, &python::SCHEMAS).await?;
    let mut missing = log_peers::ensure(steps, workspace, retry).await?;
    missing.extend(browser::ensure(steps, workspace, retry).await?);
    Ok(missing)
}

/// `cargo xtask otel`: lints and tests the feature `otel`, which has dependencies of its own.
pub(crate) async fn otel(workspace: &Path) -> Result<()> {
    let mut steps = Steps::new()?;
    let feature = ["--locked", "--package", "opencoin-cli", "--features", "otel"];
    let mut lints = cargo(workspace, &["clippy", "--all-targets"]);
    lints.args(feature).args(["--", "-D", "warnings"]);
    steps.run("lints", &mut lints).await?;
    let mut tests = cargo(workspace, &["test"]);
    steps.run("tests", tests.args(feature)).await
}

/// The PostgreSQL that the tests use.
enum Server {
    /// The one in [`SERVER_VARIABLE`].
    Given,
    /// A temporary one, started by this program.
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

    /// Runs the tests with the server.
    async fn serve(self, steps: &mut Steps, workspace: &Path, messages: &str) -> Result<()> {
        match self {
            Self::Given => runner::run(workspace, messages, &[CHEAP_KEYS], steps.interrupts()).await,
            Self::Ours => {
                let server = EphemeralPostgres::start();
                let url = server.url();
                let environment = [CHEAP_KEYS, (SERVER_VARIABLE, &url)];
                let result = runner::run(workspace, messages, &environment, steps.interrupts()).await;
                if result.is_err() {
                    show_end_of_log(&server);
                }
                result
            }
        }
    }
}

/// Compiles the workspace with clippy's lints, warnings as errors.
fn with_lints(command: &mut Command) -> &mut Command {
    let cargo = command.as_std().get_program();
    let driver = Path::new(cargo).with_file_name("clippy-driver");
    let driver = if driver.is_file() {
        driver
    } else {
        PathBuf::from("clippy-driver")
    };
    command.env(WRAPPER_VARIABLE, driver).env(LINTS.0, LINTS.1)
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

/// The cargo that runs this program, in the root of the repository.
pub(crate) fn cargo(workspace: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.args(arguments).current_dir(workspace);
    command
}
