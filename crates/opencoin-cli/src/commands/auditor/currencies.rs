//! `opencoin auditor add`, `list` and `remove`.

use anyhow::Result;
use chrono::DateTime;
use clap::Args;
use opencoin_auditor::{
    AddCurrencyError, AddedCurrency, AuditorStore, CurrencySummary, Description, DescriptionError,
    add_currency,
};
use opencoin_terminal::output::OutputArgs;
use serde_json::{Value, json};

use super::server_url::server_url;
use super::{AuditorDirArgs, now_s};
use crate::dates;
use crate::failure::{explained, not_found};
use crate::master_key_name::MasterKeyName;

/// What an auditor without currencies says.
pub(super) const FOLLOWS_NONE: &str = "it follows no currency yet: `opencoin auditor add URL`";

#[derive(Debug, Args)]
pub(crate) struct AddArguments {
    #[command(flatten)]
    dir: AuditorDirArgs,
    /// The URL of the issuer.
    #[arg(value_name = "URL", value_parser = server_url)]
    url: String,
    #[command(flatten)]
    master_keys: MasterKeyArgs,
}

/// The master keys that the user expects.
#[derive(Debug, Args)]
pub(super) struct MasterKeyArgs {
    /// The currency's master key, as the issuer publishes it elsewhere: its id, as wallets show it, or its SHA-256
    /// fingerprint, in hex. Without it the key that the issuer shows now is remembered: compare it. Several times for
    /// several currencies.
    #[arg(long = "master-key", value_name = "ID")]
    master_keys: Vec<MasterKeyName>,
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    dir: AuditorDirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveArguments {
    #[command(flatten)]
    dir: AuditorDirArgs,
    /// The URL of the issuer, or the origin of the log, as `opencoin auditor list` shows them.
    #[arg(value_name = "URL")]
    name: String,
}

impl MasterKeyArgs {
    /// Adds a currency.
    pub(super) async fn add(&self, store: &AuditorStore, url: &str) -> Result<AddedCurrency> {
        let keys: Vec<String> = self
            .master_keys
            .iter()
            .map(|key| key.as_str().to_owned())
            .collect();
        Ok(add_currency(store, url, &keys, now_s()).await?)
    }
}

/// Adds to an error what the user can do.
pub(super) fn advised(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref().and_then(advice) {
        Some(advice) => explained(error, advice),
        None => error,
    }
}

fn advice(error: &AddCurrencyError) -> Option<&'static str> {
    match error {
        AddCurrencyError::Description(DescriptionError::Unreachable { .. }) => {
            Some("is this the URL of the issuer, and does it run? Then repeat the command")
        }
        AddCurrencyError::Description(DescriptionError::NotThere { .. }) => {
            Some("give the URL at which wallets reach the issuer")
        }
        AddCurrencyError::OtherMasterKey { .. } => {
            Some("is this the issuer that you mean? Whoever answers there is not the holder of that key")
        }
        _ => None,
    }
}

pub(crate) async fn add(arguments: &AddArguments, output: OutputArgs) -> Result<()> {
    let store = arguments.dir.folder().store().await?;
    let added = arguments.master_keys.add(&store, &arguments.url).await;
    store.close().await;
    let added = added.map_err(advised)?;
    output.show(
        added_json(&arguments.url, &added),
        added_lines(&arguments.url, &added),
    )
}

pub(super) fn added_json(url: &str, added: &AddedCurrency) -> Value {
    let description = &added.description;
    json!({
        "url": url,
        "name": description.name(),
        "origin": description.origin(),
        "id": description.id(),
        "master_key": description.master_key(),
        "new": added.is_new,
    })
}

pub(super) fn added_lines(url: &str, added: &AddedCurrency) -> Vec<String> {
    let description = &added.description;
    let name = opencoin_text::printable(description.name());
    let said = if added.is_new {
        "follows"
    } else {
        "already follows"
    };
    vec![
        format!(
            "the auditor {said} {name} at {url}, with the log {}",
            description.origin()
        ),
        format!(
            "  id {}, master key {}",
            description.id(),
            description.master_key()
        ),
        "  compare one of both with what the issuer publishes elsewhere; your wallet shows the id".to_owned(),
    ]
}

pub(crate) async fn list(arguments: &ListArguments, output: OutputArgs) -> Result<()> {
    let store = arguments.dir.folder().store().await?;
    let summaries = store.summaries().await;
    store.close().await;
    let summaries = summaries?;
    let values: Vec<Value> = summaries.iter().map(value).collect();
    let mut lines: Vec<String> = summaries.iter().flat_map(lines).collect();
    if lines.is_empty() {
        lines.push(FOLLOWS_NONE.to_owned());
    }
    output.show(values.into(), lines)
}

pub(crate) async fn remove(arguments: &RemoveArguments, output: OutputArgs) -> Result<()> {
    let name = arguments.name.trim_end_matches('/');
    let store = arguments.dir.folder().store().await?;
    let removed = store.remove_currency(name).await;
    store.close().await;
    if !removed? {
        return Err(not_found(format!(
            "the auditor does not follow {name}; `opencoin auditor list` shows what it follows"
        )));
    }
    output.show(
        json!({ "name": name, "removed": true }),
        [format!(
            "the auditor follows {name} no longer; it keeps what it found"
        )],
    )
}

fn value(summary: &CurrencySummary) -> Value {
    json!({
        "url": summary.currency.url,
        "id": id(summary),
        "origin": summary.currency.origin,
        "master_key": summary.currency.master_key,
        "followed": summary.currency.is_followed,
        "size": summary.size,
        "cosigned": summary.cosigned.as_ref().map(|last| last.size),
        "cosigned_at": summary.cosigned.as_ref().map(|last| last.time),
        "broken_rules": summary.broken,
        "findings": summary.findings,
        "evidence": summary.evidence,
    })
}

fn lines(summary: &CurrencySummary) -> Vec<String> {
    let currency = &summary.currency;
    let state = if currency.is_followed { "" } else { " (removed)" };
    let name = opencoin_text::printable(&currency.cddc.cdd.currency_name);
    let mut lines = vec![
        format!("{name}{state}: {} entries of {}", summary.size, currency.origin),
        format!("  {}", currency.url),
        format!(
            "  id {}, master key {}",
            id(summary).unwrap_or_default(),
            currency.master_key
        ),
    ];
    lines.push(summary.cosigned.as_ref().map_or_else(
        || "  nothing was cosigned yet".to_owned(),
        |last| format!("  cosigned {} entries at {}", last.size, shown_time(last.time)),
    ));
    if summary.broken > 0 {
        lines.push(format!(
            "  ALARM: {} broken rules; the page of the auditor and /status.json show them",
            summary.broken
        ));
    }
    if summary.evidence > 0 {
        lines.push(format!(
            "  {} files of evidence, at /evidence of the auditor",
            summary.evidence
        ));
    }
    lines
}

fn id(summary: &CurrencySummary) -> Option<String> {
    let description = Description::of(&summary.currency.cddc).ok();
    description.map(|description| description.id())
}

fn shown_time(seconds: u64) -> String {
    let time = i64::try_from(seconds)
        .ok()
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    time.map_or_else(|| seconds.to_string(), dates::utc)
}
