//! Which of the commits that wait the next batch has, and its time.
//!
//! Usually the batch has all of them, and the time is now. If no sealer ran for a long time, leaves that were accepted in
//! time could not be in a batch of now any more: payments end, and so do the windows of mint keys. Then the batch gets the
//! last time that all leaves can have. What was accepted after that time may belong to a mint key that did not sign yet,
//! so it waits for the next batch.
//!
//! The same is true of what is more than auditors take in a batch.

use std::collections::HashMap;

use opencoin_log::batch::BATCH_STATEMENT_BYTES_MAX;
use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::{COIN_LEAF_BYTES, Leaf};

use super::error::SealingError;
use super::{CoinLeaf, LogKey, LogTerms, PendingLeaves, WaitingRow, coin_leaf_start, split_leaves};
use crate::LedgerTime;

/// What the next batch is made of.
pub(super) struct Portion {
    /// The leaves of the batch, and how it changes the totals.
    pub(super) pending: PendingLeaves,
    /// The commits that wait for a later batch, in their order: the last ones.
    pub(super) left: Vec<WaitingRow>,
    /// The time of the batch, in seconds since 1970.
    pub(super) time_s: u64,
}

impl Portion {
    /// Chooses from what waits, in the order of the commits.
    ///
    /// A commit builds on earlier ones only, so a batch takes all commits up to one of them.
    ///
    /// # Errors
    /// What waits cannot be read.
    pub(super) fn choose(
        mut waiting: Vec<WaitingRow>,
        keys: &[LogKey],
        terms: &LogTerms,
        now: LedgerTime,
    ) -> Result<Self, SealingError> {
        let mut time_s = now.unix_seconds();
        let mut left = Vec::new();
        if let Some(latest_s) = latest_s(&waiting, keys, terms, time_s)?.filter(|latest| *latest < time_s) {
            time_s = latest_s;
            let is_inside = |(at, _): &WaitingRow| at.unix_seconds() <= latest_s;
            // A leaf is accepted before it ends, so one commit at least is early enough.
            let count = waiting
                .iter()
                .rposition(is_inside)
                .map_or(waiting.len(), |last| last + 1);
            left = waiting.split_off(count);
        }
        let mut more = waiting.split_off(fitting(&waiting, BATCH_STATEMENT_BYTES_MAX));
        more.append(&mut left);
        let left = more;
        let mut pending = PendingLeaves::default();
        for (_, row) in waiting {
            pending.append(row);
        }
        Ok(Self {
            pending,
            left,
            time_s,
        })
    }
}

/// How many of the first commits have together at most so many bytes of statements; one at least.
fn fitting(waiting: &[WaitingRow], bytes_max: usize) -> usize {
    let mut bytes = 0;
    let is_more = |(_, row): &WaitingRow| {
        bytes += row.statements.len();
        bytes > bytes_max
    };
    let first = waiting.iter().position(is_more);
    first.map_or(waiting.len(), |first| first.max(1))
}

/// The last time that a batch with these commits can have; `None` if it can have the present time.
fn latest_s(
    waiting: &[WaitingRow],
    keys: &[LogKey],
    terms: &LogTerms,
    now_s: u64,
) -> Result<Option<u64>, SealingError> {
    let within_s = u64::from(terms.within_s);
    // A leaf ends after it was accepted. The commands of one commit are decided at nearly the same time.
    let is_recent = |(at, _): &WaitingRow| at.unix_seconds().saturating_add(within_s / 2) >= now_s;
    if waiting.iter().all(is_recent) {
        return Ok(None);
    }
    let keys: HashMap<KeyNo, &LogKey> = keys.iter().map(|key| (key.no, key)).collect();
    let mut ends = Vec::new();
    // One leaf of each kind and mint key.
    let mut uses: HashMap<[u8; 6], &CoinLeaf> = HashMap::new();
    for (_, row) in waiting {
        let (coins, _) = row.coins.as_chunks::<COIN_LEAF_BYTES>();
        uses.extend(coins.iter().map(|leaf| (coin_leaf_start(leaf), leaf)));
        for bytes in split_leaves(&row.statements)? {
            if let Ok(Leaf::KeyPaid(payment)) = Leaf::decode(bytes) {
                ends.push(payment.order.expires);
            }
        }
    }
    for leaf in uses.into_values() {
        let (no, is_issued) = match Leaf::decode(leaf) {
            Ok(Leaf::Issued { key_no, .. }) => (key_no, true),
            Ok(
                Leaf::Spent { key_no, .. }
                | Leaf::CoinRecouped { key_no, .. }
                | Leaf::BlindRecouped { key_no, .. },
            ) => (key_no, false),
            _ => return Err(SealingError::Malformed("a leaf that is not of a coin")),
        };
        let key = keys.get(&no).ok_or(SealingError::KeyNotLogged { key_no: no })?;
        ends.push(if is_issued {
            key.signing_end_s
        } else {
            key.coins_expiry_s
        });
    }
    Ok(ends.into_iter().min().map(|end| end.saturating_add(within_s)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(bytes: usize) -> WaitingRow {
        let pending = PendingLeaves {
            statements: vec![0; bytes],
            ..PendingLeaves::default()
        };
        (LedgerTime::from_unix_micros(0), pending)
    }

    #[test]
    fn a_batch_has_the_first_commits_whose_statements_auditors_take() {
        for (lengths, count) in [
            (&[4, 0, 6, 1][..], 3),
            (&[4, 0, 7, 1], 2),
            (&[4, 6, 0, 0], 4),
            (&[11, 1], 1),
            (&[10], 1),
            (&[], 0),
        ] {
            let waiting: Vec<WaitingRow> = lengths.iter().copied().map(row).collect();
            assert_eq!(fitting(&waiting, 10), count, "{lengths:?}");
        }
    }

    #[test]
    fn what_is_more_than_auditors_take_waits_for_the_next_batch() {
        let terms = LogTerms {
            origin: "issuer.test/log".to_owned(),
            within_s: 60,
        };
        let third = BATCH_STATEMENT_BYTES_MAX / 3;
        let waiting: Vec<WaitingRow> = [third, third + 1, third + 1].map(row).into();
        let portion = Portion::choose(waiting, &[], &terms, LedgerTime::from_unix_micros(0)).unwrap();
        assert_eq!(portion.pending.statements.len(), 2 * third + 1);
        assert_eq!(portion.left.len(), 1);
    }
}
