//! `opencoin evidence`: what a file proves about an issuer's public log, without a wallet and without the network.
//!
//! The exit code tells programs what follows from the file (docs/COMMANDS.md). A fault is proven against whoever holds
//! the master key in the file, so the reader says which key is the issuer's, or compares it themselves.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use opencoin_evidence::{Accused, CheckedEvidence, Evidence, EvidenceError, Verdict, master_key_fingerprint};
use opencoin_terminal::output::OutputArgs;
use serde_json::json;

use super::verify::read_cddc;
use crate::failure;
use crate::input::read_file;
use crate::master_key_name::MasterKeyName;

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
    if let Some(expected) = &arguments.master_key {
        if !expected.is_of(&checked.master_key, &checked.master_key_fingerprint) {
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
    let (accused, cosigner) = match &checked.accused {
        Accused::Issuer => ("issuer", None),
        Accused::Cosigner(cosigner) => ("cosigner", Some(cosigner)),
    };
    json!({
        "accused": accused,
        "accused_key": cosigner.map(|cosigner| cosigner.key.to_string()),
        "accused_label": cosigner.map(|cosigner| &cosigner.label),
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
    let mut lines = vec![
        format!("{verdict}: {}", checked.kind),
        format!("against: {}", checked.accused),
        format!(
            "currency: {:?}, description number {}, log {}",
            checked.currency, checked.cdd_serial, checked.log
        ),
        checked.statement.clone(),
        compared,
    ];
    if matches!(checked.accused, Accused::Cosigner(_)) {
        lines.push(
            "It accuses whoever holds this key, and nobody by name: anybody can give any name to a key of their own. \
             Compare the whole key with the one that the auditor shows on its page."
                .to_owned(),
        );
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use opencoin_evidence::{AccusedCosigner, Claim, Rollback, SplitView};
    use opencoin_log::key::{KeyType, SigningKey};
    use opencoin_log_reader::Beginning;
    use opencoin_schema::text;
    use opencoin_testkit::log_builder::{LogBuilder, LogCurrency};

    use super::*;
    use crate::failure::Failure;

    fn arguments(folder: &Path, content: &str) -> Arguments {
        let file = folder.join("fault.json");
        std::fs::write(&file, content).unwrap();
        Arguments {
            file,
            master_key: None,
            cddc: None,
            output: OutputArgs { json: true },
        }
    }

    fn failure(arguments: &Arguments) -> Failure {
        Failure::of(&run(arguments).unwrap_err())
    }

    fn code(arguments: &Arguments) -> String {
        format!("{:?}", run(arguments).unwrap())
    }

    fn log(other: bool) -> LogBuilder {
        let mut log = LogBuilder::begun();
        log.now_s += u64::from(other);
        log.issue(opencoin_log::key_no::KeyNo::FIRST, 3);
        log.seal();
        log
    }

    fn split_view() -> Evidence {
        let (log, other) = (log(false), log(true));
        let beginning = Beginning {
            root: log.root_at(0),
            proof: Vec::new(),
        };
        let claim = SplitView::new(&log.checkpoint(), &other.checkpoint(), &beginning);
        Evidence::new(log.cddc().cddc().clone(), Claim::SplitView(claim)).unwrap()
    }

    #[test]
    fn a_proven_fault_ends_with_success() {
        let folder = tempfile::tempdir().unwrap();
        let file = split_view().to_json();
        let mut arguments = arguments(folder.path(), &file);
        assert_eq!(code(&arguments), format!("{:?}", ExitCode::SUCCESS));
        let checked = split_view().check().unwrap();
        for key in [&checked.master_key, &checked.master_key_fingerprint] {
            arguments.master_key = Some(key.to_uppercase().parse().unwrap());
            assert!(is_of_expected_key(&arguments, &checked).unwrap());
        }
        let changed = self::arguments(
            folder.path(),
            &file.replacen("issuer.test/log\\n", "issuer.test/lag\\n", 1),
        );
        assert_eq!(failure(&changed), Failure::Refused);
    }

    #[test]
    fn an_accused_cosigner_is_named_by_its_key() {
        let name = "auditor.test".parse().unwrap();
        let key = SigningKey::from_seed(name, KeyType::Ed25519Cosignature, &[77; 32].into()).unwrap();
        let key = key.verifier().clone();
        let cosigner = AccusedCosigner {
            key: key.clone(),
            label: "honest.example/a1".to_owned(),
        };
        let checked = CheckedEvidence {
            accused: Accused::Cosigner(cosigner),
            ..split_view().check().unwrap()
        };
        let value = shown(&checked, true);
        assert_eq!(value["accused"], "cosigner");
        assert_eq!(value["accused_key"], key.to_string());
        assert_eq!(value["accused_label"], "honest.example/a1");
        let lines = lines(&checked, true);
        assert_eq!(
            lines[1],
            format!(
                "against: the cosigner with key {key} (the issuer's label for it is \"honest.example/a1\")"
            )
        );
        assert!(lines.last().unwrap().contains("Compare the whole key"));
    }

    #[test]
    fn the_master_key_is_the_one_that_the_reader_expects() {
        let folder = tempfile::tempdir().unwrap();
        let mut arguments = arguments(folder.path(), &split_view().to_json());
        arguments.master_key = Some("ab".repeat(20).parse().unwrap());
        assert_eq!(failure(&arguments), Failure::Refused);
        arguments.master_key = None;
        let cddc = folder.path().join("cddc.json");
        let ours = LogBuilder::new();
        let other = LogCurrency::new("other.test", "http://other.test");
        for (trusted, is_ours) in [(ours.cddc().cddc(), true), (other.cddc().cddc(), false)] {
            std::fs::write(&cddc, text::compact(trusted)).unwrap();
            arguments.cddc = Some(cddc.clone());
            assert_eq!(run(&arguments).is_ok(), is_ours);
        }
    }

    #[test]
    fn an_incident_has_another_exit_code_than_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(false);
        let (before, after) = (log.checkpoint(), log.checkpoint_at(4, log.now_s + 700));
        let claim = Claim::Rollback(Rollback::new(&before, &after));
        let evidence = Evidence::new(log.cddc().cddc().clone(), claim).unwrap();
        let arguments = arguments(folder.path(), &evidence.to_json());
        assert_eq!(code(&arguments), format!("{:?}", ExitCode::from(INCIDENT)));
    }

    #[test]
    fn what_is_not_evidence_has_an_exit_code_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        for content in ["", "{}", "not JSON", r#"{"type": "log evidence"}"#] {
            assert_eq!(failure(&arguments(folder.path(), content)), Failure::Unreadable);
        }
        for (content, reason) in [
            ("", "it is empty"),
            ("\n", "it is empty"),
            ("x", "it is not JSON"),
            ("{", "it is not JSON"),
        ] {
            let error = run(&arguments(folder.path(), content)).unwrap_err();
            assert!(
                error
                    .to_string()
                    .ends_with(&format!("not a file of evidence: {reason}")),
                "{error}"
            );
        }
        let mut missing = arguments(folder.path(), "");
        missing.file = folder.path().join("missing");
        assert_eq!(failure(&missing), Failure::Unreadable);
    }
}
