//! The queue in which the requests of many clients meet: while one batch is being committed the next one
//! gathers. A busy issuer pays one durable commit for many requests, and an idle one adds no delay.
//!
//! There are two lanes. The *routine* lane sends batches that find the books as usual, one round trip each.
//! What the store cannot take in this way (a command that would be refused, one that is repeated, a rare kind)
//! goes to the *careful* lane and holds up nobody else. Each lane has one batch in hand. One that takes longer
//! than [`PATIENCE`] goes on, but the lane no longer waits for it, up to [`LANE_BATCHES_MAX`] batches.
//!
//! A failed batch of the careful lane is halved again and again until the command that is at fault stands
//! alone, unless the fault is the database's: then the whole batch has failed.
//!
//! A command that was taken into the queue is carried out even when its client hangs up: the client asks
//! again and is answered as before.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opencoin_ledger::{Command, ErrorClass, Ledger, Outcome, Routine};
use opencoin_log::LogThrottle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::task::{Id, JoinSet};

use crate::metrics::{Metrics, Present};

/// How many coins and blinds may wait and be committed at once, all commands together; a command without any
/// counts as one. More are refused at once, so that waiting stays short and memory bounded: about half a
/// kilobyte each.
const QUEUE_ITEMS_MAX: usize = 32 * 1024;
/// A batch ends at this many coins and blinds, so that the next one does not wait long for it.
const BATCH_ITEMS_MAX: usize = 4096;
/// The coins and blinds of a command that counts as small: it does not wait behind large ones.
const SMALL_COMMAND_ITEMS_MAX: usize = 64;
/// How long a lane waits for the batch in hand before it begins another one.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many batches of one lane may be in hand at once.
const LANE_BATCHES_MAX: usize = 3;
/// How often a batch is sent on the routine lane without those that were found not to be routine. What is left
/// after that goes to the careful lane.
const ROUTINE_ROUNDS_MAX: usize = 3;

static UNCONFIRMED: LogThrottle = LogThrottle::new();

/// The queue to the ledger.
pub(crate) struct Committer {
    queue: mpsc::UnboundedSender<Message>,
    /// What bounds the queue: each waiting command holds as many permits as it has items.
    room: Arc<Semaphore>,
    metrics: Arc<Metrics>,
    /// Closed once the task has ended.
    running: watch::Sender<()>,
}

/// The command was not confirmed: the queue is full or closed, or the ledger failed. Whether it was carried
/// out is not known.
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

/// A client who waits for an answer, and the room in the queue that is free again when they have it.
struct Waiting {
    /// The coins and blinds of the command.
    items: usize,
    answer: oneshot::Sender<Result<Outcome, Unconfirmed>>,
    _room: OwnedSemaphorePermit,
    _queued: Present,
}

impl Request {
    fn answer(self, outcome: Result<Outcome, Unconfirmed>) {
        // A client that hung up asks again.
        let _ = self.waiting.answer.send(outcome);
    }
}

impl Committer {
    /// Starts committing to `ledger`, at most `batch_commands_max` commands in a batch.
    pub(crate) fn start(ledger: Arc<dyn Ledger>, batch_commands_max: usize, metrics: Arc<Metrics>) -> Self {
        assert!(
            (1..=opencoin_ledger::BATCH_COMMANDS_MAX).contains(&batch_commands_max),
            "the ledger takes such batches"
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
            backlog: Backlog::new(batch_commands_max),
            odd: Backlog::new(batch_commands_max),
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

    /// Carries a command out, in a batch with others; durable when this returns.
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

    /// Finishes what is in the queue and takes nothing more.
    pub(crate) async fn close(&self) {
        let _ = self.queue.send(Message::Close); // it has ended already
        self.ended().await;
    }

    /// Waits until nothing is committed any more: after [`Self::close`], or because the task has panicked.
    pub(crate) async fn ended(&self) {
        self.running.closed().await;
    }
}

/// The ledger, and what counts its batches.
#[derive(Clone)]
struct MeteredLedger {
    ledger: Arc<dyn Ledger>,
    metrics: Arc<Metrics>,
}

/// What waits and what is in hand.
struct Lanes {
    ledger: MeteredLedger,
    /// The batches in hand of both lanes. Each gives back the commands that belong to the careful lane.
    batches: JoinSet<Vec<Request>>,
    routine: Lane,
    careful: Lane,
    /// What waits for the routine lane.
    backlog: Backlog,
    /// What waits for the careful lane.
    odd: Backlog,
}

/// The batches in hand of one lane.
#[derive(Default)]
struct Lane {
    batches: Vec<Id>,
    /// When the lane stops waiting for its newest batch.
    patient_until: Option<tokio::time::Instant>,
}

impl Lane {
    /// Whether another batch may begin.
    fn is_free(&self) -> bool {
        let is_patient = |until: tokio::time::Instant| tokio::time::Instant::now() < until;
        self.batches.len() < LANE_BATCHES_MAX && !self.patient_until.is_some_and(is_patient)
    }

    fn begun(&mut self, batch: Id) {
        self.batches.push(batch);
        self.patient_until = Some(tokio::time::Instant::now() + PATIENCE);
    }

    /// Forgets a batch; the lane waits only for its newest.
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
                    // A fault of the program: whoever watches this task stops the process.
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

/// Commands that wait for the next batch, small ones apart: each batch has room for the small ones first, and
/// every second one begins with a large one, so that neither kind waits for ever.
struct Backlog {
    small: VecDeque<Request>,
    large: VecDeque<Request>,
    is_turn_of_large: bool,
    batch_commands_max: usize,
}

impl Backlog {
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

    /// At least one command, unless nothing waits.
    fn next_batch(&mut self) -> Vec<Request> {
        let mut batch = Batch {
            requests: Vec::new(),
            items: 0,
            commands_max: self.batch_commands_max,
        };
        if self.is_turn_of_large {
            batch.take_one(&mut self.large);
        }
        self.is_turn_of_large = !self.is_turn_of_large;
        while batch.take_one(&mut self.small) {}
        while batch.take_one(&mut self.large) {}
        batch.requests
    }
}

struct Batch {
    requests: Vec<Request>,
    items: usize,
    commands_max: usize,
}

impl Batch {
    /// Whether there was one and it fitted. A command of any size fits an empty batch.
    fn take_one(&mut self, queue: &mut VecDeque<Request>) -> bool {
        let fits = |request: &Request| {
            self.requests.is_empty() || self.items + request.waiting.items <= BATCH_ITEMS_MAX
        };
        if self.requests.len() == self.commands_max || !queue.front().is_some_and(fits) {
            return false;
        }
        let request = queue.pop_front().expect("there is one in front");
        self.items += request.waiting.items;
        self.requests.push(request);
        true
    }
}

/// Coins and blinds, revoked ones included; 1 where there are none.
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
    /// Sends the commands that are routine. Gives back the others, none of which was carried out as far as is
    /// known.
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
                    assert!(!indices.is_empty(), "something stands in the way");
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

    /// Carries out commands of any kind. One that the ledger chokes on does not fail its neighbours: its batch
    /// is halved until it stands alone.
    async fn commit_carefully(&self, batch: Vec<Request>) {
        let mut parts = vec![batch];
        while let Some(mut part) = parts.pop() {
            match self.apply(&mut part, false).await {
                Ok(Routine::Applied(outcomes)) => answer(part, outcomes),
                Ok(Routine::Odd(_)) => unreachable!("only the routine lane asks for that"),
                Err(ErrorClass::Command | ErrorClass::Contention) if part.len() > 1 => {
                    let second = part.split_off(part.len() / 2);
                    parts.extend([second, part]);
                }
                Err(ErrorClass::Command | ErrorClass::Contention) => refuse(part),
                // The rest would fail as well, and each would wait for that.
                Err(ErrorClass::Database) => {
                    refuse(part);
                    parts.drain(..).for_each(refuse);
                }
            }
        }
    }

    /// Sends a batch in a task of its own: an invariant that would break is a panic there, and ends nothing
    /// else.
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
                tracing::error!(%panic, "an invariant of the books would have broken; the batch was not applied");
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
