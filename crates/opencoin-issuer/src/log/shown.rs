//! A checkpoint that this process shows, and reads again from the books after a moment.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opencoin_ledger::{LedgerError, PublishedCheckpoint};

/// How long a checkpoint is shown before it is read again.
const AGE_MAX: Duration = Duration::from_millis(250);

/// When the checkpoint was read, and what it was.
#[derive(Debug, Default)]
pub(super) struct ShownCheckpoint(Mutex<Option<(Instant, Arc<PublishedCheckpoint>)>>);

impl ShownCheckpoint {
    /// The checkpoint; `read` reads it from the books.
    pub(super) async fn get(
        &self,
        read: impl Future<Output = Result<Option<PublishedCheckpoint>, LedgerError>>,
    ) -> Result<Option<Arc<PublishedCheckpoint>>, LedgerError> {
        let fresh = |known: &(Instant, Arc<PublishedCheckpoint>)| {
            (known.0.elapsed() < AGE_MAX).then(|| Arc::clone(&known.1))
        };
        let known = self.lock().as_ref().and_then(fresh);
        if known.is_some() {
            return Ok(known);
        }
        let read = read.await?.map(Arc::new);
        if let Some(read) = &read {
            *self.lock() = Some((Instant::now(), Arc::clone(read)));
        }
        Ok(read)
    }

    /// Reads it again at once, because this process has changed it.
    pub(super) fn forget(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Instant, Arc<PublishedCheckpoint>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
