//! `opencoin wallet evidence`: files that prove faults of an issuer's public log.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use opencoin_terminal::output::{self, OutputArgs};
use opencoin_wallet::{CheckedEvidence, check_evidence};
use serde_json::json;

use super::counted;
use super::new_file::NewFile;
use super::session::Session;
use crate::failure;
use crate::input::read_file;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file to create; further ones get a number. Default: one line of JSON each on stdout.
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    out: Option<PathBuf>,
    /// Check this file instead, with nothing else than what is in it.
    #[arg(long, value_name = "FILE")]
    pub(super) check: Option<PathBuf>,
}

impl Session {
    pub(super) fn evidence(&self, arguments: &Arguments) -> Result<()> {
        let all = self.wallet.evidence(self.currency.as_deref())?;
        let Some(out) = &arguments.out else {
            let text: String = all.iter().map(|evidence| evidence.to_json()).collect();
            return match text.is_empty() {
                true => self.output.show(json!([]), ["nothing to prove"]),
                false => output::exact(&text),
            };
        };
        let mut files = Vec::new();
        for (number, evidence) in all.iter().enumerate() {
            let path = numbered(out, number);
            let file = NewFile::create(&path);
            let written = file.and_then(|file| file.finish(evidence.to_json().as_bytes()));
            written.with_context(|| format!("cannot write {}", path.display()))?;
            files.push(json!({ "file": path, "kind": evidence.kind() }));
        }
        let lines = [format!("wrote {}", counted(files.len(), "file"))];
        self.output.show(files.into(), lines)
    }
}

/// Checks a file without a wallet and without the network.
pub(super) fn check(file: &Path, output: &OutputArgs) -> Result<ExitCode> {
    let checked = check_evidence(&read_file(file)?)
        .map_err(|error| failure::refused(format!("{}: {error}", file.display())))?;
    let CheckedEvidence {
        kind,
        currency,
        master_key,
        log,
        statement,
        is_proof,
    } = &checked;
    output.show(
        json!({
            "currency": currency,
            "id": master_key,
            "kind": kind,
            "log": log,
            "proof": is_proof,
            "statement": statement,
        }),
        [
            format!("{kind}: {statement}"),
            format!(
                "It rests on the master key {master_key} of {currency:?}, and on the keys of the log {log} that this \
                 key names. Compare the id with the one that the operator publishes."
            ),
        ],
    )?;
    Ok(ExitCode::SUCCESS)
}

/// The name of a further file: `fault.json`, `fault-2.json`.
fn numbered(path: &Path, number: usize) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = match path.extension() {
        Some(extension) => format!("{stem}-{}.{}", number + 1, extension.to_string_lossy()),
        None => format!("{stem}-{}", number + 1),
    };
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_files_have_a_number() {
        for (number, expected) in [(0, "a/fault.json"), (1, "a/fault-2.json"), (2, "a/fault-3.json")] {
            assert_eq!(numbered(Path::new("a/fault.json"), number), Path::new(expected));
        }
        assert_eq!(numbered(Path::new("fault"), 1), Path::new("fault-2"));
    }

    #[test]
    fn a_file_that_proves_nothing_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("fault.json");
        std::fs::write(&file, "{}").unwrap();
        let output = OutputArgs { json: false };
        assert!(check(&file, &output).is_err());
    }
}
