//! The ledger on PostgreSQL. Several issuer processes can share one database.
//!
//! A batch is one transaction, and usually one statement: [`opencoin_ledger::decide_optimistically`] decides
//! it without reading its rows. `post.rs` writes the result and commits it in one round trip if its
//! conditions hold.
//!
//! If they do not, nothing is written, and the batch takes the longer way: lock and load the rows that it
//! touches, let [`opencoin_ledger::decide`] decide, write the changes in bulk, commit. That takes about a
//! dozen statements for a batch of any size. Rows of accounts and mint keys are locked in the order of their
//! keys. On a conflict with another process (it inserted the same coin or reference, a serialization failure,
//! a deadlock) the transaction is rolled back and the batch is decided again on the current rows, up to
//! [`opencoin_ledger::APPLY_ATTEMPTS_MAX`] times.
//!
//! Citus can distribute the tables that grow over several servers (`layout.rs`). It does not plan the single
//! statement, so a batch is a transaction of a few statements there, with the same conditions. What this changes for
//! reads is explained in `in_doubt.rs` (records) and `audit.rs` (snapshots).
//!
//! Statements use primary keys and unique indexes, but no advisory locks, `LISTEN` or triggers. This may help
//! with other engines that speak PostgreSQL's protocol, but only PostgreSQL and Citus are tested. A lost connection is
//! [`LedgerError::Unavailable`]: the outcome is unknown, and it is safe to send the same commands again.

mod accounts;
mod address;
mod audit;
mod bench;
mod columns;
mod connect;
mod durable;
mod fault;
mod history;
mod in_doubt;
mod kept;
mod layout;
mod load;
mod migrations;
mod password_file;
mod position;
mod post;
mod postgres_ledger;
mod process_slots;
mod read;
mod save;
mod schema;
mod session;
mod slots;
mod sql;
mod transaction;
mod writer;

use async_trait::async_trait;
use opencoin_ledger::journal::ReferenceKey;
use opencoin_ledger::{
    BATCH_COMMANDS_MAX, Command, KeptSignatures, Ledger, LedgerError, MintKeyId, MintKeyStatus, Moments,
    OperatorCommand, Outcome, Prepared, Routine, Scoped, Touches, Transaction, TransactionNo,
    TransactionReference, UnsignedPage, decide, decide_optimistically, scoped, set_log_batch,
};
use sqlx::PgConnection;

pub use crate::address::Protection;
use crate::fault::Fault;
pub use crate::layout::Layout;
pub use crate::postgres_ledger::PostgresLedger;
use crate::sql::{Sql, read_error};
use crate::transaction::Task;

#[async_trait]
impl Ledger for PostgresLedger {
    async fn apply(&self, batch: &[Command]) -> Result<Vec<Outcome>, LedgerError> {
        self.apply_prepared(&Prepared::batch(batch)).await
    }

    async fn apply_for_operator(&self, batch: &[OperatorCommand]) -> Result<Vec<Outcome>, LedgerError> {
        self.apply_prepared(&Prepared::operator_batch(batch)).await
    }

    async fn apply_routine(&self, batch: &[Command]) -> Result<Routine, LedgerError> {
        if batch.len() > BATCH_COMMANDS_MAX {
            return Err(LedgerError::BatchTooLarge(batch.len()));
        }
        let prepared = Prepared::batch(batch);
        let touches = Touches::of(&prepared);
        self.post(&prepared, &touches).await
    }

    async fn transaction(
        &self,
        reference: &TransactionReference,
    ) -> Result<Option<Transaction>, LedgerError> {
        let read = || {
            self.read("transaction", |connection| {
                scoped(read::transaction(connection, reference, self.layout))
            })
        };
        let found = read().await?;
        if found.is_some() || !self.layout.is_distributed() || self.is_read_only {
            return Ok(found);
        }
        let key = ReferenceKey::of_transaction(reference);
        transaction::run(
            &self.doubts,
            Task::transaction("wait for a reference"),
            |connection| scoped(in_doubt::wait(connection, std::slice::from_ref(&key))),
        )
        .await?;
        read().await
    }

    async fn make_durable(&self) -> Result<(), LedgerError> {
        let barrier = self.barrier.clone();
        accounts::finished(async move { barrier.pass().await }).await
    }

    async fn unsigned(
        &self,
        key: &MintKeyStatus,
        after: TransactionNo,
        transactions_max: usize,
    ) -> Result<UnsignedPage, LedgerError> {
        self.read("unsigned", |connection| {
            scoped(async move {
                opencoin_sql::read::unsigned(&mut Sql(connection, self.layout), key, after, transactions_max)
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
        transaction::read(&self.pool, Task::long_read("check coins"), |connection| {
            scoped(async move {
                let checked = opencoin_sql::forget::check_coins(&mut Sql(connection, self.layout), id).await;
                checked.map_err(read_error)
            })
        })
        .await
    }

    async fn forget_rows(&self, id: MintKeyId, rows_max: u32) -> Result<u64, LedgerError> {
        transaction::run(&self.writer, Task::transaction("forget rows"), |connection| {
            scoped(async move {
                Ok(
                    opencoin_sql::forget::forget_rows(&mut Sql(connection, self.layout), id, rows_max)
                        .await?,
                )
            })
        })
        .await
    }

    async fn mint_keys(&self) -> Result<Vec<MintKeyStatus>, LedgerError> {
        self.read("mint keys", |connection| {
            scoped(async move {
                opencoin_sql::read::mint_keys(&mut Sql(connection, self.layout))
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
                opencoin_sql::read::signing_paused(&mut Sql(connection, self.layout))
                    .await
                    .map_err(read_error)
            })
        })
        .await
    }

    async fn ready(&self) -> Result<(), LedgerError> {
        self.read("ready", |connection| scoped(read::ready(connection)))
            .await
    }
}

impl PostgresLedger {
    /// Runs a read that a client waits for.
    async fn read<'a, T>(
        &self,
        name: &'static str,
        work: impl for<'c> FnOnce(&'c mut PgConnection) -> Scoped<'a, 'c, Result<T, LedgerError>>,
    ) -> Result<T, LedgerError> {
        transaction::read(&self.pool, Task::read(name), work).await
    }

    async fn apply_prepared(&self, batch: &[Prepared<'_>]) -> Result<Vec<Outcome>, LedgerError> {
        if batch.len() > BATCH_COMMANDS_MAX {
            return Err(LedgerError::BatchTooLarge(batch.len()));
        }
        let touches = Touches::of(batch);
        // After a refusal the same statement would be refused again, or succeed in another slot and leave this
        // one short.
        if !self.slots.is_refused()
            && let Routine::Applied(outcomes) = self.post(batch, &touches).await?
        {
            return Ok(outcomes);
        }
        transaction::run(&self.writer, Task::transaction("apply"), |connection| {
            scoped(self.decide_and_save(connection, batch, &touches))
        })
        .await
    }

    /// Tries to apply a batch with one statement, completely or not at all.
    async fn post(&self, batch: &[Prepared<'_>], touches: &Touches) -> Result<Routine, LedgerError> {
        let (mut outcomes, postings) = match decide_optimistically(batch, touches, &self.known) {
            Ok(decided) => decided,
            Err(odd) => return Ok(Routine::Odd(odd)),
        };
        let all_odd = || Routine::Odd((0..batch.len()).collect());
        if !post::fits_one_statement(&postings) {
            return Ok(all_odd());
        }
        let task = match self.layout {
            Layout::OneServer => Task::statement("post"),
            Layout::Distributed { .. } => Task::single_transaction("post"),
        };
        let slot = self.slots.take();
        let posted = transaction::run(&self.writer, task, |connection| {
            scoped(async {
                let slot = slot.number(connection).await?;
                match self.layout {
                    Layout::OneServer => post::postings(connection, &postings, slot).await,
                    Layout::Distributed { .. } => {
                        post::distributed_postings(connection, &postings, slot).await
                    }
                }
            })
        });
        match posted.await {
            Ok(log_batch) => {
                set_log_batch(&mut outcomes, log_batch);
                Ok(Routine::Applied(outcomes))
            }
            Err(LedgerError::Contended { .. }) => {
                self.slots.refused();
                Ok(all_odd())
            }
            Err(error) => Err(error),
        }
    }

    async fn decide_and_save(
        &self,
        connection: &mut PgConnection,
        batch: &[Prepared<'_>],
        touches: &Touches,
    ) -> Result<Vec<Outcome>, Fault> {
        self.slots.filling();
        let own = self.slots.own(connection).await?;
        let (mut view, counts) = load::view(connection, touches, self.layout).await?;
        self.known.remember(&view, touches);
        let outcomes = batch.iter().map(|command| decide(&mut view, command)).collect();
        let changes = view.take_changes();
        if changes.is_empty() {
            durable::write(connection, self.layout).await?;
        } else {
            save::changes(connection, changes, &counts, own).await?;
        }
        Ok(outcomes)
    }
}
