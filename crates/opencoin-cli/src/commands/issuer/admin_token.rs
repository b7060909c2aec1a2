//! `opencoin issuer admin-token`: who may use `/v1/admin`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use opencoin_issuer::AdminTokens;
use opencoin_keys::{Clock, SystemClock};
use opencoin_ledger::AccountName;
use rand::rngs::OsRng;

use super::DirArgs;
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum AdminTokenCommand {
    /// Make a token for `/v1/admin` and show it, once. A running server takes it at once.
    Create {
        /// Whose it is, or what for; as account names.
        name: AccountName,
        #[command(flatten)]
        dir: DirArgs,
        /// Write {"name": ..., "token": ...}.
        #[arg(long)]
        json: bool,
    },
    /// Show the names of the tokens, and when they were made.
    List {
        #[command(flatten)]
        dir: DirArgs,
        /// Write [{"name": ..., "created_at": ...}, ...].
        #[arg(long)]
        json: bool,
    },
    /// Remove a token. It ends at once.
    Remove {
        /// The name of the token.
        name: AccountName,
        #[command(flatten)]
        dir: DirArgs,
    },
}

pub(crate) fn run(command: AdminTokenCommand) -> Result<ExitCode> {
    match command {
        AdminTokenCommand::Create { name, dir, json } => {
            let token = tokens(dir)?.create(&name, SystemClock.now(), &mut OsRng)?;
            if json {
                output::json(&serde_json::json!({ "name": name.as_str(), "token": token.expose() }))?;
            } else {
                output::line(&format!("token: {}", token.expose()))?;
                output::line("this is the only time that the token is shown")?;
            }
        }
        AdminTokenCommand::List { dir, json } => {
            let tokens = tokens(dir)?.list()?;
            if json {
                let shown = tokens
                    .iter()
                    .map(|token| serde_json::json!({ "name": token.name, "created_at": token.created_at }));
                output::json(&shown.collect::<Vec<_>>())?;
            } else {
                for token in tokens {
                    output::line(&format!(
                        "{}: made {}",
                        token.name,
                        token.created_at.format("%Y-%m-%d %H:%M:%S UTC")
                    ))?;
                }
            }
        }
        AdminTokenCommand::Remove { name, dir } => {
            tokens(dir)?.remove(&name)?;
            output::line(&format!("the token {name} has ended"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Those of a folder that holds a currency.
fn tokens(dir: DirArgs) -> Result<AdminTokens> {
    let directory = dir.directory()?;
    directory.config()?;
    Ok(AdminTokens::in_folder(directory.root()))
}
