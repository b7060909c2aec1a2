//! The password of a database does not belong on a command line, which everybody on a machine can read, and
//! which shells write down.
//!
//! Several commands take `--database`, and all of them the same address from a variable. So it is one look at
//! what was given, and by whom, rather than a check in each of them.

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use opencoin_config::{Setting, hide_passwords};

const DATABASE: &str = "database";

/// The variable that is for the address of the database, when the command line has one with a password in it.
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

/// What to do instead.
pub(crate) fn advice(variable: &str) -> String {
    format!(
        "everybody on this machine can read the password in --database: give the address as {variable} in the environment, or without \
         the password, which PGPASSWORD or the file that PGPASSFILE names can have; a server also finds it in issuer.toml"
    )
}
