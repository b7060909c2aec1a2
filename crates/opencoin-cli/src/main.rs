//! `opencoin`: the one binary. Issuer, wallet, auditor and demo, each a thin layer over a library.
//!
//! Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 refused or failed, 2 a wrong
//! command line.

mod amount_args;
mod commands;
mod database_args;
mod log;
mod network_args;
#[cfg(feature = "otel")]
mod otel;
mod service;
mod settings_args;
mod token_args;

use std::io;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use opencoin_terminal::{output, progress, secret_args};

/// Blind-signed electronic cash: run a currency, use a wallet, audit both.
#[derive(Debug, Parser)]
#[command(name = "opencoin", version, max_term_width = 120)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create and run a currency.
    #[command(subcommand)]
    Issuer(commands::issuer::Command),
    /// Sign what the books have accepted, for a server that has no private keys.
    Signer(commands::signer::Arguments),
    /// The master key, best on a machine without network: make one, sign with it.
    #[command(subcommand)]
    Master(commands::master::Command),
    /// Hold coins: mint, send, receive, redeem.
    Wallet(commands::wallet::Arguments),
    /// Use an account at an issuer: log in, pay, watch.
    Account(commands::account::Arguments),
    /// Let programs act for your account: each with a key and scopes of its own.
    Service(commands::account::service::Arguments),
    /// Show a document or message, or its exact bytes.
    Inspect(commands::inspect::Arguments),
    /// Check certificates, mint keys, coins and coin stacks against a currency's CDDC.
    Verify(commands::verify::Arguments),
    /// The life of a coin on one screen: a currency, an issuer, Alice, Bob and an auditor.
    Demo(commands::demo::Arguments),
    /// How fast an issuer is on this machine, and how near to what RSA alone costs.
    Bench(opencoin_bench::Arguments),
    /// Print the completions of these commands for a shell.
    Completions(commands::manual::CompletionsArguments),
    /// Write the manual pages: one for each command.
    Man(commands::manual::ManArguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = arguments();
    let only_shows = match &arguments.command {
        Command::Inspect(_) | Command::Verify(_) | Command::Completions(_) | Command::Man(_) => true,
        Command::Issuer(command) => command.only_shows(),
        Command::Account(arguments) => arguments.only_shows(),
        Command::Service(arguments) => arguments.only_shows(),
        Command::Signer(_)
        | Command::Master(_)
        | Command::Wallet(_)
        | Command::Demo(_)
        | Command::Bench(_) => false,
    };
    let result = match arguments.command {
        Command::Issuer(command) => commands::issuer::run(command).await,
        Command::Signer(arguments) => commands::signer::run(arguments).await,
        Command::Master(command) => commands::master::run(command),
        Command::Wallet(arguments) => commands::wallet::run(arguments).await,
        Command::Account(arguments) => commands::account::run(arguments).await,
        Command::Service(arguments) => commands::account::service::run(arguments).await,
        Command::Inspect(arguments) => commands::inspect::run(&arguments),
        Command::Verify(arguments) => commands::verify::run(&arguments),
        Command::Demo(arguments) => commands::demo::run(arguments).await,
        Command::Bench(arguments) => opencoin_bench::run(arguments).await,
        Command::Completions(arguments) => {
            commands::manual::completions(&arguments, Arguments::command()).map(|()| ExitCode::SUCCESS)
        }
        Command::Man(arguments) => {
            commands::manual::man(&arguments, Arguments::command()).map(|()| ExitCode::SUCCESS)
        }
    };
    match result {
        Ok(code) => code,
        // Whoever reads a document (`head`, a pager) may stop early. Elsewhere what was not read may be a
        // token, or coins.
        Err(error) if only_shows && is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// What the command line says. One that is wrong ends the program, and so does one that shows a password to
/// everybody on this machine.
fn arguments() -> Arguments {
    let matches = Arguments::command().get_matches();
    if let Some(variable) = database_args::variable_for_password(&Arguments::command(), &matches) {
        Arguments::command()
            .error(ErrorKind::ValueValidation, database_args::advice(&variable))
            .exit();
    }
    Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
