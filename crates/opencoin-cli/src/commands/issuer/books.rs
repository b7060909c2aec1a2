//! `opencoin issuer signing`.

use std::sync::Arc;

use anyhow::Result;
use clap::Subcommand;
use opencoin_issuer::Operator;
use opencoin_keys::{Directory, SystemClock};
use opencoin_terminal::output::OutputArgs;
use serde_json::json;

use super::Purpose;
use crate::dir_args::DirArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum SigningCommand {
    /// Pause signing. Mints and renews are accepted and answered with a delay.
    Pause(DirArgs),
    /// Resume signing. Delayed requests get their signatures.
    Resume(DirArgs),
}

pub(crate) async fn signing(command: SigningCommand, output: OutputArgs) -> Result<()> {
    let (dir, paused) = match command {
        SigningCommand::Pause(dir) => (dir, true),
        SigningCommand::Resume(dir) => (dir, false),
    };
    let (operator, _) = open(dir).await?;
    let changed = operator.set_signing_paused(paused).await?;
    let state = if paused {
        "paused: mint and renew are accepted and answered with a delay"
    } else {
        "on"
    };
    let already = if changed { "" } else { "already " };
    output.show(
        json!({ "paused": paused, "changed": changed }),
        [format!("signing is {already}{state}")],
    )
}

/// Opens the books for a change.
pub(super) async fn open(dir: DirArgs) -> Result<(Operator, Directory)> {
    let directory = dir.directory()?;
    let ledger = super::ledger(&directory, Purpose::Change).await?;
    Ok((Operator::new(ledger, Arc::new(SystemClock)), directory))
}
