//! The mint keys of the log, and how many coins of each are issued and come back.

use opencoin_log::batch::KeyCounts;
use opencoin_log::digest::KeyFingerprint;
use opencoin_log::hash::{Hash, leaf_hash};
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::{CloseReason, Leaf};
use opencoin_log::tree;
use opencoin_schema::Mkc;

use super::currency::DENOMINATIONS;

/// In each batch one of so many coins comes back.
const COINS_PER_SPENT: u64 = 20;

/// The keys of a generation: one of each denomination.
const GENERATION_KEYS: usize = DENOMINATIONS.len();

/// All mint keys of the log, in the order of their numbers. Those of a generation follow each other.
#[derive(Default)]
pub(super) struct LoggedKeys(Vec<LoggedKey>);

/// A mint key of the log.
pub(super) struct LoggedKey {
    key_no: KeyNo,
    fingerprint: KeyFingerprint,
    denomination: u64,
    issued: u64,
    spent: u64,
}

/// The coins of a key in a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct KeyFlow {
    pub(super) issued: u64,
    pub(super) spent: u64,
}

impl LoggedKeys {
    /// The number of the next key; `None` if there are too many.
    pub(super) fn next_no(&self) -> Option<KeyNo> {
        KeyNo::new(u32::try_from(self.0.len() + 1).ok()?)
    }

    pub(super) fn add(&mut self, key_no: KeyNo, certificate: &Mkc) {
        self.0.push(LoggedKey {
            key_no,
            fingerprint: KeyFingerprint::of(&certificate.mint_key.public_mint_key),
            denomination: certificate.mint_key.denomination,
            issued: 0,
            spent: 0,
        });
    }

    /// Shares the coins of a batch out: some of every key come back, and the rest is issued with the keys of a generation,
    /// as many of each denomination.
    pub(super) fn flows(&self, coins: u64, generation: usize) -> Vec<KeyFlow> {
        let mut flows = vec![KeyFlow::default(); self.0.len()];
        let wanted: u64 = self.0.iter().map(LoggedKey::returning).sum();
        let spent_max = wanted.min(coins / 2);
        for (key, flow) in self.0.iter().zip(&mut flows) {
            flow.spent = key.returning() * spent_max / wanted.max(1);
        }
        let issued = coins - flows.iter().map(|flow| flow.spent).sum::<u64>();
        let first = generation * GENERATION_KEYS;
        let (each, rest) = (issued / GENERATION_KEYS as u64, issued % GENERATION_KEYS as u64);
        for (place, flow) in (0..).zip(&mut flows[first..first + GENERATION_KEYS]) {
            flow.issued = each + u64::from(place < rest);
        }
        flows
    }

    /// Enters the coins of a batch. Returns their value: issued and spent.
    pub(super) fn enter(&mut self, flows: &[KeyFlow]) -> KeyFlow {
        let mut value = KeyFlow::default();
        for (key, flow) in self.0.iter_mut().zip(flows) {
            key.issued += flow.issued;
            key.spent += flow.spent;
            value.issued += flow.issued * key.denomination;
            value.spent += flow.spent * key.denomination;
        }
        value
    }

    /// The counts of the keys that a batch has changed.
    pub(super) fn changed(&self, flows: &[KeyFlow]) -> Vec<KeyCounts> {
        let changed = self.0.iter().zip(flows);
        changed
            .filter(|(_, flow)| **flow != KeyFlow::default())
            .map(|(key, _)| KeyCounts {
                key_no: key.key_no,
                issued: key.issued,
                spent: key.spent,
            })
            .collect()
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = KeyNo> {
        self.0.iter().map(|key| key.key_no)
    }

    /// The leaves that close a generation for signing.
    pub(super) fn closings(&self, generation: usize) -> Vec<Leaf> {
        let keys = &self.0[generation * GENERATION_KEYS..][..GENERATION_KEYS];
        let closing = |key: &LoggedKey| Leaf::KeyClosed {
            key_no: key.key_no,
            reason: CloseReason::WindowOver,
            issued: key.issued,
            spent: key.spent,
        };
        keys.iter().map(closing).collect()
    }

    /// The value of all coins that did not come back.
    pub(super) fn outstanding(&self) -> u64 {
        let value = |key: &LoggedKey| key.outstanding() * key.denomination;
        self.0.iter().map(value).sum()
    }

    /// The tree hash over the fingerprints.
    pub(super) fn root(&self) -> Hash {
        let mut fingerprints: Vec<KeyFingerprint> = self.0.iter().map(|key| key.fingerprint).collect();
        fingerprints.sort_unstable();
        let hashes: Vec<Hash> = fingerprints
            .iter()
            .map(|fingerprint| leaf_hash(fingerprint.as_bytes()))
            .collect();
        tree::root(&hashes)
    }
}

impl LoggedKey {
    fn outstanding(&self) -> u64 {
        self.issued - self.spent
    }

    fn returning(&self) -> u64 {
        self.outstanding() / COINS_PER_SPENT
    }
}
