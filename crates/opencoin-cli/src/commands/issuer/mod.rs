//! `opencoin issuer`: create and run a currency.

mod accounts;
mod admin_token;
mod audit;
mod backup;
mod books;
mod check;
mod config;
mod init;
mod keys;
mod migrate;
mod payouts;
mod prune;
mod restored_state;
mod serve;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use opencoin_config::Config;
use opencoin_http::{Audience, openapi_document};
use opencoin_issuer::{Books, HighWaterMark, OpenedBooks, StoreMode, examine};
use opencoin_keys::Directory;
use opencoin_ledger::Ledger;
use opencoin_terminal::output::{self, OutputArgs};

use crate::currency_unit::CurrencyUnit;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create a currency: keys, certificates, settings, books.
    Init(Box<init::Arguments>),
    /// Serve a currency over HTTP until SIGTERM or Ctrl-C.
    Serve(Box<serve::Arguments>),
    /// Try everything that a server needs, without serving; exit 1 if something fails.
    Check(Box<check::Arguments>),
    /// Show the settings in force, and where each came from.
    Config(Box<config::Arguments>),
    /// Mint keys: plan, list, rotate, revoke, destroy.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// The description of the currency (CDD): publish the next one.
    #[command(subcommand)]
    Cdd(keys::CddCommand),
    /// Take in what a master key on another machine has signed.
    Import(keys::ImportArguments),
    /// Accounts: create, credit, debit, show, list, set passwords.
    #[command(subcommand)]
    Account(accounts::AccountCommand),
    /// Payouts that holders have asked for: list them, say what came of them.
    #[command(subcommand)]
    Payouts(payouts::PayoutsCommand),
    /// Tokens with which operators use the server's `/v1/admin`.
    #[command(subcommand)]
    AdminToken(admin_token::AdminTokenCommand),
    /// Print the OpenAPI description of everything that the server answers.
    Openapi,
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
    /// Compute every invariant of the books again; exit 1 if one is broken, 3 if they cannot be read.
    Audit(Box<audit::Arguments>),
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let Arguments { command, output } = arguments;
    match command {
        Command::Init(arguments) => init::run(*arguments, output).await?,
        Command::Serve(arguments) => serve::run(*arguments, output).await?,
        Command::Check(arguments) => return check::run(&arguments, output).await,
        Command::Config(arguments) => config::run(&arguments, output)?,
        Command::Keys(command) => keys::run(command, output).await?,
        Command::Cdd(command) => keys::cdd(command, output).await?,
        Command::Import(arguments) => keys::import(arguments, output).await?,
        Command::Account(command) => accounts::run(command, output).await?,
        Command::Payouts(command) => payouts::run(command, output).await?,
        Command::AdminToken(command) => admin_token::run(command, output)?,
        Command::Openapi => output::exact(&openapi_document(Audience::Operator))?,
        Command::Signing(command) => books::signing(command, output).await?,
        Command::Prune(arguments) => prune::run(arguments, output).await?,
        Command::Backup(arguments) => backup::back_up(arguments, output).await?,
        Command::Restore(arguments) => backup::restore(arguments, output).await?,
        Command::AcceptRestoredState(arguments) => restored_state::run(arguments, output).await?,
        Command::Migrate(arguments) => migrate::run(arguments, output).await?,
        Command::Audit(arguments) => return audit::run(*arguments, output).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// What a command does with the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// It shows what they say, whatever became of them.
    Look,
    /// It changes something, in them or because of what they say: not in books that no server would serve.
    Change,
}

/// The currency in which the operator reads and shows amounts.
fn unit(directory: &Directory) -> Result<CurrencyUnit> {
    let currency = directory.currency().context("the certificates do not verify")?;
    Ok(CurrencyUnit::of(currency.current().cdd()))
}

/// The books of the currency in this folder.
async fn books(directory: &Directory, purpose: Purpose) -> Result<Books> {
    let config = directory.config()?;
    match purpose {
        Purpose::Look => Ok(open_books(directory, &config, StoreMode::Existing).await?.books),
        Purpose::Change => books_to_change(directory, &config, StoreMode::Existing).await,
    }
}

/// The books of the currency in this folder, for who cares for money alone.
async fn ledger(directory: &Directory, purpose: Purpose) -> Result<Arc<dyn Ledger>> {
    Ok(books(directory, purpose).await?.ledger)
}

/// The books, unless they were set back or are others: refused as by `serve`.
async fn books_to_change(directory: &Directory, config: &Config, mode: StoreMode) -> Result<Books> {
    let mark = HighWaterMark::of_currency(directory.root(), config.high_water_mark.as_deref());
    // Where books were served before, none must be made in place of those that are lost.
    let mode = if mark.read()?.is_some() {
        StoreMode::Existing
    } else {
        mode
    };
    let opened = open_books(directory, config, mode).await?;
    examine(opened.history.as_ref(), &mark)
        .await
        .map_err(|error| restored_state::explain(error, directory))?;
    Ok(opened.books)
}

async fn open_books(directory: &Directory, config: &Config, mode: StoreMode) -> Result<OpenedBooks> {
    opencoin_issuer::open_books(&config.database, directory.root(), mode)
        .await
        .context("cannot open the books; `database` in issuer.toml says where they are")
}
