//! `opencoin wallet evidence`: files that prove faults of an issuer's public log.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use opencoin_terminal::output;
use serde_json::json;

use super::counted;
use super::new_file::NewFile;
use super::session::Session;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file to create; further ones get a number. Default: one line of JSON each on stdout.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
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
}
