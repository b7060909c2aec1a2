//! The counts of the mint keys as of a published batch.

use std::sync::{Arc, MutexGuard, PoisonError};

use opencoin_ledger::LedgerError;
use opencoin_log::batch::KeyCounts;
use opencoin_log::leaf::Leaf;

use super::{IssuerLog, reader};

/// What a published batch says of all mint keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublishedCounts {
    /// The size of the log with the batch.
    size: u64,
    /// The number of the batch.
    pub(crate) batch: u64,
    /// When it was sealed, in seconds since 1970.
    pub(crate) time_s: u64,
    /// Every key in the log.
    pub(crate) keys: Vec<KeyCounts>,
}

impl IssuerLog {
    /// The counts as of the newest batch, if that is published, else those that this process has read before. `None` if it
    /// has read none: the books have the counts of the newest batch alone.
    ///
    /// # Errors
    /// When the books cannot be read.
    pub(crate) async fn counts(&self) -> Result<Option<Arc<PublishedCounts>>, LedgerError> {
        let known = self.known_counts().clone();
        let published = self.published_size().await?;
        if known.as_ref().is_some_and(|known| known.size == published) {
            return Ok(known);
        }
        let Some(newest) = self.store.key_counts().await? else {
            return Ok(known);
        };
        // What this process shows as published may be older than the counts.
        let is_published = newest.size > 0
            && (newest.size == published || self.store.published_of_size(newest.size).await?.is_some());
        if !is_published {
            return Ok(known);
        }
        let no_batch = || LedgerError::corrupt("log", "it does not end with a batch leaf");
        let leaf = reader::leaf(self.store.as_ref(), newest.size - 1).await?;
        let Ok(Leaf::Batch(leaf)) = Leaf::decode(&leaf) else {
            return Err(no_batch());
        };
        let counts = Arc::new(PublishedCounts {
            size: newest.size,
            batch: leaf.batch,
            time_s: leaf.time,
            keys: newest.keys,
        });
        *self.known_counts() = Some(Arc::clone(&counts));
        Ok(Some(counts))
    }

    fn known_counts(&self) -> MutexGuard<'_, Option<Arc<PublishedCounts>>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
