//! Builds evidence from a log in memory, and checks its file.

use std::sync::Arc;

use async_trait::async_trait;
use opencoin_evidence::{
    Accused, BuildError, CheckedEvidence, Evidence, EvidenceBuilder, EvidenceError, Included, Verdict,
    check_evidence, included,
};
use opencoin_log::digest::KeyFingerprint;
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::Leaf;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log_reader::{Download, DownloadError, Downloaded, LogReader, LogTree};
use opencoin_schema::Cddc;
use opencoin_testkit::log_builder::LogBuilder;
use serde_json::Value;

pub(crate) const ONE: KeyNo = KeyNo::FIRST;
/// The longest of the files that tests make.
const FILE_BYTES_MAX: usize = 40_000;
/// How many bytes of a file are changed. [`every_byte_matters`] changes all.
const CHANGED_BYTES: usize = 60;

/// The files of a log.
struct Files(LogBuilder);

#[async_trait]
impl Download for Files {
    async fn download(&self, url: &str, _: usize) -> Result<Downloaded, DownloadError> {
        let path = url.strip_prefix("log/").unwrap();
        let body = self
            .0
            .file(path)
            .ok_or_else(|| DownloadError("no such file".to_owned()))?;
        Ok(Downloaded {
            status: 200,
            location: None,
            body,
        })
    }
}

/// A log, what its key has signed, and the description by which evidence is checked.
pub(crate) struct Case {
    pub(crate) tree: LogTree,
    pub(crate) checkpoint: SignedCheckpoint,
    pub(crate) cddc: Cddc,
}

impl Case {
    pub(crate) fn new(log: &LogBuilder) -> Self {
        Self::under(log, log.checkpoint())
    }

    pub(crate) fn under(log: &LogBuilder, checkpoint: SignedCheckpoint) -> Self {
        let reader = LogReader::new(Arc::new(Files(log.fork())), "log");
        let tree = LogTree::new(
            reader,
            checkpoint.checkpoint().size(),
            *checkpoint.checkpoint().root(),
        );
        Self {
            tree,
            checkpoint,
            cddc: log.cddc().cddc().clone(),
        }
    }

    pub(crate) fn builder(&mut self) -> EvidenceBuilder<'_> {
        EvidenceBuilder::new(&mut self.tree, self.checkpoint.clone(), self.cddc.clone())
    }

    pub(crate) async fn included(&mut self, index: u64) -> Included {
        included(&mut self.tree, index).await.unwrap()
    }
}

/// The index of the only leaf for which this holds.
pub(crate) fn index_of(log: &LogBuilder, is: impl Fn(&Leaf) -> bool) -> u64 {
    let found = indices_of(log, is);
    assert_eq!(found.len(), 1, "{found:?}");
    found[0]
}

pub(crate) fn indices_of(log: &LogBuilder, is: impl Fn(&Leaf) -> bool) -> Vec<u64> {
    let leaves = (0..).zip(log.leaves());
    let found = leaves.filter(|(_, leaf)| Leaf::decode(leaf).is_ok_and(|leaf| is(&leaf)));
    found.map(|(index, _)| index).collect()
}

/// The fingerprints of the mint keys in the first leaves.
pub(crate) fn keys_until(log: &LogBuilder, size: u64) -> Vec<KeyFingerprint> {
    let leaves = log.leaves().iter().take(usize::try_from(size).unwrap());
    let key = |leaf: &Vec<u8>| match Leaf::decode(leaf) {
        Ok(Leaf::MintKey { certificate, .. }) => {
            Some(KeyFingerprint::of(&certificate.mint_key.public_mint_key))
        }
        _ => None,
    };
    leaves.filter_map(key).collect()
}

/// Checks the file of a fault of the issuer: it says so, and no byte of it can be changed.
pub(crate) fn proven(built: Result<Evidence, BuildError>, kind: &str, words: &str) -> Evidence {
    let evidence = built.unwrap();
    let checked = checked(&evidence, kind, words);
    assert_eq!(checked.verdict, Verdict::Fault);
    assert_eq!(checked.accused, Accused::Issuer);
    evidence
}

pub(crate) fn checked(evidence: &Evidence, kind: &str, words: &str) -> CheckedEvidence {
    let file = evidence.to_json();
    assert!(file.len() < FILE_BYTES_MAX, "{} bytes", file.len());
    let checked = check_evidence(file.as_bytes()).unwrap();
    assert_eq!((checked.kind, evidence.kind()), (kind, kind));
    assert!(checked.statement.contains(words), "{}", checked.statement);
    assert_eq!(Evidence::parse(file.as_bytes()).unwrap(), *evidence);
    bytes_matter(&file, CHANGED_BYTES);
    is_documented(&file);
    checked
}

/// A changed byte makes a file that does not hold.
fn bytes_matter(file: &str, count: usize) {
    let bytes = file.trim_end().as_bytes();
    let step = bytes.len().div_ceil(count);
    // Other bytes in files of another length, and other bits in other bytes.
    for at in (bytes.len() % step..bytes.len()).step_by(step) {
        let mut changed = bytes.to_vec();
        changed[at] ^= [1, 2, 4, 16][at % 4];
        let checked = check_evidence(&changed);
        let near = String::from_utf8_lossy(&bytes[at.saturating_sub(60)..at]);
        assert!(checked.is_err(), "byte {at}, after {near:?}: {checked:?}");
    }
}

/// docs/EVIDENCE.md names the kind, the rule and each field.
fn is_documented(file: &str) {
    let documented = include_str!("../../../../docs/EVIDENCE.md");
    let mut file: Value = serde_json::from_str(file).unwrap();
    // The specification says what is in certificates.
    for certificate in ["cdd", "certificate"] {
        file.as_object_mut().unwrap().remove(certificate);
    }
    let mut words = vec![];
    collect_words(&file, &mut words);
    for word in words {
        let is_there = [format!("`{word}`"), format!("\"{word}\"")]
            .iter()
            .any(|word| documented.contains(word));
        assert!(is_there, "docs/EVIDENCE.md does not have {word:?}");
    }
}

fn collect_words(value: &Value, words: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                words.push(name.clone());
                if let (true, Some(value)) = (
                    ["kind", "broken", "counted"].contains(&name.as_str()),
                    value.as_str(),
                ) {
                    words.push(value.to_owned());
                }
                collect_words(value, words);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect_words(value, words)),
        _ => {}
    }
}

/// Changes every byte of the file.
pub(crate) fn every_byte_matters(evidence: &Evidence) {
    bytes_matter(&evidence.to_json(), usize::MAX);
}

/// Nothing can be built, because it would not hold.
pub(crate) fn refused(built: Result<Evidence, BuildError>) {
    match built {
        Err(BuildError::Evidence(EvidenceError::DoesNotHold(_)) | BuildError::OtherLeaf(_)) => {}
        other => panic!("{other:?}"),
    }
}
