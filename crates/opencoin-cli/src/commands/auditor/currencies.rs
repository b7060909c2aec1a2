//! `opencoin auditor add`, `list` and `remove`.

use anyhow::Result;
use chrono::DateTime;
use clap::Args;
use opencoin_auditor::{AddedCurrency, AuditorStore, CurrencySummary, add_currency};
use opencoin_terminal::output::OutputArgs;
use serde_json::{Value, json};

use super::{AuditorDirArgs, now_s};
use crate::dates;
use crate::failure::{not_found, usage};

#[derive(Debug, Args)]
pub(crate) struct AddArguments {
    #[command(flatten)]
    dir: AuditorDirArgs,
    /// The URL of the issuer.
    #[arg(value_name = "URL")]
    url: String,
    #[command(flatten)]
    master_keys: MasterKeyArgs,
}

/// The master keys that the user expects.
#[derive(Debug, Args)]
pub(super) struct MasterKeyArgs {
    /// The fingerprint of the currency's master key, as the issuer publishes it. Without it the key that the issuer shows
    /// now is remembered: compare it. Several times for several currencies.
    #[arg(long = "master-key", value_name = "FINGERPRINT")]
    master_keys: Vec<String>,
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
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(usage(format!(
                "{url:?} is not the URL of an issuer; it begins with http:// or https://"
            )));
        }
        Ok(add_currency(store, url, &self.master_keys, now_s()).await?)
    }
}

pub(crate) async fn add(arguments: &AddArguments, output: OutputArgs) -> Result<()> {
    let store = arguments.dir.folder().store().await?;
    let added = arguments.master_keys.add(&store, &arguments.url).await;
    store.close().await;
    let added = added?;
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
            "  master key {}: compare it with what the issuer publishes elsewhere",
            description.master_key()
        ),
    ]
}

pub(crate) async fn list(arguments: &ListArguments, output: OutputArgs) -> Result<()> {
    let store = arguments.dir.folder().store().await?;
    let summaries = store.summaries().await;
    store.close().await;
    let summaries = summaries?;
    let values: Vec<Value> = summaries.iter().map(value).collect();
    output.show(values.into(), summaries.iter().flat_map(lines))
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
        format!("  master key {}", currency.master_key),
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

fn shown_time(seconds: u64) -> String {
    let time = i64::try_from(seconds)
        .ok()
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    time.map_or_else(|| seconds.to_string(), dates::utc)
}
