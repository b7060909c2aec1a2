//! `opencoin evidence`: what a file proves about an issuer's public log, without a wallet and without the network.
//!
//! The exit code tells programs what follows from the file (docs/COMMANDS.md). A fault is proven against whoever holds
//! the master key in the file, so the reader says which key is the issuer's, or compares it themselves.

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::Result;
use clap::Args;
use opencoin_evidence::{CheckedEvidence, Evidence, EvidenceError, Verdict, master_key_fingerprint};
use opencoin_terminal::output::OutputArgs;
use serde_json::json;

use super::verify::read_cddc;
use crate::failure;
use crate::input::read_file;

/// The most hex digits of an id, which is a SHA-1 without leading zeros.
const ID_DIGITS_MAX: usize = 40;
/// The hex digits of a fingerprint, which is a SHA-256.
const FINGERPRINT_DIGITS: usize = 64;

const INCIDENT: u8 = 10;
const COMPLAINT: u8 = 11;
const CHALLENGE: u8 = 12;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The file of evidence; `-` reads stdin.
    file: PathBuf,
    /// The issuer's master key: its id, as wallets show it, or its SHA-256 fingerprint, in hex.
    #[arg(long, value_name = "ID")]
    master_key: Option<MasterKeyName>,
    /// A description of the issuer's currency that you trust (a cdd certificate); it has the master key.
    #[arg(long, value_name = "FILE")]
    cddc: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

/// An id or a fingerprint, in lower-case hex.
#[derive(Debug, Clone)]
struct MasterKeyName(String);

impl FromStr for MasterKeyName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hex = text.to_ascii_lowercase();
        let is_hex = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        let has_length = (1..=ID_DIGITS_MAX).contains(&hex.len()) || hex.len() == FINGERPRINT_DIGITS;
        if is_hex && has_length {
            Ok(Self(hex))
        } else {
            Err(format!(
                "an id has at most {ID_DIGITS_MAX} hex digits, a fingerprint {FINGERPRINT_DIGITS}"
            ))
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let file = arguments.file.display();
    let bytes = read_file(&arguments.file).map_err(|error| failure::unreadable(format!("{error:#}")))?;
    let evidence =
        Evidence::parse(&bytes).map_err(|error| failure::unreadable(format!("{file}: {error}")))?;
    let checked = evidence.check().map_err(|error| match error {
        EvidenceError::Form(_) => failure::unreadable(format!("{file}: {error}")),
        EvidenceError::DoesNotHold(_) => failure::refused(format!("{file}: {error}")),
    })?;
    let is_compared = is_of_expected_key(arguments, &checked)?;
    arguments
        .output
        .show(shown(&checked, is_compared), lines(&checked, is_compared))?;
    Ok(match checked.verdict {
        Verdict::Fault => ExitCode::SUCCESS,
        Verdict::Incident => ExitCode::from(INCIDENT),
        Verdict::Complaint => ExitCode::from(COMPLAINT),
        Verdict::Challenge => ExitCode::from(CHALLENGE),
    })
}

/// Whether the reader has said which master key they expect. Another one in the file is an error.
fn is_of_expected_key(arguments: &Arguments, checked: &CheckedEvidence) -> Result<bool> {
    let other = || {
        failure::refused(format!(
            "the file is about another currency: it rests on the master key {} of {:?}, and not on the one that you \
             expect",
            checked.master_key, checked.currency
        ))
    };
    let mut is_compared = false;
    if let Some(MasterKeyName(expected)) = &arguments.master_key {
        if *expected != checked.master_key && *expected != checked.master_key_fingerprint {
            return Err(other());
        }
        is_compared = true;
    }
    if let Some(path) = &arguments.cddc {
        let trusted = read_cddc(path)?;
        if master_key_fingerprint(trusted.master_key()) != checked.master_key_fingerprint {
            return Err(other());
        }
        is_compared = true;
    }
    Ok(is_compared)
}

fn shown(checked: &CheckedEvidence, is_compared: bool) -> serde_json::Value {
    json!({
        "accused": checked.accused.to_string(),
        "cdd_serial": checked.cdd_serial,
        "currency": checked.currency,
        "fingerprint": checked.master_key_fingerprint,
        "id": checked.master_key,
        "key_compared": is_compared,
        "kind": checked.kind,
        "log": checked.log,
        "statement": checked.statement,
        "verdict": checked.verdict.word(),
    })
}

fn lines(checked: &CheckedEvidence, is_compared: bool) -> Vec<String> {
    let verdict = match checked.verdict {
        Verdict::Fault => "PROVEN",
        Verdict::Incident => "INCIDENT, which does not say whose fault it is",
        Verdict::Complaint => "COMPLAINT, which the accused can answer; not a proof",
        Verdict::Challenge => "CHALLENGE, which the accused can answer; not a proof",
    };
    let id = &checked.master_key;
    let compared = if is_compared {
        format!("It rests on the master key {id}, the one that you gave.")
    } else {
        format!(
            "It rests on the master key {id}. Anybody can make a currency with a master key of their own: compare the id \
             with the one that your wallet shows or that the issuer publishes, or give it with --master-key."
        )
    };
    vec![
        format!("{verdict}: {}", checked.kind),
        format!("against: {}", checked.accused),
        format!(
            "currency: {:?}, description number {}, log {}",
            checked.currency, checked.cdd_serial, checked.log
        ),
        checked.statement.clone(),
        compared,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &str) -> anyhow::Error {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("fault.json");
        std::fs::write(&file, content).unwrap();
        let output = OutputArgs { json: false };
        let arguments = Arguments {
            file,
            master_key: None,
            cddc: None,
            output,
        };
        run(&arguments).unwrap_err()
    }

    #[test]
    fn what_is_not_evidence_has_an_exit_code_of_its_own() {
        for content in ["", "{}", "not JSON", r#"{"type": "log evidence"}"#] {
            let error = check(content);
            assert_eq!(
                failure::Failure::of(&error),
                failure::Failure::Unreadable,
                "{error}"
            );
        }
    }

    #[test]
    fn a_master_key_is_named_by_id_or_fingerprint() {
        for good in ["Ab".repeat(20), "0f".repeat(32)] {
            assert_eq!(
                good.parse::<MasterKeyName>().unwrap().0,
                good.to_ascii_lowercase()
            );
        }
        for bad in ["", "xy", &"0g".repeat(20), &"ab".repeat(21)] {
            assert!(bad.parse::<MasterKeyName>().is_err(), "{bad}");
        }
    }
}
