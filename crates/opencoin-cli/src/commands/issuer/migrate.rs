//! `opencoin issuer migrate`: migrates the tables of the books to the version of this program.

use anyhow::{Result, bail};
use clap::Args;
use opencoin_issuer::{MigratedBooks, distribute_books, migrate_books, schema_state};
use opencoin_terminal::output::OutputArgs;
use serde_json::json;

use crate::dir_args::DirArgs;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    dir: DirArgs,
    /// Show what would be done, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Then distribute the tables that grow over the servers of Citus, with their rows. Stop all servers and signers
    /// before, and make a backup.
    #[arg(long, conflicts_with = "dry_run")]
    distributed: bool,
}

pub(crate) async fn run(arguments: Arguments, output: OutputArgs) -> Result<()> {
    let directory = arguments.dir.directory()?;
    let config = directory.config()?;
    let (state, copy, done) = if arguments.dry_run {
        let state = schema_state(&config.database, directory.root()).await?;
        (state, None, "would be applied")
    } else {
        let MigratedBooks { before, copy } = migrate_books(&config.database, directory.root()).await?;
        (before, copy, "applied")
    };
    let Some(version) = state.version.or((!arguments.dry_run).then_some(0)) else {
        bail!("there are no books; `opencoin issuer serve` creates them")
    };
    let known = state.known;
    let mut lines: Vec<String> = state
        .pending
        .iter()
        .map(|(version, name)| format!("{done}: {version:04} {name}"))
        .collect();
    lines.push(if lines.is_empty() {
        format!("the books have schema version {version}, this program knows {known}: nothing to do")
    } else {
        format!("schema version {version} before, {known} after")
    });
    lines.extend(copy.as_ref().map(|copy| {
        format!(
            "a copy of the books before the migration is in {}; remove it when everything works",
            copy.display()
        )
    }));
    let layout = if arguments.distributed {
        Some(
            distribute_books(&config.database, directory.root())
                .await?
                .to_string(),
        )
    } else {
        None
    };
    lines.extend(layout.clone());
    let pending = state
        .pending
        .iter()
        .map(|(version, name)| json!({ "version": version, "name": name }));
    let value = json!({
        "version": version,
        "known": known,
        "migrations": pending.collect::<Vec<_>>(),
        "applied": !arguments.dry_run,
        "copy": copy,
        "layout": layout,
    });
    output.show(value, lines)
}
