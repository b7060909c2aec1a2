//! What concerns the holders of accounts: start codes, frozen and closed accounts, entries and services.

use anyhow::Result;
use chrono::DateTime;
use opencoin_issuer::StartCode;
use opencoin_issuer::accounts::ServiceStatus;
use opencoin_ledger::{
    AccountEntry, AccountName, AccountStatus, EntryNo, EntryPage, LedgerTime, OperatorName, Scope,
};
use opencoin_terminal::output::OutputArgs;
use opencoin_text::printable;
use serde_json::json;

use super::{ChangeArguments, EntriesArguments, Purpose, ReasonArguments, open};
use crate::currency_unit::CurrencyUnit;
use crate::dates::utc;
use crate::dir_args::DirArgs;

/// Opens an account without a token.
pub(super) async fn create(
    name: &AccountName,
    by: &OperatorName,
    dir: DirArgs,
    output: OutputArgs,
) -> Result<()> {
    let (cashier, _) = open(dir, Purpose::Change).await?;
    let issued = cashier.acting(by).open_account_to_start(name, None).await?;
    show_start_code(name, issued, output)
}

pub(super) async fn issue_start_code(change: ChangeArguments, output: OutputArgs) -> Result<()> {
    let ChangeArguments { name, by, dir } = change;
    let (cashier, _) = open(dir, Purpose::Change).await?;
    let issued = cashier.acting(&by.name()).issue_start_code(&name).await?;
    show_start_code(&name, issued, output)
}

fn show_start_code(name: &AccountName, issued: (StartCode, LedgerTime), output: OutputArgs) -> Result<()> {
    let (code, expires) = issued;
    let expires = DateTime::from_timestamp_micros(expires.unix_micros()).unwrap_or_default();
    output.show_once(
        json!({ "account": name.as_str(), "start_code": code.expose().as_str(), "expires_at": expires }),
        [
            format!("account: {name}"),
            format!("start code: {}", code.expose().as_str()),
            format!("the holder sets a password with it, once, until {}", utc(expires)),
            "this is the only time that the code is shown".to_owned(),
        ],
    )
}

pub(super) async fn set_status(
    arguments: ReasonArguments,
    status: AccountStatus,
    output: OutputArgs,
) -> Result<()> {
    let ReasonArguments { reason, change } = arguments;
    let ChangeArguments { name, by, dir } = change;
    let (cashier, _) = open(dir, Purpose::Change).await?;
    cashier
        .acting(&by.name())
        .set_status(&name, status, &reason)
        .await?;
    let word = word(status);
    output.show(
        json!({ "account": name.as_str(), "status": word }),
        [format!("the account {name} is {word}")],
    )
}

/// The word of a status, as in the API.
pub(super) fn word(status: AccountStatus) -> &'static str {
    match status {
        AccountStatus::Open => "open",
        AccountStatus::Frozen => "frozen",
        AccountStatus::Closed => "closed",
    }
}

/// What a line about an account says of its status.
pub(super) fn remark(status: AccountStatus) -> String {
    match status {
        AccountStatus::Open => String::new(),
        AccountStatus::Frozen | AccountStatus::Closed => format!(" ({})", word(status)),
    }
}

pub(super) async fn entries(arguments: EntriesArguments, output: OutputArgs) -> Result<()> {
    let EntriesArguments {
        name,
        before,
        limit,
        dir,
    } = arguments;
    let (cashier, directory) = open(dir, Purpose::Look).await?;
    let page = EntryPage::Before(before.map(|before| EntryNo::new(before.into())));
    let entries = cashier.entries(&name, page, limit).await?;
    let unit = crate::commands::issuer::unit(&directory)?;
    output.show(
        entries.iter().map(entry_json).collect(),
        entries.iter().map(|entry| entry_line(entry, &unit)),
    )
}

fn entry_line(entry: &AccountEntry, unit: &CurrencyUnit) -> String {
    let sign = if entry.received { '+' } else { '-' };
    let other = entry.counterparty.as_ref().map(|other| format!("  {other}"));
    let label = entry
        .label
        .as_ref()
        .map(|label| format!("  ({})", printable(label)));
    format!(
        "{}  {}  {:?}  {sign}{}{}{}",
        entry.no.get(),
        moment(entry.at),
        entry.kind,
        unit.show(entry.amount.units()),
        other.unwrap_or_default(),
        label.unwrap_or_default()
    )
}

fn entry_json(entry: &AccountEntry) -> serde_json::Value {
    json!({
        "id": entry.no.get(),
        "at": DateTime::from_timestamp_micros(entry.at.unix_micros()),
        "kind": format!("{:?}", entry.kind),
        "amount": entry.amount.units(),
        "received": entry.received,
        "counterparty": entry.counterparty.as_ref().map(AccountName::as_str),
        "label": entry.label,
    })
}

pub(super) async fn services(name: &AccountName, dir: DirArgs, output: OutputArgs) -> Result<()> {
    let (cashier, _) = open(dir, Purpose::Look).await?;
    let services = cashier.services(name).await?;
    output.show(
        services.iter().map(service_json).collect(),
        services.iter().map(service_line),
    )
}

fn service_line(status: &ServiceStatus) -> String {
    let service = &status.service;
    let seen = service.last_seen.map_or_else(
        || "never seen".to_owned(),
        |seen| format!("last seen {}", moment(seen)),
    );
    format!(
        "{}  {}  {}  {seen}",
        service.id.as_str(),
        service.name,
        scopes(status).join(", ")
    )
}

fn service_json(status: &ServiceStatus) -> serde_json::Value {
    let service = &status.service;
    json!({
        "id": service.id.as_str(),
        "name": service.name.as_str(),
        "scopes": scopes(status),
        "last_seen_at": service.last_seen.and_then(|seen| DateTime::from_timestamp_micros(seen.unix_micros())),
    })
}

fn scopes(status: &ServiceStatus) -> Vec<&'static str> {
    let word = |scope: &Scope| match scope {
        Scope::Mint => "mint",
        Scope::Redeem => "redeem",
        Scope::Read => "read",
    };
    status.service.scopes.iter().map(word).collect()
}

fn moment(time: LedgerTime) -> String {
    DateTime::from_timestamp_micros(time.unix_micros()).map_or_else(|| "?".to_owned(), utc)
}
