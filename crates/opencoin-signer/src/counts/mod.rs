//! The signer's own count of the blinds that each mint key has signed.
//!
//! The signer signs what the books have accepted. If the books are rolled back, or changed by an attacker with access
//! to the database, they could have more blinds signed than they count. So the signer counts too. Before it returns
//! signatures, the count that includes them is durable, and it is not above the books' counter of issued blinds,
//! which is read after the transaction. If it is above, the key signs nothing more: the log has a line that begins
//! with `ALARM`, and the alarm lasts over restarts until an operator calls [`SignedCounts::accept_ledger`]. Signing a
//! transaction again counts nothing.
//!
//! Requests that arrive during a commit share the next one, and one read of the books' counters. If the file or the
//! books cannot be used, nothing is signed ([`SignError::Unavailable`]). If a request is counted but then not signed,
//! the count is too high, which is safe; the retry counts nothing.

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
use tokio::sync::{mpsc, oneshot};

use committer::{QUEUE_MAX, QueuedRequest};
use database::{Database, Writing};
pub use error::{CountsError, CountsMode};
use key_row::KeyRow;
use opencoin_logging::LogThrottle;
pub(crate) use transaction::{KeyPart, key_parts};

static ENDED: LogThrottle = LogThrottle::new();

/// The count of a mint key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCount {
    /// Its id.
    pub id: MintKeyId,
    /// The signed blinds of distinct transactions.
    pub signed: u64,
    /// Whether the books had counted fewer and no operator has accepted them since.
    pub is_alarmed: bool,
    /// Whether its private half was destroyed.
    pub is_forgotten: bool,
}

/// The open counts of a signer.
pub struct SignedCounts {
    ledger: Arc<dyn Ledger>,
    database: Database,
    queue: mpsc::Sender<QueuedRequest>,
}

impl SignedCounts {
    /// Opens the file at `path`, to be compared with these books. Must be called in a runtime.
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
            tracing::error!(mint_key = %id, signed, "ALARM: the books had counted fewer blinds of a mint key than it has signed, and no operator has accepted them");
        }
        Ok(counts)
    }

    /// The counts of all keys.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn counts(&self) -> Result<Vec<KeyCount>, CountsError> {
        let mut writing = self.database.write().await?;
        let keys = writing.keys().await?;
        writing.rollback().await?;
        Ok(keys.into_iter().map(KeyCount::from).collect())
    }

    /// Accepts the books as right, for an operator who has restored them: sets the count of a key to the books'
    /// counter, which is returned, and lets the key sign again. Requests that were refused meanwhile are included.
    ///
    /// The counter also includes transactions that were accepted, but neither signed nor requested until now. The
    /// first request for one of them raises the alarm again, unless other transactions were accepted and not signed
    /// since.
    ///
    /// # Errors
    /// When the books do not have the key, or the books or the file cannot be used. Nothing has changed then.
    pub async fn accept_ledger(&self, key: MintKeyId) -> Result<u64, CountsError> {
        let mut writing = self.database.write().await?;
        // Read under the lock, so that the counter includes all requests that were refused before.
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

    /// Deletes the transactions of a key whose private half was destroyed. The key signs nothing more, and its count
    /// stays.
    ///
    /// # Errors
    /// When the file cannot be written.
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

    /// Waits until the task that counts has ended, which only a panic causes.
    pub(crate) async fn ended(&self) {
        self.queue.closed().await;
    }

    /// Waits for the running commit and closes the file. Nothing is signed afterwards.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// Counts a request. Its signatures may be returned only after this.
    ///
    /// # Errors
    /// [`SignError::NotAccepted`] when the counts disagree or a key was stopped, [`SignError::UnknownKey`] when the
    /// private half of a key was destroyed, [`SignError::Unavailable`] when the file or the books cannot be used.
    pub(crate) async fn record(&self, request: Vec<KeyPart>) -> Result<(), SignError> {
        let (answer, answered) = oneshot::channel();
        // The task ends when this is dropped, or in a panic.
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
