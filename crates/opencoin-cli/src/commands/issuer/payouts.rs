//! `opencoin issuer payouts`: lists and settles payouts directly in the books.

mod exports;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Subcommand;
use opencoin_issuer::Asked;
use opencoin_ledger::{OperatorName, Payout, PayoutFilter, PayoutNo, Reference, Settlement};
use opencoin_terminal::output::OutputArgs;
use opencoin_text::printable;

use super::pages::{PAGE, all_pages};
use super::{Purpose, accounts, proposals};
use crate::currency_unit::CurrencyUnit;
use crate::dir_args::DirArgs;
use crate::operator_args::OperatorArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum PayoutsCommand {
    /// Show the payouts that wait for settlement, oldest first.
    List {
        #[command(flatten)]
        dir: DirArgs,
        /// Include settled payouts.
        #[arg(long)]
        all: bool,
        /// Begin after this number.
        #[arg(long, value_name = "N", default_value_t = 0)]
        after: u32,
    },
    /// Make a file of payouts for the bank, in the account of `[bank]` in `issuer.toml`. Each payout is in one file at most.
    Export(Box<exports::Arguments>),
    /// Show the files that were made, the newest first.
    Exports {
        #[command(flatten)]
        dir: DirArgs,
    },
    /// Show what a file has in it, also if it was withdrawn.
    ShowExport {
        /// The number of the export.
        id: u32,
        /// Write the file itself again, for the bank. It must not exist.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        dir: DirArgs,
    },
    /// Withdraw a file that was never sent to the bank. Its payouts can be in another file.
    Withdraw(exports::Ending),
    /// Record that the bank has paid a file. Repeating the command settles what an interrupted one has left.
    PaidExport(exports::Ending),
    /// Record that the bank has paid. Repeating the command changes nothing.
    Paid {
        /// The number of the payout.
        id: u32,
        /// The bank's reference of the payment. The holder can read it.
        #[arg(long)]
        reference: Reference,
        #[command(flatten)]
        by: OperatorArgs,
        #[command(flatten)]
        dir: DirArgs,
    },
    /// Record that the payout failed: the money goes back to the account. Repeating the command changes nothing.
    Failed {
        /// The number of the payout.
        id: u32,
        /// The reason. The holder can read it.
        #[arg(long)]
        reason: Reference,
        #[command(flatten)]
        by: OperatorArgs,
        #[command(flatten)]
        dir: DirArgs,
    },
}

pub(crate) async fn run(command: PayoutsCommand, output: OutputArgs) -> Result<()> {
    match command {
        PayoutsCommand::List { dir, all, after } => {
            let filter = if all {
                PayoutFilter::All
            } else {
                PayoutFilter::Requested
            };
            list(dir, filter, PayoutNo::new(after.into()), output).await
        }
        PayoutsCommand::Export(arguments) => exports::export(*arguments, output).await,
        PayoutsCommand::Exports { dir } => exports::list(&dir, output).await,
        PayoutsCommand::ShowExport { id, out, dir } => exports::show(&dir, id, out.as_deref(), output).await,
        PayoutsCommand::Withdraw(ending) => exports::withdraw(ending, output).await,
        PayoutsCommand::PaidExport(ending) => exports::paid(ending, output).await,
        PayoutsCommand::Paid {
            id,
            reference,
            by,
            dir,
        } => settle(dir, id, Settlement::Paid(reference), &by.name(), output).await,
        PayoutsCommand::Failed { id, reason, by, dir } => {
            settle(dir, id, Settlement::Failed(reason), &by.name(), output).await
        }
    }
}

async fn list(dir: DirArgs, filter: PayoutFilter, after: PayoutNo, output: OutputArgs) -> Result<()> {
    let (cashier, directory) = accounts::open(dir, Purpose::Look).await?;
    let page = async |last: Option<&Payout>| {
        let after = last.map_or(after, |last| last.no);
        cashier.payouts(filter, after, PAGE).await
    };
    let payouts = all_pages(page).await?;
    let unit = super::unit(&directory)?;
    let said = payouts.iter().map(|payout| line(payout, &unit));
    output.show(payouts.iter().map(as_json).collect(), said)
}

fn line(payout: &Payout, unit: &CurrencyUnit) -> String {
    let (state, note) = state(payout);
    let frozen = if payout.is_frozen { " (frozen)" } else { "" };
    let note = note
        .map(|note| format!(" ({})", printable(note.as_str())))
        .unwrap_or_default();
    format!(
        "{}: {} from {}{frozen} to {}: {state}{note}",
        payout.no.get(),
        unit.show(payout.amount.units()),
        payout.name,
        printable(payout.destination.as_str())
    )
}

async fn settle(
    dir: DirArgs,
    id: u32,
    settlement: Settlement,
    by: &OperatorName,
    output: OutputArgs,
) -> Result<()> {
    let (cashier, directory) = accounts::open(dir, Purpose::Change).await?;
    let acting = cashier.acting(by);
    let asked = acting.settle(PayoutNo::new(id.into()), settlement).await;
    let unit = super::unit(&directory)?;
    let payout = match asked.with_context(|| format!("payout {id}"))? {
        Asked::Done(payout) => payout,
        Asked::Waits(waiting) => return proposals::show_waiting(*waiting, &unit, output),
    };
    let amount = unit.show(payout.amount.units());
    let what = if state(&payout).0 == "paid" {
        "is paid"
    } else {
        "has failed; the money is back on the account"
    };
    let said = format!("payout {id} of {amount} from {} {what}", payout.name);
    output.show(as_json(&payout), [said])
}

fn state(payout: &Payout) -> (&'static str, Option<&Reference>) {
    match &payout.settled {
        None => ("requested", None),
        Some((Settlement::Paid(reference), _)) => ("paid", Some(reference)),
        Some((Settlement::Failed(reason), _)) => ("failed", Some(reason)),
    }
}

fn as_json(payout: &Payout) -> serde_json::Value {
    let (state, note) = state(payout);
    serde_json::json!({
        "id": payout.no.get(),
        "account": payout.name.as_str(),
        "account_frozen": payout.is_frozen,
        "amount": payout.amount.units(),
        "destination": payout.destination.as_str(),
        "state": state,
        "note": note.map(Reference::as_str),
    })
}
