//! The public log, as far as the books know it: what a batch adds to it, and the batch of the log that is open.
//!
//! A command that issues or takes back coins has one *leaf* for each of them (docs/LOG.md). [`decide`] makes the
//! leaves, and the store writes those of one commit as one row, in the transaction that accepts the commands. Later a
//! sealer moves the rows that wait into the tree ([`seal`]).
//!
//! Nothing in a leaf depends on an account, a transaction or the order of arrival.
//!
//! [`decide`]: crate::decide

mod copied;
mod error;
mod head;
mod leaf_start;
mod log_key;
mod portion;
mod seal;
mod statements;

pub use copied::{CopiedBatch, Missing, missing, seal_copied};
pub use error::SealingError;
pub use head::{LogBatch, LogHead, LoggedKeyAccounts};
pub use leaf_start::LeafStart;
pub use log_key::LogKey;
pub use seal::{Edge, NewBundle, SealInput, Sealed, seal};
pub use statements::LogTerms;

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};
use std::time::Duration;

use opencoin_log::batch::BatchLeaf;
use opencoin_log::hash::Hash;
use opencoin_log::hash::leaf_hash;
use opencoin_log::leaf::COIN_LEAF_BYTES;
use opencoin_log::promise::request_root;

use crate::LedgerTime;
pub use opencoin_log::tile::Tile as NewTile;

/// How long a sealer sees a batch open before it seals it, at least.
///
/// A command learns the open batch `b` when its transaction begins and is in the log with the batch that is sealed
/// first after its commit. Were that later than `b + 2`, this pause would lie between the beginning and the end of the
/// transaction. So a process whose transaction took less knows that the leaves are in one of `b`, `b + 1` and `b + 2`.
/// A batch leaves commits to the next one only after a time in which nothing was sealed, and once: while something waits for
/// longer than promises allow, issuers accept nothing that needs a promise.
pub const SEAL_PAUSE_MIN: Duration = Duration::from_secs(1);

/// The number of a batch of the log: 1, 2, 3, ...
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogBatchNo(u64);

impl LogBatchNo {
    /// The first batch.
    pub const FIRST: Self = Self(1);

    /// The batch with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number, as it is stored and published.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The batch after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Where the leaves of an accepted request are, or will be, in the log.
///
/// `Debug` hides the leaf, because in the log of a server it would tie a coin to a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Logged {
    /// The batch that was open when the request was accepted. The leaves are in this one or a later one.
    pub batch: LogBatchNo,
    /// The tree hash over the request's leaves: issued ones in the order of the blinds, then spent ones in the order of
    /// the coins. An introduction or a payment of a key has one leaf.
    pub root: Hash,
    /// Finds one of the leaves. All leaves of a request are in the same batch.
    pub leaf: LeafStart,
}

impl fmt::Debug for Logged {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Logged")
            .field("batch", &self.batch)
            .finish_non_exhaustive()
    }
}

/// The log in a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenLog {
    /// The batch that is open.
    pub batch: LogBatchNo,
    /// Whether a rule of the log was broken. Then nothing more is accepted.
    pub is_halted: bool,
}

/// The money in books that have no log yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BooksBeforeLog {
    /// Whether a record moves money.
    pub has_moved_money: bool,
    /// Whether accounts belong to keys.
    pub has_key_accounts: bool,
    /// The money in accounts, including payouts that are not settled, in the smallest unit.
    pub accounts: i128,
    /// The sum over all accounts of the numbers of their newest entries. It grows with each entry.
    pub entries: i128,
}

/// What is declared of the money in books when their log is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeclaredBooks {
    /// The totals.
    pub totals: LogTotals,
    /// As in [`BooksBeforeLog`], from the same moment.
    pub entries: i128,
}

/// A leaf of a coin or blind.
pub type CoinLeaf = [u8; COIN_LEAF_BYTES];

/// The beginning of a leaf of a coin or blind: version, type, and the number of the mint key.
fn coin_leaf_start(leaf: &CoinLeaf) -> [u8; 6] {
    *leaf.first_chunk().expect("a leaf is longer")
}

/// What one commit adds to the log, and when it was decided.
pub type WaitingRow = (LedgerTime, PendingLeaves);

/// What a commit adds to the log: one row that waits to be sealed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PendingLeaves {
    /// Leaves of coins and blinds, [`COIN_LEAF_BYTES`] each, one after the other.
    pub coins: Vec<u8>,
    /// Leaves of documents, each with its length in two bytes before it, big-endian.
    pub others: Vec<u8>,
    /// Leaves of key accounts, in the same way.
    pub statements: Vec<u8>,
    /// The changes of the totals by the commit.
    pub totals: LogTotals,
}

/// Totals of the log, or their changes. In the smallest unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogTotals {
    /// The money in holders' accounts, including payouts that are not settled.
    pub accounts: i128,
    /// The money in accounts that belong to keys.
    pub key_accounts: i128,
    /// The money that was paid in from outside.
    pub paid_in: i128,
    /// The money that was paid out.
    pub paid_out: i128,
    /// The value of coins that the issuer gave for coins of stopped mint keys.
    pub recouped: i128,
}

impl From<&BatchLeaf> for LogTotals {
    fn from(leaf: &BatchLeaf) -> Self {
        Self {
            accounts: leaf.accounts.into(),
            key_accounts: leaf.key_accounts.into(),
            paid_in: leaf.paid_in.into(),
            paid_out: leaf.paid_out.into(),
            recouped: leaf.recouped.into(),
        }
    }
}

impl LogTotals {
    /// What is stored for totals that are too large.
    pub const TOO_LARGE: [i64; 5] = [i64::MIN, i64::MAX, 0, 0, 0];

    /// The totals as they are stored: accounts, paid in, paid out, recouped, key accounts. Totals that are too large for that, which no
    /// real money is, become such that they do not add up, so a log with them is halted.
    #[must_use]
    pub fn columns(&self) -> [i64; 5] {
        let totals = [
            self.accounts,
            self.paid_in,
            self.paid_out,
            self.recouped,
            self.key_accounts,
        ];
        let fits = |total: &i128| i64::try_from(*total).is_ok();
        if totals.iter().all(fits) {
            totals.map(|total| total as i64)
        } else {
            Self::TOO_LARGE
        }
    }

    /// The stored totals.
    #[must_use]
    pub fn from_columns(columns: [i64; 5]) -> Self {
        let [accounts, paid_in, paid_out, recouped, key_accounts] = columns.map(i128::from);
        Self {
            accounts,
            key_accounts,
            paid_in,
            paid_out,
            recouped,
        }
    }
}

impl Sum for LogTotals {
    fn sum<I: Iterator<Item = Self>>(totals: I) -> Self {
        totals.fold(Self::default(), Add::add)
    }
}

impl Sub for LogTotals {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            accounts: self.accounts - other.accounts,
            key_accounts: self.key_accounts - other.key_accounts,
            paid_in: self.paid_in - other.paid_in,
            paid_out: self.paid_out - other.paid_out,
            recouped: self.recouped - other.recouped,
        }
    }
}

/// Amounts have 63 bits, so sums of them do not overflow.
impl Add for LogTotals {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            accounts: self.accounts + other.accounts,
            key_accounts: self.key_accounts + other.key_accounts,
            paid_in: self.paid_in + other.paid_in,
            paid_out: self.paid_out + other.paid_out,
            recouped: self.recouped + other.recouped,
        }
    }
}

impl PendingLeaves {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.coins.is_empty()
            && self.others.is_empty()
            && self.statements.is_empty()
            && self.totals == LogTotals::default()
    }

    /// The number of leaves of coins and blinds.
    #[must_use]
    pub fn coin_count(&self) -> u64 {
        (self.coins.len() / COIN_LEAF_BYTES) as u64
    }

    /// Adds what another commit adds to the log.
    pub fn append(&mut self, other: Self) {
        self.coins.extend_from_slice(&other.coins);
        self.others.extend_from_slice(&other.others);
        self.statements.extend_from_slice(&other.statements);
        self.totals = self.totals + other.totals;
    }

    /// Adds the leaf of a document.
    ///
    /// # Panics
    /// The leaf is longer than an entry of the log may be. Documents are shorter.
    pub(crate) fn add_other(&mut self, leaf: &[u8]) {
        add_with_length(&mut self.others, leaf);
    }

    /// Adds the leaf of a key account.
    ///
    /// # Panics
    /// The leaf is longer than an entry of the log may be. Statements are shorter.
    pub(crate) fn add_statement(&mut self, leaf: &[u8]) {
        add_with_length(&mut self.statements, leaf);
    }

    /// The leaves of documents, and then those of key accounts.
    ///
    /// # Errors
    /// A leaf is cut off.
    pub fn long_leaves(&self) -> Result<Vec<&[u8]>, SealingError> {
        let mut leaves = split_leaves(&self.others)?;
        leaves.extend(split_leaves(&self.statements)?);
        Ok(leaves)
    }
}

fn add_with_length(leaves: &mut Vec<u8>, leaf: &[u8]) {
    let length = u16::try_from(leaf.len()).expect("a leaf fits into an entry of the log");
    leaves.extend_from_slice(&length.to_be_bytes());
    leaves.extend_from_slice(leaf);
}

/// Leaves without their lengths.
fn split_leaves(mut bytes: &[u8]) -> Result<Vec<&[u8]>, SealingError> {
    let cut_off = SealingError::Malformed("a document or statement is cut off");
    let mut leaves = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<2>().ok_or_else(|| cut_off.clone())?;
        let (leaf, rest) = rest
            .split_at_checked(u16::from_be_bytes(*length).into())
            .ok_or_else(|| cut_off.clone())?;
        leaves.push(leaf);
        bytes = rest;
    }
    Ok(leaves)
}

/// Where the leaves of a request are that was accepted while `batch` was open; `None` without leaves.
#[must_use]
pub fn logged(batch: LogBatchNo, leaves: &[CoinLeaf]) -> Option<Logged> {
    let leaf = LeafStart::of_coin(leaves.first()?);
    let root = root_of(leaves);
    Some(Logged { batch, root, leaf })
}

/// The root of a mint's issued leaves, to which a payment by key commits.
pub(crate) fn root_of(leaves: &[CoinLeaf]) -> Hash {
    let hashes: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
    request_root(&hashes)
}
