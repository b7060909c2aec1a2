//! Prevents a server from serving books that were rolled back to an older state.
//!
//! At its start and every second after, a server compares the books with the [`HighWaterMark`] and raises the mark.
//! It does not serve books that lack an entry seen before, because spent coins could be spent again. A rollback of
//! the last second before a crash may go unnoticed.
//!
//! A running server whose books are rolled back answers 503 until it is restarted, because its caches may be wrong
//! even if the operator accepts the older state.
//!
//! The comparison has a task of its own and a time limit. Without a successful comparison for a while the server is
//! not ready; if the task ends, the server stops.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use opencoin_ledger::{
    Continuation, History, HistoryId, LedgerError, LedgerTime, Mark, RollbackDetected, TransactionNo,
};
use rand::RngCore;
use thiserror::Error;

use crate::high_water::{HighWaterError, HighWaterMark};
use opencoin_logging::LogThrottle;

static FAILURES: LogThrottle = LogThrottle::new();

/// The pause between two comparisons.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// The time limit of a comparison.
const LOOK_DURATION_MAX: Duration = Duration::from_secs(5);
/// A server is not ready after this time without a successful comparison.
const UNSEEN_DURATION_MAX: Duration = Duration::from_secs(20);

/// How many numbers of transactions and payouts are skipped after the newest one that was seen, when an older state
/// is accepted: the lost state may have assigned further numbers that this machine has not seen.
const NUMBERS_SKIPPED: i64 = 1_000_000;

/// Watches the books of a server for a rollback.
pub struct Guard {
    history: Arc<dyn History>,
    file: HighWaterMark,
    seen: Mutex<Mark>,
    /// The time of the last successful comparison.
    looked: Mutex<tokio::time::Instant>,
    closed: OnceLock<()>,
}

/// Why books must not be served.
#[derive(Debug, Error)]
pub enum GuardError {
    /// They were rolled back or belong to another history.
    #[error(transparent)]
    Rollback(#[from] RollbackDetected),
    /// The books cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The mark cannot be read or written.
    #[error(transparent)]
    HighWater(#[from] HighWaterError),
}

/// The books compared with their high-water mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Examined {
    /// There is no mark: these books were never served from here.
    FirstTime(Mark),
    /// The books have everything that was seen.
    Ahead(Mark),
    /// An operator has accepted an older state since then.
    Accepted(Mark),
}

/// Compares the books with their high-water mark and changes nothing.
///
/// # Errors
/// When the books must not be served, or one of the two cannot be read.
pub async fn examine(history: &dyn History, file: &HighWaterMark) -> Result<Examined, GuardError> {
    let Some(before) = file.read()? else {
        let position = history.position(None).await?;
        return if position.is_confirmed {
            Ok(Examined::FirstTime(position.mark))
        } else {
            Err(RollbackDetected::Unconfirmed.into())
        };
    };
    let position = history.position(before.newest.map(|entry| entry.no)).await?;
    Ok(match position.since(&before)? {
        Continuation::Ahead => Examined::Ahead(position.mark),
        Continuation::Accepted => Examined::Accepted(position.mark),
    })
}

/// Accepts the state of books that were rolled back: starts a new history, skips numbers that may have been assigned,
/// and sets the mark. Servers with marks of the old history accept the new one at their next start.
///
/// # Errors
/// When the books or the mark cannot be written.
pub async fn accept_state(
    history: &dyn History,
    file: &HighWaterMark,
    at: LedgerTime,
    rng: &mut (dyn RngCore + Send),
) -> Result<(), GuardError> {
    let mut id = [0; opencoin_ledger::HISTORY_ID_BYTES];
    rng.fill_bytes(&mut id);
    let seen = [file.read()?, Some(history.position(None).await?.mark)];
    let newest = seen
        .into_iter()
        .flatten()
        .filter_map(|mark| mark.newest)
        .map(|entry| entry.no.get())
        .max()
        .unwrap_or(0);
    let above = TransactionNo::new(newest.saturating_add(NUMBERS_SKIPPED));
    history.accept(HistoryId::new(id), above, at).await?;
    Ok(file.raise(&history.position(None).await?.mark)?)
}

impl Guard {
    /// Compares the books with the mark, which is created if there is none.
    ///
    /// # Errors
    /// When the books must not be served, or one of the two cannot be read or written.
    pub async fn begin(history: Arc<dyn History>, file: HighWaterMark) -> Result<Self, GuardError> {
        let mark = match examine(history.as_ref(), &file).await? {
            Examined::FirstTime(mark) => {
                let path = file.path().display().to_string();
                tracing::info!(
                    path,
                    "these books are served from here for the first time: a high-water mark is created"
                );
                mark
            }
            Examined::Accepted(mark) => {
                tracing::warn!(
                    "an operator has accepted an older state of the books, which is served from now on"
                );
                mark
            }
            Examined::Ahead(mark) => mark,
        };
        file.raise(&mark)?;
        let looked = Mutex::new(tokio::time::Instant::now());
        Ok(Self {
            history,
            file,
            seen: Mutex::new(mark),
            looked,
            closed: OnceLock::new(),
        })
    }

    /// Whether the books were rolled back while they were served.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.get().is_some()
    }

    /// Whether there was no successful comparison for too long.
    #[must_use]
    pub fn is_blind(&self) -> bool {
        self.looked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
            > UNSEEN_DURATION_MAX
    }

    /// Compares every second, until it is dropped.
    pub async fn watch(&self) {
        loop {
            if tokio::time::timeout(LOOK_DURATION_MAX, self.look())
                .await
                .is_err()
            {
                log_failure(
                    "the position of the books cannot be read",
                    &format!("no answer within {LOOK_DURATION_MAX:?}"),
                );
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Compares the books with the newest entry seen before, and raises the mark. After an error the next call tries
    /// again.
    pub async fn look(&self) {
        if self.is_closed() {
            return;
        }
        let before = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let position = match self.history.position(before.newest.map(|entry| entry.no)).await {
            Ok(position) => position,
            Err(error) => return log_failure("the position of the books cannot be read", &error),
        };
        match position.since(&before) {
            Ok(Continuation::Ahead) => {}
            Ok(Continuation::Accepted) => {
                return self.close("an operator has accepted an older state of the books");
            }
            Err(rollback) => return self.close(&rollback.to_string()),
        }
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = tokio::time::Instant::now();
        if position.mark == before {
            return;
        }
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = position.mark;
        let file = self.file.clone();
        match tokio::task::spawn_blocking(move || file.raise(&position.mark)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => log_failure("the high-water mark of the books cannot be written", &error),
            Err(panic) => log_failure("the high-water mark of the books cannot be written", &panic),
        }
    }

    fn close(&self, reason: &str) {
        if self.closed.set(()).is_ok() {
            tracing::error!(
                reason,
                "ALARM: the books were rolled back or replaced; nothing is served until this server is restarted"
            );
        }
    }
}

/// Logs an error. The next comparison follows in a second.
fn log_failure(what: &str, error: &dyn std::fmt::Display) {
    if let Some(times) = FAILURES.count(Instant::now()) {
        tracing::error!(%error, times, "{what}");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;
    use opencoin_ledger::{BooksPosition, HISTORY_ID_BYTES};

    use super::*;

    /// Books that answer unless the flag is set.
    #[derive(Default)]
    struct Silent(AtomicBool);

    #[async_trait]
    impl History for Silent {
        async fn position(&self, _asked: Option<TransactionNo>) -> Result<BooksPosition, LedgerError> {
            if self.0.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            let mark = Mark {
                history: HistoryId::new([1; HISTORY_ID_BYTES]),
                newest: None,
            };
            Ok(BooksPosition {
                mark,
                is_confirmed: true,
                earlier: vec![],
                asked: None,
            })
        }

        async fn suspend(&self, _new: HistoryId, _at: LedgerTime) -> Result<(), LedgerError> {
            Ok(())
        }

        async fn accept(
            &self,
            _new: HistoryId,
            _above: TransactionNo,
            _at: LedgerTime,
        ) -> Result<(), LedgerError> {
            Ok(())
        }

        async fn close(&self) {}
    }

    #[tokio::test(start_paused = true)]
    async fn a_guard_without_an_answer_is_blind_until_it_gets_one() {
        let folder = tempfile::tempdir().unwrap();
        let books = Arc::new(Silent::default());
        let file = HighWaterMark::new(folder.path().join("mark"));
        let guard = Guard::begin(Arc::clone(&books) as Arc<dyn History>, file)
            .await
            .unwrap();
        let watch_for = |duration| tokio::time::timeout(duration, guard.watch());
        let _ended = watch_for(2 * UNSEEN_DURATION_MAX).await;
        assert!(!guard.is_blind());
        books.0.store(true, Ordering::Relaxed);
        let _ended = watch_for(UNSEEN_DURATION_MAX / 2).await;
        assert!(!guard.is_blind(), "a short outage is tolerated");
        let _ended = watch_for(UNSEEN_DURATION_MAX).await;
        assert!(guard.is_blind());
        books.0.store(false, Ordering::Relaxed);
        let _ended = watch_for(LOOK_INTERVAL).await;
        assert!(!guard.is_blind());
    }
}
