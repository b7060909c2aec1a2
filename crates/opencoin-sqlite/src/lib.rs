//! The ledger on embedded SQLite, the default of a new currency: one file and no server.
//!
//! A batch is one transaction: take the write lock (`BEGIN IMMEDIATE`), load the rows that the batch touches,
//! let [`opencoin_ledger::decide`] decide, write the changes, commit. Usually nothing has to be loaded:
//! [`opencoin_ledger::decide_optimistically`] decides on assumptions, and `post.rs` checks them while it
//! writes.
//!
//! One connection writes and a few read. With the write-ahead log and `synchronous = FULL`, a confirmed
//! commit survives a power failure. Other processes, such as the command line beside the server, may use the
//! same file. They wait for each other's write lock, [`BUSY_SECONDS_MAX`] seconds at a time.
//!
//! Each connection runs SQLite on its own thread, so no async worker waits for the disk.

mod accounts;
mod audit;
mod backup;
mod bench;
mod bulk;
mod checkpoint;
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
mod script;
mod sql;
mod transaction;
mod writer;

use std::fs::File;
use std::sync::Arc;

use async_trait::async_trait;
use opencoin_ledger::{
    BATCH_COMMANDS_MAX, Command, KeptSignatures, KnownBooks, Ledger, LedgerError, MintKeyId, MintKeyStatus,
    Moments, OperatorCommand, Outcome, Postings, Prepared, Scoped, Touches, Transaction, TransactionNo,
    TransactionReference, UnsignedPage, decide, decide_optimistically, scoped,
};
use sqlx::{SqliteConnection, SqlitePool};

pub use crate::backup::{Copied, Replaced, copy_into, inspect, mark_as_restored, replace};
pub use crate::migrate::{Migrated, migrate, schema_state};
pub use crate::open::{BUSY_SECONDS_MAX, Mode};

use crate::checkpoint::Checkpoints;
use crate::fault::Fault;
use crate::sql::{Sql, read_error};
use crate::transaction::Task;
use crate::writer::Writer;

/// The size of a page of the file, SQLite's default.
const PAGE_BYTES: usize = 4096;

/// Books in a SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteLedger {
    writer: Writer,
    readers: SqlitePool,
    checkpoints: Checkpoints,
    known: KnownBooks,
    /// Keeps other processes from replacing or migrating the books. `None` if they were opened for reading.
    _lock: Option<Arc<File>>,
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn apply(&self, batch: &[Command]) -> Result<Vec<Outcome>, LedgerError> {
        self.apply_prepared(&Prepared::batch(batch)).await
    }

    async fn apply_for_operator(&self, batch: &[OperatorCommand]) -> Result<Vec<Outcome>, LedgerError> {
        self.apply_prepared(&Prepared::operator_batch(batch)).await
    }

    async fn transaction(
        &self,
        reference: &TransactionReference,
    ) -> Result<Option<Transaction>, LedgerError> {
        self.read("transaction", |connection| {
            scoped(read::transaction(connection, reference))
        })
        .await
    }

    async fn unsigned(
        &self,
        key: &MintKeyStatus,
        after: TransactionNo,
        transactions_max: usize,
    ) -> Result<UnsignedPage, LedgerError> {
        self.read("unsigned", |connection| {
            scoped(async move {
                opencoin_sql::read::unsigned(&mut Sql(connection), key, after, transactions_max)
                    .await
                    .map_err(read_error)
            })
        })
        .await
    }

    async fn keep_signatures(&self, kept: &[KeptSignatures]) -> Result<Vec<bool>, LedgerError> {
        KeptSignatures::check_batch(kept)?;
        transaction::run(&self.writer, Task::transaction("keep signatures"), |connection| {
            scoped(kept::keep(connection, kept))
        })
        .await
    }

    async fn check_coins(&self, id: MintKeyId) -> Result<(), LedgerError> {
        transaction::read(&self.readers, Task::long_read("check coins"), |connection| {
            scoped(async move {
                let checked = opencoin_sql::forget::check_coins(&mut Sql(connection), id).await;
                checked.map_err(read_error)
            })
        })
        .await
    }

    async fn forget_rows(&self, id: MintKeyId, rows_max: u32) -> Result<u64, LedgerError> {
        transaction::run(&self.writer, Task::transaction("forget rows"), |connection| {
            scoped(async move {
                Ok(opencoin_sql::forget::forget_rows(&mut Sql(connection), id, rows_max).await?)
            })
        })
        .await
    }

    async fn mint_keys(&self) -> Result<Vec<MintKeyStatus>, LedgerError> {
        self.read("mint keys", |connection| {
            scoped(async move {
                opencoin_sql::read::mint_keys(&mut Sql(connection))
                    .await
                    .map_err(read_error)
            })
        })
        .await
    }

    async fn moments(&self) -> Result<Moments, LedgerError> {
        self.read("moments", |connection| scoped(read::moments(connection)))
            .await
    }

    async fn signing_paused(&self) -> Result<bool, LedgerError> {
        self.read("signing paused", |connection| {
            scoped(async move {
                opencoin_sql::read::signing_paused(&mut Sql(connection))
                    .await
                    .map_err(read_error)
            })
        })
        .await
    }

    async fn ready(&self) -> Result<(), LedgerError> {
        self.signing_paused().await.map(|_| ())
    }
}

/// The pages that a batch changes, more or less: one for each coin, for each record those of its row, its reference
/// and its blinds.
fn pages(postings: &Postings) -> usize {
    let blinds = postings
        .journal
        .iter()
        .filter_map(|record| record.blinds.as_ref());
    let of_blinds = blinds
        .map(|blinds| blinds.encoded.len() / PAGE_BYTES)
        .sum::<usize>();
    postings.spent.len() + 3 * postings.journal.len() + of_blinds
}

impl SqliteLedger {
    /// Runs a read that a client waits for.
    async fn read<'a, T>(
        &self,
        name: &'static str,
        work: impl for<'c> FnOnce(&'c mut SqliteConnection) -> Scoped<'a, 'c, Result<T, LedgerError>>,
    ) -> Result<T, LedgerError> {
        transaction::read(&self.readers, Task::read(name), work).await
    }

    async fn apply_prepared(&self, batch: &[Prepared<'_>]) -> Result<Vec<Outcome>, LedgerError> {
        if batch.len() > BATCH_COMMANDS_MAX {
            return Err(LedgerError::BatchTooLarge(batch.len()));
        }
        let touches = Touches::of(batch);
        if let Ok((outcomes, postings)) = decide_optimistically(batch, &touches, &self.known) {
            let script = post::script(&postings).map_err(Fault::into_error)?;
            match transaction::run_script(&self.writer, Task::once("post"), script).await {
                Ok(()) => {
                    self.checkpoints.wrote(pages(&postings));
                    return Ok(outcomes);
                }
                Err(LedgerError::Contended { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let outcomes = transaction::run(&self.writer, Task::transaction("apply"), |connection| {
            scoped(self.decide_and_save(connection, batch, &touches))
        })
        .await?;
        self.checkpoints.wrote(touches.coins.len() + 3 * batch.len());
        Ok(outcomes)
    }

    async fn decide_and_save(
        &self,
        connection: &mut SqliteConnection,
        batch: &[Prepared<'_>],
        touches: &Touches,
    ) -> Result<Vec<Outcome>, Fault> {
        let mut view = load::view(connection, touches).await?;
        self.known.remember(&view, touches);
        let outcomes = batch.iter().map(|command| decide(&mut view, command)).collect();
        let changes = view.take_changes();
        if !changes.is_empty() {
            save::changes(connection, changes).await?;
        }
        Ok(outcomes)
    }
}
