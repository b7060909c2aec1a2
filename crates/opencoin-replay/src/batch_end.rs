//! The rules that hold for a batch as a whole, checked with its last leaf.

use std::collections::{BTreeMap, BTreeSet};

use opencoin_log::batch::{BATCH_STATEMENT_BYTES_MAX, BatchLeaf};
use opencoin_log::key_ledger::BatchOfStatements;
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::CloseReason;

use crate::finding::{BrokenRule, KeyUse};
use crate::keys::Closings;
use crate::open_batch::UsedKey;
use crate::replay::{LastBatch, Replay};
use crate::spent_index::{Series, SeriesKind, SpentIndex};

/// So many keys of a denomination sign at once while one succeeds another.
const SIGNING_KEYS_USUAL: u64 = 2;

impl Replay {
    /// Checks a batch with its totals, and begins the next one.
    pub(crate) fn end_batch<I: SpentIndex>(
        &mut self,
        batch: &BatchLeaf,
        index: &mut I,
    ) -> Result<(), I::Error> {
        let at = self.size;
        self.check_place(batch);
        self.check_growth(batch);
        let used = std::mem::take(&mut self.open.used);
        // Before the closings of this batch, because they were stated after the leaves.
        self.check_use(batch, &used);
        self.check_counts(batch, &used);
        self.close_keys();
        // A time before that of an earlier batch was reported.
        let time_s = self.last.as_ref().map_or(0, |last| last.time_s).max(batch.time);
        self.keys.expire(time_s);
        self.check_totals(batch);
        self.check_key_accounts(batch);
        self.check_signing(time_s);
        for key_no in self.keys.forget(time_s, self.within_s.into()) {
            for kind in [SeriesKind::Coins, SeriesKind::RecoupedBlinds] {
                index.forget(Series { key_no, kind })?;
            }
        }
        self.last = Some(LastBatch {
            index: at,
            number: self.batch_number(),
            time_s,
            accounts: batch.accounts,
            key_accounts: batch.key_accounts,
            ledger_root: Some(batch.ledger_root),
            coins: batch.coins,
            expired: batch.expired,
            paid_in: batch.paid_in,
            paid_out: batch.paid_out,
            recouped: batch.recouped,
            began_late: batch.opening || self.last.as_ref().is_some_and(|last| last.began_late),
        });
        Ok(())
    }

    /// Its number, its place and its time follow from the batch before.
    fn check_place(&mut self, batch: &BatchLeaf) {
        let at = self.size;
        let expected = self.batch_number();
        if batch.batch != expected {
            let declared = batch.batch;
            self.find(at, BrokenRule::BatchNumber { declared, expected });
        }
        let previous = self.last.as_ref().map(|last| last.index);
        if (batch.first, batch.previous) != (self.open.first, previous) {
            let (first, previous) = (batch.first, batch.previous);
            self.find(at, BrokenRule::BatchPlace { first, previous });
        }
        if let Some(last) = self.last.as_ref().filter(|last| batch.time < last.time_s) {
            let previous = last.index;
            self.find(at, BrokenRule::TimeBack { previous });
        }
    }

    fn check_growth(&mut self, batch: &BatchLeaf) {
        let Some(last) = &self.last else { return };
        let previous = last.index;
        let totals = [
            ("paid_in", last.paid_in, batch.paid_in),
            ("paid_out", last.paid_out, batch.paid_out),
            ("recouped", last.recouped, batch.recouped),
        ];
        for (total, before, after) in totals {
            if after < before {
                let total = total.to_owned();
                self.find(self.size, BrokenRule::TotalFell { total, previous });
            }
        }
    }

    /// Keys are used in their time, and not after they were closed.
    fn check_use(&mut self, batch: &BatchLeaf, used: &BTreeMap<KeyNo, UsedKey>) {
        let within_s = u64::from(self.within_s);
        for (&key_no, used) in used {
            let Some(key) = self.keys.get(key_no).cloned() else {
                continue;
            };
            let uses = [
                (KeyUse::Issued, used.issued_range.map(|range| range.first)),
                (KeyUse::Spent, used.spent_range.map(|range| range.first)),
                (KeyUse::Recouped, used.recouped_first),
            ];
            for (used, first) in uses {
                let Some(first) = first else { continue };
                let (until_s, closing) = match used {
                    KeyUse::Issued => (key.signs_until_s, key.closed.signing()),
                    KeyUse::Spent => (key.coins_until_s, key.closed.spending()),
                    KeyUse::Recouped => (key.coins_until_s, key.closed.coins_expired),
                };
                let (key_leaf, batch_leaf) = (key.leaf, self.size);
                // What was accepted in time is sealed within the delay, and the clocks of an issuer differ by less.
                let is_early = batch.time.saturating_add(within_s) < key.signs_from_s;
                if is_early || batch.time > until_s.saturating_add(within_s) {
                    let rule = BrokenRule::OutsideWindow {
                        key_no,
                        used,
                        key_leaf,
                        batch_leaf,
                    };
                    self.find(first, rule);
                }
                if let Some(closing) = closing {
                    let rule = BrokenRule::AfterClosing {
                        key_no,
                        used,
                        closing,
                    };
                    self.find(first, rule);
                }
                if used == KeyUse::Issued && key.batch == self.batch_number() {
                    self.find(first, BrokenRule::EarlyUse { key_no, key_leaf });
                }
                if used == KeyUse::Recouped && !self.is_stopped(key_no, &key.closed) {
                    self.find(first, BrokenRule::NotRevoked { key_no, key_leaf });
                }
            }
        }
    }

    /// Whether a key is revoked or stopped at the end of this batch.
    fn is_stopped(&self, key_no: KeyNo, closed: &Closings) -> bool {
        let stops = |reason| matches!(reason, CloseReason::Revoked | CloseReason::Stopped);
        let mut closings = self.open.closings.iter();
        closed.stopped.is_some() || closings.any(|closing| closing.key_no == key_no && stops(closing.reason))
    }

    /// The counts follow from the leaves, and no more coins came back than were issued. What the first batch of a currency
    /// declares that had coins before is taken as it is.
    fn check_counts(&mut self, batch: &BatchLeaf, used: &BTreeMap<KeyNo, UsedKey>) {
        let at = self.size;
        let declared: BTreeMap<KeyNo, [u64; 2]> = batch
            .keys
            .iter()
            .map(|counts| (counts.key_no, [counts.issued, counts.spent]))
            .collect();
        let changed = used.iter().filter(|(_, used)| used.issued > 0 || used.spent > 0);
        let mut keys: BTreeSet<KeyNo> = changed.map(|(key_no, _)| *key_no).collect();
        keys.extend(declared.keys());
        for key_no in keys {
            let used = used.get(&key_no).copied().unwrap_or_default();
            let declared = declared.get(&key_no).copied();
            let Some(key) = self.keys.get(key_no) else {
                let key_no = key_no.get();
                self.find(at, BrokenRule::UnknownKey { key_no });
                continue;
            };
            let before = [key.issued, key.spent];
            let counted_at = key.counted_at;
            let counted = [
                before[0].saturating_add(used.issued),
                before[1].saturating_add(used.spent),
            ];
            let is_right = match declared {
                Some([issued, spent]) if batch.opening => {
                    issued > 0 && issued >= counted[0] && spent >= counted[1]
                }
                // A key whose counts have not changed is left out.
                Some(declared) => declared == counted && declared != before,
                None => false,
            };
            if !is_right {
                let rule = BrokenRule::KeyCounts {
                    key_no,
                    declared,
                    counted,
                    before,
                    counted_at,
                    previous: self.last.as_ref().map(|last| last.index),
                    issued: used.issued_range,
                    spent: used.spent_range,
                };
                self.find(at, rule);
            }
            // What was declared is what later batches go on from.
            let [issued, spent] = declared.unwrap_or(counted);
            self.keys.change(key_no, |key| {
                (key.issued, key.spent) = (issued, spent);
                if declared.is_some() {
                    key.counted_at = Some(at);
                }
            });
            if spent > issued {
                let rule = BrokenRule::OverRedemption {
                    key_no,
                    issued,
                    spent,
                };
                self.find(at, rule);
            }
        }
    }

    /// Closes keys, with the counts that they have.
    fn close_keys(&mut self) {
        let batch_leaf = self.size;
        for closing in std::mem::take(&mut self.open.closings) {
            let key_no = closing.key_no;
            let Some(key) = self.keys.get(key_no) else {
                continue;
            };
            let counted = [key.issued, key.spent];
            if closing.counts != counted {
                let rule = BrokenRule::ClosingCounts {
                    key_no,
                    declared: closing.counts,
                    counted,
                    batch_leaf,
                };
                self.find(closing.index, rule);
            }
            self.keys.change(key_no, |key| {
                let closed = match closing.reason {
                    CloseReason::WindowOver => &mut key.closed.window_over,
                    CloseReason::CoinsExpired => &mut key.closed.coins_expired,
                    CloseReason::Revoked | CloseReason::Stopped => &mut key.closed.stopped,
                };
                closed.get_or_insert(closing.index);
            });
        }
    }

    /// The totals follow from the counts and agree with each other.
    fn check_totals(&mut self, batch: &BatchLeaf) {
        let at = self.size;
        let outstanding = self.keys.outstanding();
        let declared = [batch.coins, batch.expired];
        if declared.map(u128::from) != outstanding {
            let counted = outstanding.map(|value| u64::try_from(value).unwrap_or(u64::MAX));
            self.find(at, BrokenRule::CoinsValue { declared, counted });
        }
        if !batch.is_balanced() {
            self.find(at, BrokenRule::Unbalanced);
        }
        if self.keys.root() != batch.keys_root {
            self.find(at, BrokenRule::KeysRoot);
        }
    }

    fn check_key_accounts(&mut self, batch: &BatchLeaf) {
        let at = self.size;
        let statements = std::mem::take(&mut self.open.statements);
        if statements.are_too_many() {
            let reason =
                format!("the statements of a batch have more than {BATCH_STATEMENT_BYTES_MAX} bytes");
            self.find_bad_statement(None, reason);
        }
        let of_batch = BatchOfStatements {
            origin: &self.origin,
            time_s: batch.time,
            within_s: self.within_s,
        };
        if let Err(broken) = self.key_accounts.apply(statements.leaves(), of_batch) {
            self.find_bad_statement(broken.statement, broken.reason);
        }
        if let Some((total, root)) = self.key_accounts.totals()
            && (batch.key_accounts, batch.ledger_root) != (total, root)
        {
            self.find(at, BrokenRule::KeyAccountTotals { total, root });
        }
    }

    /// Reports once that so many keys of a denomination sign.
    fn check_signing(&mut self, time_s: u64) {
        for (denomination, keys) in self.keys.signing_at(time_s) {
            let reported = self.many_signing.get(&denomination);
            if keys > *reported.unwrap_or(&SIGNING_KEYS_USUAL) {
                self.many_signing.insert(denomination, keys);
                self.find(self.size, BrokenRule::ManySigningKeys { denomination, keys });
            }
        }
    }
}
