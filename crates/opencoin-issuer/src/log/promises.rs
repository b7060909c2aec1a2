//! Promises: the header `OpenCoin-Log-Promise` of every accepted answer.
//!
//! A promise names the batch that was open when the command was decided. The leaves are in that one or one of the next
//! two, if the transaction took less than [`SEAL_PAUSE_MIN`]. After a slower one, and for a request that was accepted
//! earlier, the log is asked where the leaves are.

use std::sync::Arc;
use std::time::Duration;

use opencoin_keys::{Clock, PROMISE_BATCHES, ledger_time};
use opencoin_ledger::{LedgerError, LogBatchNo, LogStore, Logged, SEAL_PAUSE_MIN};
use opencoin_log::hash::Hash;
use opencoin_log::key::SigningKey;
use opencoin_log::promise::{Promise, sign_commit};

use super::reader::locate;

/// The longest transaction after which the log need not be asked: half of the time that would be too long.
const COMMIT_DURATION_MAX: Duration = Duration::from_millis(SEAL_PAUSE_MIN.as_millis() as u64 / 2);

/// Signs promises.
pub(crate) struct Promises {
    key: SigningKey,
    origin: String,
    within_s: u32,
    store: Arc<dyn LogStore>,
    clock: Arc<dyn Clock>,
}

impl Promises {
    pub(crate) fn new(
        key: SigningKey,
        origin: String,
        within_s: u32,
        store: Arc<dyn LogStore>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            key,
            origin,
            within_s,
            store,
            clock,
        }
    }

    /// The promises for the requests of one commit, in their order. `took` is longer than the transaction took.
    ///
    /// # Errors
    /// When the log had to be asked and cannot be read.
    pub(crate) async fn of_commit(
        &self,
        logged: &[Logged],
        took: Duration,
    ) -> Result<Vec<Promise>, LedgerError> {
        let Some(first) = logged.first() else {
            return Ok(Vec::new());
        };
        let batch = if took < COMMIT_DURATION_MAX {
            first.batch
        } else {
            self.true_batch(self.open_batch().await?, first).await?
        };
        let roots: Vec<Hash> = logged.iter().map(|logged| logged.root).collect();
        Ok(self.sign(batch, &roots))
    }

    /// The promises for requests that were accepted before, in their order.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(crate) async fn of_repeated(&self, logged: &[Logged]) -> Result<Vec<Promise>, LedgerError> {
        if logged.is_empty() {
            return Ok(Vec::new());
        }
        let open = self.open_batch().await?;
        let mut promises = Vec::with_capacity(logged.len());
        for logged in logged {
            let batch = self.true_batch(open, logged).await?;
            promises.extend(self.sign(batch, &[logged.root]));
        }
        Ok(promises)
    }

    fn sign(&self, batch: LogBatchNo, roots: &[Hash]) -> Vec<Promise> {
        let time_s = ledger_time(self.clock.now()).unix_seconds();
        let (origin, batch) = (&self.origin, batch.get());
        sign_commit(&self.key, origin, time_s, batch, self.within_s, roots)
            .expect("the key is one for promises, and a batch has some requests and not too many")
    }

    async fn open_batch(&self) -> Result<LogBatchNo, LedgerError> {
        let head = self.store.head().await?;
        let gone = || LedgerError::corrupt("log", "it is gone");
        Ok(head.ok_or_else(gone)?.batch)
    }

    /// A batch of which it is true that the leaves are in it or in one of the next two. `open` was read after the leaves
    /// were committed.
    async fn true_batch(&self, open: LogBatchNo, logged: &Logged) -> Result<LogBatchNo, LedgerError> {
        if open <= logged.batch.next() {
            return Ok(logged.batch);
        }
        let found = locate(self.store.as_ref(), logged.leaf.as_bytes(), logged.batch).await?;
        Ok(match found {
            Some((batch, _)) if batch.no.get() <= logged.batch.get() + u64::from(PROMISE_BATCHES) => {
                logged.batch
            }
            Some((batch, _)) => batch.no,
            // The row is committed and was not sealed when `open` was read.
            None => open,
        })
    }
}
