//! `opencoin issuer migrate`: brings the tables of the books up to the version of this program.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use opencoin_issuer::{MigratedBooks, migrate_books, schema_state};
use opencoin_ledger::SchemaState;

use super::DirArgs;
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    dir: DirArgs,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let directory = arguments.dir.directory()?;
    let config = directory.config()?;
    if arguments.dry_run {
        let state = schema_state(&config.database, directory.root()).await?;
        let Some(version) = state.version else {
            bail!("there are no books; `opencoin issuer serve` makes them")
        };
        tell(&state, version, "would be applied")?;
        return Ok(ExitCode::SUCCESS);
    }
    let MigratedBooks { before, copy } = migrate_books(&config.database, directory.root()).await?;
    tell(&before, before.version.unwrap_or(0), "applied")?;
    if let Some(copy) = copy {
        output::line(&format!(
            "the books before that are in {}; remove them when all is well",
            copy.display()
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(state: &SchemaState, version: i64, done: &str) -> Result<()> {
    let known = state.known;
    if state.pending.is_empty() {
        return output::line(&format!(
            "the books have schema version {version}, this program knows {known}: nothing to do"
        ));
    }
    for (version, name) in &state.pending {
        output::line(&format!("{done}: {version:04} {name}"))?;
    }
    output::line(&format!("schema version {version} before, {known} after"))
}
