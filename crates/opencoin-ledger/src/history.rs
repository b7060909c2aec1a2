//! Detects books that were restored to an older state, and other books in their place.
//!
//! In an older state, spent coins can be spent again. So each server keeps a [`Mark`] outside the database:
//! the id of the books' history and their newest journal entry. Entries are never deleted, and what
//! [`EntryDigest`] covers never changes. Books that have only grown still have that entry. Books that were
//! set back have no entry with that number, or one that was written at another time. An operator who accepts
//! an older state gives the books a new history.

use std::fmt;

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use crate::{LedgerError, LedgerTime, TransactionNo};

/// The length of a [`HistoryId`] in bytes.
pub const HISTORY_ID_BYTES: usize = 16;

/// The prefix of the hashed text. It separates this digest from all others.
const DIGEST_DOMAIN: &[u8] = b"OpenCoin journal entry\0";

/// The id of a history of books, chosen at random.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryId([u8; HISTORY_ID_BYTES]);

/// SHA-256 over the columns of a journal entry that never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryDigest([u8; 32]);

/// An entry of the journal, identified by its number and digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The number of its row.
    pub no: TransactionNo,
    /// The digest of its unchanging columns.
    pub digest: EntryDigest,
}

/// A point in a history of books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The id of the history.
    pub history: HistoryId,
    /// The newest entry; `None` if the journal is empty.
    pub newest: Option<Entry>,
}

/// The history and journal of books, read in one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BooksPosition {
    /// The current history and newest entry.
    pub mark: Mark,
    /// Whether the books may be served; false after a restore until an operator accepts it.
    pub is_confirmed: bool,
    /// Earlier histories, which ended when an operator accepted an older state.
    pub earlier: Vec<HistoryId>,
    /// The digest of the entry with the number that was asked for; `None` if there is none.
    pub asked: Option<EntryDigest>,
}

/// How books continue an earlier [`Mark`] of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continuation {
    /// They have everything up to the mark.
    Ahead,
    /// An operator has accepted an older state since.
    Accepted,
}

/// Why books must not be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RollbackDetected {
    /// They were restored from a backup, and no operator has accepted that.
    #[error(
        "the books were restored from a backup, and no operator has accepted that yet: coins that were spent since the backup can be spent again"
    )]
    Unconfirmed,
    /// They have lost entries.
    #[error("the books are older than they were: entry {} of the journal is gone, so coins that were spent can be spent again", .missing.get())]
    Older {
        /// The newest entry that was there.
        missing: TransactionNo,
    },
    /// They have a history that does not continue the known one.
    #[error("these are other books: their history is {found}, and not {expected} as before")]
    Other {
        /// The history of the mark.
        expected: HistoryId,
        /// The history of the books.
        found: HistoryId,
    },
}

/// A store whose history can be read and continued.
#[async_trait]
pub trait History: Send + Sync {
    /// Reads the position of the books and the entry with the number `asked`, in one snapshot.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn position(&self, asked: Option<TransactionNo>) -> Result<BooksPosition, LedgerError>;

    /// Begins the history `new`, which no operator has accepted, unless the books are restored and not accepted anyway.
    /// No server serves them from then on, until [`Self::accept`].
    ///
    /// # Errors
    /// As [`Self::accept`].
    async fn suspend(&self, new: HistoryId, at: LedgerTime) -> Result<(), LedgerError>;

    /// Accepts the books as they are: confirms the history of restored books, or begins the history `new`.
    /// Numbers of transactions, of payouts and of the entries of existing accounts continue above `above` and
    /// above all in the books. The first new record is [`Record::of_accepted_state`]. All sessions end, because
    /// sessions that had ended may be back.
    ///
    /// [`Record::of_accepted_state`]: crate::journal::Record::of_accepted_state
    ///
    /// # Errors
    /// The store cannot be written. After [`LedgerError::Unavailable`] the state may have been accepted.
    async fn accept(&self, new: HistoryId, above: TransactionNo, at: LedgerTime) -> Result<(), LedgerError>;

    /// Waits for statements in progress and closes the store.
    async fn close(&self);
}

impl BooksPosition {
    /// Compares the books with an earlier mark. [`BooksPosition::asked`] must be of the mark's entry.
    ///
    /// # Errors
    /// The books must not be served.
    pub fn since(&self, before: &Mark) -> Result<Continuation, RollbackDetected> {
        if !self.is_confirmed {
            return Err(RollbackDetected::Unconfirmed);
        }
        if self.mark.history != before.history {
            let (expected, found) = (before.history, self.mark.history);
            return if self.earlier.contains(&expected) {
                Ok(Continuation::Accepted)
            } else {
                Err(RollbackDetected::Other { expected, found })
            };
        }
        match before.newest {
            Some(entry) if self.asked != Some(entry.digest) => {
                Err(RollbackDetected::Older { missing: entry.no })
            }
            Some(_) | None => Ok(Continuation::Ahead),
        }
    }
}

impl HistoryId {
    /// The id with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; HISTORY_ID_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; HISTORY_ID_BYTES] {
        &self.0
    }

    /// The id from a row of `histories`.
    ///
    /// # Errors
    /// The bytes have another length than [`HISTORY_ID_BYTES`].
    pub fn from_row(bytes: &[u8]) -> Result<Self, LedgerError> {
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| LedgerError::corrupt("row of histories", "its id has another length"))
    }
}

impl fmt::Display for HistoryId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl EntryDigest {
    /// The digest of an entry with these columns.
    #[must_use]
    pub fn of(reference: &[u8], content: &[u8], applied_at: i64) -> Self {
        let length = u64::try_from(reference.len())
            .expect("a length fits 64 bits")
            .to_be_bytes();
        let digest = Sha256::new()
            .chain_update(DIGEST_DOMAIN)
            .chain_update(length)
            .chain_update(reference);
        Self(
            digest
                .chain_update(content)
                .chain_update(applied_at.to_be_bytes())
                .finalize()
                .into(),
        )
    }

    /// The digest with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(no: i64, applied_at: i64) -> Entry {
        Entry {
            no: TransactionNo::new(no),
            digest: EntryDigest::of(b"reference", b"content", applied_at),
        }
    }

    fn position(history: u8, earlier: &[u8], asked: Option<Entry>) -> BooksPosition {
        let id = |byte| HistoryId::new([byte; HISTORY_ID_BYTES]);
        let mark = Mark {
            history: id(history),
            newest: asked,
        };
        let earlier = earlier.iter().map(|byte| id(*byte)).collect();
        BooksPosition {
            mark,
            is_confirmed: true,
            earlier,
            asked: asked.map(|entry| entry.digest),
        }
    }

    #[test]
    fn books_continue_while_they_have_the_entry_of_the_mark() {
        let before = position(1, &[], Some(entry(7, 100))).mark;
        assert_eq!(
            position(1, &[], Some(entry(7, 100))).since(&before),
            Ok(Continuation::Ahead)
        );
        let older = Err(RollbackDetected::Older {
            missing: TransactionNo::new(7),
        });
        assert_eq!(position(1, &[], None).since(&before), older);
        // The same request, sent again to restored books, may get the same number by chance.
        assert_eq!(position(1, &[], Some(entry(7, 101))).since(&before), older);
        let nothing_happened = Mark {
            newest: None,
            ..before
        };
        assert_eq!(
            position(1, &[], None).since(&nothing_happened),
            Ok(Continuation::Ahead)
        );
    }

    #[test]
    fn another_history_must_be_accepted_by_an_operator() {
        let before = position(1, &[], Some(entry(7, 100))).mark;
        assert_eq!(position(2, &[1], None).since(&before), Ok(Continuation::Accepted));
        assert!(matches!(
            position(2, &[], None).since(&before),
            Err(RollbackDetected::Other { .. })
        ));
        let restored = BooksPosition {
            is_confirmed: false,
            ..position(2, &[1], None)
        };
        assert_eq!(restored.since(&before), Err(RollbackDetected::Unconfirmed));
    }
}
