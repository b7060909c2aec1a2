//! Keeps a server from serving books that were set back.
//!
//! Before a server begins, and every second after, it compares the books with the [`HighWaterMark`] and
//! raises that. Books that do not hold what was seen before are not served: coins that were spent could be
//! spent again. What happened in the last second before a crash may not have been seen.
//!
//! A running server whose books are set back answers 503 until it is started again, because what it remembers
//! of them may be wrong, whatever an operator decides about them.
//!
//! Looking is a task of its own, which nothing else holds up, and each look has a limit. A server that could
//! not look for a while is not ready; one whose task is gone ends.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use opencoin_ledger::{
    Continuation, History, HistoryId, LedgerError, LedgerTime, Mark, RollbackDetected, TransactionNo,
};
use rand::RngCore;
use thiserror::Error;

use crate::high_water::{HighWaterError, HighWaterMark};
use opencoin_log::LogThrottle;

static FAILURES: LogThrottle = LogThrottle::new();

/// How often it is looked.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How long a look may take before the next one is tried.
const LOOK_DURATION_MAX: Duration = Duration::from_secs(5);
/// After how long without a look that came to its end a server is not ready.
const UNSEEN_DURATION_MAX: Duration = Duration::from_secs(20);

/// How many numbers of transactions and payouts are left out after the newest that was seen, when an older
/// state is accepted: what was given in the last moments before, and on other machines, was seen by nobody
/// here.
const NUMBERS_SKIPPED: i64 = 1_000_000;

/// Watches over the books of a server.
pub struct Guard {
    history: Arc<dyn History>,
    file: HighWaterMark,
    seen: Mutex<Mark>,
    /// When the books were last seen.
    looked: Mutex<tokio::time::Instant>,
    closed: OnceLock<()>,
}

/// Why books are not served.
#[derive(Debug, Error)]
pub enum GuardError {
    /// They were set back, or are others.
    #[error(transparent)]
    Rollback(#[from] RollbackDetected),
    /// They cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The mark cannot be read or written.
    #[error(transparent)]
    HighWater(#[from] HighWaterError),
}

/// How books stand to their high-water mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Examined {
    /// There is no mark: nobody has served books from here.
    FirstTime(Mark),
    /// They hold what was seen.
    Ahead(Mark),
    /// An operator has accepted an older state since.
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

/// Goes on with books as they are, although they were set back: gives them a new history, numbers that were
/// not given before, and the mark their place. Servers whose marks are of the history before follow when they
/// are started.
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
    /// Compares the books with the mark, and makes the mark where there is none.
    ///
    /// # Errors
    /// When the books must not be served, or one of the two cannot be read or written.
    pub async fn begin(history: Arc<dyn History>, file: HighWaterMark) -> Result<Self, GuardError> {
        let mark = match examine(history.as_ref(), &file).await? {
            Examined::FirstTime(mark) => {
                let path = file.path().display().to_string();
                tracing::info!(
                    path,
                    "these books are served from here for the first time: a high-water mark is begun"
                );
                mark
            }
            Examined::Accepted(mark) => {
                tracing::warn!(
                    "an operator has accepted an older state of the books: it is served from now on"
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

    /// Whether the books were set back while they were served.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.get().is_some()
    }

    /// Whether nobody has seen the books for so long that they may have been set back.
    #[must_use]
    pub fn is_blind(&self) -> bool {
        self.looked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
            > UNSEEN_DURATION_MAX
    }

    /// Looks every second, until it is dropped.
    pub async fn watch(&self) {
        loop {
            if tokio::time::timeout(LOOK_DURATION_MAX, self.look())
                .await
                .is_err()
            {
                complain(
                    "how far the books have come cannot be read",
                    &format!("no answer within {LOOK_DURATION_MAX:?}"),
                );
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Compares the books with what was seen of them before, and raises the mark. Books that cannot be read
    /// now are compared later.
    pub async fn look(&self) {
        if self.is_closed() {
            return;
        }
        let before = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let position = match self.history.position(before.newest.map(|entry| entry.no)).await {
            Ok(position) => position,
            Err(error) => return complain("how far the books have come cannot be read", &error),
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
            Ok(Err(error)) => complain("the high-water mark of the books cannot be written", &error),
            Err(panic) => complain("the high-water mark of the books cannot be written", &panic),
        }
    }

    fn close(&self, reason: &str) {
        if self.closed.set(()).is_ok() {
            tracing::error!(
                reason,
                "ALARM: the books are not those of a moment ago; nothing is served any more until this server is started again"
            );
        }
    }
}

/// The next look is in a second.
fn complain(what: &str, error: &dyn std::fmt::Display) {
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

    /// Books that answer, or never.
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
    async fn a_guard_that_gets_no_answer_is_blind_until_it_does() {
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
        assert!(!guard.is_blind(), "a short outage is none");
        let _ended = watch_for(UNSEEN_DURATION_MAX).await;
        assert!(guard.is_blind());
        books.0.store(false, Ordering::Relaxed);
        let _ended = watch_for(LOOK_INTERVAL).await;
        assert!(!guard.is_blind());
    }
}
