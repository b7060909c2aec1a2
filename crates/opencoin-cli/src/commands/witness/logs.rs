//! `opencoin witness add`, `list`, `remove` and `evidence`.

use anyhow::Result;
use chrono::DateTime;
use clap::Args;
use opencoin_log::checkpoint::Checkpoint;
use opencoin_log::hash::Hash;
use opencoin_terminal::output::OutputArgs;
use opencoin_witness::{Contradiction, LogKey, WitnessedLog};
use serde_json::{Value, json};

use super::WitnessDirArgs;
use crate::dates;
use crate::failure::{not_found, usage};

#[derive(Debug, Args)]
pub(crate) struct AddArguments {
    #[command(flatten)]
    dir: WitnessDirArgs,
    /// The key of the log: name, id and key with a + between them.
    #[arg(value_name = "VKEY")]
    key: LogKey,
    /// The origin of the log's checkpoints, if it is not the name of the key.
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,
    /// Where people find the log.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    dir: WitnessDirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveArguments {
    #[command(flatten)]
    dir: WitnessDirArgs,
    /// The origin of the log, as `opencoin witness list` shows it.
    #[arg(value_name = "ORIGIN")]
    origin: String,
}

#[derive(Debug, Args)]
pub(crate) struct EvidenceArguments {
    #[command(flatten)]
    dir: WitnessDirArgs,
    /// Only that of the log with this origin.
    #[arg(value_name = "ORIGIN")]
    origin: Option<String>,
}

pub(crate) async fn add(arguments: &AddArguments, output: OutputArgs) -> Result<()> {
    let key = &arguments.key;
    let origin = arguments.origin.as_deref();
    let origin = origin.unwrap_or_else(|| key.verifier().name().as_str());
    // No checkpoint could have another one.
    Checkpoint::new(origin, 0, Hash::EMPTY_TREE)
        .map_err(|error| usage(format!("{origin:?} is not an origin: {error}")))?;
    let store = arguments.dir.folder().store().await?;
    let changed = store.add_log(origin, key, arguments.url.as_deref()).await;
    store.close().await;
    let changed = changed?;
    let said = if changed { "accepts" } else { "accepted already" };
    output.show(
        json!({ "origin": origin, "vkey": key.to_string(), "url": arguments.url, "changed": changed }),
        [format!("the witness {said} checkpoints of {origin}")],
    )
}

pub(crate) async fn list(arguments: &ListArguments, output: OutputArgs) -> Result<()> {
    let folder = arguments.dir.folder();
    let store = folder.store().await?;
    let logs = store.logs().await;
    store.close().await;
    let logs = logs?;
    let values: Vec<Value> = logs.iter().map(value).collect();
    output.show(values.into(), logs.iter().flat_map(lines))
}

pub(crate) async fn remove(arguments: &RemoveArguments, output: OutputArgs) -> Result<()> {
    let origin = &arguments.origin;
    let store = arguments.dir.folder().store().await?;
    let removed = store.remove_log(origin).await;
    store.close().await;
    if !removed? {
        return Err(not_found(format!(
            "the witness does not accept {origin}; `opencoin witness list` shows its logs"
        )));
    }
    output.show(
        json!({ "origin": origin, "removed": true }),
        [format!(
            "the witness accepts no more checkpoints of {origin}; it still knows what it has cosigned"
        )],
    )
}

pub(crate) async fn evidence(arguments: &EvidenceArguments, output: OutputArgs) -> Result<()> {
    let store = arguments.dir.folder().store().await?;
    let found = store.contradictions(arguments.origin.as_deref()).await;
    store.close().await;
    let found = found?;
    let value = |found: &Contradiction| {
        json!({
            "origin": found.origin,
            "size": found.size,
            "seen_at": found.seen_at,
            "cosigned": found.cosigned,
            "contradicting": found.contradicting,
        })
    };
    let values: Vec<Value> = found.iter().map(value).collect();
    let lines = found.iter().map(|found| {
        format!(
            "{} has signed two trees of size {}; cosigned:\n{}not cosigned:\n{}",
            found.origin, found.size, found.cosigned, found.contradicting
        )
    });
    output.show(values.into(), lines)
}

fn value(log: &WitnessedLog) -> Value {
    let keys: Vec<String> = log.keys.iter().map(LogKey::to_string).collect();
    let last = log.last.as_ref();
    json!({
        "origin": log.origin,
        "vkeys": keys,
        "url": log.url,
        "accepted": log.is_accepted,
        "size": last.map(|last| last.size),
        "root": last.map(|last| last.root.to_base64()),
        "cosigned_at": last.map(|last| last.time),
        "contradictions": log.contradictions,
    })
}

fn lines(log: &WitnessedLog) -> Vec<String> {
    let state = if log.is_accepted { "" } else { " (removed)" };
    let last = log.last.as_ref().map_or_else(
        || "nothing was cosigned yet".to_owned(),
        |last| {
            let (root, at) = (last.root.to_base64(), shown_time(last.time));
            format!("size {}, root {root}, cosigned at {at}", last.size)
        },
    );
    let mut lines = vec![format!("{}{state}: {last}", log.origin)];
    lines.extend(log.url.iter().map(|url| format!("  {url}")));
    lines.extend(log.keys.iter().map(|key| format!("  {key}")));
    if log.contradictions > 0 {
        lines.push(format!(
            "  ALARM: {} contradictions; `opencoin witness evidence` shows them",
            log.contradictions
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
