//! Where the requests of many clients meet: while one batch is being committed the next one gathers, so a
//! busy issuer pays one durable commit for many requests, and an idle one adds no delay.
//!
//! A command that was taken into the queue is carried out even when its client hangs up: the client asks
//! again and is answered as before.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use opencoin_ledger::{Command, Ledger, LedgerError, Outcome};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::metrics::{Metrics, Present};
use opencoin_log::LogThrottle;

/// How many coins and blinds may wait and be committed at once, all commands together; a command without any
/// counts as one. More are refused at once, so that waiting stays short and memory bounded: about half a
/// kilobyte each.
const QUEUE_ITEMS_MAX: usize = 32 * 1024;
/// A batch ends at this many coins and blinds, so that the next one does not wait long for it.
const BATCH_ITEMS_MAX: usize = 4096;
/// The coins and blinds of a command that counts as small: it does not wait behind large ones.
const SMALL_COMMAND_ITEMS_MAX: usize = 64;

static UNCONFIRMED: LogThrottle = LogThrottle::new();

/// The queue to the ledger.
pub(crate) struct Committer {
    queue: mpsc::UnboundedSender<Message>,
    /// What bounds the queue: each waiting command holds as many permits as it has items.
    room: Arc<Semaphore>,
    metrics: Arc<Metrics>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// The command was not confirmed: the queue is full or closed, or the ledger failed. Whether it was carried
/// out is not known.
#[derive(Debug)]
pub(crate) struct Unconfirmed;

enum Message {
    Apply(Entry),
    Close,
}

struct Entry {
    command: Command,
    items: usize,
    client: Client,
}

/// Who waits for the answer, and the room in the queue that is free again when they have it.
struct Client {
    answer: oneshot::Sender<Result<Outcome, Unconfirmed>>,
    _room: OwnedSemaphorePermit,
    _queued: Present,
}

impl Client {
    fn tell(self, outcome: Result<Outcome, Unconfirmed>) {
        // One that hung up asks again.
        let _ = self.answer.send(outcome);
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
        let books = Books {
            ledger,
            metrics: Arc::clone(&metrics),
        };
        let task = tokio::spawn(run(books, messages, Backlog::new(batch_commands_max)));
        Self {
            queue,
            room: Arc::new(Semaphore::new(QUEUE_ITEMS_MAX)),
            metrics,
            task: Mutex::new(Some(task)),
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
        let client = Client {
            answer,
            _room: room,
            _queued: self.metrics.queued(),
        };
        let entry = Entry {
            command,
            items,
            client,
        };
        self.queue.send(Message::Apply(entry)).map_err(|_| Unconfirmed)?;
        answered.await.unwrap_or(Err(Unconfirmed))
    }

    /// Finishes what is in the queue and takes nothing more.
    pub(crate) async fn close(&self) {
        let Some(task) = self.task.lock().await.take() else {
            return;
        };
        if self.queue.send(Message::Close).is_ok() && task.await.is_err() {
            tracing::error!("the committer ended in a panic");
        }
    }
}

/// The ledger, and what counts its batches.
struct Books {
    ledger: Arc<dyn Ledger>,
    metrics: Arc<Metrics>,
}

async fn run(books: Books, mut messages: mpsc::UnboundedReceiver<Message>, mut backlog: Backlog) {
    let mut is_open = true;
    while is_open || !backlog.is_empty() {
        if backlog.is_empty() {
            match messages.recv().await {
                Some(Message::Apply(entry)) => backlog.push(entry),
                Some(Message::Close) | None => return,
            }
        }
        while is_open {
            match messages.try_recv() {
                Ok(Message::Apply(entry)) => backlog.push(entry),
                Ok(Message::Close) => is_open = false,
                Err(_) => break,
            }
        }
        commit(&books, backlog.next_batch()).await;
    }
}

/// Commands that wait for the next batch, small ones apart: each batch has room for the small ones first, and
/// every second one begins with a large one, so that neither kind waits for ever.
struct Backlog {
    small: VecDeque<Entry>,
    large: VecDeque<Entry>,
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

    fn push(&mut self, entry: Entry) {
        let queue = if entry.items <= SMALL_COMMAND_ITEMS_MAX {
            &mut self.small
        } else {
            &mut self.large
        };
        queue.push_back(entry);
    }

    /// At least one command, unless nothing waits.
    fn next_batch(&mut self) -> Vec<Entry> {
        let mut batch = Batch {
            entries: Vec::new(),
            items: 0,
            commands_max: self.batch_commands_max,
        };
        if self.is_turn_of_large {
            batch.take_one(&mut self.large);
        }
        self.is_turn_of_large = !self.is_turn_of_large;
        while batch.take_one(&mut self.small) {}
        while batch.take_one(&mut self.large) {}
        batch.entries
    }
}

struct Batch {
    entries: Vec<Entry>,
    items: usize,
    commands_max: usize,
}

impl Batch {
    /// Whether there was one and it fitted. A command of any size fits an empty batch.
    fn take_one(&mut self, queue: &mut VecDeque<Entry>) -> bool {
        let fits = |entry: &Entry| self.entries.is_empty() || self.items + entry.items <= BATCH_ITEMS_MAX;
        if self.entries.len() == self.commands_max || !queue.front().is_some_and(fits) {
            return false;
        }
        let entry = queue.pop_front().expect("there is one in front");
        self.items += entry.items;
        self.entries.push(entry);
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

async fn commit(books: &Books, batch: Vec<Entry>) {
    let (commands, clients): (Vec<Command>, Vec<Client>) = batch
        .into_iter()
        .map(|entry| (entry.command, entry.client))
        .unzip();
    let commands = Arc::new(commands);
    match apply(books, Arc::clone(&commands)).await {
        Ok(outcomes) => {
            assert_eq!(outcomes.len(), clients.len(), "the ledger answers every command");
            clients
                .into_iter()
                .zip(outcomes)
                .for_each(|(client, outcome)| client.tell(Ok(outcome)));
        }
        // One command that the ledger chokes on must not fail its neighbours.
        Err(Failure::OfCommand) if commands.len() > 1 => {
            tracing::warn!(
                commands = commands.len(),
                "the commands of a batch are tried one by one"
            );
            let mut is_ledger_away = false;
            for (command, client) in commands.iter().zip(clients) {
                if is_ledger_away {
                    client.tell(Err(Unconfirmed)); // not each of them has to wait for that
                    continue;
                }
                let outcome = apply(books, Arc::new(vec![command.clone()])).await;
                is_ledger_away = matches!(outcome, Err(Failure::OfLedger));
                client.tell(
                    outcome
                        .ok()
                        .and_then(|mut outcomes| outcomes.pop())
                        .ok_or(Unconfirmed),
                );
            }
        }
        Err(Failure::OfCommand | Failure::OfLedger) => clients
            .into_iter()
            .for_each(|client| client.tell(Err(Unconfirmed))),
    }
}

/// Whose fault it is that a batch was not confirmed.
enum Failure {
    /// One of its commands: the database refused it, or an invariant would have broken.
    OfCommand,
    /// The ledger's: another batch would fail, too.
    OfLedger,
}

/// Applies a batch in a task of its own: an invariant that would break is a panic there, and ends nothing
/// else.
async fn apply(books: &Books, commands: Arc<Vec<Command>>) -> Result<Vec<Outcome>, Failure> {
    let (ledger, count, begun) = (Arc::clone(&books.ledger), commands.len(), Instant::now());
    let applied = tokio::spawn(async move { ledger.apply(&commands).await }).await;
    books
        .metrics
        .batch(count, begun.elapsed(), matches!(applied, Ok(Ok(_))));
    match applied {
        Ok(Ok(outcomes)) => Ok(outcomes),
        Ok(Err(error @ LedgerError::Database(_))) => {
            tracing::error!(%error, "the database refused a batch");
            Err(Failure::OfCommand)
        }
        Ok(Err(error)) => {
            if let Some(batches) = UNCONFIRMED.count(Instant::now()) {
                tracing::error!(%error, batches, "a batch was not confirmed");
            }
            Err(Failure::OfLedger)
        }
        Err(panic) => {
            tracing::error!(%panic, "an invariant of the books would have broken; the batch was not applied");
            Err(Failure::OfCommand)
        }
    }
}

#[cfg(test)]
mod tests {
    use opencoin_ledger::{AccountId, CoinIn, LedgerTime, MintKeyId, PayloadHash};

    use super::*;

    /// A command of so many coins, told apart by its account.
    fn entry(account: i64, items: usize) -> Entry {
        let coin = CoinIn {
            mint_key: MintKeyId::new([1; 20]),
            payload_hash: PayloadHash::new(&[1; 32]).expect("a hash"),
        };
        let at = LedgerTime::from_unix_micros(0);
        let command = Command::Redeem {
            account: AccountId::new(account),
            coins: vec![coin; items],
            at,
        };
        let room = Arc::new(Semaphore::new(1))
            .try_acquire_owned()
            .expect("a fresh semaphore");
        let queued = Metrics::new(chrono::DateTime::UNIX_EPOCH).queued();
        let client = Client {
            answer: oneshot::channel().0,
            _room: room,
            _queued: queued,
        };
        Entry {
            items: item_count(&command),
            command,
            client,
        }
    }

    fn accounts(batch: &[Entry]) -> Vec<i64> {
        let account = |entry: &Entry| match &entry.command {
            Command::Redeem { account, .. } => account.get(),
            other => panic!("not made here: {other:?}"),
        };
        batch.iter().map(account).collect()
    }

    #[test]
    fn a_small_command_does_not_wait_behind_large_ones() {
        let mut backlog = Backlog::new(1000);
        (0..100).for_each(|number| backlog.push(entry(number, 1000)));
        backlog.push(entry(1000, 1));
        assert_eq!(accounts(&backlog.next_batch()), [1000, 0, 1, 2, 3]);
    }

    #[test]
    fn large_commands_do_not_wait_for_ever_behind_small_ones() {
        for batch_commands_max in [1, 10] {
            let mut backlog = Backlog::new(batch_commands_max);
            backlog.push(entry(1000, 1000));
            (0..100).for_each(|number| backlog.push(entry(number, 1)));
            let batches = [backlog.next_batch(), backlog.next_batch()].map(|batch| accounts(&batch));
            assert_eq!(
                batches.map(|batch| (batch.len(), batch[0])),
                [(batch_commands_max, 0), (batch_commands_max, 1000)]
            );
        }
    }

    #[test]
    fn a_command_larger_than_a_batch_is_a_batch_of_its_own() {
        let mut backlog = Backlog::new(1000);
        backlog.push(entry(1, BATCH_ITEMS_MAX + 1));
        backlog.push(entry(2, BATCH_ITEMS_MAX));
        assert_eq!(accounts(&backlog.next_batch()), [1]);
        assert_eq!(accounts(&backlog.next_batch()), [2]);
        assert!(backlog.is_empty());
    }
}
