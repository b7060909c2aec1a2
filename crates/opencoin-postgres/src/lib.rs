//! The ledger on PostgreSQL: many issuer processes on one database.
//!
//! A batch is one transaction, and nearly always one statement: [`opencoin_ledger::decide_optimistically`] decides it on
//! what it hopes to find, and `post.rs` writes what follows where that is so, commit included, in one round
//! trip.
//!
//! Otherwise nothing was written, and the batch takes the longer way: lock and load what it touches, let
//! [`opencoin_ledger::decide`] decide, write what changed in bulk, commit. A dozen statements, whatever the
//! size of the batch. Rows of accounts and mint keys are locked in the order of their keys. Where another
//! process was faster after all (a coin or a reference is there that was not when it was looked for, a
//! serialization failure, a deadlock), the transaction is undone and the batch decided again on what is there
//! now, [`APPLY_ATTEMPTS_MAX`] times.
//!
//! The SQL keeps to what distributed engines with PostgreSQL's protocol understand, and no query needs more
//! than the primary keys and unique indexes. A lost connection is [`LedgerError::Unavailable`]: the outcome
//! is unknown, and sending the same commands again is safe.

mod accounts;
mod address;
mod audit;
mod bench;
mod connect;
mod durable;
mod fault;
mod history;
mod kept;
mod load;
mod migrations;
mod post;
mod read;
mod save;
mod schema;
mod writer;

use std::time::Duration;

use async_trait::async_trait;
use opencoin_ledger::{
    APPLY_ATTEMPTS_MAX, Account, AccountName, BATCH_COMMANDS_MAX, Command, KeptSignatures, KnownMintKeys,
    Ledger, LedgerError, MintKeyStatus, Moments, Outcome, Prepared, TokenHash, Touches, Transaction,
    TransactionNo, TransactionReference, UnsignedPage, decide, decide_optimistically,
};
use sqlx::{Connection, PgConnection, PgPool};

pub use crate::address::Protection;
use crate::durable::Barrier;
use crate::fault::Fault;
use crate::writer::Writer;

/// How long one attempt at a batch may take before the database counts as unavailable.
const ATTEMPT_SECONDS_MAX: u64 = 60;

/// The same for a batch that deletes all spent coins of a mint key.
const PRUNE_SECONDS_MAX: u64 = 3600;

/// The pause before the second attempt at a batch; each further one is twice as long.
const FIRST_PAUSE_MILLIS: u64 = 1;

/// Books in a PostgreSQL database.
#[derive(Debug, Clone)]
pub struct PostgresLedger {
    pool: PgPool,
    writer: Writer,
    /// Another connection, for what is known of accounts beside their money.
    holders: Writer,
    barrier: Barrier,
    known_mint_keys: KnownMintKeys,
}

#[async_trait]
impl Ledger for PostgresLedger {
    async fn apply(&self, batch: &[Command]) -> Result<Vec<Outcome>, LedgerError> {
        if batch.len() > BATCH_COMMANDS_MAX {
            return Err(LedgerError::BatchTooLarge(batch.len()));
        }
        let prepared = Prepared::batch(batch);
        let touches = Touches::of(&prepared);
        let seconds_max = if touches.prunes {
            PRUNE_SECONDS_MAX
        } else {
            ATTEMPT_SECONDS_MAX
        };
        if let Some(outcomes) = self.post_optimistically(&prepared, &touches).await? {
            return Ok(outcomes);
        }
        until_won(|| in_time(seconds_max, self.attempt(&prepared, &touches))).await
    }

    async fn transaction(
        &self,
        reference: &TransactionReference,
    ) -> Result<Option<Transaction>, LedgerError> {
        read::transaction(&self.pool, reference).await
    }

    async fn make_durable(&self) -> Result<(), LedgerError> {
        let barrier = self.barrier.clone();
        accounts::finished(async move {
            in_time(ATTEMPT_SECONDS_MAX, barrier.pass())
                .await
                .map_err(LedgerError::from)
        })
        .await
    }

    async fn unsigned(
        &self,
        key: &MintKeyStatus,
        after: TransactionNo,
        transactions_max: usize,
    ) -> Result<UnsignedPage, LedgerError> {
        kept::unsigned(&self.pool, key, after, transactions_max).await
    }

    async fn keep_signatures(&self, kept: &[KeptSignatures]) -> Result<Vec<bool>, LedgerError> {
        KeptSignatures::check_batch(kept)?;
        until_won(|| in_time(ATTEMPT_SECONDS_MAX, self.attempt_to_keep(kept))).await
    }

    async fn account_by_token(&self, token_hash: &TokenHash) -> Result<Option<Account>, LedgerError> {
        read::account_by_token(&self.pool, token_hash).await
    }

    async fn account_by_name(&self, name: &AccountName) -> Result<Option<Account>, LedgerError> {
        read::account_by_name(&self.pool, name).await
    }

    async fn mint_keys(&self) -> Result<Vec<MintKeyStatus>, LedgerError> {
        read::mint_keys(&self.pool).await
    }

    async fn moments(&self) -> Result<Moments, LedgerError> {
        read::moments(&self.pool).await
    }

    async fn signing_paused(&self) -> Result<bool, LedgerError> {
        read::signing_paused(&self.pool).await
    }

    async fn ready(&self) -> Result<(), LedgerError> {
        read::ready(&self.pool).await
    }
}

impl PostgresLedger {
    /// The short way: one statement. `None` where the batch must take the longer one; nothing was written
    /// then.
    async fn post_optimistically(
        &self,
        batch: &[Prepared<'_>],
        touches: &Touches,
    ) -> Result<Option<Vec<Outcome>>, LedgerError> {
        let assumed = decide_optimistically(batch, touches, &self.known_mint_keys);
        let Some((outcomes, postings)) = assumed.filter(|(_, postings)| post::fits_one_statement(postings))
        else {
            return Ok(None);
        };
        let post = async {
            let mut writing = self.writer.begin().await?;
            let posted = post::postings(&mut writing, &postings).await;
            if matches!(posted, Ok(()) | Err(Fault::LostRace)) {
                writing.done();
            }
            posted
        };
        match in_time(ATTEMPT_SECONDS_MAX, post).await {
            Ok(()) => Ok(Some(outcomes)),
            Err(Fault::LostRace) => Ok(None),
            Err(Fault::Failed(error)) => Err(error),
        }
    }

    /// One transaction: everything that the batch does, or nothing. Dropped at any point before the commit is
    /// sent, it leaves nothing.
    async fn attempt(&self, batch: &[Prepared<'_>], touches: &Touches) -> Result<Vec<Outcome>, Fault> {
        let mut writing = self.writer.begin().await?;
        let outcomes = self.decide_and_save(&mut writing, batch, touches).await;
        if matches!(outcomes, Ok(_) | Err(Fault::LostRace)) {
            writing.done();
        }
        outcomes
    }

    async fn attempt_to_keep(&self, kept: &[KeptSignatures]) -> Result<Vec<bool>, Fault> {
        let mut writing = self.writer.begin().await?;
        let answers = kept::keep(&mut writing, kept).await;
        if matches!(answers, Ok(_) | Err(Fault::LostRace)) {
            writing.done();
        }
        answers
    }

    async fn decide_and_save(
        &self,
        connection: &mut PgConnection,
        batch: &[Prepared<'_>],
        touches: &Touches,
    ) -> Result<Vec<Outcome>, Fault> {
        let mut transaction = connection
            .begin_with("BEGIN ISOLATION LEVEL READ COMMITTED")
            .await?;
        let mut view = load::view(&mut transaction, touches).await?;
        self.known_mint_keys.remember(&view, touches);
        let outcomes = batch.iter().map(|command| decide(&mut view, command)).collect();
        let changes = view.take_changes();
        if changes.is_empty() {
            durable::commit(transaction).await?;
            return Ok(outcomes);
        }
        match save::changes(&mut transaction, changes).await {
            Ok(()) => transaction.commit().await?,
            Err(fault) => {
                transaction.rollback().await?;
                return Err(fault);
            }
        }
        Ok(outcomes)
    }
}

/// Tries again where another process was faster.
async fn until_won<T, F: Future<Output = Result<T, Fault>>>(
    attempt: impl Fn() -> F,
) -> Result<T, LedgerError> {
    for number in 0..APPLY_ATTEMPTS_MAX {
        if number > 0 {
            tokio::time::sleep(Duration::from_millis(FIRST_PAUSE_MILLIS << number)).await;
        }
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(Fault::LostRace) => {
                tracing::debug!(attempt = number, "another process was faster, it is tried again")
            }
            Err(Fault::Failed(error)) => return Err(error),
        }
    }
    Err(LedgerError::Contended {
        attempts: APPLY_ATTEMPTS_MAX,
    })
}

/// A database that does not answer counts as unavailable after a while.
async fn in_time<T>(seconds_max: u64, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let unavailable = |_| LedgerError::Unavailable(format!("no answer within {seconds_max} s"));
    tokio::time::timeout(Duration::from_secs(seconds_max), work)
        .await
        .map_err(unavailable)?
}
