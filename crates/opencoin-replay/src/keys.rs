//! The mint keys of a log: their certificates, their counts and what their coins are worth.

use std::collections::{BTreeMap, BTreeSet};

use opencoin_log::digest::KeyFingerprint;
use opencoin_log::hash::{Hash, leaf_hash};
use opencoin_log::key_no::KeyNo;
use opencoin_log::tree;
use opencoin_schema::{MintKey, Timestamp};
use serde::{Deserialize, Serialize};

const MICROS_PER_SECOND: i64 = 1_000_000;
/// No coins of a key count for more, so that the sum over all possible keys does not overflow. A batch leaf cannot declare
/// as much.
const VALUE_MAX: u128 = 1 << 96;

/// A mint key of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayedKey {
    /// The SHA-256 of the key.
    pub fingerprint: Hash,
    /// The value of each of its coins, in the smallest unit.
    pub denomination: u64,
    /// The first second in which it signs, since 1970.
    pub signs_from_s: u64,
    /// The last second in which it signs.
    pub signs_until_s: u64,
    /// The last second in which its coins are taken.
    pub coins_until_s: u64,
    /// Coins ever issued.
    pub issued: u64,
    /// Coins ever spent.
    pub spent: u64,
    /// The index of its leaf.
    pub leaf: u64,
    /// The number of the batch that has its leaf.
    pub batch: u64,
    /// The index of the batch leaf that has declared its counts last.
    pub counted_at: Option<u64>,
    /// How it was closed.
    pub closed: Closings,
    /// Whether its coins have expired by the time of the last batch.
    pub is_expired: bool,
    /// Whether its digests were forgotten.
    pub(crate) is_forgotten: bool,
}

/// The leaves that have closed a mint key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Closings {
    /// It signs no more.
    pub window_over: Option<u64>,
    /// Its coins are taken no more.
    pub coins_expired: Option<u64>,
    /// It was revoked, or stopped because more came back than it had signed.
    pub stopped: Option<u64>,
}

impl Closings {
    /// The leaf after which it signs no more. Every closing ends that.
    #[must_use]
    pub fn signing(&self) -> Option<u64> {
        self.stopped.or(self.window_over).or(self.coins_expired)
    }

    /// The leaf after which its coins are taken no more.
    #[must_use]
    pub fn spending(&self) -> Option<u64> {
        self.stopped.or(self.coins_expired)
    }
}

impl ReplayedKey {
    pub(crate) fn new(key: &MintKey, leaf: u64, batch: u64) -> Self {
        Self {
            fingerprint: Hash::new(*KeyFingerprint::of(&key.public_mint_key).as_bytes()),
            denomination: key.denomination,
            signs_from_s: seconds(key.sign_coins_not_before),
            signs_until_s: seconds(key.sign_coins_not_after),
            coins_until_s: seconds(key.coins_expiry_date),
            issued: 0,
            spent: 0,
            leaf,
            batch,
            counted_at: None,
            closed: Closings::default(),
            is_expired: false,
            is_forgotten: false,
        }
    }

    /// The value of its coins that were issued and did not come back.
    #[must_use]
    pub fn outstanding(&self) -> u128 {
        let coins = u128::from(self.issued.saturating_sub(self.spent));
        (coins * u128::from(self.denomination)).min(VALUE_MAX)
    }
}

/// Whole seconds since 1970, as the issuer counts them.
fn seconds(time: Timestamp) -> u64 {
    u64::try_from(time.unix_us() / MICROS_PER_SECOND).unwrap_or_default()
}

/// All mint keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys {
    keys: BTreeMap<KeyNo, ReplayedKey>,
    fingerprints: BTreeMap<Hash, KeyNo>,
    /// The root over the fingerprints, if it is known.
    root: Option<Hash>,
    /// The value of outstanding coins of keys that have not expired, and of those that have.
    outstanding: [u128; 2],
    /// The keys that have not expired.
    unexpired: BTreeSet<(u64, KeyNo)>,
    /// The keys that have expired and whose digests were not forgotten.
    ended: BTreeSet<KeyNo>,
    /// The keys that may sign now or later.
    signing: BTreeSet<KeyNo>,
}

impl Keys {
    /// The keys of a stored state.
    pub(crate) fn restored(keys: BTreeMap<KeyNo, ReplayedKey>) -> Self {
        let mut restored = Self::default();
        for (key_no, key) in keys {
            restored.outstanding[usize::from(key.is_expired)] += key.outstanding();
            if !key.is_expired {
                restored.unexpired.insert((key.coins_until_s, key_no));
            } else if !key.is_forgotten {
                restored.ended.insert(key_no);
            }
            if key.closed.signing().is_none() {
                restored.signing.insert(key_no);
            }
            // The first one of two with the same fingerprint counts.
            restored.fingerprints.entry(key.fingerprint).or_insert(key_no);
            restored.keys.insert(key_no, key);
        }
        restored
    }

    pub(crate) fn all(&self) -> &BTreeMap<KeyNo, ReplayedKey> {
        &self.keys
    }

    pub(crate) fn get(&self, key_no: KeyNo) -> Option<&ReplayedKey> {
        self.keys.get(&key_no)
    }

    pub(crate) fn with_fingerprint(&self, fingerprint: &Hash) -> Option<&ReplayedKey> {
        self.get(*self.fingerprints.get(fingerprint)?)
    }

    /// The number of the next key.
    pub(crate) fn next_no(&self) -> KeyNo {
        let last = self.keys.last_key_value();
        last.map_or(Some(KeyNo::FIRST), |(key_no, _)| key_no.next())
            .unwrap_or(KeyNo::FIRST)
    }

    /// Adds a key, unless its number is taken.
    pub(crate) fn add(&mut self, key_no: KeyNo, key: ReplayedKey) {
        if self.keys.contains_key(&key_no) {
            return;
        }
        self.root = None;
        self.fingerprints.entry(key.fingerprint).or_insert(key_no);
        self.unexpired.insert((key.coins_until_s, key_no));
        self.signing.insert(key_no);
        self.keys.insert(key_no, key);
    }

    /// Changes a key, and what its coins are worth.
    pub(crate) fn change(&mut self, key_no: KeyNo, change: impl FnOnce(&mut ReplayedKey)) {
        let Some(key) = self.keys.get_mut(&key_no) else {
            return;
        };
        let sum = &mut self.outstanding[usize::from(key.is_expired)];
        *sum -= key.outstanding();
        change(key);
        *sum += key.outstanding();
        if key.closed.signing().is_some() {
            self.signing.remove(&key_no);
        }
    }

    /// Lets coins expire that are taken until before this time.
    pub(crate) fn expire(&mut self, time_s: u64) {
        while let Some(&(until_s, key_no)) = self.unexpired.first()
            && until_s < time_s
        {
            self.unexpired.pop_first();
            let key = self.keys.get_mut(&key_no).expect("it was added with its expiry");
            let value = key.outstanding();
            key.is_expired = true;
            self.outstanding[0] -= value;
            self.outstanding[1] += value;
            self.ended.insert(key_no);
        }
    }

    /// The value of outstanding coins: valid ones, expired ones.
    pub(crate) fn outstanding(&self) -> [u128; 2] {
        self.outstanding
    }

    /// The tree hash over the fingerprints of all keys.
    pub(crate) fn root(&mut self) -> Hash {
        let fingerprints = &self.fingerprints;
        *self.root.get_or_insert_with(|| {
            let hashes: Vec<Hash> = fingerprints
                .keys()
                .map(|fingerprint| leaf_hash(fingerprint.as_bytes()))
                .collect();
            tree::root(&hashes)
        })
    }

    /// How many keys of each denomination sign at this time. Keys whose time is over are not looked at again.
    pub(crate) fn signing_at(&mut self, time_s: u64) -> BTreeMap<u64, u64> {
        let keys = &self.keys;
        self.signing.retain(|key_no| keys[key_no].signs_until_s >= time_s);
        let mut counts = BTreeMap::new();
        for key in self.signing.iter().map(|key_no| &keys[key_no]) {
            if key.signs_from_s <= time_s {
                *counts.entry(key.denomination).or_default() += 1;
            }
        }
        counts
    }

    /// The keys whose digests are no longer needed, because no coin of theirs may come any more. Each is returned once.
    pub(crate) fn forget(&mut self, time_s: u64, within_s: u64) -> Vec<KeyNo> {
        let keys = &mut self.keys;
        let is_over = |key: &ReplayedKey| {
            let is_stopped = key.closed.stopped.is_some();
            key.closed.coins_expired.is_some()
                || (is_stopped && time_s > key.coins_until_s.saturating_add(within_s))
        };
        let over: Vec<KeyNo> = self
            .ended
            .iter()
            .filter(|key_no| is_over(&keys[key_no]))
            .copied()
            .collect();
        for key_no in &over {
            self.ended.remove(key_no);
            keys.get_mut(key_no).expect("it has ended").is_forgotten = true;
        }
        over
    }
}
