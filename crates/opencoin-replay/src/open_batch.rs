//! What is known of the batch that is being read, whose totals come with its last leaf.

use std::collections::BTreeMap;

use opencoin_log::key_no::KeyNo;
use opencoin_log::leaf::CloseReason;

use crate::coin_run::{CoinLeafKind, CoinRun, EndedRun};
use crate::finding::LeafRange;
use crate::key_accounts::Statements;

/// The batch that is being read.
#[derive(Debug, Default)]
pub(crate) struct OpenBatch {
    /// The index of its first leaf.
    pub(crate) first: u64,
    /// The leaf that was read last; empty at the beginning.
    pub(crate) last_leaf: Vec<u8>,
    /// Whether a leaf in wrong order was found. One finding a batch is enough.
    pub(crate) is_disordered: bool,
    pub(crate) run: CoinRun,
    /// The keys with leaves of coins or blinds.
    pub(crate) used: BTreeMap<KeyNo, UsedKey>,
    pub(crate) closings: Vec<ClosingLeaf>,
    pub(crate) statements: Statements,
}

/// The leaves of a key in a batch.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct UsedKey {
    pub(crate) issued: u64,
    pub(crate) spent: u64,
    pub(crate) issued_range: Option<LeafRange>,
    pub(crate) spent_range: Option<LeafRange>,
    /// The first leaf of a recouped coin or blind.
    pub(crate) recouped_first: Option<u64>,
}

/// A leaf that closes a key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClosingLeaf {
    pub(crate) key_no: KeyNo,
    pub(crate) reason: CloseReason,
    /// Issued and spent coins.
    pub(crate) counts: [u64; 2],
    pub(crate) index: u64,
}

impl OpenBatch {
    /// A batch that begins with this leaf. Buffers are used again.
    pub(crate) fn begin(&mut self, first: u64) {
        self.first = first;
        self.last_leaf.clear();
        self.is_disordered = false;
        self.used.clear();
        self.closings.clear();
        self.statements = Statements::default();
    }

    /// Whether no leaf of it was read.
    pub(crate) fn is_empty(&self, size: u64) -> bool {
        self.first == size
    }
}

impl UsedKey {
    pub(crate) fn add(&mut self, run: &EndedRun) {
        let (count, range) = match run.kind {
            CoinLeafKind::Issued => (&mut self.issued, &mut self.issued_range),
            CoinLeafKind::Spent => (&mut self.spent, &mut self.spent_range),
            CoinLeafKind::CoinRecouped | CoinLeafKind::BlindRecouped => {
                self.recouped_first.get_or_insert(run.range.first);
                return;
            }
        };
        *count += run.count;
        // There is one run, unless the batch is in disorder.
        let first = range.map_or(run.range.first, |before| before.first);
        *range = Some(LeafRange {
            first,
            last: run.range.last,
        });
    }
}
