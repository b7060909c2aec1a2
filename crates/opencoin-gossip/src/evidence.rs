//! Which evidence is new.
//!
//! The id of a file is no measure: whoever has one file can make others that prove the same, with other cosignatures. What
//! counts is what a file proves. Of each currency and kind a node takes so many from its peers and no more: one is proof
//! enough, and a log that signs a thousand histories must not fill the disks of those who watch it.

use std::collections::{BTreeMap, BTreeSet};

use opencoin_log::hash::Hash;

use crate::message::content_id;

/// The most files of one kind against one currency that a node takes.
pub const EVIDENCE_PER_KIND_MAX: usize = 16;

/// What verified evidence proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvidenceSubject<'text> {
    /// The fingerprint of the currency's master key.
    pub master_key: &'text str,
    /// The kind of the evidence.
    pub kind: &'text str,
    /// What it proves, in words.
    pub statement: &'text str,
}

/// Whether evidence says something new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Novelty {
    /// It does: keep it and pass it on.
    New,
    /// The node has evidence that proves the same.
    Known,
    /// The node has enough of this kind.
    Enough,
}

/// What the evidence proves that a node has. After a start it is made again from the stored files.
#[derive(Debug, Clone, Default)]
pub struct KnownEvidence(BTreeMap<(String, String), BTreeSet<Hash>>);

impl KnownEvidence {
    /// Whether verified evidence says something new.
    #[must_use]
    pub fn novelty(&self, subject: EvidenceSubject<'_>) -> Novelty {
        let key = (subject.master_key.to_owned(), subject.kind.to_owned());
        match self.0.get(&key) {
            Some(known) if known.contains(&content_id(subject.statement)) => Novelty::Known,
            Some(known) if known.len() >= EVIDENCE_PER_KIND_MAX => Novelty::Enough,
            Some(_) | None => Novelty::New,
        }
    }

    /// Remembers what stored evidence proves.
    pub fn add(&mut self, subject: EvidenceSubject<'_>) {
        let key = (subject.master_key.to_owned(), subject.kind.to_owned());
        self.0
            .entry(key)
            .or_default()
            .insert(content_id(subject.statement));
    }
}
