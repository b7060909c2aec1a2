//! The interface by which a store keeps the log: what waits, the tree, and what was published.

use std::sync::Arc;

use async_trait::async_trait;
use opencoin_log::batch::KeyCounts;
use opencoin_log::key_account::AccountKey;
use opencoin_log::key_no::KeyNo;

use crate::log::{
    CopiedBatch, LogBatch, LogBatchNo, LogHead, LogTerms, LoggedKeyAccounts, SealingError, WaitingRow,
};
use crate::mint_key_no::MintKeyNo;
use crate::recovered_entry::RecoveredEntry;
use crate::{IssuedDigest, LedgerError, LedgerTime, MintKeyId, SpentDigest};

/// What waits to be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PendingSummary {
    /// The number of leaves of coins and blinds.
    pub coins: u64,
    /// Whether there are leaves of documents, such as certificates of mint keys.
    pub has_others: bool,
    /// Whether there are leaves of key accounts.
    pub has_statements: bool,
    /// When the oldest row was accepted; `None` if nothing waits.
    pub oldest: Option<LedgerTime>,
}

/// The checkpoint that is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedCheckpoint {
    /// The size of its tree.
    pub size: u64,
    /// The signed note, with the cosignatures.
    pub note: String,
    /// When it was published.
    pub at: LedgerTime,
}

/// The counts of the mint keys as of the last batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoggedCounts {
    /// The size of the log with that batch.
    pub size: u64,
    /// Every key in the log, in the order of their numbers.
    pub keys: Vec<KeyCounts>,
}

/// The most published checkpoints that are kept until the auditors have signed them.
pub const PUBLISHED_KEPT_MAX: usize = 256;

/// Hashes or entries of the tree: a full tile or bundle, or the beginning of one.
pub type TileOfLog = Vec<u8>;

/// The result of [`LogStore::seal`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealOutcome {
    /// The batch was sealed.
    Sealed(LogBatch),
    /// Nothing waits, and no key has ended.
    Nothing,
    /// Another batch is open than the caller believes.
    Moved,
    /// A rule of the log would be broken. Nothing was sealed, and nothing is accepted from now on.
    Broken(SealingError),
}

/// The log of a currency in its books.
#[async_trait]
pub trait LogStore: Send + Sync {
    /// The end of the log; `None` if the currency has none.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn head(&self) -> Result<Option<LogHead>, LedgerError>;

    /// What waits to be sealed.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn pending(&self) -> Result<PendingSummary, LedgerError>;

    /// Seals what waits as the batch `open`, in one transaction. It is durable when this returns.
    ///
    /// The caller has seen `open` as the open batch for at least [`SEAL_PAUSE_MIN`](crate::SEAL_PAUSE_MIN): this is
    /// what makes a promise true without a lock on the open batch.
    ///
    /// # Errors
    /// After [`LedgerError::Unavailable`] it may or may not have been sealed; [`Self::head`] says. After any other
    /// error it was not.
    async fn seal(
        &self,
        open: LogBatchNo,
        at: LedgerTime,
        terms: &LogTerms,
    ) -> Result<SealOutcome, LedgerError>;

    /// All rows that wait to be sealed, for a recovery.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn waiting(&self) -> Result<Vec<WaitingRow>, LedgerError>;

    /// Seals a batch of a lost time as a copy of the log has it, in one transaction. What it has must wait: see
    /// [`missing`](crate::log::missing). Nothing else may use the books.
    ///
    /// # Errors
    /// As [`Self::seal`]. A batch that does not fit the books is [`SealOutcome::Broken`], and nothing was changed.
    async fn seal_copied(
        &self,
        batch: Arc<CopiedBatch>,
        terms: &LogTerms,
    ) -> Result<SealOutcome, LedgerError>;

    /// The batches of a recovered lost time that have this blind. They never change until the mint key is pruned.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn recovered_in(
        &self,
        mint_key: MintKeyNo,
        blind: IssuedDigest,
    ) -> Result<Vec<LogBatchNo>, LedgerError>;

    /// The entries of recovered money, in the order of their numbers.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn recovered_entries(&self) -> Result<Vec<RecoveredEntry>, LedgerError>;

    /// All key accounts as the log has them, at one time; `None` if the currency has no log.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn key_accounts(&self) -> Result<Option<LoggedKeyAccounts>, LedgerError>;

    /// The batch that was open when the payment of this key with this number was accepted; `None` if none was. A read
    /// like [`Ledger::transaction`](crate::Ledger::transaction).
    ///
    /// # Errors
    /// The store cannot be read.
    async fn key_payment(&self, key: &AccountKey, seq: u64) -> Result<Option<LogBatchNo>, LedgerError>;

    /// A batch that was sealed.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn batch(&self, no: LogBatchNo) -> Result<Option<LogBatch>, LedgerError>;

    /// The entries of the bundle with this index: all 256, or as many as there are.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn bundle(&self, index: u64) -> Result<Option<TileOfLog>, LedgerError>;

    /// The hashes of the tile with this index, on a level above 0: all 256, or as many as there are. Tiles of level 0
    /// are not stored, they follow from the bundles.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn tile(&self, level: u8, index: u64) -> Result<Option<TileOfLog>, LedgerError>;

    /// The checkpoint that is published.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn published(&self) -> Result<Option<PublishedCheckpoint>, LedgerError>;

    /// Publishes a checkpoint, unless one of a larger tree is published. Returns whether it is now.
    ///
    /// # Errors
    /// As [`Self::seal`].
    async fn publish(&self, checkpoint: &PublishedCheckpoint) -> Result<bool, LedgerError>;

    /// The published checkpoint of a tree of this size, if it is among the newest [`PUBLISHED_KEPT_MAX`]: auditors sign
    /// checkpoints that were published before.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn published_of_size(&self, size: u64) -> Result<Option<PublishedCheckpoint>, LedgerError>;

    /// The newest checkpoint with the joint signature of the auditors.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn joint(&self) -> Result<Option<PublishedCheckpoint>, LedgerError>;

    /// Publishes a checkpoint that has the joint signature, unless there is one of a larger tree. Returns whether it is
    /// published now.
    ///
    /// # Errors
    /// As [`Self::seal`].
    async fn publish_joint(&self, checkpoint: &PublishedCheckpoint) -> Result<bool, LedgerError>;

    /// Takes or prolongs the lease of the sealer. Returns whether `holder` has it until `until`. It saves work; no rule
    /// depends on it.
    ///
    /// # Errors
    /// As [`Self::seal`].
    async fn take_lease(
        &self,
        holder: [u8; LEASE_HOLDER_BYTES],
        now: LedgerTime,
        until: LedgerTime,
    ) -> Result<bool, LedgerError>;

    /// The mint keys that do not sign yet and whose leaves are in a tree of this size.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn keys_to_release(&self, size: u64) -> Result<Vec<MintKeyId>, LedgerError>;

    /// The mint keys in the log, and the batches that have their leaves.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn key_batches(&self) -> Result<Vec<(KeyNo, LogBatchNo)>, LedgerError>;

    /// The counts of the mint keys as of the last batch; `None` if the currency has no log.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn key_counts(&self) -> Result<Option<LoggedCounts>, LedgerError>;

    /// The batch that was open when a coin was spent; `None` if it is unspent, or was spent before there was a log.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn batch_of_spent(
        &self,
        mint_key: MintKeyNo,
        coin: SpentDigest,
    ) -> Result<Option<LogBatchNo>, LedgerError>;
}

/// The length of the random name of a process that seals.
pub const LEASE_HOLDER_BYTES: usize = 16;

/// A store that keeps a log.
pub trait HasLog {
    /// The log of these books.
    fn log(&self) -> Arc<dyn LogStore>;
}
