//! Batches of a lost time, from a copy of the log: what the books lack of them, and sealing them again.
//!
//! Recovering a batch is booking what is missing ([`Command::Recover`](crate::Command::Recover) and the commands for mint
//! keys), whose leaves then wait as those of any command, and sealing exactly the leaves of the copy. So the books and the
//! log agree after every step, and an interruption loses nothing.
//!
//! What waited when the backup was made is in one of the first batches of the copy, or was never sealed. A row with
//! leaves shows by them where it belongs. Rows that only move money count as one sum.

use std::collections::HashMap;
use std::mem;

use opencoin_log::hash::Hash;
use opencoin_log::leaf::{COIN_LEAF_BYTES, Leaf};

use super::error::SealingError;
use super::seal::{SealInput, Sealed, seal};
use super::{CoinLeaf, LogBatchNo, LogTotals, PendingLeaves, WaitingRow};
use crate::LedgerTime;

/// A batch of a copy of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedBatch {
    /// Its number.
    pub no: LogBatchNo,
    /// Its leaves of coins and blinds, in their order.
    pub coins: Vec<CoinLeaf>,
    /// Its other leaves, in their order, without the batch leaf.
    pub others: Vec<Vec<u8>>,
    /// The totals in its batch leaf.
    pub totals: LogTotals,
    /// The time in its batch leaf, in seconds since 1970.
    pub time_s: u64,
    /// The tree hash over the log up to its end.
    pub root: Hash,
}

/// What the books lack of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Leaves of coins and blinds, in their order.
    pub coins: Vec<CoinLeaf>,
    /// Other leaves, in their order.
    pub others: Vec<Leaf>,
    /// What was paid in, in the smallest unit.
    pub paid_in: u64,
    /// What was paid out, in the smallest unit.
    pub paid_out: u64,
}

/// How rows that wait fit a batch.
struct Fit {
    /// Rows all of whose leaves are in the batch.
    inside: Vec<WaitingRow>,
    /// Rows with other leaves.
    outside: Vec<WaitingRow>,
    /// The sum of the rows without leaves.
    money: LogTotals,
    /// When the first of them was decided.
    money_at: Option<LedgerTime>,
    /// Leaves of the batch that are in no row.
    coins_left: Vec<CoinLeaf>,
    others_left: Vec<Vec<u8>>,
}

/// What the books, with these rows waiting, lack of a batch after a batch with these totals.
///
/// # Errors
/// What waits makes no sense, or the totals of the batch do not follow those before.
pub fn missing(
    before: &LogTotals,
    waiting: Vec<WaitingRow>,
    batch: &CopiedBatch,
) -> Result<Missing, SealingError> {
    let fit = Fit::new(waiting, batch)?;
    let lacking = batch.totals - (*before + fit.inside() + fit.money);
    // What is left of the money that waits belongs to a later batch.
    let lost = |amount: i128| u64::try_from(amount.max(0)).map_err(|_| overflow());
    let others = fit.others_left.iter().map(|leaf| Leaf::decode(leaf));
    Ok(Missing {
        coins: fit.coins_left,
        others: others
            .collect::<Result<_, _>>()
            .map_err(|_| SealingError::Malformed("a document of the copy cannot be read"))?,
        paid_in: lost(lacking.paid_in)?,
        paid_out: lost(lacking.paid_out)?,
    })
}

/// Seals a batch of a copy again. Returns the batch; what is left of the rows that wait is in it.
///
/// # Errors
/// The books lack something of the batch, or would seal another one.
pub fn seal_copied(mut input: SealInput, batch: &CopiedBatch) -> Result<Sealed, SealingError> {
    let differs = |what: &str| SealingError::CopyDiffers(what.to_owned());
    let mut fit = Fit::new(mem::take(&mut input.waiting), batch)?;
    if !fit.coins_left.is_empty() {
        return Err(differs("the books lack coins or blinds of it"));
    }
    let closings = fit.others_left.iter().map(|leaf| Leaf::decode(leaf));
    let closings = closings
        .collect::<Result<Vec<Leaf>, _>>()
        .map_err(|_| differs("a document cannot be read"))?;
    let moved = batch.totals - (input.head.totals + fit.inside());
    let rest = fit.money - moved;
    if rest.paid_in < 0 || rest.paid_out < 0 || rest.recouped != 0 {
        return Err(differs("the books lack payments of it"));
    }
    // What moves this money has leaves.
    if moved.key_accounts != 0 {
        return Err(differs(
            "its key accounts hold another sum than those of the books",
        ));
    }
    let mut pending = PendingLeaves::default();
    for (_, row) in fit.inside.drain(..) {
        pending.append(row);
    }
    pending.totals = pending.totals + moved;
    let at = i64::try_from(batch.time_s)
        .ok()
        .and_then(|time| time.checked_mul(1_000_000));
    let at = LedgerTime::from_unix_micros(at.ok_or_else(overflow)?);
    let sealed = seal(SealInput {
        waiting: vec![(at, pending)],
        closings: Some(closings),
        at,
        ..input
    })?;
    let mut sealed = sealed.ok_or_else(|| differs("it is empty"))?;
    if (sealed.batch.no, sealed.batch.root) != (batch.no, batch.root) {
        return Err(differs("the books give another batch"));
    }
    sealed.head.recovered_to = Some(batch.no);
    let mut left = fit.outside;
    if let Some(at) = fit.money_at.filter(|_| rest != LogTotals::default()) {
        let totals = rest;
        left.push((
            at,
            PendingLeaves {
                totals,
                ..PendingLeaves::default()
            },
        ));
    }
    sealed.left = left;
    Ok(sealed)
}

impl Fit {
    fn new(waiting: Vec<WaitingRow>, batch: &CopiedBatch) -> Result<Self, SealingError> {
        let mut coins: HashMap<&[u8], u64> = HashMap::new();
        let leaves = batch.coins.iter().map(|leaf| &leaf[..]);
        for leaf in leaves.chain(batch.others.iter().map(Vec::as_slice)) {
            *coins.entry(leaf).or_default() += 1;
        }
        let mut left = coins;
        let (mut inside, mut outside) = (Vec::new(), Vec::new());
        let (mut money, mut money_at) = (LogTotals::default(), None);
        for (at, row) in waiting {
            let leaves = leaves_of(&row)?;
            let Some(first) = leaves.first() else {
                money = money + row.totals;
                money_at = money_at.map_or(Some(at), |before: LedgerTime| Some(before.min(at)));
                continue;
            };
            if left.get(first).is_none_or(|count| *count == 0) {
                outside.push((at, row));
                continue;
            }
            for leaf in leaves {
                let count = left.get_mut(leaf).filter(|count| **count > 0);
                let count = count.ok_or_else(|| {
                    SealingError::CopyDiffers("it has only a part of what one commit wrote".to_owned())
                })?;
                *count -= 1;
            }
            inside.push((at, row));
        }
        let mut take = |leaf: &[u8]| match left.get_mut(leaf) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        };
        let coins_left = batch
            .coins
            .iter()
            .filter(|leaf| take(&leaf[..]))
            .copied()
            .collect();
        let others_left = batch.others.iter().filter(|leaf| take(leaf)).cloned().collect();
        Ok(Self {
            inside,
            outside,
            money,
            money_at,
            coins_left,
            others_left,
        })
    }

    fn inside(&self) -> LogTotals {
        self.inside.iter().map(|(_, row)| row.totals).sum()
    }
}

/// All leaves of a row.
fn leaves_of(row: &PendingLeaves) -> Result<Vec<&[u8]>, SealingError> {
    let mut leaves: Vec<&[u8]> = row.coins.chunks(COIN_LEAF_BYTES).collect();
    leaves.extend(row.long_leaves()?);
    Ok(leaves)
}

fn overflow() -> SealingError {
    SealingError::Totals("a sum is negative or overflows".to_owned())
}
