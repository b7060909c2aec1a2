//! A checkpoint that this process shows, and reads again from the books after a moment.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opencoin_ledger::{LedgerError, PublishedCheckpoint};
use tokio::time::{Instant, sleep_until};

/// How long a checkpoint is shown before it is read again.
const AGE_MAX: Duration = Duration::from_millis(250);
/// The shortest pause between two reads for those who ask for more than is shown, so that nobody can make this process read
/// without end by asking for what no log has.
const READ_PAUSE: Duration = Duration::from_millis(50);

/// When the checkpoint was read, and what it was.
#[derive(Debug, Default)]
pub(super) struct ShownCheckpoint {
    shown: Mutex<Option<(Instant, Arc<PublishedCheckpoint>)>>,
    /// Held while the checkpoint is read again before its time.
    reading: tokio::sync::Mutex<()>,
}

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
        self.read(read).await
    }

    /// The checkpoint as it was in the books after this was called, because another process may have published one.
    /// Everybody who waits gets what one read has found.
    pub(super) async fn get_newest(
        &self,
        read: impl Future<Output = Result<Option<PublishedCheckpoint>, LedgerError>>,
    ) -> Result<Option<Arc<PublishedCheckpoint>>, LedgerError> {
        let asked_at = Instant::now();
        let _reading = self.reading.lock().await;
        let known = self.lock().clone();
        if let Some((read_at, known)) = known {
            if read_at > asked_at {
                return Ok(Some(known));
            }
            sleep_until(read_at + READ_PAUSE).await;
        }
        self.read(read).await
    }

    async fn read(
        &self,
        read: impl Future<Output = Result<Option<PublishedCheckpoint>, LedgerError>>,
    ) -> Result<Option<Arc<PublishedCheckpoint>>, LedgerError> {
        let read_at = Instant::now();
        let read = read.await?.map(Arc::new);
        if let Some(read) = &read {
            *self.lock() = Some((read_at, Arc::clone(read)));
        }
        Ok(read)
    }

    /// Reads it again at once, because this process has changed it.
    pub(super) fn forget(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Instant, Arc<PublishedCheckpoint>)>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
