//! Where the requests of many clients meet: while one batch is being committed the next one gathers, so a busy issuer pays
//! one durable commit for many requests, and an idle one adds no delay.
//!
//! A command that was taken into the queue is carried out even when its client hangs up: the client asks again and is
//! answered as before.

use std::sync::Arc;

use opencoin_ledger::{BATCH_COMMANDS_MAX, Command, Ledger, LedgerError, Outcome};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

/// How many commands may wait; more are refused at once, so that waiting stays short.
const QUEUE_COMMANDS_MAX: usize = 4096;
/// A batch ends at this many coins and blinds, so that a small request does not wait for a hundred large ones.
const BATCH_ITEMS_MAX: usize = 4096;

/// The queue to the ledger.
pub(crate) struct Committer {
    queue: mpsc::Sender<Message>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// The command was not confirmed: the queue is full or closed, or the ledger failed. Whether it was carried out is not known.
#[derive(Debug)]
pub(crate) struct Unconfirmed;

enum Message {
    Apply(Entry),
    Close,
}

struct Entry {
    command: Command,
    answer: oneshot::Sender<Result<Outcome, Unconfirmed>>,
}

impl Committer {
    /// Starts committing to `ledger`.
    pub(crate) fn start(ledger: Arc<dyn Ledger>) -> Self {
        let (queue, messages) = mpsc::channel(QUEUE_COMMANDS_MAX);
        let task = tokio::spawn(run(ledger, messages));
        Self { queue, task: Mutex::new(Some(task)) }
    }

    /// Carries a command out, in a batch with others; durable when this returns.
    pub(crate) async fn apply(&self, command: Command) -> Result<Outcome, Unconfirmed> {
        let (answer, answered) = oneshot::channel();
        self.queue.try_send(Message::Apply(Entry { command, answer })).map_err(|_| Unconfirmed)?;
        answered.await.unwrap_or(Err(Unconfirmed))
    }

    /// Finishes what is in the queue and takes nothing more.
    pub(crate) async fn close(&self) {
        let Some(task) = self.task.lock().await.take() else { return };
        if self.queue.send(Message::Close).await.is_ok() && task.await.is_err() {
            tracing::error!("the committer ended in a panic");
        }
    }
}

async fn run(ledger: Arc<dyn Ledger>, mut messages: mpsc::Receiver<Message>) {
    let mut is_open = true;
    let mut next = None;
    while is_open || next.is_some() {
        let first = match next.take() {
            Some(entry) => entry,
            None => match messages.recv().await {
                Some(Message::Apply(entry)) => entry,
                Some(Message::Close) | None => return,
            },
        };
        let mut items = item_count(&first.command);
        let mut batch = vec![first];
        while is_open && batch.len() < BATCH_COMMANDS_MAX {
            match messages.try_recv() {
                Ok(Message::Apply(entry)) => {
                    items += item_count(&entry.command);
                    if items > BATCH_ITEMS_MAX {
                        next = Some(entry);
                        break;
                    }
                    batch.push(entry);
                }
                Ok(Message::Close) => is_open = false,
                Err(_) => break,
            }
        }
        commit(&ledger, batch).await;
    }
}

fn item_count(command: &Command) -> usize {
    match command {
        Command::Mint { blinds, .. } => blinds.len(),
        Command::Renew { coins, blinds, .. } => coins.len() + blinds.len(),
        Command::Redeem { coins, .. } => coins.len(),
        Command::OpenAccount { .. }
        | Command::Credit { .. }
        | Command::Debit { .. }
        | Command::Transfer { .. }
        | Command::RegisterMintKey { .. }
        | Command::StopMintKey { .. }
        | Command::PruneMintKey { .. }
        | Command::SetSigningPaused { .. } => 1,
    }
}

async fn commit(ledger: &Arc<dyn Ledger>, batch: Vec<Entry>) {
    let (commands, answers): (Vec<Command>, Vec<_>) = batch.into_iter().map(|entry| (entry.command, entry.answer)).unzip();
    let commands = Arc::new(commands);
    match apply(ledger, Arc::clone(&commands)).await {
        Ok(outcomes) => {
            assert_eq!(outcomes.len(), answers.len(), "the ledger answers every command");
            for (answer, outcome) in answers.into_iter().zip(outcomes) {
                // A client that hung up asks again.
                let _ = answer.send(Ok(outcome));
            }
        }
        // One command that the ledger chokes on must not fail its neighbours.
        Err(Failure::OfCommand) if commands.len() > 1 => {
            tracing::warn!(commands = commands.len(), "the commands of a batch are tried one by one");
            for (command, answer) in commands.iter().zip(answers) {
                let outcome = apply(ledger, Arc::new(vec![command.clone()])).await;
                let _ = answer.send(outcome.ok().and_then(|mut outcomes| outcomes.pop()).ok_or(Unconfirmed));
            }
        }
        Err(Failure::OfCommand | Failure::OfLedger) => {
            for answer in answers {
                let _ = answer.send(Err(Unconfirmed));
            }
        }
    }
}

/// Whose fault it is that a batch was not confirmed.
enum Failure {
    /// One of its commands: the database refused it, or an invariant would have broken.
    OfCommand,
    /// The ledger's: another batch would fail, too.
    OfLedger,
}

/// Applies a batch in a task of its own: an invariant that would break is a panic there, and ends nothing else.
async fn apply(ledger: &Arc<dyn Ledger>, commands: Arc<Vec<Command>>) -> Result<Vec<Outcome>, Failure> {
    let ledger = Arc::clone(ledger);
    let applied = tokio::spawn(async move { ledger.apply(&commands).await }).await;
    match applied {
        Ok(Ok(outcomes)) => Ok(outcomes),
        Ok(Err(error @ LedgerError::Database(_))) => {
            tracing::error!(%error, "the database refused a batch");
            Err(Failure::OfCommand)
        }
        Ok(Err(error)) => {
            tracing::error!(%error, "a batch was not confirmed");
            Err(Failure::OfLedger)
        }
        Err(panic) => {
            tracing::error!(%panic, "an invariant of the books would have broken; the batch was not applied");
            Err(Failure::OfCommand)
        }
    }
}
