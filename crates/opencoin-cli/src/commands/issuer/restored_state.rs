//! `opencoin issuer accept-restored-state`, and what a server says that needs it.

use anyhow::{Error, Result, anyhow, bail};
use clap::Args;
use opencoin_issuer::{GuardError, HighWaterMark, StoreMode, accept_state, examine};
use opencoin_keys::{Clock, Directory, SystemClock};
use opencoin_ledger::{LedgerTime, RollbackDetected};
use opencoin_terminal::output::OutputArgs;
use rand::rngs::OsRng;
use serde_json::json;

use crate::dir_args::DirArgs;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    dir: DirArgs,
    /// You know that coins that were spent since may be spent again, and that newer payments and accounts are
    /// gone.
    #[arg(long)]
    yes_spent_coins_may_be_forgotten: bool,
    /// You know that these are not the books that were served before, and they are the right ones.
    #[arg(long)]
    yes_these_are_other_books: bool,
}

pub(crate) async fn run(arguments: Arguments, output: OutputArgs) -> Result<()> {
    let directory = arguments.dir.directory()?;
    let config = directory.config()?;
    let opened = super::open_books(&directory, &config, StoreMode::Existing).await?;
    let mark = HighWaterMark::of_currency(directory.root(), config.high_water_mark.as_deref());
    let setback = match examine(opened.history.as_ref(), &mark).await {
        Ok(_) => {
            let said = "there is nothing to accept: the books are not behind what was seen of them";
            return output.show(json!({ "accepted": null }), [said]);
        }
        Err(GuardError::Rollback(setback)) => setback,
        Err(error) => return Err(error.into()),
    };
    let is_said = arguments.yes_spent_coins_may_be_forgotten
        && (arguments.yes_these_are_other_books || !matches!(setback, RollbackDetected::Other { .. }));
    if !is_said {
        bail!(explain(setback.into(), &directory));
    }
    let at = LedgerTime::from_unix_micros(SystemClock.now().timestamp_micros());
    accept_state(opened.history.as_ref(), &mark, at, &mut OsRng).await?;
    opened.history.close().await;
    let next = "next: start the servers, look at `opencoin issuer audit`, and read \"Backup and restore\" in docs/OPERATING.md";
    output.show(
        json!({ "accepted": setback.to_string() }),
        [format!("accepted, although {setback}"), next.to_owned()],
    )
}

/// What an operator reads whose books are not served, with the command that is needed if this is meant.
pub(super) fn explain(error: GuardError, directory: &Directory) -> Error {
    let other = match &error {
        GuardError::Rollback(RollbackDetected::Other { .. }) => " --yes-these-are-other-books",
        GuardError::Rollback(RollbackDetected::Unconfirmed | RollbackDetected::Older { .. }) => "",
        GuardError::Ledger(_) | GuardError::HighWater(_) => return error.into(),
    };
    let dir = directory.root().display();
    anyhow!(
        "{error}. Nothing is served or changed. If there is a newer state, bring that back. If there is none, read \"Backup and restore\" in \
         docs/OPERATING.md, then: opencoin issuer accept-restored-state --dir {dir} --yes-spent-coins-may-be-forgotten{other}"
    )
}
