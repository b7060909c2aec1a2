//! `opencoin log`: the public log of a currency.

mod enable;
mod recover;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use chrono::DateTime;
use clap::{Args, Subcommand};
use opencoin_issuer::StoreMode;
use opencoin_issuer::log::export;
use opencoin_keys::{CddChange, Currency, Directory, change_witnesses};
use opencoin_log::log_block::LogBlock;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_terminal::output::OutputArgs;
use opencoin_terminal::secret_args::MasterSecretArgs;
use serde_json::json;

use super::keys;
use crate::dir_args::DirArgs;
use crate::witness_args::WitnessArgs;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: LogCommand,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Show the log: its size, what waits, the published checkpoint and its cosignatures.
    Status(DirArgs),
    /// Write the published log as files, for a web server or an auditor: checkpoint, tiles and entries.
    Export(ExportArguments),
    /// Give a currency a log that was created without one. Stop all servers first.
    Enable(Box<enable::EnableArguments>),
    /// Give restored books what they lack, from a copy of the log that somebody has. No server may run.
    Recover(recover::RecoverArguments),
    /// Show recovered money: what the lost time has changed in accounts, and which accounts have got or given it.
    Recovered(DirArgs),
    /// Name other witnesses in the next description of the currency.
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
    witnesses: WitnessArgs,
    /// The log has no witnesses any more.
    #[arg(long, conflicts_with_all = ["witnesses", "quorum"])]
    none: bool,
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
        LogCommand::Status(dir) => status(dir, output).await,
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

async fn status(dir: DirArgs, output: OutputArgs) -> Result<()> {
    let (_, currency, books) = open(dir).await?;
    let block = currency.log().context("the currency has a log")?;
    let head = books
        .log
        .head()
        .await?
        .context("the log was not begun; start the server")?;
    let (pending, published) = (books.log.pending().await?, books.log.published().await?);
    let mut lines = vec![
        format!("log {}", block.origin()),
        format!("key {}", log_key(block)),
        format!("leaves: {}", head.size),
        format!("batches: {}", head.batch.get() - 1),
        format!("waiting for the next batch: {} coins and blinds", pending.coins),
    ];
    if let Some(reason) = &head.halted {
        lines.push(format!("HALTED: {reason}"));
    }
    if let Some(batch) = head.recovered_to {
        lines.push(format!(
            "recovered from a copy up to batch {}: `opencoin log recovered` shows the money",
            batch.get()
        ));
    }
    let mut cosigned = Vec::new();
    let published_size = published.as_ref().map(|published| published.size);
    if let Some(published) = published {
        let signed: SignedCheckpoint = published.note.parse().context("the published checkpoint")?;
        lines.push(format!("published: {} leaves", published.size));
        if head.size > published.size {
            let missing = head.size - published.size;
            lines.push(format!(
                "not published yet: {missing} leaves, for want of a quorum or for a moment"
            ));
        }
        for witness in block.policy().witnesses() {
            let line = signed
                .note()
                .signatures()
                .iter()
                .find(|line| line.names(&witness.key));
            let time = line.and_then(|line| {
                opencoin_log::cosignature::verify(&witness.key, signed.note().text(), &line.signature).ok()
            });
            let said = time.map_or("has not cosigned it".to_owned(), |time| {
                let date = i64::try_from(time)
                    .ok()
                    .and_then(|time| DateTime::from_timestamp(time, 0));
                date.map_or("has cosigned it".to_owned(), |date| {
                    format!("cosigned it at {date}")
                })
            });
            lines.push(format!("  {} ({}): {said}", witness.name, witness.key.name()));
            cosigned.push(
                json!({ "witness": witness.name, "name": witness.key.name().to_string(), "time": time }),
            );
        }
        let quorum = match block.policy().verify_checkpoint(&signed, None) {
            Ok(_) if block.policy().witnesses().is_empty() => "the log has no witnesses".to_owned(),
            Ok(_) => "the quorum is reached".to_owned(),
            Err(error) => error.to_string(),
        };
        lines.push(quorum);
    } else {
        lines.push("nothing is published yet: it takes a server and a quorum of the witnesses, which must know the key above".to_owned());
    }
    output.show(
        json!({
            "key": log_key(block),
            "origin": block.origin().to_string(),
            "size": head.size,
            "batches": head.batch.get() - 1,
            "waiting": pending.coins,
            "published": published_size,
            "witnesses": cosigned,
            "halted": head.halted,
            "recovered_to": head.recovered_to.map(opencoin_ledger::LogBatchNo::get),
        }),
        lines,
    )
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
    // Last, so that everything below the checkpoint is there.
    write(&to.join("checkpoint"), published.note.as_bytes())?;
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
    if !arguments.none && !arguments.witnesses.are_given() {
        bail!("name the witnesses with --witness, or say --none");
    }
    let (witnesses, quorum) = arguments.witnesses.read()?;
    let change = |currency: &Currency| {
        let block = currency
            .log()
            .context("this currency has no public log, so it has no witnesses")?;
        Ok(CddChange {
            log: Some(change_witnesses(block, &witnesses, quorum)?),
            ..CddChange::default()
        })
    };
    keys::change_description(&arguments.store, &arguments.master, change, output).await
}
