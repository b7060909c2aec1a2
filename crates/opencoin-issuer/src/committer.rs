//! Group commit: the commands of many requests share one durable commit. While one batch is being committed the next
//! one fills, so a busy issuer needs few commits, and an idle one adds no delay.
//!
//! There are three lanes. Two are *routine*: they send each batch in one round trip. One of them is for small commands
//! and one for large ones, so that a small command is not answered only when a large one is written. Commands for which
//! one round trip is not possible (they would be refused, are repeated or are of a rare kind) go to the *careful* lane,
//! where they do not delay the others. Each lane runs one batch at a time. If a batch takes longer than [`PATIENCE`],
//! the lane starts another one beside it, up to [`LANE_BATCHES_MAX`].
//!
//! Lanes still wait for each other where the store makes them: on PostgreSQL for the row of an account that both
//! change, on SQLite for its one writer.
//!
//! A failed batch of the careful lane is bisected until the command at fault is alone, unless the database as a whole
//! has failed: then the whole batch has failed.
//!
//! A queued command is carried out even if its client hangs up. The client retries and gets the same answer.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use opencoin_ledger::{Command, ErrorClass, Ledger, LedgerError, Logged, Outcome, Routine};
use opencoin_log::promise::Promise;
use opencoin_logging::LogThrottle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::task::{Id, JoinSet};

use crate::log::Promises;
use crate::metrics::{Metrics, Present};

/// The most coins and blinds of all queued and running commands; a command without any counts as one. More are
/// refused at once, to keep waits short and memory bounded: each takes about half a kilobyte.
const QUEUE_ITEMS_MAX: usize = 32 * 1024;
/// The most coins and blinds of a batch, so that the next batch does not wait long.
const BATCH_ITEMS_MAX: usize = 4096;
/// The most coins and blinds of a batch of large commands while there are small ones, which may have to wait for it:
/// one command of the largest kind.
const LARGE_BATCH_ITEMS_MAX: usize = 1024;
/// The most coins and blinds of a small command.
const SMALL_COMMAND_ITEMS_MAX: usize = 64;
/// How long a lane waits for a running batch before it starts another one.
const PATIENCE: Duration = Duration::from_secs(1);
/// The most batches of a lane that run at the same time.
const LANE_BATCHES_MAX: usize = 3;
/// The attempts to send a batch on a routine lane, each without the commands that the attempt before has ruled out.
/// After the last attempt the rest goes to the careful lane.
const ROUTINE_ROUNDS_MAX: usize = 3;

static UNCONFIRMED: LogThrottle = LogThrottle::new();

/// The queue to the ledger.
pub(crate) struct Committer {
    queue: mpsc::UnboundedSender<Message>,
    /// Bounds the queue: a command holds one permit for each of its items.
    room: Arc<Semaphore>,
    metrics: Arc<Metrics>,
    promises: Arc<OnceLock<Arc<Promises>>>,
    /// Closed when the task ends.
    running: watch::Sender<()>,
}

/// The command was not confirmed: the queue is full or closed, or the ledger failed. The command may or may not have
/// been carried out.
#[derive(Debug)]
pub(crate) struct Unconfirmed;

enum Message {
    Apply(Request),
    Close,
}

/// A command in the queue.
struct Request {
    command: Command,
    waiting: Waiting,
}

/// The sender of the answer to a client, and the client's share of the queue until then.
struct Waiting {
    /// The coins and blinds of the command.
    items: usize,
    answer: oneshot::Sender<Result<Committed, Unconfirmed>>,
    _room: OwnedSemaphorePermit,
    _queued: Present,
}

/// The outcome of a command, and the promise for its leaves if the currency has a public log.
#[derive(Debug)]
pub(crate) struct Committed {
    pub(crate) outcome: Outcome,
    pub(crate) promise: Option<Promise>,
}

impl Request {
    fn answer(self, outcome: Result<Committed, Unconfirmed>) {
        // The receiver is gone if the client hung up.
        let _ = self.waiting.answer.send(outcome);
    }
}

impl Committer {
    /// Starts committing to `ledger`, at most `batch_commands_max` commands in a batch.
    pub(crate) fn start(ledger: Arc<dyn Ledger>, batch_commands_max: usize, metrics: Arc<Metrics>) -> Self {
        assert!(
            (1..=opencoin_ledger::BATCH_COMMANDS_MAX).contains(&batch_commands_max),
            "a batch has 1 to {} commands",
            opencoin_ledger::BATCH_COMMANDS_MAX
        );
        let (queue, messages) = mpsc::unbounded_channel();
        let (running, runs) = watch::channel(());
        let promises = Arc::new(OnceLock::new());
        let ledger = MeteredLedger {
            ledger,
            metrics: Arc::clone(&metrics),
            promises: Arc::clone(&promises),
        };
        let lanes = Lanes::new(ledger, batch_commands_max);
        tokio::spawn(async move {
            let _runs = runs;
            lanes.run(messages).await;
        });
        Self {
            queue,
            room: Arc::new(Semaphore::new(QUEUE_ITEMS_MAX)),
            metrics,
            promises,
            running,
        }
    }

    /// Makes promises for accepted commands from now on.
    pub(crate) fn promise_with(&self, promises: Arc<Promises>) {
        // It is set once, before anything is served.
        let _ = self.promises.set(promises);
    }

    /// Carries out a command in a batch with others. Its effect is durable when this returns.
    pub(crate) async fn apply(&self, command: Command) -> Result<Outcome, Unconfirmed> {
        self.commit(command).await.map(|committed| committed.outcome)
    }

    /// As [`Self::apply`], with the promise for the command's leaves.
    pub(crate) async fn commit(&self, command: Command) -> Result<Committed, Unconfirmed> {
        let items = item_count(&command);
        let permits = u32::try_from(items).map_err(|_| Unconfirmed)?;
        let room = Arc::clone(&self.room)
            .try_acquire_many_owned(permits)
            .map_err(|_| Unconfirmed)?;
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting {
            items,
            answer,
            _room: room,
            _queued: self.metrics.queued(),
        };
        let request = Request { command, waiting };
        self.queue
            .send(Message::Apply(request))
            .map_err(|_| Unconfirmed)?;
        answered.await.unwrap_or(Err(Unconfirmed))
    }

    /// Finishes the queued commands and takes no more.
    pub(crate) async fn close(&self) {
        let _ = self.queue.send(Message::Close); // an error means that it has ended already
        self.ended().await;
    }

    /// Waits until the task has ended, after [`Self::close`] or in a panic.
    pub(crate) async fn ended(&self) {
        self.running.closed().await;
    }
}

/// The ledger and the metrics of its batches.
#[derive(Clone)]
struct MeteredLedger {
    ledger: Arc<dyn Ledger>,
    metrics: Arc<Metrics>,
    promises: Arc<OnceLock<Arc<Promises>>>,
}

/// All lanes. Commands of different lanes share no batch.
struct Lanes {
    ledger: MeteredLedger,
    batch_commands_max: usize,
    /// The running batches of all lanes. Each returns the commands that belong to the careful lane.
    batches: JoinSet<Vec<Request>>,
    /// For commands of up to [`SMALL_COMMAND_ITEMS_MAX`] items.
    small: Lane,
    /// For larger commands.
    large: Lane,
    /// For commands of any size that a routine lane could not take.
    careful: Lane,
}

/// The waiting commands and the running batches of one lane.
#[derive(Default)]
struct Lane {
    waiting: VecDeque<Request>,
    running: Vec<Id>,
    /// The end of the wait for the newest batch.
    patient_until: Option<tokio::time::Instant>,
}

impl Lanes {
    fn new(ledger: MeteredLedger, batch_commands_max: usize) -> Self {
        Self {
            ledger,
            batch_commands_max,
            batches: JoinSet::new(),
            small: Lane::default(),
            large: Lane::default(),
            careful: Lane::default(),
        }
    }

    async fn run(mut self, mut messages: mpsc::UnboundedReceiver<Message>) {
        let mut is_open = true;
        loop {
            while is_open {
                match messages.try_recv() {
                    Ok(Message::Apply(request)) => self.push(request),
                    Ok(Message::Close) => is_open = false,
                    Err(_) => break,
                }
            }
            self.begin_batches();
            if !is_open && self.batches.is_empty() {
                return;
            }
            let impatient = async {
                let lanes = [&self.small, &self.large, &self.careful];
                let blocked = lanes.into_iter().filter(|lane| !lane.is_free());
                match blocked.filter_map(|lane| lane.patient_until).min() {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                message = messages.recv(), if is_open => match message {
                    Some(Message::Apply(request)) => self.push(request),
                    Some(Message::Close) | None => is_open = false,
                },
                Some(ended) = self.batches.join_next_with_id() => match ended {
                    Ok((batch, odd)) => {
                        for lane in [&mut self.small, &mut self.large, &mut self.careful] {
                            lane.ended(batch);
                        }
                        self.careful.waiting.extend(odd);
                    }
                    // A bug. The end of this task stops the server.
                    Err(panic) => std::panic::resume_unwind(panic.into_panic()),
                },
                () = impatient => {}
            }
        }
    }

    /// Queues a command in its routine lane.
    fn push(&mut self, request: Request) {
        let lane = if request.waiting.items <= SMALL_COMMAND_ITEMS_MAX {
            &mut self.small
        } else {
            &mut self.large
        };
        lane.waiting.push_back(request);
    }

    fn begin_batches(&mut self) {
        let commands_max = self.batch_commands_max;
        let large_items_max = if self.small.is_idle() {
            BATCH_ITEMS_MAX
        } else {
            LARGE_BATCH_ITEMS_MAX
        };
        for (lane, items_max) in [
            (&mut self.small, BATCH_ITEMS_MAX),
            (&mut self.large, large_items_max),
        ] {
            if let Some(batch) = lane.next_batch(commands_max, items_max) {
                let ledger = self.ledger.clone();
                let commit = async move { ledger.commit_routine(batch).await };
                lane.begun(self.batches.spawn(commit).id());
            }
        }
        if let Some(batch) = self.careful.next_batch(commands_max, BATCH_ITEMS_MAX) {
            let ledger = self.ledger.clone();
            let commit = async move {
                ledger.commit_carefully(batch).await;
                Vec::new()
            };
            self.careful.begun(self.batches.spawn(commit).id());
        }
    }
}

impl Lane {
    /// Whether another batch may start.
    fn is_free(&self) -> bool {
        let is_patient = |until: tokio::time::Instant| tokio::time::Instant::now() < until;
        self.running.len() < LANE_BATCHES_MAX && !self.patient_until.is_some_and(is_patient)
    }

    /// Whether there are no commands, neither waiting nor in a batch.
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.running.is_empty()
    }

    /// Takes the commands of the next batch from the queue, in the order of their arrival, if there are any and a batch
    /// may start. A command of any size fits into an empty batch.
    fn next_batch(&mut self, commands_max: usize, items_max: usize) -> Option<Vec<Request>> {
        if self.waiting.is_empty() || !self.is_free() {
            return None;
        }
        let mut items = 0;
        let fits = |request: &&Request| {
            items += request.waiting.items;
            items <= items_max
        };
        let count = self.waiting.iter().take(commands_max).take_while(fits).count();
        Some(self.waiting.drain(..count.max(1)).collect())
    }

    fn begun(&mut self, batch: Id) {
        self.running.push(batch);
        self.patient_until = Some(tokio::time::Instant::now() + PATIENCE);
    }

    /// Removes a batch, if it is one of this lane. A lane waits only for its newest batch.
    fn ended(&mut self, batch: Id) {
        if self.running.last() == Some(&batch) {
            self.patient_until = None;
        }
        self.running.retain(|id| *id != batch);
    }
}

/// The number of coins and blinds, including revoked ones; 1 if there are none.
fn item_count(command: &Command) -> usize {
    let items = match command {
        Command::Mint { blinds, .. } => blinds.len(),
        Command::Renew { coins, blinds, .. } => coins.len() + blinds.len(),
        Command::Redeem { coins, .. } => coins.len(),
        Command::Recoup { revoked, blinds, .. } => revoked.len() + blinds.len(),
        Command::SignAgain { request, .. } => item_count(request),
        Command::Recover { .. }
        | Command::AssignRecovered { .. }
        | Command::OpenAccount { .. }
        | Command::SetAccountStatus { .. }
        | Command::IntroduceKey { .. }
        | Command::PayByKey { .. }
        | Command::Credit { .. }
        | Command::Debit { .. }
        | Command::Transfer { .. }
        | Command::RequestPayout { .. }
        | Command::SettlePayout { .. }
        | Command::RegisterMintKey { .. }
        | Command::StopMintKey { .. }
        | Command::RetireMintKey { .. }
        | Command::PruneMintKey { .. }
        | Command::SetSigningPaused { .. }
        | Command::OpenLog { .. }
        | Command::LogCurrency { .. }
        | Command::ReleaseMintKey { .. } => 1,
    };
    items.max(1)
}

impl MeteredLedger {
    /// Commits the commands that a routine lane can take. Returns the others, none of which is known to have been
    /// carried out.
    async fn commit_routine(&self, mut batch: Vec<Request>) -> Vec<Request> {
        let mut odd = Vec::new();
        for _ in 0..ROUTINE_ROUNDS_MAX {
            if batch.is_empty() {
                return odd;
            }
            let answered = self.apply(&mut batch, true).await;
            match answered {
                Ok((Routine::Applied(outcomes), took)) => {
                    self.answer(batch, outcomes, took).await;
                    return odd;
                }
                Ok((Routine::Odd(indices), _)) => {
                    assert!(
                        !indices.is_empty(),
                        "the store names the commands that are not routine"
                    );
                    let mut index = 0;
                    let is_odd = |_: &mut Request| {
                        index += 1;
                        indices.binary_search(&(index - 1)).is_ok()
                    };
                    odd.extend(batch.extract_if(.., is_odd));
                }
                Err(ErrorClass::Command | ErrorClass::Contention) => break,
                Err(ErrorClass::Database) => {
                    refuse(batch);
                    return odd;
                }
            }
        }
        odd.append(&mut batch);
        odd
    }

    /// Carries out commands of any kind. A command that makes the ledger fail does not fail the others: its batch is
    /// bisected until the command is alone.
    async fn commit_carefully(&self, batch: Vec<Request>) {
        let mut parts = vec![batch];
        while let Some(mut part) = parts.pop() {
            match self.apply(&mut part, false).await {
                Ok((Routine::Applied(outcomes), took)) => self.answer(part, outcomes, took).await,
                Ok((Routine::Odd(_), _)) => unreachable!("only a routine lane gets this answer"),
                Err(ErrorClass::Command | ErrorClass::Contention) if part.len() > 1 => {
                    let second = part.split_off(part.len() / 2);
                    parts.extend([second, part]);
                }
                Err(ErrorClass::Command | ErrorClass::Contention) => refuse(part),
                // The rest would fail too, each after a timeout.
                Err(ErrorClass::Database) => {
                    refuse(part);
                    parts.drain(..).for_each(refuse);
                }
            }
        }
    }

    /// Answers a batch that is durable. Without the promise that belongs to it, an accepted command is not confirmed:
    /// the client sends it again, and it is answered as repeated.
    async fn answer(&self, batch: Vec<Request>, outcomes: Vec<Outcome>, took: Duration) {
        assert_eq!(outcomes.len(), batch.len(), "the ledger answers every command");
        let mut promises: Vec<Result<Option<Promise>, Unconfirmed>> = Vec::new();
        promises.resize_with(outcomes.len(), || Ok(None));
        if let Some(signer) = self.promises.get() {
            let accepted = |is_old| logged(&batch, &outcomes, is_old).into_iter().unzip();
            let (places, new): (Vec<usize>, Vec<Logged>) = accepted(false);
            let (old_places, old): (Vec<usize>, Vec<Logged>) = accepted(true);
            let made = [
                (places, signer.of_commit(&new, took).await),
                (old_places, signer.of_repeated(&old).await),
            ];
            for (places, made) in made {
                let mut made = made.map(Vec::into_iter);
                for place in places {
                    promises[place] = made
                        .as_mut()
                        .map(Iterator::next)
                        .map_err(|error| unconfirmed(error));
                }
            }
        }
        for ((request, outcome), promise) in batch.into_iter().zip(outcomes).zip(promises) {
            request.answer(promise.map(|promise| Committed { outcome, promise }));
        }
    }

    /// Sends a batch in a task of its own, so that a failed assertion in the ledger fails this batch only.
    /// Returns how long it took at most.
    async fn apply(
        &self,
        batch: &mut Vec<Request>,
        is_routine: bool,
    ) -> Result<(Routine, Duration), ErrorClass> {
        let (commands, waiting): (Vec<Command>, Vec<Waiting>) = batch
            .drain(..)
            .map(|request| (request.command, request.waiting))
            .unzip();
        let (ledger, count, begun) = (Arc::clone(&self.ledger), commands.len(), Instant::now());
        let commands = Arc::new(commands);
        let sent = Arc::clone(&commands);
        let applied = tokio::spawn(async move {
            if is_routine {
                ledger.apply_routine(&sent).await
            } else {
                ledger.apply(&sent).await.map(Routine::Applied)
            }
        });
        let applied = applied.await;
        let commands = Arc::unwrap_or_clone(commands).into_iter().zip(waiting);
        batch.extend(commands.map(|(command, waiting)| Request { command, waiting }));
        let is_confirmed = matches!(applied, Ok(Ok(Routine::Applied(_))));
        if !matches!(applied, Ok(Ok(Routine::Odd(_)))) {
            self.metrics.batch(count, begun.elapsed(), is_confirmed);
        }
        match applied {
            Ok(Ok(routine)) => Ok((routine, begun.elapsed())),
            Ok(Err(error)) => {
                if let Some(batches) = UNCONFIRMED.count(Instant::now()) {
                    tracing::error!(%error, batches, commands = count, "a batch was not confirmed");
                }
                Err(error.class())
            }
            Err(panic) => {
                tracing::error!(%panic, "an invariant of the ledger was violated; the batch was not applied");
                Err(ErrorClass::Command)
            }
        }
    }
}

/// The places of the outcomes whose commands were accepted, now or (`is_old`) before, and where their leaves are.
fn logged(batch: &[Request], outcomes: &[Outcome], is_old: bool) -> Vec<(usize, Logged)> {
    let accepted = |(place, outcome): (usize, &Outcome)| {
        let applied = outcome.as_ref().ok()?;
        let of_lost_time = matches!(batch[place].command, Command::SignAgain { .. });
        let is_asked = (applied.repeated || of_lost_time) == is_old;
        Some((place, applied.logged.filter(|_| is_asked)?))
    };
    outcomes.iter().enumerate().filter_map(accepted).collect()
}

fn unconfirmed(error: &LedgerError) -> Unconfirmed {
    if let Some(batches) = UNCONFIRMED.count(Instant::now()) {
        tracing::error!(%error, batches, "a promise cannot be made");
    }
    Unconfirmed
}

fn refuse(batch: Vec<Request>) {
    batch
        .into_iter()
        .for_each(|request| request.answer(Err(Unconfirmed)));
}

#[cfg(test)]
mod tests;
