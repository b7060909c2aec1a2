//! Refuses a database password on the command line, which every user of the machine can read and which shells record.
//!
//! Several commands have `--database`, each with a variable for the same address. One function checks all of them.

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use opencoin_config::{Setting, hide_passwords};

const DATABASE: &str = "database";

/// If `--database` on the command line contains a password, returns the variable to use instead.
pub(crate) fn variable_for_password(command: &Command, matches: &ArgMatches) -> Option<String> {
    if let Some((name, matches)) = matches.subcommand() {
        return variable_for_password(command.find_subcommand(name)?, matches);
    }
    let argument = command
        .get_arguments()
        .find(|argument| argument.get_id() == DATABASE)?;
    let has_password = |address: &String| hide_passwords(address) != *address;
    let is_given = matches.value_source(DATABASE) == Some(ValueSource::CommandLine);
    let _ = matches
        .get_one::<String>(DATABASE)
        .filter(|address| is_given && has_password(address))?;
    let variable = argument
        .get_env()
        .map(|variable| variable.to_string_lossy().into_owned());
    variable.or_else(|| Setting::of_path(DATABASE).map(Setting::variable))
}

/// The error text for a password on the command line.
pub(crate) fn advice(variable: &str) -> String {
    format!(
        "every user of this machine can read the password in --database: give the address as {variable} in the environment, \
         or give the password in PGPASSWORD or in the file that PGPASSFILE names; a server also reads the address from issuer.toml"
    )
}
