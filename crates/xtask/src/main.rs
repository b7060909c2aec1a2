//! `cargo xtask`: the commands of this project.
//!
//! Exit codes: 0 success, 1 failure, 2 wrong command line, 128 + n stopped by signal n.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program")]

mod apt;
mod browser;
mod deb;
mod fixtures;
mod interrupts;
mod lanes;
mod log_peers;
mod openapi;
mod optional;
mod python;
mod runner;
mod screenshots;
mod steps;
mod test;
mod torture;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;

use crate::fixtures::Mode;
use crate::interrupts::Interrupted;

const HELP: &str = "\
The commands of this project.

Usage: cargo xtask COMMAND

  setup               Install missing programs that the tests use (apt, PyPI, Debian unstable).
  test                Run setup, check format, lints and documentation, build, and run all tests (with PostgreSQL, SoftHSM,
                      nginx, Caddy, Prometheus, Chromium).
  fixtures            Regenerate the files of fixtures/run.
  fixtures --check    List the files of fixtures/run that would change.
  torture OPTIONS     Inject crashes and faults while wallets work, and audit the money: --minutes N (for each database),
                      --seed S, --database sqlite|postgres|citus|both; torture --help shows all options.
                      With --failover: kill a PostgreSQL primary and promote its standby; --rounds N, --clients N, --seed S.
  nodes OPTIONS       Run issuers, witnesses and auditors while wallets mint and pay by key; kill and restart each, cut
                      links, compare all totals, and show a second history: --minutes N, --seed S.
  lanes OPTIONS       Compare RSA in lanes with AWS-LC: --pairs N (random keys and inputs of each kind), --seed S.
  timing OPTIONS      Measure whether the times of RSA in lanes depend on secrets: --measurements N, --seed S; timing --help
                      shows all options.
  otel                Lint and test the feature otel, which the other commands leave out.
  screenshots         Renew the picture of the public page in docs, and show how long browsers take to paint it.
  openapi             Regenerate docs/openapi.json and docs/openapi-public.json.
  deb                 Build the Debian package in target/debian.
  deb --check         Build it, then install it on this machine, serve a currency, remove the package and purge it.
  help                Show this.
";

const EXIT_USAGE: u8 = 2;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        ["setup"] => test::setup(&workspace()).await,
        ["otel"] => test::otel(&workspace()).await,
        ["test"] => test::run(&workspace()).await,
        ["nodes", ref options @ ..] => torture::nodes(&workspace(), options).await,
        ["torture", ref options @ ..] => torture::run(&workspace(), options).await,
        ["lanes", ref options @ ..] => lanes::compare(&workspace(), options).await,
        ["timing", ref options @ ..] => lanes::time(&workspace(), options).await,
        ["fixtures"] => fixtures::run(&workspace(), Mode::Write),
        ["fixtures", "--check"] => fixtures::run(&workspace(), Mode::Check),
        ["screenshots"] => screenshots::run(&workspace()).await,
        ["openapi"] => openapi::run(&workspace()).await,
        ["deb"] => deb::run(&workspace(), deb::Mode::Build).await,
        ["deb", "--check"] => deb::run(&workspace(), deb::Mode::Check).await,
        ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        [] => {
            eprint!("{HELP}");
            return ExitCode::from(EXIT_USAGE);
        }
        _ => {
            eprintln!("error: no such command: {}\n\n{HELP}", arguments.join(" "));
            return ExitCode::from(EXIT_USAGE);
        }
    };
    exit_code(result)
}

fn exit_code(result: Result<()>) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    eprintln!("\nerror: {error:#}");
    error
        .downcast_ref()
        .map_or(ExitCode::FAILURE, |interrupted: &Interrupted| {
            ExitCode::from(interrupted.exit_code())
        })
}

/// The root of the repository.
fn workspace() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("this crate is crates/xtask").to_owned()
}
