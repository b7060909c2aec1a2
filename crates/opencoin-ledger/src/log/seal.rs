//! Sealing: what waits becomes a batch of the log. A pure function; the store loads its input and saves its output in
//! one transaction.
//!
//! The leaves of a batch are in ascending order of their bytes, so their order says nothing about requests. The last one
//! is the batch leaf, with the totals. A batch that would break a rule of docs/LOG.md is not sealed.

use std::collections::{BTreeMap, HashMap};

use opencoin_log::batch::{BATCH_CLOSINGS_MAX, BatchLeaf, KeyCounts};
use opencoin_log::digest::KeyFingerprint;
use opencoin_log::hash::{Hash, leaf_hash};
use opencoin_log::key_account::AccountKey;
use opencoin_log::key_ledger::{KeyAccount, KeyLedger};
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::{COIN_LEAF_BYTES, CloseReason, Leaf};
use opencoin_log::tile::{TILE_HASHES, Tile as NewTile, TileBuilder, TileId, TileWidth, Tiles};
use opencoin_log::{bundle, tree};

use super::error::SealingError;
use super::portion::Portion;
use super::statements::{self, Statements};
use super::{
    CoinLeaf, LogBatch, LogHead, LogKey, LogTerms, LogTotals, WaitingRow, coin_leaf_start, split_leaves,
};
use crate::LedgerTime;

/// The incomplete right edge of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edge {
    /// The entries of the incomplete bundle.
    pub bundle: Vec<u8>,
    /// The hashes of the incomplete tiles of levels from 1 on.
    pub tiles: HashMap<TileId, Vec<u8>>,
}

/// A bundle that is new or has more entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBundle {
    /// Its number.
    pub index: u64,
    /// The number of its entries.
    pub width: TileWidth,
    /// The entries.
    pub data: Vec<u8>,
}

/// Everything that a batch is made of.
#[derive(Debug)]
pub struct SealInput {
    /// The end of the log.
    pub head: LogHead,
    /// All mint keys, in the order of their numbers.
    pub keys: Vec<LogKey>,
    /// The right edge of the tree.
    pub edge: Edge,
    /// What waits, in the order of the commits.
    pub waiting: Vec<WaitingRow>,
    /// The key accounts before the batch; `None` if no statements about them wait.
    pub key_accounts: Option<KeyLedger>,
    /// The log's terms.
    pub terms: LogTerms,
    /// The closings of keys to state. `None` for all that the books have, as a sealer does.
    pub closings: Option<Vec<Leaf>>,
    /// The time.
    pub at: LedgerTime,
}

/// A batch to store.
#[derive(Debug)]
pub struct Sealed {
    /// The batch.
    pub batch: LogBatch,
    /// The end of the log after it.
    pub head: LogHead,
    /// Bundles that are new or have more entries: index, number of entries, entries.
    pub bundles: Vec<NewBundle>,
    /// Tiles of levels from 1 on that are new or have more hashes.
    pub tiles: Vec<NewTile>,
    /// Keys that have changed.
    pub keys: Vec<LogKey>,
    /// Key accounts that are new or have changed.
    pub key_accounts: BTreeMap<AccountKey, KeyAccount>,
    /// What waits for a later batch: the last commits.
    pub left: Vec<WaitingRow>,
}

/// Makes the next batch; `None` if there is nothing to seal.
///
/// # Errors
/// A rule would be broken.
pub fn seal(input: SealInput) -> Result<Option<Sealed>, SealingError> {
    let SealInput {
        head,
        keys,
        edge,
        waiting,
        key_accounts,
        terms,
        closings,
        at,
    } = input;
    let Portion {
        pending,
        left,
        time_s,
    } = Portion::choose(waiting, &keys, &terms, at)?;
    let time_s = time_s.max(head.time_s);
    // A key that signs no more may have leaves among what is left.
    let closings = closings.or((!left.is_empty()).then(Vec::new));
    let statements = Statements::read(&pending.statements)?;
    let mut keys = Keys::new(keys, head.batch.get());
    let is_opening = head.previous.is_none() && head.began_late;
    let mut others = split_others(&pending.others)?;
    for leaf in &others {
        keys.see(leaf)?;
    }
    let mut coins = split_coins(pending.coins)?;
    coins.sort_unstable();
    keys.count(&coins)?;
    keys.check_stopped()?;
    others.extend(keys.closings(closings.as_deref()));
    let is_empty = others.is_empty() && coins.is_empty() && statements.is_empty();
    if is_empty && pending.totals == LogTotals::default() {
        return Ok(None);
    }
    let totals = head.totals + pending.totals;
    check_growth(&head.totals, &totals)?;
    let (ledger_root, changed_accounts) =
        statements::apply(&head, &statements, key_accounts, &terms, &totals, time_s)?;
    let others = others.iter().map(Leaf::encode).collect::<Result<Vec<_>, _>>();
    let mut others = others.map_err(|_| SealingError::Malformed("a document is too long"))?;
    others.sort_unstable();
    let first = head.size;
    let count = (others.len() + coins.len() + statements.bytes.len() + 1) as u64;
    let batch_leaf = batch_leaf(&head, &keys, &totals, ledger_root, first, time_s, is_opening)?;

    let mut writer = Writer::new(head.size, edge)?;
    others.iter().for_each(|leaf| writer.add(leaf));
    coins.iter().for_each(|leaf| writer.add(leaf));
    statements.bytes.iter().for_each(|leaf| writer.add(leaf));
    let batch_leaf = Leaf::Batch(Box::new(batch_leaf)).encode();
    writer.add(&batch_leaf.map_err(|_| SealingError::Malformed("the batch leaf is too long"))?);
    let written = writer.finish();
    let batch = LogBatch {
        no: head.batch,
        first,
        count,
        root: written.root,
        time_s,
    };
    Ok(Some(Sealed {
        batch,
        head: LogHead {
            size: batch.end(),
            root: written.root,
            batch: head.batch.next(),
            previous: Some(batch.end() - 1),
            time_s,
            totals,
            ledger_root,
            began_late: head.began_late,
            recovered_to: head.recovered_to,
            halted: None,
        },
        bundles: written.bundles,
        tiles: written.tiles,
        keys: keys.changed(),
        key_accounts: changed_accounts,
        left,
    }))
}

/// Appends leaves to the bundles and the tree.
struct Writer {
    tiles: TileBuilder,
    /// The index of the bundle that is being filled.
    index: u64,
    bundle: Vec<u8>,
    /// The hashes of its entries that are not in `tiles` yet.
    hashes: Vec<Hash>,
    /// The number of its entries.
    width: u16,
    full: Vec<NewBundle>,
}

struct Written {
    bundles: Vec<NewBundle>,
    tiles: Vec<NewTile>,
    root: Hash,
}

impl Writer {
    fn new(size: u64, edge: Edge) -> Result<Self, SealingError> {
        let malformed = SealingError::Malformed("the end of the tree does not fit its size");
        let Edge { bundle, tiles } = edge;
        let width = (size % u64::from(TILE_HASHES)) as u16;
        let mut leaf_hashes = Vec::new();
        if let Some(width) = TileWidth::new(width) {
            let entries = bundle::decode(&bundle, width).map_err(|_| malformed.clone())?;
            leaf_hashes = entries.flat_map(|entry| *leaf_hash(entry).as_bytes()).collect();
        }
        let index = size / u64::from(TILE_HASHES);
        let edge = EdgeTiles { leaf_hashes, tiles };
        Ok(Self {
            tiles: TileBuilder::new(size, &edge, 1).map_err(|_| malformed)?,
            index,
            bundle,
            hashes: Vec::with_capacity(usize::from(TILE_HASHES)),
            width,
            full: Vec::new(),
        })
    }

    fn add(&mut self, leaf: &[u8]) {
        bundle::append(&mut self.bundle, leaf).expect("a leaf is shorter than an entry may be");
        self.hashes.push(leaf_hash(leaf));
        self.width += 1;
        if self.width == TILE_HASHES {
            self.end_bundle();
        }
    }

    fn end_bundle(&mut self) {
        let Some(width) = TileWidth::new(self.width).filter(|_| !self.hashes.is_empty()) else {
            return;
        };
        self.tiles.append(&self.hashes);
        self.hashes.clear();
        self.full.push(NewBundle {
            index: self.index,
            width,
            data: std::mem::take(&mut self.bundle),
        });
        self.index += 1;
        self.width = 0;
    }

    fn finish(mut self) -> Written {
        self.end_bundle();
        Written {
            bundles: self.full,
            root: self.tiles.root(),
            tiles: self.tiles.changed(),
        }
    }
}

/// The incomplete tiles, with that of level 0, which is made from the bundle.
struct EdgeTiles {
    leaf_hashes: Vec<u8>,
    tiles: HashMap<TileId, Vec<u8>>,
}

impl Tiles for EdgeTiles {
    fn tile(&self, id: TileId) -> Option<&[u8]> {
        if id.level == 0 {
            Some(&self.leaf_hashes)
        } else {
            self.tiles.get(&id).map(Vec::as_slice)
        }
    }
}

/// The totals that only grow.
fn check_growth(before: &LogTotals, after: &LogTotals) -> Result<(), SealingError> {
    let grows = before.paid_in <= after.paid_in
        && before.paid_out <= after.paid_out
        && before.recouped <= after.recouped;
    if grows {
        Ok(())
    } else {
        Err(SealingError::Totals(
            "what was paid in, paid out or recouped fell".to_owned(),
        ))
    }
}

fn batch_leaf(
    head: &LogHead,
    keys: &Keys,
    totals: &LogTotals,
    ledger_root: Hash,
    first: u64,
    time_s: u64,
    is_opening: bool,
) -> Result<BatchLeaf, SealingError> {
    let overflow = || SealingError::Totals("a sum is negative or overflows".to_owned());
    let amount = |value: i128| {
        i64::try_from(value)
            .map(i64::unsigned_abs)
            .ok()
            .filter(|_| value >= 0)
    };
    let amount = |value: i128| amount(value).ok_or_else(overflow);
    let [coins, expired] = keys.outstanding(time_s).ok_or_else(overflow)?;
    let leaf = BatchLeaf {
        accounts: amount(totals.accounts)?,
        batch: head.batch.get(),
        coins,
        expired,
        first,
        key_accounts: amount(totals.key_accounts)?,
        keys: keys.counts(is_opening),
        keys_root: keys.root(),
        ledger_root,
        opening: is_opening,
        paid_in: amount(totals.paid_in)?,
        paid_out: amount(totals.paid_out)?,
        previous: head.previous,
        recouped: amount(totals.recouped)?,
        time: time_s,
    };
    if leaf.is_balanced() {
        Ok(leaf)
    } else {
        Err(SealingError::Totals(format!(
            "{} paid in, {} recouped and {} paid out, but {} in accounts, {} in key accounts and {} in coins",
            leaf.paid_in,
            leaf.recouped,
            leaf.paid_out,
            leaf.accounts,
            leaf.key_accounts,
            u128::from(coins) + u128::from(expired)
        )))
    }
}

/// The leaves of documents, without their lengths.
fn split_others(bytes: &[u8]) -> Result<Vec<Leaf>, SealingError> {
    let malformed = |_| SealingError::Malformed("a document cannot be read");
    let leaves = split_leaves(bytes)?.into_iter();
    leaves.map(|leaf| Leaf::decode(leaf).map_err(malformed)).collect()
}

fn split_coins(bytes: Vec<u8>) -> Result<Vec<CoinLeaf>, SealingError> {
    let (leaves, []) = bytes.as_chunks::<COIN_LEAF_BYTES>() else {
        return Err(SealingError::Malformed("a leaf of a coin is cut off"));
    };
    Ok(leaves.to_vec())
}

/// The mint keys while a batch is made.
struct Keys {
    keys: BTreeMap<KeyNo, LogKey>,
    before: BTreeMap<KeyNo, LogKey>,
    /// The counts with which keys were stopped in this batch.
    stopped: Vec<(KeyNo, u64, u64)>,
    batch: u64,
}

impl Keys {
    fn new(keys: Vec<LogKey>, batch: u64) -> Self {
        let keys: BTreeMap<_, _> = keys.into_iter().map(|key| (key.no, key)).collect();
        Self {
            before: keys.clone(),
            keys,
            stopped: Vec::new(),
            batch,
        }
    }

    fn key(&mut self, key_no: KeyNo) -> Result<&mut LogKey, SealingError> {
        self.keys
            .get_mut(&key_no)
            .ok_or(SealingError::KeyNotLogged { key_no })
    }

    /// Takes note of a leaf that is not of a coin.
    fn see(&mut self, leaf: &Leaf) -> Result<(), SealingError> {
        match leaf {
            Leaf::MintKey { key_no, .. } => {
                let batch = self.batch;
                self.key(*key_no)?.batch = Some(batch);
            }
            &Leaf::KeyClosed {
                key_no,
                issued,
                spent,
                ..
            } => {
                let key = self.key(key_no)?;
                key.signing_closed = true;
                key.coins_closed = true;
                self.stopped.push((key_no, issued, spent));
            }
            Leaf::Currency(_) => {}
            _ => return Err(SealingError::Malformed("a leaf that no commit writes")),
        }
        Ok(())
    }

    /// Counts sorted leaves of coins.
    fn count(&mut self, coins: &[CoinLeaf]) -> Result<(), SealingError> {
        let before = self.before.clone();
        for run in coins.chunk_by(|leaf, next| coin_leaf_start(leaf) == coin_leaf_start(next)) {
            let leaf =
                Leaf::decode(&run[0]).map_err(|_| SealingError::Malformed("a leaf of no known kind"))?;
            let (Leaf::Issued { key_no, .. }
            | Leaf::Spent { key_no, .. }
            | Leaf::CoinRecouped { key_no, .. }
            | Leaf::BlindRecouped { key_no, .. }) = leaf
            else {
                return Err(SealingError::Malformed("a leaf that is not of a coin"));
            };
            // A key that is closed in this batch was closed after these leaves were accepted.
            let was = before
                .get(&key_no)
                .copied()
                .ok_or(SealingError::KeyNotLogged { key_no })?;
            let key = self.key(key_no)?;
            if key.batch.is_none() {
                return Err(SealingError::KeyNotLogged { key_no });
            }
            let is_twice = run.windows(2).any(|pair| pair[0] == pair[1]);
            match leaf {
                Leaf::Issued { .. } if was.signing_closed => return Err(SealingError::KeyClosed { key_no }),
                Leaf::Issued { .. } => key.issued += run.len() as u64,
                Leaf::Spent { .. } if was.coins_closed => return Err(SealingError::KeyClosed { key_no }),
                _ if is_twice => return Err(SealingError::SpentTwice { key_no }),
                Leaf::Spent { .. } => key.spent += run.len() as u64,
                _ => {}
            }
            let LogKey { issued, spent, .. } = *key;
            if spent > issued {
                return Err(SealingError::OverRedemption {
                    key_no,
                    issued,
                    spent,
                });
            }
        }
        Ok(())
    }

    /// Checks that keys were stopped with the counts of the log.
    fn check_stopped(&self) -> Result<(), SealingError> {
        let differs = |(key_no, issued, spent): &&(KeyNo, u64, u64)| {
            let key = &self.keys[key_no];
            (key.issued, key.spent) != (*issued, *spent)
        };
        match self.stopped.iter().find(differs) {
            Some(&(key_no, ..)) => Err(SealingError::CountsDiffer { key_no }),
            None => Ok(()),
        }
    }

    /// States the final counts of keys that sign no more, or whose coins are not taken any more. That the books say so
    /// counts, and not the clock: they refuse such keys in every process. Those that are not in `only` wait, and those that
    /// are more than auditors take in a batch.
    fn closings(&mut self, only: Option<&[Leaf]>) -> Vec<Leaf> {
        let mut leaves = Vec::new();
        let closings_max = BATCH_CLOSINGS_MAX.saturating_sub(self.stopped.len());
        for key in self.keys.values_mut().filter(|key| key.batch.is_some()) {
            let (key_no, issued, spent) = (key.no, key.issued, key.spent);
            let mut close = |reason| {
                let leaf = Leaf::KeyClosed {
                    key_no,
                    reason,
                    issued,
                    spent,
                };
                let is_due = leaves.len() < closings_max && only.is_none_or(|only| only.contains(&leaf));
                leaves.extend(is_due.then_some(leaf));
                is_due
            };
            if !key.signing_closed && key.is_retired {
                key.signing_closed = close(CloseReason::WindowOver);
            }
            if !key.coins_closed && key.is_pruned {
                key.coins_closed = close(CloseReason::CoinsExpired);
            }
        }
        leaves
    }

    /// The value of coins that are outstanding, of unexpired and of expired keys; `None` if a sum overflows.
    fn outstanding(&self, time_s: u64) -> Option<[u64; 2]> {
        let mut sums = [0_u64; 2];
        for key in self.keys.values() {
            let value = (key.issued - key.spent).checked_mul(key.denomination)?;
            let sum = &mut sums[usize::from(key.coins_expiry_s < time_s)];
            *sum = sum.checked_add(value)?;
        }
        Some(sums)
    }

    /// The counts of keys that have changed; in an opening batch of all keys that have any.
    fn counts(&self, is_opening: bool) -> Vec<KeyCounts> {
        let has_changed = |key: &&LogKey| {
            let before = &self.before[&key.no];
            let is_declared = is_opening && key.issued > 0;
            is_declared || (key.issued, key.spent) != (before.issued, before.spent)
        };
        let counts = |key: &LogKey| KeyCounts {
            key_no: key.no,
            issued: key.issued,
            spent: key.spent,
        };
        self.keys.values().filter(has_changed).map(counts).collect()
    }

    /// The tree hash over the fingerprints of all keys in the log.
    fn root(&self) -> Hash {
        let logged = self.keys.values().filter(|key| key.batch.is_some());
        let mut fingerprints: Vec<KeyFingerprint> = logged.map(|key| key.fingerprint).collect();
        fingerprints.sort_unstable();
        let hashes: Vec<Hash> = fingerprints
            .iter()
            .map(|fingerprint| leaf_hash(fingerprint.as_bytes()))
            .collect();
        tree::root(&hashes)
    }

    fn changed(self) -> Vec<LogKey> {
        let Self { keys, before, .. } = self;
        keys.into_values().filter(|key| *key != before[&key.no]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retired(no: u32) -> LogKey {
        LogKey {
            no: KeyNo::new(no).unwrap(),
            fingerprint: KeyFingerprint::new([0; 32]),
            denomination: 1,
            signing_end_s: 10,
            coins_expiry_s: 20,
            issued: 0,
            spent: 0,
            batch: Some(1),
            is_retired: true,
            is_pruned: false,
            signing_closed: false,
            coins_closed: false,
        }
    }

    #[test]
    fn a_batch_has_no_more_closings_than_auditors_take() {
        let count = u32::try_from(BATCH_CLOSINGS_MAX).unwrap() + 2;
        let mut keys = Keys::new((1..=count).map(retired).collect(), 2);
        // One was revoked, and its closing waits like any other leaf.
        let revoked = Leaf::KeyClosed {
            key_no: KeyNo::FIRST,
            reason: CloseReason::Revoked,
            issued: 0,
            spent: 0,
        };
        keys.see(&revoked).unwrap();
        assert_eq!(keys.closings(None).len(), BATCH_CLOSINGS_MAX - 1);
        let later = Keys::new(keys.keys.into_values().collect(), 3).closings(None);
        assert_eq!(later.len(), 2, "the others are in the next batch");
    }
}
