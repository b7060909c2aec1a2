//! How many blinds each mint key has signed, kept by the signer itself.
//!
//! The books say what is signed. Should they be set back to an older state, or changed by somebody who can
//! write the database, they would say it twice; so the signer counts. Before signatures leave, the count that
//! includes them is durable, and it is not above what the books have counted as issued, read after the
//! transaction itself. Where it is above, the key signs nothing more: a line of the log begins with `ALARM`,
//! and that lasts, over restarts, until an operator has looked and calls [`SignedCounts::accept_ledger`].
//! Signing a transaction again counts nothing.
//!
//! Requests that come while one commit is on its way share the next, and one reading of the books' counters.
//! When the file or the books cannot be used, nothing is signed ([`SignError::Unavailable`]). A count that
//! was durable for a signature that was then not made errs on the safe side, and the next attempt counts
//! nothing.

mod committer;
mod database;
mod decide;
mod error;
mod key_row;
mod transaction;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use opencoin_crypto::SignError;
use opencoin_ledger::{Ledger, MintKeyId};
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use committer::{QUEUE_MAX, QueuedRequest};
use database::{Database, Writing};
pub use error::{CountsError, CountsMode};
use key_row::KeyRow;
use opencoin_log::LogThrottle;
pub(crate) use transaction::{KeyPart, key_parts};

static ENDED: LogThrottle = LogThrottle::new();

/// What is known about one mint key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCount {
    /// Its id.
    pub id: MintKeyId,
    /// How many blinds of distinct transactions it has signed.
    pub signed: u64,
    /// Whether the books had counted fewer, and no operator has accepted it.
    pub is_alarmed: bool,
    /// Whether its private half was destroyed.
    pub is_forgotten: bool,
}

/// The counts of one signer, open.
pub struct SignedCounts {
    ledger: Arc<dyn Ledger>,
    database: Database,
    queue: mpsc::Sender<QueuedRequest>,
}

impl SignedCounts {
    /// Opens the file at `path`, beside these books. Must be called in a runtime.
    ///
    /// # Errors
    /// See [`CountsError`].
    pub async fn open(path: &Path, mode: CountsMode, ledger: Arc<dyn Ledger>) -> Result<Self, CountsError> {
        let database = Database::open(path, mode).await?;
        let (queue, entries) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(committer::run(Arc::clone(&ledger), database.clone(), entries));
        let counts = Self {
            ledger,
            database,
            queue,
        };
        for KeyCount { id, signed, .. } in counts
            .counts()
            .await?
            .into_iter()
            .filter(|count| count.is_alarmed)
        {
            tracing::error!(mint_key = %id, signed, "ALARM: a mint key's counts disagreed before, and no operator has accepted the books");
        }
        Ok(counts)
    }

    /// All keys that anything was signed with.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn counts(&self) -> Result<Vec<KeyCount>, CountsError> {
        let mut writing = self.database.write().await?;
        let keys = writing.keys().await?;
        writing.rollback().await?;
        Ok(keys.into_iter().map(KeyCount::from).collect())
    }

    /// An operator says that the books are right, after they were restored on purpose: sets the count of a
    /// key to theirs, which is given back, and lets the key sign again. Requests that were refused meanwhile
    /// are in that number.
    ///
    /// Transactions that were accepted, but neither signed nor asked for until now, are in it, too: the first
    /// of them to be asked for raises the alarm again, unless other transactions have been accepted and not
    /// signed since.
    ///
    /// # Errors
    /// The books do not know the key, or books or file cannot be used; then nothing has changed.
    pub async fn accept_ledger(&self, key: MintKeyId) -> Result<u64, CountsError> {
        let mut writing = self.database.write().await?;
        // After the lock: whatever was refused until now was in the books before.
        let books = self.ledger.mint_keys().await?;
        let status = books
            .into_iter()
            .find(|status| status.id == key)
            .ok_or(CountsError::UnknownKey(key))?;
        let row = find_or_add(&mut writing, key).await?;
        writing.count_refused(row.no).await?;
        writing
            .put_key(&KeyRow {
                signed: status.issued,
                is_alarmed: false,
                ..row.clone()
            })
            .await?;
        writing.commit().await?;
        tracing::warn!(mint_key = %key, before = row.signed, now = status.issued, "an operator has set the count of a mint key to that of the books");
        Ok(status.issued)
    }

    /// Forgets which transactions a key has signed, once its private half is destroyed: it signs nothing any
    /// more, and its total stays.
    ///
    /// # Errors
    /// The file cannot be written.
    pub async fn forget(&self, key: MintKeyId) -> Result<(), CountsError> {
        let mut writing = self.database.write().await?;
        let row = find_or_add(&mut writing, key).await?;
        writing.drop_transactions(row.no).await?;
        writing
            .put_key(&KeyRow {
                is_forgotten: true,
                ..row
            })
            .await?;
        writing.commit().await
    }

    /// Waits for what is being written and closes the file. Nothing is signed after.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// Counts a request. Its signatures may leave when this has returned, and not before.
    ///
    /// # Errors
    /// [`SignError::NotAccepted`] when counts disagree or a key was stopped, [`SignError::UnknownKey`] when a
    /// key was forgotten, [`SignError::Unavailable`] when file or books cannot be used.
    pub(crate) async fn record(&self, request: Vec<KeyPart>) -> Result<(), SignError> {
        let (answer, answered) = oneshot::channel();
        // It ends with this, or in a panic.
        let ended = |()| {
            if let Some(requests) = ENDED.count(Instant::now()) {
                tracing::error!(
                    requests,
                    "nothing is signed any more: counting has ended in a panic; restart the signer"
                );
            }
            SignError::Unavailable
        };
        self.queue
            .send(QueuedRequest { request, answer })
            .await
            .map_err(|_| ended(()))?;
        answered.await.unwrap_or_else(|_| Err(ended(())))
    }
}

impl From<KeyRow> for KeyCount {
    fn from(row: KeyRow) -> Self {
        let KeyRow {
            no: _,
            id,
            signed,
            is_alarmed,
            is_forgotten,
        } = row;
        Self {
            id,
            signed,
            is_alarmed,
            is_forgotten,
        }
    }
}

async fn find_or_add(writing: &mut Writing, id: MintKeyId) -> Result<KeyRow, CountsError> {
    match writing.keys().await?.into_iter().find(|key| key.id == id) {
        Some(key) => Ok(key),
        None => writing.add_key(id).await,
    }
}
