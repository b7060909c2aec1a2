//! `opencoin issuer actions`: what operators have done.

use anyhow::Result;
use chrono::DateTime;
use clap::Args;
use opencoin_ledger::{ActionFilter, ActionNo, ActionSubject, RecordedAction, Reference};
use opencoin_terminal::output::OutputArgs;
use opencoin_text::printable;
use serde_json::json;

use super::{Purpose, accounts};
use crate::currency_unit::CurrencyUnit;
use crate::dates::utc;
use crate::dir_args::DirArgs;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only actions that have changed this: the name of an account, the number of a payout, the id of a mint key.
    #[arg(long)]
    subject: Option<Reference>,
    /// Begin below this number.
    #[arg(long, value_name = "N")]
    before: Option<u32>,
    /// The most actions to show.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
    #[command(flatten)]
    dir: DirArgs,
}

pub(crate) async fn run(arguments: Arguments, output: OutputArgs) -> Result<()> {
    let Arguments {
        subject,
        before,
        limit,
        dir,
    } = arguments;
    let filter = subject.map_or(ActionFilter::All, |subject| {
        ActionFilter::Of(ActionSubject::new(subject.as_str()))
    });
    let (cashier, directory) = accounts::open(dir, Purpose::Look).await?;
    let before = before.map(|before| ActionNo::new(before.into()));
    let actions = cashier.actions(filter, before, limit).await?;
    let unit = super::unit(&directory)?;
    output.show(
        actions.iter().map(as_json).collect(),
        actions.iter().map(|action| line(action, &unit)),
    )
}

fn line(action: &RecordedAction, unit: &CurrencyUnit) -> String {
    let RecordedAction {
        no,
        operator,
        kind,
        subject,
        ..
    } = action;
    let amount = action
        .amount
        .map(|amount| format!("  {}", unit.show(amount.units())));
    let detail = action.detail.as_ref();
    let detail = detail.map(|detail| format!("  ({})", printable(detail.as_str())));
    format!(
        "{}  {}  {operator}  {}  {}{}{}",
        no.get(),
        moment(action),
        printable(kind),
        printable(subject.as_str()),
        amount.unwrap_or_default(),
        detail.unwrap_or_default()
    )
}

fn moment(action: &RecordedAction) -> String {
    DateTime::from_timestamp_micros(action.at.unix_micros()).map_or_else(|| "?".to_owned(), utc)
}

fn as_json(action: &RecordedAction) -> serde_json::Value {
    json!({
        "id": action.no.get(),
        "at": DateTime::from_timestamp_micros(action.at.unix_micros()),
        "operator": action.operator.as_str(),
        "kind": action.kind,
        "subject": action.subject.as_str(),
        "amount": action.amount.map(|amount| amount.units()),
        "detail": action.detail.as_ref().map(|detail| detail.as_str()),
    })
}
