//! Why a batch is not sealed.

use opencoin_log::key_ledger::KeyLedgerFault;
use opencoin_log::key_no::KeyNo;

/// Why a batch is not sealed: a rule of the log would be broken, so that the books or the program are wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealingError {
    /// More coins of a key came back than were issued.
    #[error("mint key {}: {spent} coins spent, but only {issued} issued", key_no.get())]
    OverRedemption {
        /// The number of the key.
        key_no: KeyNo,
        /// Issued, with this batch.
        issued: u64,
        /// Spent, with this batch.
        spent: u64,
    },
    /// A coin would be spent twice.
    #[error("mint key {}: a coin is spent twice", key_no.get())]
    SpentTwice {
        /// The number of the key.
        key_no: KeyNo,
    },
    /// A leaf of a key whose own leaf is not in the log.
    #[error("mint key {} is used, but it is not in the log", key_no.get())]
    KeyNotLogged {
        /// The number of the key.
        key_no: KeyNo,
    },
    /// A leaf of a key that the log has closed.
    #[error("mint key {} is used after the log has stated its final counts", key_no.get())]
    KeyClosed {
        /// The number of the key.
        key_no: KeyNo,
    },
    /// The counts with which a key was stopped are not those of the log.
    #[error("mint key {} was stopped with other counts than those of the log", key_no.get())]
    CountsDiffer {
        /// The number of the key.
        key_no: KeyNo,
    },
    /// A statement about a key account breaks a rule.
    #[error("key accounts: {0}")]
    KeyAccounts(#[from] KeyLedgerFault),
    /// The totals do not add up.
    #[error("the totals do not add up: {0}")]
    Totals(String),
    /// A batch of a copy is not one that these books give.
    #[error("the batch of the copy does not fit the books: {0}")]
    CopyDiffers(String),
    /// What waits is not what a commit writes.
    #[error("what waits to be sealed makes no sense: {0}")]
    Malformed(&'static str),
}
