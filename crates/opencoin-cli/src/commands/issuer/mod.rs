//! `opencoin issuer`: create and run a currency.

mod backup;
mod books;
mod init;
pub(crate) mod key_store;
mod keys;
mod migrate;
mod prune;
mod restored_state;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use opencoin_issuer::{Books, Config, Directory, StoreMode};
use opencoin_ledger::Ledger;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a currency: keys, certificates, settings, books.
    Init(Box<init::Arguments>),
    /// Serve a currency over HTTP until SIGTERM or Ctrl-C.
    Serve(serve::Arguments),
    /// Mint keys: plan, list, rotate, revoke, destroy.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// The description of the currency (CDD): publish the next one.
    #[command(subcommand)]
    Cdd(keys::CddCommand),
    /// Take in what a master key on another machine has signed.
    Import(keys::ImportArguments),
    /// Accounts: create, credit, show.
    #[command(subcommand)]
    Account(books::AccountCommand),
    /// Pause signing or take it up again; requests are accepted all the while.
    #[command(subcommand)]
    Signing(books::SigningCommand),
    /// Drop the spent coins of mint keys whose coins have expired. It cannot be undone.
    Prune(prune::Arguments),
    /// Copy books in SQLite, settings and certificates into a folder, while the server works.
    Backup(backup::BackupArguments),
    /// Put such a copy in place; no server serves it until that is accepted.
    Restore(backup::RestoreArguments),
    /// Serve books although they are older than they were: coins that were spent since can be spent again.
    AcceptRestoredState(restored_state::Arguments),
    /// Bring the tables of the books up to the version of this program.
    Migrate(migrate::Arguments),
    /// Compute every invariant of the books again; exit 1 if one is broken.
    Audit(books::AuditArguments),
}

impl Command {
    /// Whether it does nothing but show what is there.
    pub(crate) fn only_shows(&self) -> bool {
        matches!(self, Self::Keys(keys::KeysCommand::Plan(_) | keys::KeysCommand::List(_)))
    }
}

/// The folder of the currency.
#[derive(Debug, Args)]
pub(crate) struct DirArgs {
    /// The folder of the currency.
    #[arg(long, value_name = "D", env = "OPENCOIN_ISSUER_DIR")]
    pub(crate) dir: PathBuf,
}

pub(crate) async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Init(arguments) => init::run(*arguments).await,
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Keys(command) => keys::run(command).await,
        Command::Cdd(command) => keys::cdd(command).await,
        Command::Import(arguments) => keys::import(arguments).await,
        Command::Account(command) => books::account(command).await,
        Command::Signing(command) => books::signing(command).await,
        Command::Prune(arguments) => prune::run(arguments).await,
        Command::Backup(arguments) => backup::back_up(arguments).await,
        Command::Restore(arguments) => backup::restore(arguments).await,
        Command::AcceptRestoredState(arguments) => restored_state::run(arguments).await,
        Command::Migrate(arguments) => migrate::run(arguments).await,
        Command::Audit(arguments) => books::audit(arguments).await,
    }
}

/// The books of the currency in this folder.
async fn ledger(directory: &Directory) -> Result<Arc<dyn Ledger>> {
    Ok(open_books(directory, &directory.config()?, StoreMode::Existing).await?.ledger)
}

async fn open_books(directory: &Directory, config: &Config, mode: StoreMode) -> Result<Books> {
    opencoin_issuer::open_books(&config.database, directory.root(), mode)
        .await
        .context("cannot open the books; `database` in issuer.toml says where they are")
}
