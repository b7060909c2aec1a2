//! Group commit of counts: the requests of all connections that arrive during a commit share the next one, and one
//! read of the books' counters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opencoin_crypto::SignError;
use opencoin_ledger::{Ledger, LedgerError, MintKeyId};
use tokio::sync::{mpsc, oneshot};

use super::database::{Database, Writing};
use super::decide::{Alarm, State};
use super::error::CountsError;
use super::transaction::KeyPart;
use opencoin_logging::LogThrottle;

/// The most requests in the queue. Further ones wait for room.
pub(super) const QUEUE_MAX: usize = 1024;

/// The time limit for reading the books' counters.
const BOOKS_DURATION_MAX: Duration = Duration::from_secs(10);

static FAILURES: LogThrottle = LogThrottle::new();
static REFUSALS: LogThrottle = LogThrottle::new();

/// A request and the sender of its answer.
pub(super) struct QueuedRequest {
    pub(super) request: Vec<KeyPart>,
    pub(super) answer: oneshot::Sender<Result<(), SignError>>,
}

/// Runs until all senders of the queue are gone.
pub(super) async fn run(
    ledger: Arc<dyn Ledger>,
    database: Database,
    mut entries: mpsc::Receiver<QueuedRequest>,
) {
    let mut batch = Vec::new();
    while entries.recv_many(&mut batch, QUEUE_MAX).await > 0 {
        // Skips requests whose clients have hung up.
        batch.retain(|entry| !entry.answer.is_closed());
        if batch.is_empty() {
            continue;
        }
        let verdicts = match commit(ledger.as_ref(), &database, &batch).await {
            Ok((verdicts, alarms)) => {
                report(&alarms);
                verdicts
            }
            Err(error) => {
                if let Some(batches) = FAILURES.count(Instant::now()) {
                    tracing::error!(%error, batches, "nothing is signed: the signed blinds cannot be counted");
                }
                vec![Err(SignError::Unavailable); batch.len()]
            }
        };
        for (entry, verdict) in batch.drain(..).zip(verdicts) {
            // A client that has hung up meanwhile may retry; then the request is counted already.
            let _ = entry.answer.send(verdict);
        }
    }
}

type Verdicts = Vec<Result<(), SignError>>;

async fn commit(
    ledger: &dyn Ledger,
    database: &Database,
    batch: &[QueuedRequest],
) -> Result<(Verdicts, BTreeMap<MintKeyId, Alarm>), CountsError> {
    let mut writing = database.write().await?;
    // The transactions were read before, so these counters include them. The counters are read under the write lock:
    // if an operator sets a count, it is compared only with counters that were read later.
    let books = tokio::time::timeout(BOOKS_DURATION_MAX, ledger.mint_keys()).await;
    let books = books.unwrap_or_else(|_| {
        Err(LedgerError::Unavailable(
            "the database does not answer".to_owned(),
        ))
    })?;
    let mut state = State::new(writing.keys().await?, books);
    for part in batch.iter().flat_map(|entry| &entry.request) {
        load(&mut writing, &mut state, part).await?;
    }
    let verdicts = batch.iter().map(|entry| state.decide(&entry.request)).collect();
    let (changes, alarms) = state.finish();
    if changes.is_empty() {
        writing.rollback().await?;
        return Ok((verdicts, alarms));
    }
    for key in &changes.keys {
        writing.put_key(key).await?;
    }
    for (key, hash, is_counted) in &changes.transactions {
        writing.put_transaction(*key, hash, *is_counted).await?;
    }
    writing.commit().await?;
    Ok((verdicts, alarms))
}

async fn load(writing: &mut Writing, state: &mut State, part: &KeyPart) -> Result<(), CountsError> {
    let no = match state.key(&part.key) {
        Some(key) => key.no,
        None => state.add_key(writing.add_key(part.key).await?),
    };
    if let Some(is_counted) = writing.is_counted(no, &part.hash).await? {
        state.load_transaction(part.key, part.hash, is_counted);
    }
    Ok(())
}

fn report(alarms: &BTreeMap<MintKeyId, Alarm>) {
    for (
        mint_key,
        Alarm {
            signed,
            issued,
            refused,
            is_new,
        },
    ) in alarms
    {
        if *is_new {
            tracing::error!(
                %mint_key, signed, issued,
                "ALARM: the books have counted fewer blinds of a mint key than it has signed; it signs nothing until an operator \
                 has found the cause and accepts the books"
            );
        } else if let Some(batches) = REFUSALS.count(Instant::now()) {
            tracing::error!(%mint_key, refused, batches, "ALARM: requests are refused, because a mint key's counts disagree");
        }
    }
}
