//! `opencoin issuer backup`, `opencoin issuer restore`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use opencoin_issuer::{BackupOptions, RestoreOptions};
use opencoin_keys::SystemClock;
use rand::rngs::OsRng;

use super::DirArgs;
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct BackupArguments {
    #[command(flatten)]
    dir: DirArgs,
    /// The folder to make.
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
    /// Copy the private mint keys, too, encrypted as they are. Keep such a copy as safe as the keys.
    #[arg(long)]
    with_keys: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArguments {
    #[command(flatten)]
    dir: DirArgs,
    /// The folder of the backup.
    #[arg(long, value_name = "FOLDER")]
    from: PathBuf,
    /// Put the books in place of those that are there, which are kept under another name.
    #[arg(long)]
    replace: bool,
}

pub(crate) async fn back_up(arguments: BackupArguments) -> Result<ExitCode> {
    let BackupArguments { dir, to, with_keys } = arguments;
    let directory = dir.directory()?;
    let options = BackupOptions { to, with_keys };
    let manifest = opencoin_issuer::back_up(&directory, &options, &SystemClock).await?;
    output::line(&format!(
        "backed up the books as of {}, in {}",
        manifest.made_at,
        options.to.display()
    ))?;
    let entry = manifest
        .entry
        .map_or_else(|| "none".to_owned(), |entry| entry.to_string());
    output::line(&format!(
        "newest entry of the journal: {entry}; certificates to serial {}",
        manifest.cdd_serial
    ))?;
    if !with_keys {
        output::line(
            "without private mint keys: keep a copy of those apart, or make the backup --with-keys",
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn restore(arguments: RestoreArguments) -> Result<ExitCode> {
    let RestoreArguments { dir, from, replace } = arguments;
    let directory = dir.directory()?;
    let restored = opencoin_issuer::restore(
        &directory,
        &RestoreOptions { from, replace },
        &SystemClock,
        &mut OsRng,
    )
    .await?;
    output::line(&format!(
        "restored the books as of {} to {}",
        restored.manifest.made_at,
        restored.books.display()
    ))?;
    if let Some(kept) = restored.kept {
        output::line(&format!("the books that were there are in {}", kept.display()))?;
    }
    if restored.made_folder {
        output::line(
            "the folder of the currency was made anew; put private mint keys back that the backup does not hold",
        )?;
    }
    output::line("coins that were spent since can be spent again; no server starts until you accept that:")?;
    let dir = directory.root().display();
    output::line(&format!(
        "opencoin issuer accept-restored-state --dir {dir} --yes-spent-coins-may-be-forgotten"
    ))?;
    Ok(ExitCode::SUCCESS)
}
