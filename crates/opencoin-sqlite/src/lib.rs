//! The ledger on embedded SQLite: the default of a fresh start, one file and no server.
//!
//! A batch is one transaction: take the write lock (`BEGIN IMMEDIATE`), load what the batch touches, let
//! [`opencoin_ledger::decide`] decide, write what changed, commit. Nearly always loading can be left out,
//! because [`opencoin_ledger::decide_optimistically`] decides on what it hopes to find, and `post.rs` notices where that is
//! not so. One connection writes and a few read. Write-ahead log and `synchronous = FULL`: a commit that was
//! confirmed survives loss of power. Other processes (the command line beside the server) may work on the
//! same file; they wait for each other's write lock, [`BUSY_SECONDS_MAX`] seconds at a time.
//!
//! SQLite runs on a thread of its own behind each connection, so no async worker ever waits for the disk.

mod accounts;
mod audit;
mod backup;
mod bench;
mod bulk;
mod fault;
mod history;
mod kept;
mod load;
mod lock;
mod migrate;
mod migrations;
mod open;
mod post;
mod read;
mod save;
mod schema;

use std::fs::File;
use std::sync::Arc;

use async_trait::async_trait;
use opencoin_ledger::{
    APPLY_ATTEMPTS_MAX, Account, AccountName, BATCH_COMMANDS_MAX, Command, KeptSignatures, KnownMintKeys,
    Ledger, LedgerError, MintKeyStatus, Moments, Outcome, Postings, Prepared, TokenHash, Touches,
    Transaction, TransactionNo, TransactionReference, UnsignedPage, decide, decide_optimistically,
};
use sqlx::SqlitePool;

pub use crate::backup::{Copied, Replaced, copy_into, inspect, mark_as_restored, replace};
pub use crate::migrate::{Migrated, migrate, schema_state};
pub use crate::open::{BUSY_SECONDS_MAX, Mode};

use crate::fault::Fault;

/// Books in a SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteLedger {
    writer: SqlitePool,
    readers: SqlitePool,
    known_mint_keys: KnownMintKeys,
    /// Held so that nobody puts other books in place of these meanwhile.
    _lock: Option<Arc<File>>,
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn apply(&self, batch: &[Command]) -> Result<Vec<Outcome>, LedgerError> {
        if batch.len() > BATCH_COMMANDS_MAX {
            return Err(LedgerError::BatchTooLarge(batch.len()));
        }
        let prepared = Prepared::batch(batch);
        let touches = Touches::of(&prepared);
        let assumed = decide_optimistically(&prepared, &touches, &self.known_mint_keys);
        until_free(|| self.attempt(&prepared, &touches, assumed.as_ref())).await
    }

    async fn transaction(
        &self,
        reference: &TransactionReference,
    ) -> Result<Option<Transaction>, LedgerError> {
        read::transaction(&self.readers, reference).await
    }

    async fn unsigned(
        &self,
        key: &MintKeyStatus,
        after: TransactionNo,
        transactions_max: usize,
    ) -> Result<UnsignedPage, LedgerError> {
        kept::unsigned(&self.readers, key, after, transactions_max).await
    }

    async fn keep_signatures(&self, kept: &[KeptSignatures]) -> Result<Vec<bool>, LedgerError> {
        KeptSignatures::check_batch(kept)?;
        until_free(|| kept::keep(&self.writer, kept)).await
    }

    async fn account_by_token(&self, token_hash: &TokenHash) -> Result<Option<Account>, LedgerError> {
        read::account_by_token(&self.readers, token_hash).await
    }

    async fn account_by_name(&self, name: &AccountName) -> Result<Option<Account>, LedgerError> {
        read::account_by_name(&self.readers, name).await
    }

    async fn mint_keys(&self) -> Result<Vec<MintKeyStatus>, LedgerError> {
        read::mint_keys(&self.readers).await
    }

    async fn moments(&self) -> Result<Moments, LedgerError> {
        read::moments(&self.readers).await
    }

    async fn signing_paused(&self) -> Result<bool, LedgerError> {
        read::signing_paused(&self.readers).await
    }

    async fn ready(&self) -> Result<(), LedgerError> {
        read::signing_paused(&self.readers).await.map(|_| ())
    }
}

impl SqliteLedger {
    /// One transaction: everything that the batch does, or nothing. Dropped at any point before the commit is
    /// sent, it leaves nothing.
    async fn attempt(
        &self,
        batch: &[Prepared<'_>],
        touches: &Touches,
        assumed: Option<&(Vec<Outcome>, Postings)>,
    ) -> Result<Vec<Outcome>, Fault> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        if let Some((outcomes, postings)) = assumed {
            if post::postings(&mut transaction, postings).await? {
                transaction.commit().await?;
                return Ok(outcomes.clone());
            }
            transaction.rollback().await?;
            transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        }
        let mut view = load::view(&mut transaction, touches).await?;
        self.known_mint_keys.remember(&view, touches);
        let outcomes = batch.iter().map(|command| decide(&mut view, command)).collect();
        let changes = view.take_changes();
        if changes.is_empty() {
            transaction.rollback().await?;
        } else {
            save::changes(&mut transaction, changes).await?;
            transaction.commit().await?;
        }
        Ok(outcomes)
    }
}

/// Tries again where another process holds the write lock. Each attempt has waited for it already.
async fn until_free<T, F: Future<Output = Result<T, Fault>>>(
    attempt: impl Fn() -> F,
) -> Result<T, LedgerError> {
    for _ in 0..APPLY_ATTEMPTS_MAX {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(Fault::Busy) => {}
            Err(Fault::Failed(error)) => return Err(error),
        }
    }
    Err(LedgerError::Contended {
        attempts: APPLY_ATTEMPTS_MAX,
    })
}
