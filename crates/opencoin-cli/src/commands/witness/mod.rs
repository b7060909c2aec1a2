//! `opencoin witness`: a witness of transparency logs, its own or those of others.

mod init;
mod logs;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use opencoin_terminal::output::OutputArgs;
use opencoin_witness::WitnessFolder;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a witness in a new folder: its keys and its database.
    Init(init::Arguments),
    /// Accept the checkpoints of a log, or a further key of it. Takes effect at once, also for a running server.
    Add(logs::AddArguments),
    /// List the logs, and what was cosigned last.
    List(logs::ListArguments),
    /// Accept no more checkpoints of a log. What was cosigned stays known, if the log is added again.
    Remove(logs::RemoveArguments),
    /// Show pairs of checkpoints with which a log has contradicted itself.
    Evidence(logs::EvidenceArguments),
    /// Cosign the checkpoints that logs submit.
    Serve(serve::Arguments),
}

/// The folder of a witness.
#[derive(Debug, Args)]
struct WitnessDirArgs {
    /// The folder of the witness.
    #[arg(long, value_name = "D", env = "OPENCOIN_WITNESS_DIR")]
    dir: PathBuf,
}

impl WitnessDirArgs {
    fn folder(&self) -> WitnessFolder {
        WitnessFolder::new(&self.dir)
    }
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let output = arguments.output;
    match arguments.command {
        Command::Init(arguments) => init::run(arguments, output).await?,
        Command::Add(arguments) => logs::add(&arguments, output).await?,
        Command::List(arguments) => logs::list(&arguments, output).await?,
        Command::Remove(arguments) => logs::remove(&arguments, output).await?,
        Command::Evidence(arguments) => logs::evidence(&arguments, output).await?,
        Command::Serve(arguments) => serve::run(arguments, output).await?,
    }
    Ok(ExitCode::SUCCESS)
}
