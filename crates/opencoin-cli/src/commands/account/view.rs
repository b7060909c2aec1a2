//! Shows the balance, the entries and the directory of accounts.

use anyhow::{Result, bail};
use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use opencoin_api::{ChangeAccount, Entry, EntryKind, PAGE_LENGTH_MAX};
use opencoin_terminal::output;
use opencoin_text::printable;
use opencoin_wallet::account::{Outbox, Page, Payment, Unanswered, Watch};
use serde_json::json;

use super::connection::{Connection, HolderArgs};
use crate::currency_unit::CurrencyUnit;
use crate::service;

#[derive(Debug, Args)]
pub(crate) struct HistoryArguments {
    /// The most entries to show, up to 500.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGE_LENGTH_MAX)))]
    limit: u32,
    /// Show only entries before the one with this id.
    #[arg(long, value_name = "C")]
    before: Option<u64>,
    /// Show all entries, down to the first.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct WatchArguments {
    /// Begin after the entry with this id; 0 begins with the first. Default: only new entries.
    #[arg(long, value_name = "C")]
    after: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct ListMeArguments {
    /// Whether other users can find the account.
    choice: Choice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Choice {
    On,
    Off,
}

pub(super) async fn show(holder: &HolderArgs) -> Result<()> {
    let connection = holder.connect()?;
    let summary = connection.explain(connection.client.summary().await)?;
    if holder.output.json {
        return output::json(&summary);
    }
    let unit = connection.unit().await?;
    let listed = if summary.listed {
        "listed in the directory"
    } else {
        "not listed"
    };
    let name = printable(&summary.name);
    output::line(&format!("{name} at {}, {listed}", connection.url))?;
    output::line(&format!("balance {}", unit.show(summary.balance)))?;
    summary
        .entries
        .iter()
        .try_for_each(|entry| output::line(&shown(entry, &unit)))?;
    let unanswered = Outbox::unanswered(&holder.dir()?)?;
    unanswered
        .iter()
        .try_for_each(|payment| output::line(&reminder(payment, &unit)))
}

pub(super) async fn balance(holder: &HolderArgs) -> Result<()> {
    let connection = holder.connect()?;
    let balance = connection.explain(connection.client.balance().await)?;
    if holder.output.json {
        return output::json(&balance);
    }
    output::line(&connection.unit().await?.show(balance.balance))
}

pub(super) async fn history(holder: &HolderArgs, arguments: &HistoryArguments) -> Result<()> {
    let connection = holder.connect()?;
    let limit = if arguments.all {
        PAGE_LENGTH_MAX
    } else {
        arguments.limit
    };
    let unit = connection.unit_for(holder.output).await?;
    let (mut before, mut collected) = (arguments.before, Vec::new());
    loop {
        let page = before.map_or(Page::Newest, Page::Before);
        let page = connection.explain(connection.client.entries(page, limit).await)?;
        match &unit {
            None => collected.extend(page.entries),
            Some(unit) => page
                .entries
                .iter()
                .try_for_each(|entry| output::line(&shown(entry, unit)))?,
        }
        if page.before.is_some() && page.before == before {
            bail!("the pages of the issuer do not end");
        }
        before = page.before;
        if before.is_none() || !arguments.all {
            break;
        }
    }
    match (holder.output.json, before) {
        (true, None) => output::json(&json!({ "entries": collected }))?,
        (true, Some(before)) => output::json(&json!({ "entries": collected, "before": before }))?,
        (false, Some(before)) => output::complain(&format!("older ones: --before {before}")),
        (false, None) => {}
    }
    Ok(())
}

pub(super) async fn watch(holder: &HolderArgs, arguments: &WatchArguments) -> Result<()> {
    let connection = holder.connect()?;
    let stopped = service::stop_signal()?;
    tokio::pin!(stopped);
    let after = tokio::select! {
        after = first_cursor(&connection, arguments.after) => after?,
        () = &mut stopped => return Ok(()),
    };
    let unit = connection.unit_for(holder.output).await?;
    let mut watch = Watch::new(connection.client.clone(), after);
    loop {
        let entry = tokio::select! {
            entry = watch.next() => connection.explain(entry)?,
            () = &mut stopped => return Ok(()),
        };
        match &unit {
            None => output::json(&entry)?,
            Some(unit) => output::line(&shown(&entry, unit))?,
        }
    }
}

/// The given id, or that of the newest entry.
async fn first_cursor(connection: &Connection, after: Option<u64>) -> Result<u64> {
    if let Some(after) = after {
        return Ok(after);
    }
    let newest = connection.explain(connection.client.entries(Page::Newest, 1).await)?;
    Ok(newest.entries.first().map_or(0, |entry| entry.id))
}

pub(super) async fn directory(holder: &HolderArgs) -> Result<()> {
    let connection = holder.connect()?;
    let (mut after, mut names): (Option<String>, Vec<String>) = (None, Vec::new());
    loop {
        let page = connection.explain(
            connection
                .client
                .directory(after.as_deref(), PAGE_LENGTH_MAX)
                .await,
        )?;
        let last = page.accounts.last().map(|account| account.name.clone());
        for account in page.accounts {
            if holder.output.json {
                names.push(account.name);
            } else {
                output::line(&printable(&account.name))?;
            }
        }
        // Names ascend. Stopping otherwise prevents an endless loop with a faulty issuer.
        after = page
            .after
            .filter(|name| last.is_some() && after.as_ref().is_none_or(|before| before < name));
        if after.is_none() {
            break;
        }
    }
    if holder.output.json {
        output::json(&json!({ "accounts": names }))?;
    }
    Ok(())
}

pub(super) async fn list_me(holder: &HolderArgs, arguments: &ListMeArguments) -> Result<()> {
    let connection = holder.connect()?;
    let listed = arguments.choice == Choice::On;
    connection.explain(connection.client.change(&ChangeAccount { listed }).await)?;
    let said = if listed {
        "the account is listed in the directory"
    } else {
        "the account is not listed any more"
    };
    holder.output.show(json!({ "listed": listed }), [said])
}

fn shown(entry: &Entry, unit: &CurrencyUnit) -> String {
    let kind = match entry.kind {
        EntryKind::Credit => "credit",
        EntryKind::Debit => "debit",
        EntryKind::Transfer if entry.amount < 0 => "paid to",
        EntryKind::Transfer => "paid by",
        EntryKind::Mint => "mint",
        EntryKind::Redeem => "redeem",
        EntryKind::Payout => "payout",
        EntryKind::PayoutFailed => "payout failed",
        EntryKind::Recovered => "recovered",
    };
    let who = entry
        .counterparty
        .as_ref()
        .map(|name| format!(" {}", printable(name)))
        .unwrap_or_default();
    let label = if entry.label.is_empty() {
        String::new()
    } else {
        format!("  {}", printable(&entry.label))
    };
    format!(
        "{:>6}  {}  {:>12}  {kind}{who}{label}",
        entry.id,
        time(entry.at),
        unit.signed(entry.amount)
    )
}

/// A time in UTC, for lists.
pub(super) fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

fn reminder(unanswered: &Unanswered, unit: &CurrencyUnit) -> String {
    let what = match &unanswered.payment {
        Payment::Transfer(transfer) => {
            format!(
                "payment of {} to {}",
                unit.show(transfer.amount),
                printable(&transfer.to)
            )
        }
        Payment::Payout(payout) => {
            format!(
                "payout of {} to {}",
                unit.show(payout.amount),
                printable(&payout.destination)
            )
        }
    };
    let begun = time(unanswered.begun_at);
    format!(
        "no answer was seen to a {what}, begun {begun}; the same command again finishes it and does not pay twice"
    )
}
