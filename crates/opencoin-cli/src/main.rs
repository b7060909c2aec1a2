//! The program `opencoin`. Each command is a thin layer over a library.
//!
//! Results go to stdout, everything else to stderr. `failure` defines the exit codes.

mod coin_stack;
mod commands;
mod confirmation;
mod cosigner_args;
mod currency_unit;
mod database_args;
mod dates;
mod dir_args;
mod failure;
mod input;
mod key_store;
mod lanes;
mod log;
mod master_key_name;
mod network_args;
mod open_files;
mod operator_args;
#[cfg(feature = "otel")]
mod otel;
mod public_log;
mod service;
mod settings_args;
mod signer_link;
mod token_args;
mod wallet_dir_args;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use opencoin_terminal::output;

use crate::failure::{Failure, Report};

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
    Issuer(commands::issuer::Arguments),
    /// Run the signer process, which holds the private mint keys for a server without keys.
    Signer(commands::signer::Arguments),
    /// Run a witness of transparency logs, which cosigns checkpoints of logs that only grow.
    Witness(commands::witness::Arguments),
    /// Audit currencies that others run: follow their public logs, check every rule, keep a copy and evidence.
    Auditor(commands::auditor::Arguments),
    /// Run a relay, where wallets meet for live transfers. An issuer can run one too (`relay.enabled`).
    Relay(commands::relay::Arguments),
    /// Look after the public log of a currency: what was issued and what came back.
    Log(commands::issuer::log::Arguments),
    /// Create a master key and sign with it, preferably on a machine without a network.
    Master(commands::master::Arguments),
    /// Hold coins: mint, send, receive, redeem.
    Wallet(commands::wallet::Arguments),
    /// Use an account at an issuer: log in, pay, watch.
    Account(commands::account::Arguments),
    /// Pay by key: accounts in the public log that belong to a key of the wallet, and proofs of payments.
    Key(commands::key::Arguments),
    /// Let programs use your account, each with its own key and scopes.
    Service(commands::account::service::Arguments),
    /// Show a document or message, or its exact bytes.
    Inspect(commands::inspect::Arguments),
    /// Verify certificates, mint keys, coins and coin stacks against a currency's CDDC.
    Verify(commands::verify::Arguments),
    /// Check a file that says what somebody did wrong with a public log, with nothing else than the file.
    Evidence(commands::evidence::Arguments),
    /// Show the life of a coin: a currency, an issuer, Alice, Bob and an auditor.
    Demo(commands::demo::Arguments),
    /// Measure how fast an issuer is on this machine, compared with RSA alone.
    Bench(opencoin_bench::Arguments),
    /// Print the completion script for a shell.
    Completions(commands::manual::CompletionsArguments),
    /// Write the manual pages, one for each command.
    Man(commands::manual::ManArguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let (arguments, matches) = arguments();
    let result = match arguments.command {
        Command::Issuer(arguments) => commands::issuer::run(arguments).await,
        Command::Signer(arguments) => commands::signer::run(arguments).await,
        Command::Witness(arguments) => commands::witness::run(arguments).await,
        Command::Auditor(arguments) => commands::auditor::run(arguments).await,
        Command::Relay(arguments) => commands::relay::run(arguments).await,
        Command::Log(arguments) => commands::issuer::log::run(arguments).await,
        Command::Master(arguments) => commands::master::run(arguments),
        Command::Wallet(arguments) => commands::wallet::run(arguments).await,
        Command::Account(arguments) => commands::account::run(arguments).await,
        Command::Key(arguments) => commands::key::run(arguments).await,
        Command::Service(arguments) => commands::account::service::run(arguments).await,
        Command::Inspect(arguments) => commands::inspect::run(&arguments),
        Command::Verify(arguments) => commands::verify::run(&arguments),
        Command::Evidence(arguments) => commands::evidence::run(&arguments),
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
        // The reader of the output (`head`, a pager) may stop early. Only `OutputArgs::show_once` reports that.
        Err(error) if output::is_closed(&error) => ExitCode::SUCCESS,
        Err(error) => {
            Report::of(&error).show(&matches);
            Failure::of(&error).code()
        }
    }
}

/// Parses the command line. Ends the program if it is wrong or contains the password of a database.
fn arguments() -> (Arguments, ArgMatches) {
    let matches = Arguments::command().get_matches();
    if let Some(variable) = database_args::variable_for_password(&Arguments::command(), &matches) {
        Arguments::command()
            .error(ErrorKind::ValueValidation, database_args::advice(&variable))
            .exit();
    }
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    (arguments, matches)
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::*;

    /// What prints a script, a page or a story instead of a result (docs/COMMANDS.md).
    const WITHOUT_JSON: [&str; 3] = ["opencoin completions", "opencoin demo", "opencoin man"];

    /// The commands that do something, as their usage names them, and whether they have `--json`.
    fn leaves(command: &Command, found: &mut Vec<(String, bool)>) {
        let mut below = command
            .get_subcommands()
            .filter(|below| below.get_name() != "help")
            .peekable();
        if below.peek().is_none() {
            let has_json = command
                .get_arguments()
                .any(|argument| argument.get_long() == Some("json"));
            let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
            found.push((name.to_owned(), has_json));
        }
        for command in below {
            leaves(command, found);
        }
    }

    #[test]
    fn every_command_that_shows_a_result_has_json() {
        let mut program = Arguments::command();
        // Passes global options on to subcommands.
        program.build();
        let mut found = Vec::new();
        leaves(&program, &mut found);
        assert!(
            found.len() > 80 && found.contains(&("opencoin wallet maintain".to_owned(), true)),
            "{found:?}"
        );
        let without = found.iter().filter(|(_, has_json)| !has_json);
        let mut without: Vec<&str> = without.map(|(name, _)| name.as_str()).collect();
        without.sort_unstable();
        assert_eq!(without, WITHOUT_JSON);
    }

    /// The commands in the table of docs/COMMANDS.md under "JSON". In a row, a command without its first words has those of
    /// the one before it.
    fn in_the_table(program: &Command) -> Vec<Vec<String>> {
        let guide = include_str!("../../../docs/COMMANDS.md");
        let (_, below) = guide.split_once("\n## JSON\n").expect("the chapter");
        let (chapter, _) = below.split_once("\n## ").expect("the next chapter");
        let rows = chapter.lines().filter(|line| line.starts_with("| `"));
        let mut named = Vec::new();
        for row in rows {
            let (commands, _) = row
                .strip_prefix("| ")
                .and_then(|row| row.split_once(" | "))
                .expect("two columns");
            let mut before: Vec<String> = Vec::new();
            // What is in backticks.
            for text in commands.split('`').skip(1).step_by(2) {
                let is_word = |word: &&str| {
                    word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-')
                };
                let words: Vec<String> = text.split(' ').take_while(is_word).map(str::to_owned).collect();
                let full = (0..=before.len())
                    .rev()
                    .map(|kept| [&before[..kept], &words[..]].concat());
                let found = full.into_iter().find(|path| is_command(program, path));
                before = found.unwrap_or_else(|| panic!("`{text}` in the table is no command"));
                named.push(before.clone());
            }
        }
        named
    }

    fn is_command(program: &Command, path: &[String]) -> bool {
        let mut below = path.iter();
        let found = below.try_fold(program, |command, name| command.find_subcommand(name));
        found.is_some() && !path.is_empty()
    }

    #[test]
    fn the_table_of_json_names_every_command_and_no_other() {
        let mut program = Arguments::command();
        program.build();
        let named = in_the_table(&program);
        let mut found = Vec::new();
        leaves(&program, &mut found);
        let is_named = |name: &str| {
            // `issuer log` is the same as `log`.
            let name = name.replace("issuer log", "log");
            let path: Vec<&str> = name.split(' ').skip(1).collect();
            let begins = |named: &Vec<String>| {
                path.len() >= named.len() && named.iter().zip(&path).all(|(word, other)| word == other)
            };
            named.iter().any(begins)
        };
        let missing = found
            .iter()
            .filter(|(name, has_json)| *has_json && !is_named(name));
        let missing: Vec<&str> = missing.map(|(name, _)| name.as_str()).collect();
        assert!(missing.is_empty(), "not in the table: {missing:?}");
        let without_json = WITHOUT_JSON.iter().find(|name| is_named(name));
        assert_eq!(without_json, None, "in the table without --json");
    }

    #[test]
    fn commands_of_a_wallet_and_an_account_explain_errors_and_use_a_proxy() {
        let mut program = Arguments::command();
        program.build();
        for name in ["wallet", "account", "service", "key"] {
            let command = program.find_subcommand(name).unwrap();
            for below in command
                .get_subcommands()
                .filter(|below| below.get_name() != "help")
            {
                for option in ["verbose", "proxy"] {
                    let has_it = below
                        .get_arguments()
                        .any(|argument| argument.get_long() == Some(option));
                    assert!(has_it, "{name} {}: --{option}", below.get_name());
                }
            }
        }
    }
}
