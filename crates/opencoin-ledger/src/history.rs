//! Which books these are, and how far they have come: what tells books that were restored to an older state,
//! or other books, from those of a moment ago.
//!
//! In an older state spent coins are unspent again, so whoever serves books keeps a [`Mark`] of them outside
//! the database: the id of their history and the newest entry of the journal. Entries are never deleted and
//! do not change in what [`EntryDigest`] covers, so books that have come further hold that entry still, and
//! books that were set back do not: they have none with that number, or one that was written at another time.
//! An operator who has decided to go on with an older state gives the books a new history.

use std::fmt;

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use crate::{LedgerError, LedgerTime, TransactionNo};

/// The length of a [`HistoryId`].
pub const HISTORY_ID_BYTES: usize = 16;

/// What the digest of an entry begins with, so that it is the digest of nothing else.
const DIGEST_DOMAIN: &[u8] = b"OpenCoin journal entry\0";

/// The id of a history of books: random.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryId([u8; HISTORY_ID_BYTES]);

/// SHA-256 over what never changes in an entry of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryDigest([u8; 32]);

/// An entry of the journal, by its number and what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub no: TransactionNo,
    /// What it says.
    pub digest: EntryDigest,
}

/// A place in a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The history.
    pub history: HistoryId,
    /// The newest entry; `None` in books in which nothing has happened.
    pub newest: Option<Entry>,
}

/// What books say of themselves, all at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BooksPosition {
    /// Where they are.
    pub mark: Mark,
    /// Whether an operator has accepted this history; false in books that were restored a moment ago.
    pub is_confirmed: bool,
    /// The histories before, which operators ended by accepting an older state.
    pub earlier: Vec<HistoryId>,
    /// The entry that was asked for, if there is one with its number.
    pub asked: Option<EntryDigest>,
}

/// How books stand to an earlier [`Mark`] of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continuation {
    /// They hold all that the mark has seen.
    Ahead,
    /// An operator has accepted an older state since.
    Accepted,
}

/// Why books must not be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RollbackDetected {
    /// They were restored from a backup, and nobody has said that this is meant.
    #[error(
        "the books were restored from a backup, and no operator has accepted that yet: coins that were spent since it was made can be spent again"
    )]
    Unconfirmed,
    /// They have lost what was in them.
    #[error("the books are older than they were: entry {} of the journal is gone, so coins that were spent can be spent again", .missing.get())]
    Older {
        /// The newest entry that was there.
        missing: TransactionNo,
    },
    /// They are not the books of before.
    #[error("these are other books: their history is {found}, and that of before was {expected}")]
    Other {
        /// The history of the mark.
        expected: HistoryId,
        /// The history of the books.
        found: HistoryId,
    },
}

/// Books that tell their history.
#[async_trait]
pub trait History: Send + Sync {
    /// What the books say of themselves, in one snapshot, and of the entry with this number.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn position(&self, asked: Option<TransactionNo>) -> Result<BooksPosition, LedgerError>;

    /// Goes on with the books as they are: confirms the history of books that were restored, or begins the
    /// one with this id. Numbers of transactions and payouts go on above this one, and above all that the
    /// books hold: the first record is of this
    /// ([`journal::Record::of_accepted_state`](crate::journal::Record::of_accepted_state)). Sessions end, since
    /// some that had ended are back.
    ///
    /// # Errors
    /// The store cannot be written. After [`LedgerError::Unavailable`] it may have been done.
    async fn accept(&self, new: HistoryId, above: TransactionNo, at: LedgerTime) -> Result<(), LedgerError>;

    /// Waits for statements in progress and closes the store.
    async fn close(&self);
}

impl BooksPosition {
    /// Compares with what was seen before; [`BooksPosition::asked`] must be the answer for the mark's entry.
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
    /// The id of these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; HISTORY_ID_BYTES]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; HISTORY_ID_BYTES] {
        &self.0
    }

    /// The id in a row.
    ///
    /// # Errors
    /// It has another length.
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

    /// The digest of these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
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
    fn books_go_on_while_they_hold_the_entry_of_the_mark() {
        let before = position(1, &[], Some(entry(7, 100))).mark;
        assert_eq!(
            position(1, &[], Some(entry(7, 100))).since(&before),
            Ok(Continuation::Ahead)
        );
        let older = Err(RollbackDetected::Older {
            missing: TransactionNo::new(7),
        });
        assert_eq!(position(1, &[], None).since(&before), older);
        // The same request, sent again to restored books, has the same number by chance.
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
    fn another_history_needs_the_word_of_an_operator() {
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
