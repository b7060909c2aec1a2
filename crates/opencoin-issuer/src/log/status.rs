//! What a process knows about its sealing and its witnesses, for metrics and for `/v1/log/incidents`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};

/// The most incidents that are remembered.
const INCIDENTS_MAX: usize = 100;

/// What a process knows about its log.
#[derive(Debug, Clone, Default)]
pub struct LogStatus {
    /// The witnesses by name.
    pub witnesses: BTreeMap<String, WitnessStatus>,
    /// The auditors by name.
    pub auditors: BTreeMap<String, WitnessStatus>,
    /// The batches that this process has sealed.
    pub sealed: u64,
    /// Attempts to seal or publish that failed.
    pub failures: u64,
    /// Whether the last checkpoint that was published here has the quorum; `None` before the first one.
    pub has_quorum: Option<bool>,
    /// When the first checkpoint after the last one with the quorum had none; `None` if the last one has it.
    pub without_quorum_since: Option<DateTime<Utc>>,
    /// What went wrong, oldest first.
    pub incidents: Vec<Incident>,
}

/// What a witness or auditor has answered.
#[derive(Debug, Clone, Default)]
pub struct WitnessStatus {
    /// Cosignatures.
    pub cosigned: u64,
    /// Answers without a cosignature, and failures.
    pub failed: u64,
    /// The size of the last tree that it cosigned.
    pub size: u64,
    /// The last failure, if it came after the last cosignature.
    pub last_error: Option<String>,
}

/// Something that auditors and holders should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub text: String,
}

#[derive(Debug, Default)]
pub(super) struct Recorder(Mutex<LogStatus>);

impl Recorder {
    pub(super) fn status(&self) -> LogStatus {
        self.lock().clone()
    }

    pub(super) fn sealed(&self) {
        self.lock().sealed += 1;
    }

    pub(super) fn failed(&self) {
        self.lock().failures += 1;
    }

    pub(super) fn published(&self, has_quorum: bool, at: DateTime<Utc>) {
        let mut status = self.lock();
        status.has_quorum = Some(has_quorum);
        let before = status.without_quorum_since;
        status.without_quorum_since = (!has_quorum).then(|| before.unwrap_or(at));
    }

    pub(super) fn cosigned(&self, witness: &str, size: u64) {
        let mut status = self.lock();
        let witness = status.witnesses.entry(witness.to_owned()).or_default();
        witness.cosigned += 1;
        witness.size = size;
        witness.last_error = None;
    }

    pub(super) fn refused(&self, witness: &str, error: String) {
        let mut status = self.lock();
        let witness = status.witnesses.entry(witness.to_owned()).or_default();
        witness.failed += 1;
        witness.last_error = Some(error);
    }

    /// An auditor shows a signature of a tree of this size.
    pub(super) fn auditor_signed(&self, auditor: &str, size: u64, is_new: bool) {
        let mut status = self.lock();
        let auditor = status.auditors.entry(auditor.to_owned()).or_default();
        auditor.cosigned += u64::from(is_new);
        auditor.size = size;
        auditor.last_error = None;
    }

    pub(super) fn auditor_failed(&self, auditor: &str, error: String) {
        let mut status = self.lock();
        let auditor = status.auditors.entry(auditor.to_owned()).or_default();
        auditor.failed += 1;
        auditor.last_error = Some(error);
    }

    pub(super) fn incident(&self, at: DateTime<Utc>, text: String) {
        let mut status = self.lock();
        let is_known = status.incidents.last().is_some_and(|last| last.text == text);
        if !is_known && status.incidents.len() < INCIDENTS_MAX {
            status.incidents.push(Incident { at, text });
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LogStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
