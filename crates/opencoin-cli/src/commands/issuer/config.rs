//! `opencoin issuer config`: shows the effective settings and the origin of each, without passwords.

use anyhow::Result;
use clap::Args;
use opencoin_config::{Origin, SettingEntry};
use opencoin_terminal::output::{self, OutputArgs};
use serde::Serialize;

use crate::dir_args::DirArgs;
use crate::settings_args::SettingsArgs;

/// The origins of values are aligned in one column, except after longer values than this.
const COLUMN_MAX: usize = 70;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    dir: DirArgs,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Serialize)]
struct Entry {
    key: &'static str,
    value: Option<serde_json::Value>,
    #[serde(flatten)]
    origin: Origin,
}

pub(crate) fn run(arguments: &Arguments, output: OutputArgs) -> Result<()> {
    let settings = arguments.dir.directory_with(&arguments.settings)?.settings()?;
    if output.json {
        let entry = |entry: SettingEntry| {
            Ok(Entry {
                key: entry.path,
                value: entry.value.map(serde_json::to_value).transpose()?,
                origin: entry.origin,
            })
        };
        let entries: Result<Vec<Entry>> = settings.entries().into_iter().map(entry).collect();
        return output::json(&serde_json::json!({ "file": settings.file(), "settings": entries? }));
    }
    output::line(&format!("# {}", settings.file().display()))?;
    let line = |SettingEntry { path, value, origin }| match value {
        Some(value) => (format!("{path} = {value}"), origin),
        None => (format!("# {path} is not set"), origin),
    };
    let shown: Vec<(String, Origin)> = settings.entries().into_iter().map(line).collect();
    let widths = shown.iter().map(|(text, _)| text.chars().count());
    let width = widths.filter(|width| *width <= COLUMN_MAX).max().unwrap_or(0);
    for (text, origin) in shown {
        if origin == Origin::Default && text.starts_with('#') {
            output::line(&text)?;
        } else {
            output::line(&format!("{text:width$}  # {origin}"))?;
        }
    }
    Ok(())
}
