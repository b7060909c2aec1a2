//! `opencoin issuer`: create and run a currency.

mod accounts;
mod actions;
mod admin_token;
mod audit;
mod backup;
mod bank;
mod bank_columns;
mod bank_lines;
mod books;
mod check;
mod config;
mod figures;
mod init;
mod keys;
pub(crate) mod log;
mod migrate;
mod overview;
mod pages;
mod payouts;
mod proposals;
mod prune;
mod restored_state;
mod serve;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use opencoin_config::Config;
use opencoin_http::{Audience, openapi_document};
use opencoin_issuer::{
    BankSettings, Books, HighWaterMark, OpenedBooks, SecondPersonLimit, StoreMode, examine,
};
use opencoin_keys::Directory;
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
    /// Create a currency: keys, certificates, settings and books.
    Init(Box<init::Arguments>),
    /// Serve a currency over HTTP until SIGTERM or Ctrl-C.
    Serve(Box<serve::Arguments>),
    /// Check everything that a server needs, without serving. Exit code 1 if a check fails.
    Check(Box<check::Arguments>),
    /// Show the effective settings and the origin of each.
    Config(Box<config::Arguments>),
    /// Manage mint keys: plan, list, rotate, revoke, destroy.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Change the description of the currency (CDD).
    #[command(subcommand)]
    Cdd(keys::CddCommand),
    /// Look after the public log; the same as `opencoin log`.
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Import certificates that a master key on another machine has signed.
    Import(keys::ImportArguments),
    /// Manage accounts: create, credit, debit, show, list, set passwords.
    #[command(subcommand)]
    Account(accounts::AccountCommand),
    /// List payouts that holders have requested, and settle them.
    #[command(subcommand)]
    Payouts(payouts::PayoutsCommand),
    /// List operations that wait for a second operator, and carry out or decline them.
    #[command(subcommand)]
    Proposals(proposals::ProposalsCommand),
    /// Upload, preview and book statements of the bank.
    #[command(subcommand)]
    Bank(bank::BankCommand),
    /// Show what needs a person now, the most urgent first, with the command that deals with it.
    Overview(overview::Arguments),
    /// Show figures of the last while that a running server keeps: requests, refusals, signing, coins in circulation.
    Figures(figures::Arguments),
    /// Show what operators have done, the newest first.
    Actions(actions::Arguments),
    /// Manage the operators' tokens for the server's `/v1/admin`.
    #[command(subcommand)]
    AdminToken(admin_token::AdminTokenCommand),
    /// Print the OpenAPI description of the server's API.
    Openapi,
    /// Pause or resume signing. Requests are accepted meanwhile.
    #[command(subcommand)]
    Signing(books::SigningCommand),
    /// Delete the spent coins of mint keys whose coins have expired. This cannot be undone.
    Prune(prune::Arguments),
    /// Copy SQLite books, settings and certificates into a folder, while the server runs.
    Backup(backup::BackupArguments),
    /// Restore a backup. No server serves the restored books until you recover or accept them.
    Restore(backup::RestoreArguments),
    /// Accept restored books that are older than those served before: coins spent since then can be spent again.
    AcceptRestoredState(restored_state::Arguments),
    /// Migrate the tables of the books to the version of this program.
    Migrate(migrate::Arguments),
    /// Check every invariant of the books. Exit code 1 if one is broken, 3 if the books cannot be read.
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
        Command::Log(command) => log::run_command(command, output).await?,
        Command::Import(arguments) => keys::import(arguments, output).await?,
        Command::Account(command) => accounts::run(command, output).await?,
        Command::Payouts(command) => payouts::run(command, output).await?,
        Command::Proposals(command) => proposals::run(command, output).await?,
        Command::Bank(command) => bank::run(command, output).await?,
        Command::Overview(arguments) => overview::run(arguments, output).await?,
        Command::Figures(arguments) => figures::run(arguments, output).await?,
        Command::Actions(arguments) => actions::run(arguments, output).await?,
        Command::AdminToken(command) => admin_token::run(command, output).await?,
        Command::Openapi => output::exact(openapi_document(Audience::Operator))?,
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

/// How a command uses the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// It only reads them. Rolled-back books are accepted.
    Look,
    /// It changes them, or changes something based on them. Books that `serve` would refuse are refused.
    Change,
}

/// The currency in which amounts are read and shown.
fn unit(directory: &Directory) -> Result<CurrencyUnit> {
    let currency = directory.currency().context("the certificates do not verify")?;
    Ok(CurrencyUnit::of(currency.current().cdd()))
}

/// The operator's account at a bank, and what needs a second operator.
pub(crate) fn bank_settings(config: &Config, unit: &CurrencyUnit) -> Result<BankSettings> {
    Ok(BankSettings {
        account: config.bank.clone(),
        columns: config.bank_csv.clone(),
        second_person: second_person(config, unit)?,
    })
}

/// The limit above which an operation needs a second operator.
fn second_person(config: &Config, unit: &CurrencyUnit) -> Result<SecondPersonLimit> {
    SecondPersonLimit::of(&config.admin, unit.divisor, &unit.name)
        .context("cannot use `admin.second_person_above` of issuer.toml")
}

/// Opens the books of a currency.
async fn books(directory: &Directory, purpose: Purpose) -> Result<Books> {
    let config = directory.config()?;
    match purpose {
        Purpose::Look => Ok(open_books(directory, &config, StoreMode::Existing).await?.books),
        Purpose::Change => books_to_change(directory, &config, StoreMode::Existing).await,
    }
}

/// Opens the books. Refuses rolled-back or other books, as `serve` does.
async fn books_to_change(directory: &Directory, config: &Config, mode: StoreMode) -> Result<Books> {
    let mark = HighWaterMark::of_currency(directory.root(), config.high_water_mark.as_deref());
    // If books were served before and are lost, new ones must not replace them.
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

pub(super) async fn open_books(
    directory: &Directory,
    config: &Config,
    mode: StoreMode,
) -> Result<OpenedBooks> {
    opencoin_issuer::open_books(&config.database, directory.root(), mode)
        .await
        .context("cannot open the books; check `database` in issuer.toml")
}
