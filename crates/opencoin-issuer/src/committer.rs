//! Group commit: the commands of many requests share one durable commit. While one batch is being committed the next
//! one fills, so a busy issuer needs few commits, and an idle one adds no delay.
//!
//! There are two lanes. The *routine* lane sends each batch in one round trip. Commands for which that is not
//! possible (they would be refused, are repeated or are of a rare kind) go to the *careful* lane, where they do not
//! delay the others. Each lane runs one batch at a time. If a batch takes longer than [`PATIENCE`], the lane starts
//! another one beside it, up to [`LANE_BATCHES_MAX`].
//!
//! A failed batch of the careful lane is bisected until the command at fault is alone, unless the database as a whole
//! has failed: then the whole batch has failed.
//!
//! A queued command is carried out even if its client hangs up. The client retries and gets the same answer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opencoin_ledger::{Command, ErrorClass, Ledger, Outcome, Routine};
use opencoin_log::LogThrottle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::task::{Id, JoinSet};

use crate::metrics::{Metrics, Present};

/// The most coins and blinds of all queued and running commands; a command without any counts as one. More are
/// refused at once, to keep waits short and memory bounded: each takes about half a kilobyte.
const QUEUE_ITEMS_MAX: usize = 32 * 1024;
/// The most coins and blinds of a batch, so that the next batch does not wait long.
const BATCH_ITEMS_MAX: usize = 4096;
/// The most coins and blinds of a batch of large commands while small ones wait: one command of the largest kind.
const LARGE_BATCH_ITEMS_MAX: usize = 1024;
/// The most coins and blinds of a small command. Small commands do not wait behind large ones.
const SMALL_COMMAND_ITEMS_MAX: usize = 64;
/// How long a lane waits for a running batch before it starts another one.
const PATIENCE: Duration = Duration::from_secs(1);
/// The most batches of a lane that run at the same time.
const LANE_BATCHES_MAX: usize = 3;
/// The attempts to send a batch on the routine lane, each without the commands that the attempt before has ruled out.
/// After the last attempt the rest goes to the careful lane.
const ROUTINE_ROUNDS_MAX: usize = 3;

static UNCONFIRMED: LogThrottle = LogThrottle::new();

/// The queue to the ledger.
pub(crate) struct Committer {
    queue: mpsc::UnboundedSender<Message>,
    /// Bounds the queue: a command holds one permit for each of its items.
    room: Arc<Semaphore>,
    metrics: Arc<Metrics>,
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
    answer: oneshot::Sender<Result<Outcome, Unconfirmed>>,
    _room: OwnedSemaphorePermit,
    _queued: Present,
}

impl Request {
    fn answer(self, outcome: Result<Outcome, Unconfirmed>) {
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
        let ledger = MeteredLedger {
            ledger,
            metrics: Arc::clone(&metrics),
        };
        let lanes = Lanes {
            ledger,
            batches: JoinSet::new(),
            routine: Lane::default(),
            careful: Lane::default(),
            backlog: CommandQueue::new(batch_commands_max),
            odd: CommandQueue::new(batch_commands_max),
        };
        tokio::spawn(async move {
            let _runs = runs;
            lanes.run(messages).await;
        });
        Self {
            queue,
            room: Arc::new(Semaphore::new(QUEUE_ITEMS_MAX)),
            metrics,
            running,
        }
    }

    /// Carries out a command in a batch with others. Its effect is durable when this returns.
    pub(crate) async fn apply(&self, command: Command) -> Result<Outcome, Unconfirmed> {
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
}

/// The waiting commands and running batches of both lanes.
struct Lanes {
    ledger: MeteredLedger,
    /// The running batches of both lanes. Each returns the commands that belong to the careful lane.
    batches: JoinSet<Vec<Request>>,
    routine: Lane,
    careful: Lane,
    /// Commands that wait for the routine lane.
    backlog: CommandQueue,
    /// Commands that wait for the careful lane.
    odd: CommandQueue,
}

/// The running batches of one lane.
#[derive(Default)]
struct Lane {
    batches: Vec<Id>,
    /// The end of the wait for the newest batch.
    patient_until: Option<tokio::time::Instant>,
}

impl Lane {
    /// Whether another batch may start.
    fn is_free(&self) -> bool {
        let is_patient = |until: tokio::time::Instant| tokio::time::Instant::now() < until;
        self.batches.len() < LANE_BATCHES_MAX && !self.patient_until.is_some_and(is_patient)
    }

    fn begun(&mut self, batch: Id) {
        self.batches.push(batch);
        self.patient_until = Some(tokio::time::Instant::now() + PATIENCE);
    }

    /// Removes a batch. A lane waits only for its newest batch.
    fn ended(&mut self, batch: Id) {
        if self.batches.last() == Some(&batch) {
            self.patient_until = None;
        }
        self.batches.retain(|id| *id != batch);
    }
}

impl Lanes {
    async fn run(mut self, mut messages: mpsc::UnboundedReceiver<Message>) {
        let mut is_open = true;
        loop {
            while is_open {
                match messages.try_recv() {
                    Ok(Message::Apply(request)) => self.backlog.push(request),
                    Ok(Message::Close) => is_open = false,
                    Err(_) => break,
                }
            }
            self.begin_batches();
            if !is_open && self.batches.is_empty() {
                return;
            }
            let impatient = async {
                let lanes = [&self.routine, &self.careful];
                let blocked = lanes.into_iter().filter(|lane| !lane.is_free());
                match blocked.filter_map(|lane| lane.patient_until).min() {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                message = messages.recv(), if is_open => match message {
                    Some(Message::Apply(request)) => self.backlog.push(request),
                    Some(Message::Close) | None => is_open = false,
                },
                Some(ended) = self.batches.join_next_with_id() => match ended {
                    Ok((batch, odd)) => {
                        self.routine.ended(batch);
                        self.careful.ended(batch);
                        odd.into_iter().for_each(|request| self.odd.push(request));
                    }
                    // A bug. The end of this task stops the server.
                    Err(panic) => std::panic::resume_unwind(panic.into_panic()),
                },
                () = impatient => {}
            }
        }
    }

    fn begin_batches(&mut self) {
        if self.routine.is_free() && !self.backlog.is_empty() {
            let (ledger, batch) = (self.ledger.clone(), self.backlog.next_batch());
            let begun = self
                .batches
                .spawn(async move { ledger.commit_routine(batch).await });
            self.routine.begun(begun.id());
        }
        if self.careful.is_free() && !self.odd.is_empty() {
            let (ledger, batch) = (self.ledger.clone(), self.odd.next_batch());
            let commit = async move {
                ledger.commit_carefully(batch).await;
                Vec::new()
            };
            let begun = self.batches.spawn(commit);
            self.careful.begun(begun.id());
        }
    }
}

/// Commands that wait for the next batch. Small and large ones share no batch, so that no small one is answered only
/// when a large one is written. While both kinds wait, they take turns, so that neither starves.
struct CommandQueue {
    small: VecDeque<Request>,
    large: VecDeque<Request>,
    is_turn_of_large: bool,
    batch_commands_max: usize,
}

impl CommandQueue {
    fn new(batch_commands_max: usize) -> Self {
        Self {
            small: VecDeque::new(),
            large: VecDeque::new(),
            is_turn_of_large: false,
            batch_commands_max,
        }
    }

    fn is_empty(&self) -> bool {
        self.small.is_empty() && self.large.is_empty()
    }

    fn push(&mut self, request: Request) {
        let queue = if request.waiting.items <= SMALL_COMMAND_ITEMS_MAX {
            &mut self.small
        } else {
            &mut self.large
        };
        queue.push_back(request);
    }

    /// Takes the next batch. It has at least one command unless the queue is empty.
    fn next_batch(&mut self) -> Vec<Request> {
        let is_large = self.small.is_empty() || self.is_turn_of_large && !self.large.is_empty();
        self.is_turn_of_large = !is_large;
        let items_max = if is_large && !self.small.is_empty() {
            LARGE_BATCH_ITEMS_MAX
        } else {
            BATCH_ITEMS_MAX
        };
        let mut batch = Batch {
            requests: Vec::new(),
            items: 0,
            commands_max: self.batch_commands_max,
            items_max,
        };
        let queue = if is_large {
            &mut self.large
        } else {
            &mut self.small
        };
        while batch.take_one(queue) {}
        batch.requests
    }
}

struct Batch {
    requests: Vec<Request>,
    items: usize,
    commands_max: usize,
    items_max: usize,
}

impl Batch {
    /// Moves the first command of a queue into the batch if it fits, and returns whether it did. A command of any
    /// size fits into an empty batch.
    fn take_one(&mut self, queue: &mut VecDeque<Request>) -> bool {
        let fits = |request: &Request| {
            self.requests.is_empty() || self.items + request.waiting.items <= self.items_max
        };
        if self.requests.len() == self.commands_max || !queue.front().is_some_and(fits) {
            return false;
        }
        let request = queue.pop_front().expect("the queue has a first command");
        self.items += request.waiting.items;
        self.requests.push(request);
        true
    }
}

/// The number of coins and blinds, including revoked ones; 1 if there are none.
fn item_count(command: &Command) -> usize {
    let items = match command {
        Command::Mint { blinds, .. } => blinds.len(),
        Command::Renew { coins, blinds, .. } => coins.len() + blinds.len(),
        Command::Redeem { coins, .. } => coins.len(),
        Command::Recoup { revoked, blinds, .. } => revoked.len() + blinds.len(),
        Command::OpenAccount { .. }
        | Command::Credit { .. }
        | Command::Debit { .. }
        | Command::Transfer { .. }
        | Command::RequestPayout { .. }
        | Command::SettlePayout { .. }
        | Command::RegisterMintKey { .. }
        | Command::StopMintKey { .. }
        | Command::RetireMintKey { .. }
        | Command::PruneMintKey { .. }
        | Command::SetSigningPaused { .. } => 1,
    };
    items.max(1)
}

impl MeteredLedger {
    /// Commits the commands that the routine lane can take. Returns the others, none of which is known to have been
    /// carried out.
    async fn commit_routine(&self, mut batch: Vec<Request>) -> Vec<Request> {
        let mut odd = Vec::new();
        for _ in 0..ROUTINE_ROUNDS_MAX {
            if batch.is_empty() {
                return odd;
            }
            let answered = self.apply(&mut batch, true).await;
            match answered {
                Ok(Routine::Applied(outcomes)) => {
                    answer(batch, outcomes);
                    return odd;
                }
                Ok(Routine::Odd(indices)) => {
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
                Ok(Routine::Applied(outcomes)) => answer(part, outcomes),
                Ok(Routine::Odd(_)) => unreachable!("only the routine lane gets this answer"),
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

    /// Sends a batch in a task of its own, so that a failed assertion in the ledger fails this batch only.
    async fn apply(&self, batch: &mut Vec<Request>, is_routine: bool) -> Result<Routine, ErrorClass> {
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
            Ok(Ok(routine)) => Ok(routine),
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

fn answer(batch: Vec<Request>, outcomes: Vec<Outcome>) {
    assert_eq!(outcomes.len(), batch.len(), "the ledger answers every command");
    batch
        .into_iter()
        .zip(outcomes)
        .for_each(|(request, outcome)| request.answer(Ok(outcome)));
}

fn refuse(batch: Vec<Request>) {
    batch
        .into_iter()
        .for_each(|request| request.answer(Err(Unconfirmed)));
}

#[cfg(test)]
mod tests;
