//! `opencoin issuer keys give-up`: the request that waits for the master key is removed.

use std::sync::Arc;

use anyhow::{Result, ensure};
use clap::Args;
use opencoin_issuer::Operator;
use opencoin_keys::SystemClock;
use opencoin_terminal::output::OutputArgs;
use serde_json::json;

use crate::commands::issuer::{self, Purpose};
use crate::confirmation::confirm;
use crate::dir_args::DirArgs;
use crate::operator_args::OperatorArgs;

#[derive(Debug, Args)]
pub(crate) struct GiveUpArguments {
    /// The fingerprint of the request, which `keys rotate` and `master sign` show. Without this option you are asked.
    #[arg(long, value_name = "FINGERPRINT")]
    request: Option<String>,
    /// The master key on the other machine has never signed the request. Needed if the request has a description of the
    /// currency.
    #[arg(long)]
    never_signed: bool,
    #[command(flatten)]
    by: OperatorArgs,
    #[command(flatten)]
    dir: DirArgs,
}

pub(super) async fn give_up(arguments: GiveUpArguments, output: OutputArgs) -> Result<()> {
    let GiveUpArguments {
        request,
        never_signed,
        by,
        dir,
    } = arguments;
    let directory = dir.directory()?;
    let nothing = || {
        output.show(
            json!({ "given_up": false, "request": null }),
            ["nothing waits for the master key: nothing changed"],
        )
    };
    let seen = match request {
        Some(fingerprint) => fingerprint,
        None => {
            let Some(pending) = directory.pending()? else {
                return nothing();
            };
            let fingerprint = pending.fingerprint();
            let question = format!(
                "The request {fingerprint} has {} mint keys. Give it up?",
                pending.mint_keys.len()
            );
            let instead = format!("name the request with --request \"{fingerprint}\"");
            ensure!(confirm(&question, &instead)?, "nothing was given up");
            fingerprint
        }
    };
    let books = issuer::books(&directory, Purpose::Change).await?;
    let lock = directory.lock()?;
    let Some(unwanted) = directory.check_give_up(&seen, never_signed, &lock)? else {
        return nothing();
    };
    let operator = Operator::new(books, Arc::new(SystemClock), by.name());
    operator
        .give_up(&directory, unwanted, never_signed, &lock)
        .await?;
    let lines = [
        format!("given up: the request {seen}"),
        "if it was signed, destroy the file with its certificates".to_owned(),
        "next: opencoin issuer keys rotate, then opencoin issuer keys destroy --uncertified".to_owned(),
    ];
    output.show(json!({ "given_up": true, "request": seen }), lines)
}
