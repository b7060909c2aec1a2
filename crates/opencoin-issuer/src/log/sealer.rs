//! The sealer: a task in every process, of which one at a time works.
//!
//! A crash at any point leaves the books as they were before or after one transaction, so the next turn continues. Two
//! processes that both believe to hold the lease seal different batches, because a batch is sealed in a transaction that
//! finds it open.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::future::join3;
use opencoin_keys::{Currency, ledger_time};
use opencoin_ledger::{
    Command, Ledger, LedgerError, LedgerTime, LogBatchNo, LogHead, PendingSummary, SEAL_PAUSE_MIN,
    SealOutcome,
};
use opencoin_log::log_block::LogBlock;
use opencoin_logging::LogThrottle;

use super::IssuerLog;

/// The longest pause between two turns.
const TURN_PAUSE_MAX: Duration = Duration::from_secs(1);
/// How long a process holds the lease without prolonging it.
const LEASE_DURATION: Duration = Duration::from_secs(5);
/// How often the lease is prolonged, or another process tries to take it.
const LEASE_TURN: Duration = Duration::from_millis(1500);
/// After so long the same checkpoint is cosigned again, for a fresh time.
const REPUBLISH_AFTER: Duration = Duration::from_secs(10 * 60);

/// After so long without a quorum the lease is left to another process.
const GIVE_UP_AFTER: Duration = Duration::from_secs(30);

/// The pause between two attempts to reach the quorum.
const RETRY_AFTER: Duration = Duration::from_millis(500);

static FAILURES: LogThrottle = LogThrottle::new();

/// What the sealer of this process remembers between its turns.
#[derive(Debug, Default)]
pub(crate) struct Sealer {
    lease: Option<Lease>,
    /// The open batch, and since when this process has seen it.
    open: Option<(LogBatchNo, Instant)>,
    /// When the rows that wait were looked at.
    looked: Option<Look>,
    /// The documents of the currency, of which new ones do not wait for the rhythm.
    currency: Option<Arc<Currency>>,
    /// Whether a document may wait to be sealed.
    has_news: bool,
    /// Whether a mint key may wait for its leaf to be published.
    keys_wait: bool,
    /// The last attempt to publish.
    attempt: Option<Attempt>,
    /// When the witnesses were asked last what they have seen.
    compared: Option<Instant>,
    /// When this process looked last how long something waits.
    backlog_seen: Option<Instant>,
    /// Since when this process reaches no quorum.
    without_quorum: Option<Instant>,
    /// When it has left the lease to other processes because of that.
    left_lease: Option<Instant>,
}

/// A look at what waits while a batch is open.
#[derive(Debug, Clone, Copy)]
struct Look {
    at: Instant,
    /// Whether the batch had been open for as long as the rhythm says.
    has_paused: bool,
}

/// An attempt to publish the end of the log.
#[derive(Debug, Clone, Copy)]
struct Attempt {
    last: Instant,
    has_quorum: bool,
}

#[derive(Debug)]
struct Lease {
    is_held: bool,
    asked: Instant,
}

impl IssuerLog {
    /// Seals, publishes, collects the joint signature and informs former witnesses, until it is dropped. `is_served` says
    /// whether the books may be used, and `currency` gives the current documents.
    pub(crate) async fn run(
        &self,
        ledger: &dyn Ledger,
        is_served: impl Fn() -> bool,
        currency: impl Fn() -> Arc<Currency>,
    ) {
        // Auditors and former witnesses that answer late do not delay a batch.
        join3(
            self.run_sealer(ledger, &is_served, &currency),
            self.collect(&is_served, &currency),
            self.inform_former(&is_served, &currency),
        )
        .await;
    }

    async fn run_sealer(
        &self,
        ledger: &dyn Ledger,
        is_served: impl Fn() -> bool,
        currency: impl Fn() -> Arc<Currency>,
    ) {
        let mut sealer = Sealer::default();
        loop {
            let currency = currency();
            if is_served()
                && let Some(block) = currency.log().cloned()
            {
                sealer.see(currency);
                self.turn(&mut sealer, ledger, &block).await;
            }
            tokio::time::sleep(self.rhythm.every.min(TURN_PAUSE_MAX) / 4).await;
        }
    }

    /// Gives up the lease, so that another process can seal at once. It ends by itself otherwise.
    pub(crate) async fn release_lease(&self) {
        let now = ledger_time(self.clock.now());
        if let Err(error) = self.store.take_lease(self.holder, now, now).await {
            tracing::warn!(%error, "the lease of the sealer was not given up; another process waits for its end");
        }
    }

    /// Asks the witnesses before anything is accepted, because these books may be a restored backup, and lets the mint
    /// keys of a new currency sign.
    ///
    /// # Errors
    /// When the books or the file of the last signed checkpoint cannot be read or written.
    pub(crate) async fn begin(&self, ledger: &dyn Ledger, block: &LogBlock) -> Result<(), LedgerError> {
        let head = self.store.head().await?;
        self.look_for_backlog(&mut Sealer::default()).await?;
        let has_recovered = head.as_ref().is_some_and(|head| head.recovered_to.is_some());
        self.has_recovered.store(has_recovered, Ordering::Relaxed);
        if head.is_some_and(|head| head.previous.is_none() && head.halted.is_none()) {
            self.seal(&mut Sealer::default(), LogBatchNo::FIRST).await?;
        }
        if self.is_confirmed(&mut Sealer::default(), block).await? && !self.is_late().await? {
            self.publish(block).await?;
            self.release_keys(ledger, block).await?;
        }
        Ok(())
    }

    /// Whether a quorum of witnesses has seen nothing newer than these books, since this process started. Before that
    /// nothing is sealed: the books may be a restored backup.
    async fn is_confirmed(&self, sealer: &mut Sealer, block: &LogBlock) -> Result<bool, LedgerError> {
        if self.confirmed.load(Ordering::Relaxed) {
            return Ok(true);
        }
        if sealer.compared.is_some_and(|at| at.elapsed() < RETRY_AFTER) {
            return Ok(false);
        }
        let is_confirmed = self.compare(block).await?;
        self.confirmed.fetch_or(is_confirmed, Ordering::Relaxed);
        sealer.compared = Some(Instant::now());
        Ok(is_confirmed)
    }

    /// Whether leaves wait for longer than they may, or for ever. A tree without them gets no new date, which would look as
    /// if they had been left out.
    pub(super) async fn is_late(&self) -> Result<bool, LedgerError> {
        let is_halted = self.store.head().await?.is_some_and(|head| head.halted.is_some());
        Ok(is_halted || self.is_overdue(&self.store.pending().await?))
    }

    /// One turn. Failures are logged, and the next turn tries again.
    pub(crate) async fn turn(&self, sealer: &mut Sealer, ledger: &dyn Ledger, block: &LogBlock) {
        if let Err(error) = self.try_turn(sealer, ledger, block).await {
            self.recorder.failed();
            if let Some(times) = FAILURES.count(Instant::now()) {
                tracing::error!(%error, times, "the public log was not sealed or published; trying again");
            }
        }
    }

    async fn try_turn(
        &self,
        sealer: &mut Sealer,
        ledger: &dyn Ledger,
        block: &LogBlock,
    ) -> Result<(), LedgerError> {
        self.look_for_backlog(sealer).await?;
        // Another process seals.
        let is_idle = |lease: &Lease| !lease.is_held && lease.asked.elapsed() < LEASE_TURN;
        if sealer.lease.as_ref().is_some_and(is_idle) {
            return Ok(());
        }
        let Some(head) = self.store.head().await? else {
            return Ok(());
        };
        // A process that may not seal leaves the lease to another one.
        if head.previous.is_some() && !self.is_confirmed(sealer, block).await? {
            return Ok(());
        }
        if !self.holds_lease(sealer).await? {
            return Ok(());
        }
        if let Some(reason) = &head.halted {
            self.recorder.incident(self.clock.now(), reason.clone());
            return Ok(());
        }
        if self.is_due(sealer, &head).await? && !self.is_behind_mark(&head)? {
            self.seal(sealer, head.batch).await?;
        }
        self.publish_if_due(sealer, block).await?;
        if sealer.keys_wait {
            sealer.keys_wait = self.release_keys(ledger, block).await?;
        }
        Ok(())
    }

    /// Learns whether something waits for longer than any promise allows. Then nothing can be promised, so nothing is
    /// accepted that must be: what waits may need several batches of the past, and the leaves of the next request would be in
    /// a later batch than its promise says.
    async fn look_for_backlog(&self, sealer: &mut Sealer) -> Result<(), LedgerError> {
        if sealer
            .backlog_seen
            .is_some_and(|at| at.elapsed() < TURN_PAUSE_MAX)
        {
            return Ok(());
        }
        sealer.backlog_seen = Some(Instant::now());
        let within = Duration::from_secs(self.terms.within_s.into());
        let is_stuck = self.has_waited(&self.store.pending().await?, within);
        if self.is_stuck.swap(is_stuck, Ordering::Relaxed) != is_stuck {
            if is_stuck {
                tracing::error!(
                    "what waits for the public log is too old to be promised more; nothing is accepted until it is sealed"
                );
            } else {
                tracing::info!("the public log has what waited; requests are accepted again");
            }
        }
        Ok(())
    }

    /// Whether nothing can be promised, because something waits for the log for longer than promises allow.
    pub(crate) fn is_stuck(&self) -> bool {
        self.is_stuck.load(Ordering::Relaxed)
    }

    /// Whether this machine has signed a larger tree than the books have. Then they were set back, and nothing is sealed,
    /// since the log could not be continued by a recovery.
    fn is_behind_mark(&self, head: &LogHead) -> Result<bool, LedgerError> {
        let mark = self.signed.read();
        let mark = mark.map_err(|error| LedgerError::corrupt("log", error))?;
        Ok(mark.is_some_and(|mark| mark.size() > head.size))
    }

    async fn holds_lease(&self, sealer: &mut Sealer) -> Result<bool, LedgerError> {
        if let Some(lease) = sealer
            .lease
            .as_ref()
            .filter(|lease| lease.asked.elapsed() < LEASE_TURN)
        {
            return Ok(lease.is_held);
        }
        if sealer
            .without_quorum
            .is_some_and(|since| since.elapsed() >= GIVE_UP_AFTER)
        {
            // Another process may reach the witnesses. It has the time of a lease to take this one.
            self.release_lease().await;
            self.seals.store(false, Ordering::Relaxed);
            sealer.without_quorum = None;
            sealer.left_lease = Some(Instant::now());
            sealer.lease = None;
        }
        if sealer.left_lease.is_some_and(|at| at.elapsed() < LEASE_DURATION) {
            return Ok(false);
        }
        let now = self.clock.now();
        let until = now + LEASE_DURATION;
        let is_held = self
            .store
            .take_lease(self.holder, ledger_time(now), ledger_time(until))
            .await?;
        self.seals.store(is_held, Ordering::Relaxed);
        sealer.lease = Some(Lease {
            is_held,
            asked: Instant::now(),
        });
        Ok(is_held)
    }

    /// Whether what waits is to be sealed now.
    async fn is_due(&self, sealer: &mut Sealer, head: &LogHead) -> Result<bool, LedgerError> {
        let since = match sealer.open {
            Some((batch, since)) if batch == head.batch => since,
            _ => sealer.see_open(head.batch),
        };
        // Before the first batch no coin can have been accepted, so nothing can have been promised.
        let is_first = head.previous.is_none();
        if !is_first && since.elapsed() < SEAL_PAUSE_MIN {
            return Ok(false);
        }
        let pause = self.rhythm.pause();
        let has_paused = is_first || since.elapsed() >= pause;
        let is_new = |look: Look| look.at.elapsed() < pause && (look.has_paused || !has_paused);
        if !sealer.has_news && sealer.looked.is_some_and(is_new) {
            return Ok(false);
        }
        let pending = self.store.pending().await?;
        sealer.has_news = false;
        sealer.looked = Some(Look {
            at: Instant::now(),
            has_paused,
        });
        // Coins hide each other, so they wait for others. What keys do is public and waits only for the rhythm.
        let is_public = pending.has_statements && pending.coins == 0;
        let is_enough = is_public || pending.coins >= self.rhythm.leaves_min.max(1);
        Ok(pending.has_others || has_paused && is_enough || self.is_overdue(&pending))
    }

    /// Whether something waits for longer than it may.
    fn is_overdue(&self, pending: &PendingSummary) -> bool {
        self.has_waited(pending, self.rhythm.latest)
    }

    fn has_waited(&self, pending: &PendingSummary, limit: Duration) -> bool {
        let now = ledger_time(self.clock.now()).unix_micros();
        let waited = |oldest: LedgerTime| {
            let micros = u64::try_from(now - oldest.unix_micros()).unwrap_or_default();
            Duration::from_micros(micros) >= limit
        };
        pending.oldest.is_some_and(waited)
    }

    async fn seal(&self, sealer: &mut Sealer, open: LogBatchNo) -> Result<(), LedgerError> {
        let at = ledger_time(self.clock.now());
        match self.store.seal(open, at, &self.terms).await? {
            SealOutcome::Sealed(batch) => {
                self.recorder.sealed();
                tracing::debug!(
                    batch = batch.no.get(),
                    leaves = batch.count,
                    "a batch of the log was sealed"
                );
                sealer.see_open(open.next());
                sealer.attempt = None;
                sealer.keys_wait = true;
            }
            SealOutcome::Nothing => {}
            SealOutcome::Moved => sealer.open = None,
            SealOutcome::Broken(broken) => {
                let reason = broken.to_string();
                self.recorder.incident(self.clock.now(), reason.clone());
                tracing::error!(
                    reason,
                    "ALARM: a rule of the public log would be broken; nothing is accepted any more"
                );
            }
        }
        Ok(())
    }

    async fn publish_if_due(&self, sealer: &mut Sealer, block: &LogBlock) -> Result<(), LedgerError> {
        let is_due = |attempt: Attempt| {
            let pause = if attempt.has_quorum {
                REPUBLISH_AFTER
            } else {
                RETRY_AFTER
            };
            attempt.last.elapsed() >= pause
        };
        if !sealer.attempt.is_none_or(is_due) {
            return Ok(());
        }
        if self.is_late().await? {
            return Ok(());
        }
        let has_quorum = self.publish(block).await?;
        sealer.attempt = Some(Attempt {
            last: Instant::now(),
            has_quorum,
        });
        sealer.keys_wait |= has_quorum;
        if has_quorum {
            sealer.without_quorum = None;
        } else {
            sealer.without_quorum.get_or_insert_with(Instant::now);
        }
        Ok(())
    }

    /// Lets mint keys sign whose leaves are under a checkpoint that has the quorum. Returns whether some still wait.
    async fn release_keys(&self, ledger: &dyn Ledger, block: &LogBlock) -> Result<bool, LedgerError> {
        let Some(published) = self.store.published().await? else {
            return Ok(true);
        };
        let waiting = self.store.keys_to_release(published.size).await?;
        if waiting.is_empty() {
            return Ok(false);
        }
        if !has_quorum(&published.note, block) {
            return Ok(true);
        }
        let at = ledger_time(self.clock.now());
        let commands: Vec<Command> = waiting
            .into_iter()
            .map(|id| Command::ReleaseMintKey { id, at })
            .collect();
        for portion in commands.chunks(opencoin_ledger::BATCH_COMMANDS_MAX) {
            ledger.apply(portion).await?;
        }
        Ok(false)
    }
}

impl Sealer {
    /// Takes note of the documents. New ones may have leaves that wait.
    fn see(&mut self, currency: Arc<Currency>) {
        let is_known = self
            .currency
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, &currency));
        if !is_known {
            self.currency = Some(currency);
            self.has_news = true;
            self.keys_wait = true;
        }
    }

    /// Takes note of the open batch, as of now.
    fn see_open(&mut self, batch: LogBatchNo) -> Instant {
        let now = Instant::now();
        self.open = Some((batch, now));
        self.looked = None;
        now
    }
}

fn has_quorum(note: &str, block: &LogBlock) -> bool {
    let checked = note
        .parse()
        .ok()
        .map(|signed| block.policy().verify_checkpoint(&signed, None));
    checked.is_some_and(|checked| checked.is_ok())
}
