//! `opencoin issuer backup`, `opencoin issuer restore`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use opencoin_issuer::{BackupOptions, RestoreOptions};
use opencoin_keys::SystemClock;
use opencoin_terminal::output::OutputArgs;
use rand::rngs::OsRng;
use serde_json::json;

use crate::dir_args::DirArgs;

#[derive(Debug, Args)]
pub(crate) struct BackupArguments {
    #[command(flatten)]
    dir: DirArgs,
    /// The folder to create.
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
    /// Include the private mint keys, encrypted as they are. Keep such a backup as safe as the keys.
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
    /// Replace existing books. They are kept under another name.
    #[arg(long)]
    replace: bool,
}

pub(crate) async fn back_up(arguments: BackupArguments, output: OutputArgs) -> Result<()> {
    let BackupArguments { dir, to, with_keys } = arguments;
    let directory = dir.directory()?;
    let options = BackupOptions { to, with_keys };
    let manifest = opencoin_issuer::back_up(&directory, &options, &SystemClock).await?;
    let entry = manifest
        .entry
        .map_or_else(|| "none".to_owned(), |entry| entry.to_string());
    let folder = options.to.display();
    let mut lines = vec![
        format!("backed up the books as of {}, in {folder}", manifest.made_at),
        format!(
            "newest entry of the journal: {entry}; certificates to serial {}",
            manifest.cdd_serial
        ),
    ];
    if !with_keys {
        lines.push(
            "the private mint keys are not included: keep a separate copy, or make the backup --with-keys"
                .to_owned(),
        );
    }
    let value = json!({
        "folder": options.to,
        "made_at": manifest.made_at,
        "entry": entry,
        "cdd_serial": manifest.cdd_serial,
        "with_keys": with_keys,
    });
    output.show(value, lines)
}

pub(crate) async fn restore(arguments: RestoreArguments, output: OutputArgs) -> Result<()> {
    let RestoreArguments { dir, from, replace } = arguments;
    let directory = dir.directory()?;
    let options = RestoreOptions { from, replace };
    let restored = opencoin_issuer::restore(&directory, &options, &SystemClock, &mut OsRng).await?;
    let (made_at, books) = (&restored.manifest.made_at, restored.books.display());
    let mut lines = vec![format!("restored the books as of {made_at} to {books}")];
    if let Some(kept) = &restored.kept {
        lines.push(format!("the replaced books are in {}", kept.display()));
    }
    if restored.made_folder {
        lines.push(
            "the folder of the currency is new; copy private mint keys into it that the backup does not contain"
                .to_owned(),
        );
    }
    let dir = directory.root().display();
    let has_log = directory
        .currency()
        .is_ok_and(|currency| currency.log().is_some());
    lines.extend(if has_log {
        [
            "coins that were spent since can be spent again; no server starts until you recover them from a copy of the log:"
                .to_owned(),
            format!("opencoin log recover --dir {dir} --from URL_OR_FOLDER"),
        ]
    } else {
        [
            "coins that were spent since can be spent again; no server starts until you accept that:".to_owned(),
            format!("opencoin issuer accept-restored-state --dir {dir} --yes-spent-coins-may-be-forgotten"),
        ]
    });
    let value = json!({
        "books": restored.books,
        "made_at": made_at,
        "kept": restored.kept,
        "made_folder": restored.made_folder,
    });
    output.show(value, lines)
}
