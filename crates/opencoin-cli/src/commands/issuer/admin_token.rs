//! `opencoin issuer admin-token`: manages the tokens for `/v1/admin`.

use anyhow::Result;
use clap::Subcommand;
use opencoin_issuer::AdminTokens;
use opencoin_keys::{Clock, SystemClock};
use opencoin_ledger::AccountName;
use opencoin_terminal::output::OutputArgs;
use rand::rngs::OsRng;
use serde_json::json;

use crate::dates::utc;
use crate::dir_args::DirArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum AdminTokenCommand {
    /// Create a token for `/v1/admin` and show it, once. A running server accepts it at once.
    Create {
        /// A name for the owner or the purpose, in the form of account names.
        name: AccountName,
        #[command(flatten)]
        dir: DirArgs,
    },
    /// Show the names of the tokens, and when they were created.
    List {
        #[command(flatten)]
        dir: DirArgs,
    },
    /// Remove a token. It becomes invalid at once.
    Remove {
        /// The name of the token.
        name: AccountName,
        #[command(flatten)]
        dir: DirArgs,
    },
}

pub(crate) fn run(command: AdminTokenCommand, output: OutputArgs) -> Result<()> {
    match command {
        AdminTokenCommand::Create { name, dir } => {
            let token = tokens(dir)?.create(&name, SystemClock.now(), &mut OsRng)?;
            output.show_once(
                json!({ "name": name.as_str(), "token": token.expose() }),
                [
                    format!("token: {}", token.expose()),
                    "this is the only time that the token is shown".to_owned(),
                ],
            )
        }
        AdminTokenCommand::List { dir } => {
            let tokens = tokens(dir)?.list()?;
            let value = tokens
                .iter()
                .map(|token| json!({ "name": token.name, "created_at": token.created_at }));
            let lines = tokens
                .iter()
                .map(|token| format!("{}: created {}", token.name, utc(token.created_at)));
            output.show(value.collect(), lines)
        }
        AdminTokenCommand::Remove { name, dir } => {
            tokens(dir)?.remove(&name)?;
            let said = format!("the token {name} is removed");
            output.show(json!({ "name": name.as_str(), "removed": true }), [said])
        }
    }
}

fn tokens(dir: DirArgs) -> Result<AdminTokens> {
    let directory = dir.directory()?;
    // Fails if the folder contains no currency.
    directory.config()?;
    Ok(AdminTokens::in_folder(directory.root()))
}
