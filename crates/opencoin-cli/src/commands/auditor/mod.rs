//! `opencoin auditor`: audits currencies that others run.

mod currencies;
mod init;
mod serve;
mod server_url;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use opencoin_auditor::AuditorFolder;
use opencoin_keys::{Clock, Passphrase, SystemClock};
use opencoin_terminal::output::OutputArgs;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an auditor in a new folder: its key and its database. `serve` does it too.
    Init(init::Arguments),
    /// Follow a currency from now on. Takes effect at once, also for a running server.
    Add(currencies::AddArguments),
    /// List the currencies, and what was found.
    List(currencies::ListArguments),
    /// Follow a currency no longer. What was found stays.
    Remove(currencies::RemoveArguments),
    /// Follow the currencies: check every rule of their logs, and say what was found on a page.
    Serve(serve::Arguments),
}

/// The folder of an auditor.
#[derive(Debug, Args)]
struct AuditorDirArgs {
    /// The folder of the auditor.
    #[arg(
        long,
        value_name = "D",
        env = "OPENCOIN_AUDITOR_DIR",
        default_value = "auditor"
    )]
    dir: PathBuf,
}

impl AuditorDirArgs {
    fn folder(&self) -> AuditorFolder {
        AuditorFolder::new(&self.dir)
    }
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let output = arguments.output;
    match arguments.command {
        Command::Init(arguments) => init::run(&arguments, output)?,
        Command::Add(arguments) => currencies::add(&arguments, output).await?,
        Command::List(arguments) => currencies::list(&arguments, output).await?,
        Command::Remove(arguments) => currencies::remove(&arguments, output).await?,
        Command::Serve(arguments) => serve::run(arguments, output).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The bytes of a passphrase; empty if there is none.
fn bytes(passphrase: Option<&Passphrase>) -> &[u8] {
    passphrase.map_or(&[], Passphrase::expose)
}

/// The clock of the machine, in seconds since 1970; 0 before.
fn now_s() -> u64 {
    u64::try_from(SystemClock.now().timestamp()).unwrap_or(0)
}
