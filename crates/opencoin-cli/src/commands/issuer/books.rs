//! `opencoin issuer signing`.

use std::sync::Arc;

use anyhow::Result;
use clap::{Args, Subcommand};
use opencoin_issuer::Operator;
use opencoin_keys::{Directory, SystemClock};
use opencoin_terminal::output::OutputArgs;
use serde_json::json;

use super::Purpose;
use crate::dir_args::DirArgs;
use crate::operator_args::OperatorArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum SigningCommand {
    /// Pause signing. Mints and renews are accepted and answered with a delay.
    Pause(Arguments),
    /// Resume signing. Delayed requests get their signatures.
    Resume(Arguments),
}

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    by: OperatorArgs,
    #[command(flatten)]
    dir: DirArgs,
}

pub(crate) async fn signing(command: SigningCommand, output: OutputArgs) -> Result<()> {
    let (Arguments { by, dir }, paused) = match command {
        SigningCommand::Pause(arguments) => (arguments, true),
        SigningCommand::Resume(arguments) => (arguments, false),
    };
    let (operator, _) = open(dir, by).await?;
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
pub(super) async fn open(dir: DirArgs, by: OperatorArgs) -> Result<(Operator, Directory)> {
    let directory = dir.directory()?;
    let books = super::books(&directory, Purpose::Change).await?;
    Ok((Operator::new(books, Arc::new(SystemClock), by.name()), directory))
}
