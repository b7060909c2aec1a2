//! The end of the log, and its batches.

use opencoin_log::hash::Hash;
use opencoin_log::key_ledger::KeyLedger;

use super::{LogBatchNo, LogTotals};

/// The end of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogHead {
    /// The number of leaves.
    pub size: u64,
    /// The tree hash over them.
    pub root: Hash,
    /// The batch that is open.
    pub batch: LogBatchNo,
    /// The index of the last batch leaf; `None` before the first batch.
    pub previous: Option<u64>,
    /// The time of the last batch, in seconds since 1970; 0 before the first batch.
    pub time_s: u64,
    /// The totals at the last batch, or those with which the log began.
    pub totals: LogTotals,
    /// The tree hash over all key accounts at the last batch.
    pub ledger_root: Hash,
    /// Whether the currency had coins or money before it had a log.
    pub began_late: bool,
    /// The last batch of a lost time that was recovered; `None` if none was.
    pub recovered_to: Option<LogBatchNo>,
    /// The rule that was broken. Then nothing is sealed or accepted.
    pub halted: Option<String>,
}

/// The key accounts as the log has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedKeyAccounts {
    /// The batch that is open. The accounts are as of the one before it.
    pub open: LogBatchNo,
    /// The accounts.
    pub ledger: KeyLedger,
}

/// A batch of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogBatch {
    /// Its number.
    pub no: LogBatchNo,
    /// The index of its first leaf.
    pub first: u64,
    /// The number of its leaves, the batch leaf included, which is the last one.
    pub count: u64,
    /// The tree hash over the log up to its end.
    pub root: Hash,
    /// Its time, in seconds since 1970.
    pub time_s: u64,
}

impl LogBatch {
    /// The size of the log at the end of the batch.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.first + self.count
    }
}
