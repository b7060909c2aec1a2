//! The files, by their kinds and rules.

use std::ops::{Range, RangeInclusive};

use opencoin_evidence::{
    Absence, AfterClosing, BadPayment, BatchOfPayments, Claim, ClosingCounts, CoinsValue, CountedKey,
    Disorder, Included, IncludedRun, KeyCount, KeyLeaves, KeyNumber, KeyUnknown, Neighbours, OmittedLeaf,
    OneBatch, OneLeaf, OneStatement, OrderRule, OutsideDates, OutsideWindow, OverRedemption, PaymentRule,
    Rollback, SecretKey, ShownPromise, SpentTwice, SplitView, TotalsRule, TwoBatches, TwoLeaves,
    TwoStatements, UncountedLeaf, WindowRule, WrongKeysRoot, WrongTotals,
};
use opencoin_log::hash::leaf_hash;
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::Leaf;
use opencoin_log::promise::{LeafPath, request_root, sign_commit};
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_log::tree::{self, consistency_spans};
use opencoin_log_reader::Beginning;
use opencoin_testkit::log_builder::WITHIN_S;
use rand::Rng;
use rand_chacha::ChaCha20Rng;

use super::{Hand, WRONG};

/// The number of kinds and rules that [`Hand::claim`] has.
pub(crate) const RULES: usize = 28;
/// Those that everybody finds who replays the log. Whether a description is wrong depends on the others that one knows.
pub(crate) const RULES_OF_A_REPLAY: [usize; 22] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 22,
];
/// The rules for closed keys and what comes after them.
pub(crate) const CLOSINGS: RangeInclusive<usize> = 4..=7;
/// The rule that a tree ends with a batch.
pub(crate) const RULE_OF_THE_END: usize = 14;
/// The first bytes of leaves of mint keys, and of the first statements about key accounts.
const MINT_KEYS: [u8; 2] = [0x01, 0x02];
const STATEMENTS: [u8; 2] = [0x01, 0x20];

/// The rules of a kind that everybody finds who replays the log.
pub(crate) fn rules_of(kind: &str) -> RangeInclusive<usize> {
    match kind {
        "over-redemption" => 0..=0,
        "spent twice" => 1..=1,
        "outside its window" => 2..=4,
        "wrong totals" => 5..=11,
        "disorder" => 12..=19,
        "bad payment" => 20..=22,
        other => panic!("no rules of {other}"),
    }
}

impl Hand<'_> {
    /// One of all kinds of files, with these leaves or those.
    pub(crate) fn claim(&self, rng: &mut ChaCha20Rng, rule: usize) -> Claim {
        match rule {
            0 => {
                let has_counts = |leaf: &Leaf| matches!(leaf, Leaf::Batch(_) | Leaf::KeyClosed { .. });
                let leaf = self.pick(rng, has_counts);
                Claim::OverRedemption(OverRedemption::new(&self.checkpoint, self.about(rng, leaf)))
            }
            1 => self.spent_twice(rng),
            2..=4 => self.outside_window(rng, rule),
            5..=11 => {
                let rule = self.totals(rng, rule);
                Claim::WrongTotals(Box::new(WrongTotals::new(&self.checkpoint, rule)))
            }
            12..=19 => {
                let rule = self.disorder(rng, rule);
                Claim::Disorder(Box::new(Disorder::new(&self.checkpoint, rule)))
            }
            20..=22 => {
                let rule = self.payment(rng, rule);
                Claim::BadPayment(Box::new(BadPayment::new(&self.checkpoint, rule)))
            }
            23 => self.secret_key(rng),
            24 => self.split_view(rng),
            25 => self.omitted(rng, None),
            26 => self.omitted(rng, Some(self.size() - 1)),
            _ => {
                let (before, after) = (self.pick_batch(rng), self.pick_batch(rng));
                Claim::Rollback(Rollback::new(
                    &self.checkpoint_at(before),
                    &self.checkpoint_at(after),
                ))
            }
        }
    }

    fn spent_twice(&self, rng: &mut ChaCha20Rng) -> Claim {
        let is_once = |leaf: &Leaf| {
            matches!(
                leaf,
                Leaf::Spent { .. } | Leaf::CoinRecouped { .. } | Leaf::BlindRecouped { .. }
            )
        };
        let second = self.pick(rng, is_once);
        let body = |at: u64| self.log.leaves()[at as usize][2..].to_vec();
        let twins = self.places(is_once);
        let first = twins.into_iter().find(|at| body(*at) == body(second));
        let first = self.about(rng, first.unwrap_or(second));
        let second = self.about(rng, second);
        Claim::SpentTwice(SpentTwice::new(&self.checkpoint, first, second))
    }

    fn outside_window(&self, rng: &mut ChaCha20Rng, rule: usize) -> Claim {
        let is_coin = |leaf: &Leaf| {
            matches!(
                leaf,
                Leaf::Issued { .. }
                    | Leaf::Spent { .. }
                    | Leaf::CoinRecouped { .. }
                    | Leaf::BlindRecouped { .. }
            )
        };
        let at = self.pick(rng, is_coin);
        let key_no = self.key_no_of(at);
        let key = self.about(rng, self.key_leaf(key_no));
        let batch = self.about(rng, self.end_of(at));
        let rule = match rule {
            2 => WindowRule::Dates(OutsideDates { key, batch }),
            3 => {
                let batch = rng.gen_bool(0.5).then_some(batch);
                WindowRule::KeyUnknown(KeyUnknown { key, batch })
            }
            _ => {
                let closes =
                    |leaf: &Leaf| matches!(leaf, Leaf::KeyClosed { key_no: found, .. } if *found == key_no);
                let closing = self.pick(rng, closes);
                let batch = self.about(rng, self.end_of(closing));
                let closing = self.included(closing);
                WindowRule::KeyClosed(AfterClosing { closing, batch })
            }
        };
        let leaf = self.about(rng, at);
        Claim::OutsideWindow(Box::new(OutsideWindow::new(&self.checkpoint, leaf, rule)))
    }

    fn totals(&self, rng: &mut ChaCha20Rng, rule: usize) -> TotalsRule {
        let at = self.pick_batch(rng);
        let batch = self.about(rng, at);
        let range = self.range_of(at);
        match rule {
            5 => TotalsRule::Batch(OneBatch { batch }),
            6 => {
                let before = match rng.gen_bool(0.5) {
                    true => range.start.saturating_sub(1),
                    false => rng.gen_range(0..self.size()),
                };
                let earlier = self.about(rng, before);
                TotalsRule::Sequence(TwoBatches { earlier, batch })
            }
            7 => {
                let closing = self.pick(rng, |leaf| matches!(leaf, Leaf::KeyClosed { .. }));
                let own = self.end_of(closing);
                let (batch, before) = match rng.gen_bool(0.5) {
                    true => (own, self.chain(rng, own, &[self.key_no_of(closing)])),
                    false => (at, Vec::new()),
                };
                let (closing, batch) = (self.about(rng, closing), self.about(rng, batch));
                TotalsRule::Closing(ClosingCounts::new(closing, batch, before))
            }
            8 => TotalsRule::Count(Box::new(self.count(rng, at))),
            9 => {
                let counts = |leaf: &Leaf| matches!(leaf, Leaf::Issued { .. } | Leaf::Spent { .. });
                let leaf = self.pick(rng, counts);
                let batch = self.about(rng, self.end_of(leaf));
                let leaf = self.about(rng, leaf);
                TotalsRule::Uncounted(UncountedLeaf { leaf, batch })
            }
            10 => {
                let named = self.batch(at).keys.iter().map(|counts| counts.key_no);
                let named: Vec<KeyNo> = named.collect();
                let before = self.chain(rng, at, &named);
                let keys = named.iter().map(|key_no| self.about(rng, self.key_leaf(*key_no)));
                let keys = keys.collect();
                TotalsRule::Value(CoinsValue::new(batch, before, keys))
            }
            _ => {
                let before = self.before(rng, at);
                let known = self.perturbed(rng, range.start);
                let run = self.run_of(rng, &range, MINT_KEYS, |leaf| leaf.starts_with(&MINT_KEYS));
                let root = WrongKeysRoot::new(batch, before, self.fingerprints(known), run);
                TotalsRule::KeysRoot(Box::new(root))
            }
        }
    }

    /// The batch leaf before a batch.
    fn before(&self, rng: &mut ChaCha20Rng, batch: u64) -> Option<Included> {
        let before = self.range_of(batch).start.checked_sub(1)?;
        (!rng.gen_bool(WRONG / 2.0)).then(|| self.about(rng, before))
    }

    /// The leaves of a batch from these bytes on for which this holds, and their neighbours.
    fn run_of(
        &self,
        rng: &mut ChaCha20Rng,
        batch: &Range<u64>,
        from: [u8; 2],
        is: impl Fn(&[u8]) -> bool,
    ) -> IncludedRun {
        let bytes = |at: u64| self.log.leaves()[at as usize].as_slice();
        let begin = batch.clone().find(|at| bytes(*at) >= from.as_slice());
        let begin = begin.unwrap_or(batch.end);
        let end = (begin..batch.end).find(|at| !is(bytes(*at)));
        let first = self.perturbed(rng, begin.saturating_sub(1).max(batch.start));
        let end = self.perturbed(rng, end.unwrap_or(batch.end)) + 1;
        self.run(first..end)
    }

    fn count(&self, rng: &mut ChaCha20Rng, at: u64) -> KeyCount {
        let range = self.range_of(at);
        let (counted, leaf_type) = match rng.gen_bool(0.5) {
            true => (CountedKey::Issued, 0x10),
            false => (CountedKey::Spent, 0x11),
        };
        let named = &self.batch(at).keys;
        let key_no = match named.len() {
            0 => KeyNo::FIRST,
            count => named[rng.gen_range(0..count)].key_no,
        };
        let header = [&[0x01, leaf_type], key_no.get().to_be_bytes().as_slice()].concat();
        let bytes = |at: u64| self.log.leaves()[at as usize].as_slice();
        let begin = range.clone().find(|at| bytes(*at) >= header.as_slice());
        let begin = begin.unwrap_or(range.end);
        let end = (begin..range.end).find(|at| !bytes(*at).starts_with(&header));
        let end = end.unwrap_or(range.end);
        let mut maybe = |is_there: bool, at: u64| {
            let is_there = is_there != rng.gen_bool(WRONG);
            is_there.then(|| self.about(rng, at))
        };
        let leaves = KeyLeaves {
            first: maybe(begin < end, begin),
            last: maybe(begin < end, end.saturating_sub(1)),
            left: maybe(range.start < begin, begin.saturating_sub(1)),
            right: self.about(rng, end),
        };
        let before = self.chain(rng, at, &[key_no]);
        KeyCount::new((key_no, counted), self.included(at), before, leaves)
    }

    fn disorder(&self, rng: &mut ChaCha20Rng, rule: usize) -> OrderRule {
        // A fraud is at the end.
        let last = self.range_of(self.size() - 1);
        let at = match rng.gen_bool(0.75) {
            true => rng.gen_range(last.start..self.size()),
            false => rng.gen_range(0..self.size()),
        };
        let leaf = self.included(at);
        let is_currency = |leaf: &Leaf| matches!(leaf, Leaf::Currency(_));
        let is_key = |leaf: &Leaf| matches!(leaf, Leaf::MintKey { .. });
        let mut two = |is: fn(&Leaf) -> bool| TwoLeaves {
            first: self.included(self.pick(rng, is)),
            second: self.included(self.pick(rng, is)),
        };
        match rule {
            12 => OrderRule::Order(Neighbours {
                leaf,
                next: self.about(rng, at + 1),
            }),
            13 => OrderRule::Form(OneLeaf { leaf }),
            14 => OrderRule::End(OneLeaf {
                leaf: self.about(rng, self.size() - 1),
            }),
            15 => {
                let leaf = self.pick(rng, |leaf| is_key(leaf) || is_currency(leaf));
                let leaf = self.included(leaf);
                OrderRule::Certificate(OneLeaf { leaf })
            }
            16 => {
                let leaf = self.included(self.pick(rng, is_currency));
                OrderRule::Description(OneLeaf { leaf })
            }
            17 => OrderRule::DescriptionTwice(two(is_currency)),
            18 => OrderRule::KeyTwice(two(is_key)),
            _ => {
                let end = self.end_of(at);
                let keys = self.fingerprints(self.perturbed(rng, end));
                OrderRule::KeyNumber(KeyNumber::new(leaf, self.about(rng, end), keys))
            }
        }
    }

    fn payment(&self, rng: &mut ChaCha20Rng, rule: usize) -> PaymentRule {
        let is_statement = |leaf: &Leaf| {
            matches!(
                leaf,
                Leaf::KeyIntroduced(_) | Leaf::KeyCredited(_) | Leaf::KeyPaid(_)
            )
        };
        let at = self.pick(rng, is_statement);
        match rule {
            20 => PaymentRule::Statement(OneStatement {
                leaf: self.about(rng, at),
                batch: self.about(rng, self.end_of(at)),
            }),
            21 => PaymentRule::Twice(TwoStatements {
                first: self.included(self.pick(rng, is_statement)),
                second: self.included(at),
            }),
            _ => {
                let end = match rng.gen_bool(0.5) {
                    true => self.end_of(at),
                    false => self.pick_batch(rng),
                };
                let place = self.batches.iter().position(|batch| *batch == end).unwrap();
                let place = match rng.gen_bool(WRONG / 2.0) {
                    true => rng.gen_range(0..self.ledgers.len()),
                    false => place,
                };
                let ledger = place.checked_sub(1).map(|before| self.ledgers[before].clone());
                let accounts = ledger.unwrap_or_default();
                let accounts = accounts.accounts().map(|(key, account)| (*key, *account));
                let accounts: Vec<_> = accounts.collect();
                let run = self.run_of(rng, &self.range_of(end), STATEMENTS, |leaf| {
                    leaf >= STATEMENTS.as_slice()
                });
                let (batch, before) = (self.included(end), self.before(rng, end));
                PaymentRule::Ledger(Box::new(BatchOfPayments::new(batch, before, accounts, run)))
            }
        }
    }

    fn secret_key(&self, rng: &mut ChaCha20Rng) -> Claim {
        let end = self.size() - 1;
        let keys = self.fingerprints(self.perturbed(rng, end));
        let key = self.pick(rng, |leaf| matches!(leaf, Leaf::MintKey { .. }));
        let certificate = match &self.leaves[key as usize] {
            Some(Leaf::MintKey { certificate, .. }) => certificate.as_ref().clone(),
            other => panic!("{other:?}"),
        };
        let (late, batch) = (self.late(), self.about(rng, end));
        Claim::SecretKey(Box::new(SecretKey::new(&late, batch, keys, certificate)))
    }

    /// The checkpoint, cosigned once more when every promise was due.
    fn late(&self) -> SignedCheckpoint {
        let newest = self.batch(*self.batches.last().unwrap()).time;
        self.log
            .checkpoint_at(self.size(), newest + 10 * u64::from(WITHIN_S))
    }

    /// The checkpoint of the tree that ends with a batch leaf, as it was cosigned then.
    fn checkpoint_at(&self, end: u64) -> SignedCheckpoint {
        self.log.checkpoint_at(end + 1, self.batch(end).time)
    }

    fn split_view(&self, rng: &mut ChaCha20Rng) -> Claim {
        let (one, other) = (self.pick_batch(rng), self.pick_batch(rng));
        let (small, large) = (one.min(other) + 1, one.max(other) + 1);
        let of = rng.gen_range(0..=large);
        let old = if rng.gen_bool(0.5) { small } else { of };
        let spans = consistency_spans(old, large).unwrap();
        let proof = spans
            .iter()
            .map(|span| tree::root(&self.hashes[span.start as usize..span.end as usize]));
        let root = match rng.gen_bool(0.5) {
            true => tree::root(&self.hashes[..old as usize]),
            false => self.hashes[rng.gen_range(0..self.hashes.len())],
        };
        let beginning = Beginning {
            root,
            proof: proof.collect(),
        };
        let (first, second) = (self.checkpoint_at(small - 1), self.checkpoint_at(large - 1));
        Claim::SplitView(SplitView::new(&first, &second, &beginning))
    }

    /// The promise of a leaf that the log has in time, and leaves that should show that it is missing.
    fn omitted(&self, rng: &mut ChaCha20Rng, last: Option<u64>) -> Claim {
        let is_promised = |leaf: &Leaf| {
            matches!(
                leaf,
                Leaf::Issued { .. } | Leaf::Spent { .. } | Leaf::KeyIntroduced(_) | Leaf::KeyPaid(_)
            )
        };
        let at = self.pick(rng, is_promised);
        let leaf = self.log.leaves()[at as usize].clone();
        let own = self.batch(self.end_of(at)).batch;
        let batch = own.saturating_sub(rng.gen_range(0..3)).max(1);
        let hashes = [leaf_hash(&leaf)];
        let (currency, time) = (self.log.currency(), self.batch(self.end_of(at)).time);
        let roots = [request_root(&hashes)];
        let promises = sign_commit(
            currency.promise_key(),
            currency.origin(),
            time,
            batch,
            WITHIN_S,
            &roots,
        );
        let promise = promises.unwrap().remove(0);
        let path = LeafPath::of(&hashes, 0).unwrap();
        let shown = ShownPromise::new(&promise, leaf.clone(), &path, None);
        let mut absences = Vec::new();
        for end in self
            .batches
            .iter()
            .filter(|end| self.batch(**end).batch >= batch)
            .take(3)
        {
            let range = self.range_of(*end);
            let mut after = range.start..=range.end;
            let right = after.find(|at| self.log.leaves()[*at as usize] > leaf);
            let right = right.unwrap_or(*end);
            let left = (right > range.start).then(|| self.about(rng, right - 1));
            absences.push(Absence {
                batch: self.about(rng, *end),
                left,
                right: self.about(rng, right),
            });
        }
        if rng.gen_bool(WRONG) {
            absences.pop();
        }
        let last = last.map(|last| self.about(rng, last));
        let claim = OmittedLeaf::new(shown, &self.late(), absences, last);
        Claim::OmittedLeaf(Box::new(claim))
    }
}
