//! `opencoin log`: the public log of a currency.

mod enable;
mod recover;
mod status;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use opencoin_issuer::StoreMode;
use opencoin_issuer::log::export;
use opencoin_keys::{CddChange, Cosigners, Currency, Directory, change_cosigners};
use opencoin_log::log_block::LogBlock;
use opencoin_terminal::output::OutputArgs;
use opencoin_terminal::secret_args::MasterSecretArgs;
use serde_json::json;

use super::keys;
use crate::cosigner_args::CosignerArgs;
use crate::dir_args::DirArgs;
use crate::operator_args::OperatorArgs;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: LogCommand,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Show the log: its size, what waits, the published checkpoint, its cosignatures, and the joint signature.
    Status(DirArgs),
    /// Write the published log as files, for a web server or an auditor: checkpoint, tiles and entries.
    Export(ExportArguments),
    /// Give a currency a log that was created without one. Stop all servers first.
    Enable(Box<enable::EnableArguments>),
    /// Give restored books what they lack, from a copy of the log that somebody has. No server may run.
    Recover(recover::RecoverArguments),
    /// Show recovered money: what the lost time has changed in accounts, and which accounts have got or given it.
    Recovered(DirArgs),
    /// Name other witnesses or auditors in the next description of the currency.
    Witnesses(Box<WitnessesArguments>),
}

#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    /// The folder to write. Files that are there already are kept, so that repeating it adds what is new.
    to: PathBuf,
    #[command(flatten)]
    dir: DirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct WitnessesArguments {
    #[command(flatten)]
    cosigners: CosignerArgs,
    /// The log has no witnesses any more.
    #[arg(long, conflicts_with_all = ["witnesses", "quorum"])]
    none: bool,
    /// The log has no auditors any more, so it needs no joint signature.
    #[arg(long, conflicts_with_all = ["auditors", "joint_quorum"])]
    no_auditors: bool,
    #[command(flatten)]
    by: OperatorArgs,
    #[command(flatten)]
    store: keys::KeyStoreArgs,
    #[command(flatten)]
    master: MasterSecretArgs,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let Arguments { command, output } = arguments;
    run_command(command, output).await?;
    Ok(ExitCode::SUCCESS)
}

/// Also `opencoin issuer log`.
pub(crate) async fn run_command(command: LogCommand, output: OutputArgs) -> Result<()> {
    match command {
        LogCommand::Status(dir) => status::show(dir, output).await,
        LogCommand::Export(arguments) => export_files(arguments, output).await,
        LogCommand::Enable(arguments) => enable::enable(*arguments, output).await,
        LogCommand::Recover(arguments) => recover::recover(arguments, output).await,
        LogCommand::Recovered(dir) => recover::recovered(dir, output).await,
        LogCommand::Witnesses(arguments) => witnesses(*arguments, output).await,
    }
}

/// The currency, and the log in its books.
async fn open(dir: DirArgs) -> Result<(Directory, Currency, opencoin_issuer::Books)> {
    let directory = dir.directory()?;
    let config = directory.config()?;
    let currency = directory.currency()?;
    if currency.log().is_none() {
        bail!("this currency has no public log; `opencoin log enable` gives it one");
    }
    let books = super::open_books(&directory, &config, StoreMode::Existing)
        .await?
        .books;
    Ok((directory, currency, books))
}

/// The key of the log, which its witnesses need.
pub(super) fn log_key(block: &LogBlock) -> String {
    let logs = block.policy().logs().iter();
    let keys: Vec<String> = logs.map(|log| log.key.to_string()).collect();
    keys.join(" ")
}

async fn export_files(arguments: ExportArguments, output: OutputArgs) -> Result<()> {
    let (_, _, books) = open(arguments.dir).await?;
    let to = arguments.to;
    let published = books
        .log
        .published()
        .await?
        .context("no checkpoint is published yet")?;
    let mut written = 0_u64;
    for path in export::paths(published.size) {
        let file = to.join(path.to_string());
        if file.is_file() {
            continue;
        }
        let bytes = export::bytes(books.log.as_ref(), &path, published.size).await?;
        write(&file, &bytes)?;
        written += 1;
    }
    // Last, so that everything below the checkpoints is there.
    write(&to.join("checkpoint"), published.note.as_bytes())?;
    if let Some(joint) = books
        .log
        .joint()
        .await?
        .filter(|joint| joint.size <= published.size)
    {
        write(&to.join("checkpoint.joint"), joint.note.as_bytes())?;
    }
    let said = format!(
        "{} leaves in {}; {written} new files",
        published.size,
        to.display()
    );
    output.show(json!({ "size": published.size, "files": written }), [said])
}

/// Writes a file so that a reader never sees a part of it.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().context("a file is in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let part = path.with_extension("part");
    let written = fs::write(&part, bytes).and_then(|()| fs::rename(&part, path));
    written.with_context(|| format!("cannot write {}", path.display()))
}

async fn witnesses(arguments: WitnessesArguments, output: OutputArgs) -> Result<()> {
    if !arguments.none && !arguments.no_auditors && !arguments.cosigners.are_given() {
        bail!(
            "name the witnesses with --witness and the auditors with --auditor, or say --none or --no-auditors"
        );
    }
    let change = |currency: &Currency| {
        let block = currency
            .log()
            .context("this currency has no public log, so it has no witnesses")?;
        let mut cosigners = arguments.cosigners.read_over(&Cosigners::of(block)?)?;
        if arguments.none {
            (cosigners.witnesses, cosigners.quorum) = (Vec::new(), 0);
        }
        if arguments.no_auditors {
            (cosigners.auditors, cosigners.joint_quorum) = (Vec::new(), 0);
        }
        Ok(CddChange {
            log: Some(change_cosigners(block, &cosigners)?),
            ..CddChange::default()
        })
    };
    keys::change_description(&arguments.store, &arguments.master, change, arguments.by, output).await
}
