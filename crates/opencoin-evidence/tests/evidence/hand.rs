//! Files as somebody writes them by hand, who has all leaves of a log and its checkpoints, and wants a file to hold.
//!
//! Most fields are as they must be, and some are any leaves. [`Hand::claim`] does not ask whether the file may hold.

mod claims;

use std::ops::Range;

use opencoin_evidence::{Included, IncludedRun};
use opencoin_log::batch::BatchLeaf;
use opencoin_log::digest::KeyFingerprint;
use opencoin_log::hash::{Hash, leaf_hash};
use opencoin_log::key_ledger::{BatchOfStatements, KeyLedger, Signatures};
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::Leaf;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log::tree::{self, Layers, run_spans};
use opencoin_testkit::log_builder::{LogBuilder, WITHIN_S};
use rand::Rng;
use rand_chacha::ChaCha20Rng;

pub(crate) use claims::{CLOSINGS, RULE_OF_THE_END, RULES, RULES_OF_A_REPLAY, rules_of};

/// How often a field is not as it must be.
const WRONG: f64 = 0.12;
/// Somebody who writes files about the first leaves of a log.
pub(crate) struct Hand<'log> {
    log: &'log LogBuilder,
    leaves: Vec<Option<Leaf>>,
    hashes: Vec<Hash>,
    layers: Layers,
    pub(crate) checkpoint: SignedCheckpoint,
    /// The indices of batch leaves.
    batches: Vec<u64>,
    /// The key accounts after each batch.
    ledgers: Vec<KeyLedger>,
}

impl<'log> Hand<'log> {
    /// The first `size` leaves, under a checkpoint of them.
    pub(crate) fn new(log: &'log LogBuilder, checkpoint: SignedCheckpoint) -> Self {
        let size = usize::try_from(checkpoint.checkpoint().size()).unwrap();
        let bytes = &log.leaves()[..size];
        let leaves: Vec<Option<Leaf>> = bytes.iter().map(|leaf| Leaf::decode(leaf).ok()).collect();
        let hashes: Vec<Hash> = bytes.iter().map(|leaf| leaf_hash(leaf)).collect();
        let mut hand = Self {
            log,
            layers: Layers::new(hashes.clone()),
            hashes,
            checkpoint,
            batches: Vec::new(),
            ledgers: Vec::new(),
            leaves,
        };
        hand.batches = hand.places(|leaf| matches!(leaf, Leaf::Batch(_)));
        hand.ledgers = hand.replayed_ledgers();
        hand
    }

    fn replayed_ledgers(&self) -> Vec<KeyLedger> {
        let (mut ledger, mut first) = (KeyLedger::default(), 0);
        let mut ledgers = Vec::new();
        for end in &self.batches {
            let statements = self.leaves[first..*end as usize].iter().flatten();
            let batch = BatchOfStatements {
                origin: self.log.currency().origin(),
                time_s: self.batch(*end).time,
                within_s: WITHIN_S,
            };
            // An account that breaks a rule stays as it is.
            let _ = ledger.apply(statements, batch, Signatures::AreVerified);
            ledgers.push(ledger.clone());
            first = *end as usize + 1;
        }
        ledgers
    }

    fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// The indices of the leaves for which this holds.
    fn places(&self, is: impl Fn(&Leaf) -> bool) -> Vec<u64> {
        let leaves = (0..).zip(&self.leaves);
        let found = leaves.filter(|(_, leaf)| leaf.as_ref().is_some_and(&is));
        found.map(|(at, _)| at).collect()
    }

    fn batch(&self, at: u64) -> &BatchLeaf {
        match &self.leaves[at as usize] {
            Some(Leaf::Batch(batch)) => batch,
            other => panic!("{other:?}"),
        }
    }

    /// The batch leaf at or after a leaf.
    fn end_of(&self, at: u64) -> u64 {
        let end = self.batches.iter().find(|end| **end >= at);
        *end.unwrap_or_else(|| self.batches.last().unwrap())
    }

    /// The leaves of the batch that ends with a batch leaf, without that.
    fn range_of(&self, end: u64) -> Range<u64> {
        let before = self.batches.iter().rev().find(|before| **before < end);
        before.map_or(0, |before| before + 1)..end
    }

    pub(crate) fn included(&self, at: u64) -> Included {
        let at = at.min(self.size() - 1) as usize;
        let proof = self.layers.inclusion_proof(at).unwrap();
        Included::new(at as u64, self.log.leaves()[at].clone(), &proof)
    }

    fn run(&self, range: Range<u64>) -> IncludedRun {
        let end = range.end.clamp(1, self.size());
        let first = range.start.min(end - 1);
        let spans = run_spans(first, end, self.size()).unwrap();
        let roots = spans
            .iter()
            .map(|span| tree::root(&self.hashes[span.start as usize..span.end as usize]));
        let leaves = self.log.leaves()[first as usize..end as usize].to_vec();
        IncludedRun::new(first, leaves, &roots.collect::<Vec<_>>())
    }

    /// This leaf, or now and then another one.
    fn about(&self, rng: &mut ChaCha20Rng, at: u64) -> Included {
        self.included(self.perturbed(rng, at))
    }

    fn perturbed(&self, rng: &mut ChaCha20Rng, at: u64) -> u64 {
        if !rng.gen_bool(WRONG) {
            return at;
        }
        match rng.gen_range(0..4) {
            0 => at.saturating_sub(1),
            1 => at.saturating_add(1).min(self.size() - 1),
            2 => self.end_of(rng.gen_range(0..self.size())),
            _ => rng.gen_range(0..self.size()),
        }
    }

    /// One of the leaves for which this holds, more often a late one; any leaf if there is none.
    fn pick(&self, rng: &mut ChaCha20Rng, is: impl Fn(&Leaf) -> bool) -> u64 {
        let places = self.places(is);
        match places.len() {
            0 => rng.gen_range(0..self.size()),
            count if rng.gen_bool(0.5) => places[count - 1 - rng.gen_range(0..count.min(3))],
            count => places[rng.gen_range(0..count)],
        }
    }

    /// A batch leaf, most often the last one.
    fn pick_batch(&self, rng: &mut ChaCha20Rng) -> u64 {
        match self.batches.last() {
            Some(last) if rng.gen_bool(0.5) => *last,
            _ => self.pick(rng, |leaf| matches!(leaf, Leaf::Batch(_))),
        }
    }

    /// The leaf of a mint key.
    fn key_leaf(&self, key_no: KeyNo) -> u64 {
        let is_key = |leaf: &Leaf| matches!(leaf, Leaf::MintKey { key_no: found, .. } if *found == key_no);
        self.places(is_key).first().copied().unwrap_or_default()
    }

    /// The key of the leaf at this place.
    fn key_no_of(&self, at: u64) -> KeyNo {
        match &self.leaves[at as usize] {
            Some(
                Leaf::Issued { key_no, .. }
                | Leaf::Spent { key_no, .. }
                | Leaf::CoinRecouped { key_no, .. }
                | Leaf::BlindRecouped { key_no, .. }
                | Leaf::KeyClosed { key_no, .. }
                | Leaf::MintKey { key_no, .. },
            ) => *key_no,
            _ => KeyNo::FIRST,
        }
    }

    fn fingerprints(&self, end: u64) -> Vec<KeyFingerprint> {
        let leaves = self.leaves[..end.min(self.size()) as usize].iter().flatten();
        let keys = leaves.filter_map(|leaf| match leaf {
            Leaf::MintKey { certificate, .. } => {
                Some(KeyFingerprint::of(&certificate.mint_key.public_mint_key))
            }
            _ => None,
        });
        keys.collect()
    }

    /// The batch leaves before a batch, as far back as these keys need, or another number of them.
    fn chain(&self, rng: &mut ChaCha20Rng, batch: u64, keys: &[KeyNo]) -> Vec<Included> {
        let (mut missing, mut chain) = (keys.to_vec(), Vec::new());
        let before = self.batches.iter().rev().filter(|at| **at < batch);
        for at in before {
            if !chain.is_empty() && missing.is_empty() {
                break;
            }
            let named = &self.batch(*at).keys;
            missing.retain(|key_no| named.iter().all(|counts| counts.key_no != *key_no));
            chain.push(*at);
        }
        if rng.gen_bool(WRONG) {
            match rng.gen_range(0..3) {
                0 => chain.truncate(rng.gen_range(0..=chain.len())),
                1 if !chain.is_empty() => drop(chain.remove(rng.gen_range(0..chain.len()))),
                _ => chain.push(self.pick_batch(rng)),
            }
        }
        chain.into_iter().map(|at| self.included(at)).collect()
    }
}
