//! Where a wallet keeps its rows: the trait for it, a SQLite file, and memory.
//!
//! A wallet needs little of a database: numbered rows in a few tables, each row a few hundred bytes, read all at once
//! or one by one, and changed many at a time, all or none. What is in a row is the business of the wallet. So a
//! program that has another place for its data implements [`Storage`] in some fifty lines.

mod memory;
mod sqlite;

use std::path::PathBuf;

use thiserror::Error;

pub use memory::MemoryStorage;
pub use sqlite::SqliteStorage;
pub(crate) use sqlite::lock;

use opencoin_private_files::FileError;

/// A table of a wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// How the rows of the other tables are written: one row, never encrypted.
    Header,
    /// The wallet's own data, for example the secret of its backup phrase.
    Settings,
    /// The currencies with their documents.
    Currencies,
    /// Which coins there are.
    Coins,
    /// The coins themselves. Read only when they are spent.
    CoinSecrets,
    /// The requests that have not ended, with their secrets.
    Operations,
    /// The sends that have not ended.
    Sends,
    /// What was done. It has no secrets.
    History,
    /// The coins of others that were received.
    Received,
    /// What was seen of the currencies' public logs.
    Logs,
    /// The promises about the public log that are to be kept.
    Promises,
    /// The transfers to and from other wallets that are not over.
    Transfers,
    /// The transfers that are over, with their receipts.
    Receipts,
    /// The accounts that belong to keys of the wallet.
    Keys,
    /// The seeds of these keys. Read only when the key signs.
    KeySeeds,
    /// The payments by key that can still change.
    KeyPayments,
    /// The payments by key that are over, with their proofs.
    KeyPaymentsOver,
}

impl Table {
    /// All tables.
    pub const ALL: [Self; 17] = [
        Self::Header,
        Self::Settings,
        Self::Currencies,
        Self::Coins,
        Self::CoinSecrets,
        Self::Operations,
        Self::Sends,
        Self::History,
        Self::Received,
        Self::Logs,
        Self::Promises,
        Self::Transfers,
        Self::Receipts,
        Self::Keys,
        Self::KeySeeds,
        Self::KeyPayments,
        Self::KeyPaymentsOver,
    ];
}

/// A row that is to be written, or removed.
#[derive(Clone, PartialEq, Eq)]
pub struct Change {
    /// The table.
    pub table: Table,
    /// The number of the row.
    pub no: u64,
    /// The new content; `None` removes the row.
    pub body: Option<Vec<u8>>,
}

/// Why the rows of a wallet cannot be read or written.
#[derive(Debug, Error)]
pub enum StorageError {
    /// Another process has the wallet open.
    #[error("the wallet in {0} is in use by another process; wait until that is done")]
    InUse(PathBuf),
    /// The folder contains no wallet.
    #[error("there is no wallet in {0}")]
    NoWallet(PathBuf),
    /// The folder has a wallet of this version, and another one that an earlier version has made since.
    #[error(
        "there are two wallets in {0}: wallet.db, and journal.jsonl, which an earlier version of this program has made \
         since. Move journal.jsonl into another folder, and use both"
    )]
    TwoWallets(PathBuf),
    /// The wallet was opened to be read.
    #[error("the wallet in {0} was opened to be read only")]
    ReadOnly(PathBuf),
    /// The rows are not what was written.
    #[error(
        "{place}: {reason}. The wallet is damaged: put a copy of the file in its place, or restore the coins from \
         the backup phrase into another folder"
    )]
    Damaged {
        /// The file, or the table.
        place: String,
        /// What is wrong. It does not quote the content.
        reason: String,
    },
    /// A newer version of the wallet has written it.
    #[error("the wallet was written by a newer version of this program (format {0}); use that version")]
    NewerFormat(u64),
    /// The wallet is encrypted, and no passphrase was given.
    #[error("the wallet is encrypted: a passphrase is needed")]
    NeedsPassphrase,
    /// The passphrase is wrong.
    #[error("the passphrase of the wallet is wrong")]
    WrongPassphrase,
    /// An earlier write failed, so it is not known what was written.
    #[error("an earlier write to the wallet failed; open the wallet again")]
    Broken,
    /// The disk is full, for example.
    #[error("{place}: {reason}")]
    Failed {
        /// The file.
        place: String,
        /// The error.
        reason: String,
    },
    /// The operating system reports an error.
    #[error(transparent)]
    Io(#[from] FileError),
}

/// Called with each row: its table, its number, its content.
pub type OnRow<'call> = &'call mut dyn FnMut(Table, u64, &[u8]) -> Result<(), StorageError>;

/// The rows of one wallet. Only one process at a time may be able to write them.
pub trait Storage: Send + Sync {
    /// Reads all rows of these tables, as they are at one moment, in the order of their numbers.
    ///
    /// # Errors
    /// The rows cannot be read, or `row` returns an error.
    fn read(&self, tables: &[Table], row: OnRow<'_>) -> Result<(), StorageError>;

    /// Reads one row; `None` if there is none.
    ///
    /// # Errors
    /// The row cannot be read.
    fn get(&self, table: Table, no: u64) -> Result<Option<Vec<u8>>, StorageError>;

    /// Makes these changes, all or none. They are durable when this returns. After an error it is not known whether
    /// they were made.
    ///
    /// # Errors
    /// The changes cannot be written.
    fn commit(&self, changes: &[Change]) -> Result<(), StorageError>;

    /// Returns the file, if there is one and users other than its owner can read or write it.
    fn exposed(&self) -> Option<PathBuf> {
        None
    }
}
