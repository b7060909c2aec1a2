//! `opencoin issuer accept-restored-state`, and the error that recommends it.

use anyhow::{Error, Result, anyhow, bail};
use clap::Args;
use opencoin_issuer::{GuardError, HighWaterMark, StoreMode, accept_state, examine};
use opencoin_keys::{Clock, Currency, Directory, SystemClock};
use opencoin_ledger::{LedgerTime, RollbackDetected};
use opencoin_terminal::output::OutputArgs;
use rand::rngs::OsRng;
use serde_json::json;

use crate::dir_args::DirArgs;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    dir: DirArgs,
    /// Confirm that coins that were spent since then can be spent again, and that newer payments and accounts are
    /// lost.
    #[arg(long)]
    yes_spent_coins_may_be_forgotten: bool,
    /// Confirm that nobody has a copy of the public log. With a copy, `opencoin log recover` loses much less.
    #[arg(long)]
    yes_no_copy_of_the_log_exists: bool,
    /// Confirm that these are not the books that were served before, and that they are the right ones.
    #[arg(long)]
    yes_these_are_other_books: bool,
}

pub(crate) async fn run(arguments: Arguments, output: OutputArgs) -> Result<()> {
    let directory = arguments.dir.directory()?;
    let config = directory.config()?;
    let opened = super::open_books(&directory, &config, StoreMode::Existing).await?;
    let mark = HighWaterMark::of_currency(directory.root(), config.high_water_mark.as_deref());
    let rollback = match examine(opened.history.as_ref(), &mark).await {
        Ok(_) => {
            let said = "there is nothing to accept: the books are not older than the high-water mark";
            return output.show(json!({ "accepted": null }), [said]);
        }
        Err(GuardError::Rollback(rollback)) => rollback,
        Err(error) => return Err(error.into()),
    };
    let has_log = opened.books.log.head().await?.is_some();
    let is_confirmed = arguments.yes_spent_coins_may_be_forgotten
        && (arguments.yes_no_copy_of_the_log_exists || !has_log)
        && (arguments.yes_these_are_other_books || !matches!(rollback, RollbackDetected::Other { .. }));
    if !is_confirmed {
        bail!(explain(rollback.into(), &directory));
    }
    let at = LedgerTime::from_unix_micros(SystemClock.now().timestamp_micros());
    accept_state(opened.history.as_ref(), &mark, at, &mut OsRng).await?;
    opened.history.close().await;
    let next = "next: start the servers, look at `opencoin issuer audit`, and read \"Backup and restore\" in docs/OPERATING.md";
    output.show(
        json!({ "accepted": rollback.to_string() }),
        [format!("accepted, although {rollback}"), next.to_owned()],
    )
}

/// Adds to an error of the guard what to do, with the command that recovers or accepts the books.
pub(super) fn explain(error: GuardError, directory: &Directory) -> Error {
    let other = match &error {
        GuardError::Rollback(RollbackDetected::Other { .. }) => " --yes-these-are-other-books",
        GuardError::Rollback(RollbackDetected::Unconfirmed | RollbackDetected::Older { .. }) => "",
        GuardError::Ledger(_) | GuardError::HighWater(_) => return error.into(),
    };
    let dir = directory.root().display();
    let has_log = |currency: Currency| currency.log().is_some();
    if directory.currency().is_ok_and(has_log) {
        return anyhow!(
            "{error}. Nothing is served or changed. If a newer backup exists, restore it. If there is none, somebody has a copy of \
             the public log: read \"When the books were restored\" in docs/LOG.md, then run: opencoin log recover --dir {dir} --from URL_OR_FOLDER. \
             Only if nobody has one: opencoin issuer accept-restored-state --dir {dir} --yes-spent-coins-may-be-forgotten \
             --yes-no-copy-of-the-log-exists{other}"
        );
    }
    anyhow!(
        "{error}. Nothing is served or changed. If a newer backup exists, restore it. If there is none, read \"Backup and restore\" in \
         docs/OPERATING.md, then run: opencoin issuer accept-restored-state --dir {dir} --yes-spent-coins-may-be-forgotten{other}"
    )
}
