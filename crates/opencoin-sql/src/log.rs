//! The public log in the tables of the books, for every store.
//!
//! Batches of commands add rows to `log_pending`, each in its own transaction; that part is in the stores. Here is what
//! the sealer and the readers of the log do. Sealing is one transaction: it takes the rows that wait, makes the batch
//! ([`opencoin_ledger::log::seal`]), and stores tree, totals and the new open batch. A crash before the commit leaves
//! everything as it was.

mod checkpoints;
mod key_accounts;
mod recovery;

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use opencoin_ledger::RecoveredEntry;
use opencoin_ledger::log::{
    CopiedBatch, Edge, LogKey, NewBundle, NewTile, PendingLeaves, SealInput, Sealed, SealingError,
    WaitingRow, seal,
};
use opencoin_ledger::view::{MintKeyNo, MintKeyState};
use opencoin_ledger::{
    IssuedDigest, LEASE_HOLDER_BYTES, LedgerError, LedgerTime, LogBatch, LogBatchNo, LogHead, LogStore,
    LogTerms, LogTotals, LoggedCounts, LoggedKeyAccounts, MintKeyId, PendingSummary, PublishedCheckpoint,
    SealOutcome, SpentDigest, TileOfLog, stored,
};
use opencoin_log::batch::KeyCounts;
use opencoin_log::hash::Hash;
use opencoin_log::key_account::AccountKey;
use opencoin_log::key_no::KeyNo;
use opencoin_log::tile::{TileId, right_edge};

use crate::pieces::pieces;
use crate::places::{list, places};
use crate::rows::{mint_key, mint_key_columns};
use crate::{Executor, Row, Runner, SqlError, Value};

/// The most rows of tiles or bundles that one statement writes.
const ROWS_PER_STATEMENT_MAX: usize = 64;

/// Implements [`LogStore`] on the reads and transactions of a store.
#[derive(Debug, Clone)]
pub struct SqlLog<R>(pub R);

#[async_trait]
impl<R: Runner> LogStore for SqlLog<R> {
    async fn head(&self) -> Result<Option<LogHead>, LedgerError> {
        let read = self
            .0
            .read("head of the log", (), |sql, ()| Box::pin(head(sql, "")));
        read.await
    }

    async fn pending(&self) -> Result<PendingSummary, LedgerError> {
        let read = self
            .0
            .read("what waits for the log", (), |sql, ()| Box::pin(pending(sql)));
        read.await
    }

    async fn seal(
        &self,
        open: LogBatchNo,
        at: LedgerTime,
        terms: &LogTerms,
    ) -> Result<SealOutcome, LedgerError> {
        let broken = Arc::new(OnceLock::new());
        let change = self.0.change(
            "seal",
            (open, at, terms.clone(), Arc::clone(&broken)),
            |sql, (open, at, terms, broken)| Box::pin(seal_batch(sql, *open, *at, terms, broken)),
        );
        let sealed = change.await;
        let Some(broken) = broken.get() else {
            return sealed;
        };
        let change = self
            .0
            .change("halt the log", (open, broken.clone()), |sql, (open, broken)| {
                Box::pin(halt(sql, *open, broken))
            });
        change.await?;
        Ok(SealOutcome::Broken(broken.clone()))
    }

    async fn waiting(&self) -> Result<Vec<WaitingRow>, LedgerError> {
        let read = self.0.read("what waits for the log", (), |sql, ()| {
            Box::pin(recovery::waiting(sql))
        });
        read.await
    }

    async fn seal_copied(
        &self,
        batch: Arc<CopiedBatch>,
        terms: &LogTerms,
    ) -> Result<SealOutcome, LedgerError> {
        let broken = Arc::new(OnceLock::new());
        let change = self.0.change(
            "seal a copied batch",
            (batch, terms.clone(), Arc::clone(&broken)),
            |sql, (batch, terms, broken)| Box::pin(recovery::seal_batch(sql, batch, terms, broken)),
        );
        let sealed = change.await;
        broken
            .get()
            .map_or(sealed, |broken| Ok(SealOutcome::Broken(broken.clone())))
    }

    async fn recovered_in(
        &self,
        mint_key: MintKeyNo,
        blind: IssuedDigest,
    ) -> Result<Vec<LogBatchNo>, LedgerError> {
        let read = self
            .0
            .read("recovered blind", (mint_key, blind), |sql, (mint_key, blind)| {
                Box::pin(recovery::batches_of(sql, *mint_key, *blind))
            });
        read.await
    }

    async fn recovered_entries(&self) -> Result<Vec<RecoveredEntry>, LedgerError> {
        let read = self
            .0
            .read("recovered money", (), |sql, ()| Box::pin(recovery::entries(sql)));
        read.await
    }

    async fn key_accounts(&self) -> Result<Option<LoggedKeyAccounts>, LedgerError> {
        let read = self.0.read("key accounts in the log", (), |sql, ()| {
            Box::pin(key_accounts::snapshot(sql))
        });
        read.await
    }

    async fn key_payment(&self, key: &AccountKey, seq: u64) -> Result<Option<LogBatchNo>, LedgerError> {
        let read = self.0.read("payment of a key", (*key, seq), |sql, (key, seq)| {
            Box::pin(key_accounts::batch_of_payment(sql, key, *seq))
        });
        read.await
    }

    async fn batch(&self, no: LogBatchNo) -> Result<Option<LogBatch>, LedgerError> {
        let read = self
            .0
            .read("batch of the log", no, |sql, no| Box::pin(batch(sql, *no)));
        read.await
    }

    async fn bundle(&self, index: u64) -> Result<Option<TileOfLog>, LedgerError> {
        let read = self.0.read("bundle of the log", index, |sql, index| {
            Box::pin(bundle(sql, *index))
        });
        read.await
    }

    async fn tile(&self, level: u8, index: u64) -> Result<Option<TileOfLog>, LedgerError> {
        let id = TileId { level, index };
        let read = self
            .0
            .read("tile of the log", id, |sql, id| Box::pin(tile(sql, *id)));
        read.await
    }

    async fn published(&self) -> Result<Option<PublishedCheckpoint>, LedgerError> {
        let read = self.0.read("published checkpoint", (), |sql, ()| {
            Box::pin(checkpoints::published(sql))
        });
        read.await
    }

    async fn publish(&self, checkpoint: &PublishedCheckpoint) -> Result<bool, LedgerError> {
        let change = self
            .0
            .change("publish a checkpoint", checkpoint.clone(), |sql, checkpoint| {
                Box::pin(checkpoints::publish(sql, checkpoint))
            });
        change.await
    }

    async fn published_of_size(&self, size: u64) -> Result<Option<PublishedCheckpoint>, LedgerError> {
        let read = self.0.read("published checkpoint", size, |sql, size| {
            Box::pin(checkpoints::of_size(sql, *size))
        });
        read.await
    }

    async fn joint(&self) -> Result<Option<PublishedCheckpoint>, LedgerError> {
        let read = self.0.read("joint checkpoint", (), |sql, ()| {
            Box::pin(checkpoints::joint(sql))
        });
        read.await
    }

    async fn publish_joint(&self, checkpoint: &PublishedCheckpoint) -> Result<bool, LedgerError> {
        let change = self.0.change(
            "publish a joint checkpoint",
            checkpoint.clone(),
            |sql, checkpoint| Box::pin(checkpoints::publish_joint(sql, checkpoint)),
        );
        change.await
    }

    async fn take_lease(
        &self,
        holder: [u8; LEASE_HOLDER_BYTES],
        now: LedgerTime,
        until: LedgerTime,
    ) -> Result<bool, LedgerError> {
        let change = self.0.change(
            "lease of the sealer",
            (holder, now, until),
            |sql, (holder, now, until)| Box::pin(take_lease(sql, holder, *now, *until)),
        );
        change.await
    }

    async fn keys_to_release(&self, size: u64) -> Result<Vec<MintKeyId>, LedgerError> {
        let read = self.0.read("mint keys that wait for the log", size, |sql, size| {
            Box::pin(keys_to_release(sql, *size))
        });
        read.await
    }

    async fn key_batches(&self) -> Result<Vec<(KeyNo, LogBatchNo)>, LedgerError> {
        let read = self
            .0
            .read("mint keys in the log", (), |sql, ()| Box::pin(key_batches(sql)));
        read.await
    }

    async fn key_counts(&self) -> Result<Option<LoggedCounts>, LedgerError> {
        let read = self
            .0
            .read("counts in the log", (), |sql, ()| Box::pin(key_counts(sql)));
        read.await
    }

    async fn batch_of_spent(
        &self,
        mint_key: MintKeyNo,
        coin: SpentDigest,
    ) -> Result<Option<LogBatchNo>, LedgerError> {
        let read = self.0.read(
            "batch of a spent coin",
            (mint_key, coin),
            |sql, (mint_key, coin)| Box::pin(batch_of_spent(sql, *mint_key, *coin)),
        );
        read.await
    }
}

/// A number as a column of a table stores it.
fn column(number: u64) -> Result<i64, LedgerError> {
    i64::try_from(number).map_err(|error| LedgerError::corrupt("log", error))
}

fn number(row: &mut Row) -> Result<u64, SqlError> {
    let number: i64 = row.take()?;
    Ok(u64::try_from(number).map_err(|error| LedgerError::corrupt("row of the log", error))?)
}

fn batch_no(row: &mut Row) -> Result<LogBatchNo, SqlError> {
    number(row).map(LogBatchNo::new)
}

fn hash(row: &mut Row) -> Result<Hash, SqlError> {
    let bytes: Vec<u8> = row.take()?;
    let bytes = bytes
        .try_into()
        .map_err(|_| LedgerError::corrupt("row of the log", "a hash does not have 32 bytes"))?;
    Ok(Hash::new(bytes))
}

async fn head(sql: &mut dyn Executor, lock: &str) -> Result<Option<LogHead>, SqlError> {
    let query = format!(
        "SELECT size, root, batch, previous, time_s, {TOTALS}, ledger_root, began_late, recovered_to, halted
        FROM log_head WHERE id = 1 {lock}"
    );
    let head = |row: &mut Row| {
        Ok(LogHead {
            size: number(row)?,
            root: hash(row)?,
            batch: batch_no(row)?,
            previous: row.take::<Option<i64>>()?.map(i64::unsigned_abs),
            time_s: number(row)?,
            totals: totals(row)?,
            ledger_root: hash(row)?,
            began_late: row.take()?,
            recovered_to: stored::log_batch(row.take()?)
                .map_err(|error| LedgerError::corrupt("row of the log", error))?,
            halted: row.take()?,
        })
    };
    sql.optional(&query, &[], head).await
}

/// The columns that [`totals`] reads.
const TOTALS: &str = "accounts, paid_in, paid_out, recouped, key_accounts";

fn totals(row: &mut Row) -> Result<LogTotals, SqlError> {
    let columns = [row.take()?, row.take()?, row.take()?, row.take()?, row.take()?];
    Ok(LogTotals::from_columns(columns))
}

async fn pending(sql: &mut dyn Executor) -> Result<PendingSummary, SqlError> {
    let query = format!(
        "SELECT coalesce(sum({length}(coins)), 0), coalesce(max({length}(others)), 0), coalesce(max({length}(statements)), 0),
            min(at) FROM log_pending",
        length = sql.dialect().byte_length
    );
    let summary = |row: &mut Row| {
        let bytes = number(row)?;
        let [others, statements]: [i64; 2] = [row.take()?, row.take()?];
        let oldest: Option<i64> = row.take()?;
        Ok(PendingSummary {
            coins: bytes / opencoin_log::leaf::COIN_LEAF_BYTES as u64,
            has_others: others > 0,
            has_statements: statements > 0,
            oldest: oldest.map(LedgerTime::from_unix_micros),
        })
    };
    sql.one(&query, &[], summary).await
}

/// Seals a batch. If a rule would be broken, sets `broken` and fails, so that what waits stays as it was.
async fn seal_batch(
    sql: &mut dyn Executor,
    open: LogBatchNo,
    at: LedgerTime,
    terms: &LogTerms,
    broken: &OnceLock<SealingError>,
) -> Result<SealOutcome, SqlError> {
    let lock = sql.dialect().for_update;
    let Some(head) = head(sql, lock).await?.filter(|head| head.batch == open) else {
        return Ok(SealOutcome::Moved);
    };
    if head.halted.is_some() {
        return Ok(SealOutcome::Nothing);
    }
    // The keys first: what was accepted before a key was retired is then among what waits.
    let keys = keys(sql).await?;
    let (numbers, waiting) = numbered_pending(sql).await?;
    let key_accounts = key_accounts::before(sql, &waiting).await?;
    let edge = edge(sql, head.size).await?;
    let size = head.size;
    let input = SealInput {
        head,
        keys,
        edge,
        waiting,
        key_accounts,
        terms: terms.clone(),
        closings: None,
        at,
    };
    // Sorting and hashing a large batch would keep everything else from running on this thread.
    let sealed = tokio::task::spawn_blocking(|| seal(input)).await;
    let stopped = |error| LedgerError::Unavailable(format!("the batch was not made: {error}"));
    match sealed.map_err(stopped)? {
        Ok(Some(sealed)) => {
            let count = numbers.len() - sealed.left.len();
            remove_pending(sql, &numbers[..count]).await?;
            save(sql, size, &sealed).await.map(SealOutcome::Sealed)
        }
        Ok(None) => Ok(SealOutcome::Nothing),
        Err(rule) => {
            let failed = LedgerError::corrupt("log", &rule);
            let _first = broken.set(rule);
            Err(failed.into())
        }
    }
}

/// All rows that wait, in ascending order of their numbers, which are given too. A commit that builds on another one has a
/// larger number.
async fn numbered_pending(sql: &mut dyn Executor) -> Result<(Vec<i64>, Vec<WaitingRow>), SqlError> {
    let query = format!("SELECT id, at, {PENDING} FROM log_pending ORDER BY id");
    let numbered = |row: &mut Row| Ok((row.take::<i64>()?, waiting_row(row)?));
    let rows = sql.all(&query, &[], numbered).await?;
    Ok(rows.into_iter().unzip())
}

/// Removes rows that were sealed. What has committed since they were read may have a smaller number, and stays.
async fn remove_pending(sql: &mut dyn Executor, sealed: &[i64]) -> Result<(), SqlError> {
    for numbers in pieces(sealed, ROWS_PER_STATEMENT_MAX) {
        let query = format!("DELETE FROM log_pending WHERE id IN ({})", list(numbers.len()));
        let values: Vec<Value<'_>> = numbers.iter().map(|number| Value::from(*number)).collect();
        sql.execute(&query, &values).await?;
    }
    Ok(())
}

fn waiting_row(row: &mut Row) -> Result<WaitingRow, SqlError> {
    let at = LedgerTime::from_unix_micros(row.take()?);
    Ok((at, pending_leaves(row)?))
}

/// The columns that [`pending_leaves`] reads: what waits, then [`TOTALS`].
const PENDING: &str = "coins, others, statements, accounts, paid_in, paid_out, recouped, key_accounts";

fn pending_leaves(row: &mut Row) -> Result<PendingLeaves, SqlError> {
    Ok(PendingLeaves {
        coins: row.take()?,
        others: row.take()?,
        statements: row.take()?,
        totals: totals(row)?,
    })
}

/// Stores which rule the open batch would have broken. Nothing is accepted from then on.
async fn halt(sql: &mut dyn Executor, open: LogBatchNo, broken: &SealingError) -> Result<(), SqlError> {
    let reason = broken.to_string();
    let query = "UPDATE log_head SET halted = $1 WHERE id = 1 AND batch = $2 AND halted IS NULL";
    let values = [reason[..].into(), column(open.get())?.into()];
    sql.execute(query, &values).await?;
    Ok(())
}

async fn insert_pending(sql: &mut dyn Executor, (at, waiting): &WaitingRow) -> Result<(), SqlError> {
    let query =
        format!("INSERT INTO log_pending (at, {PENDING}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
    let mut values = vec![
        at.unix_micros().into(),
        waiting.coins[..].into(),
        waiting.others[..].into(),
        waiting.statements[..].into(),
    ];
    values.extend(waiting.totals.columns().map(Value::from));
    sql.execute(&query, &values).await?;
    Ok(())
}

/// All mint keys, with what the log has counted.
async fn keys(sql: &mut dyn Executor) -> Result<Vec<LogKey>, SqlError> {
    let query = "SELECT key_no, issued, spent, batch, signing_closed, coins_closed FROM log_keys";
    let counted = |row: &mut Row| {
        Ok((
            row.take::<i32>()?,
            number(row)?,
            number(row)?,
            row.take::<Option<i64>>()?.map(i64::unsigned_abs),
            row.take()?,
            row.take()?,
        ))
    };
    let counted: Vec<(i32, u64, u64, Option<u64>, bool, bool)> = sql.all(query, &[], counted).await?;
    let columns = mint_key_columns(sql.dialect());
    let query = format!("SELECT {columns} FROM mint_keys ORDER BY no");
    let rows = sql.all(&query, &[], mint_key).await?;
    let mut keys = Vec::with_capacity(rows.len());
    for row in rows {
        let key = MintKeyState::try_from(row)?;
        let mut logged = key.log_key();
        if let Some(counted) = counted.iter().find(|(no, ..)| *no == key.no.get()) {
            (
                _,
                logged.issued,
                logged.spent,
                logged.batch,
                logged.signing_closed,
                logged.coins_closed,
            ) = *counted;
        }
        keys.push(logged);
    }
    Ok(keys)
}

/// The incomplete bundle and tiles at the end of a log of this size.
async fn edge(sql: &mut dyn Executor, size: u64) -> Result<Edge, SqlError> {
    let missing = || LedgerError::corrupt("log", "the end of the tree is missing");
    let mut edge = Edge::default();
    for (id, _) in right_edge(size) {
        if id.level == 0 {
            edge.bundle = bundle(sql, id.index).await?.ok_or_else(missing)?;
        } else {
            edge.tiles.insert(id, tile(sql, id).await?.ok_or_else(missing)?);
        }
    }
    Ok(edge)
}

async fn save(sql: &mut dyn Executor, size: u64, sealed: &Sealed) -> Result<LogBatch, SqlError> {
    let Sealed {
        batch,
        head,
        bundles,
        tiles,
        keys,
        key_accounts,
        left: _,
    } = sealed;
    for bundles in pieces(bundles, ROWS_PER_STATEMENT_MAX) {
        insert_bundles(sql, bundles).await?;
    }
    for tiles in pieces(tiles, ROWS_PER_STATEMENT_MAX) {
        insert_tiles(sql, tiles).await?;
    }
    let query = "INSERT INTO log_batches (no, first, count, root, time_s) VALUES ($1, $2, $3, $4, $5)";
    let values = [
        column(batch.no.get())?.into(),
        column(batch.first)?.into(),
        column(batch.count)?.into(),
        batch.root.as_bytes().into(),
        column(batch.time_s)?.into(),
    ];
    sql.execute(query, &values).await?;
    for key in keys {
        save_key(sql, key).await?;
    }
    key_accounts::save(sql, key_accounts).await?;
    let query =
        "UPDATE log_head SET size = $1, root = $2, batch = $3, previous = $4, time_s = $5, accounts = $6,
            paid_in = $7, paid_out = $8, recouped = $9, key_accounts = $10, ledger_root = $11, recovered_to = $12
        WHERE id = 1 AND size = $13";
    let [accounts, paid_in, paid_out, recouped, key_accounts] = head.totals.columns();
    let values = [
        column(head.size)?.into(),
        head.root.as_bytes().into(),
        column(head.batch.get())?.into(),
        Value::Int(head.previous.map(column).transpose()?),
        column(head.time_s)?.into(),
        accounts.into(),
        paid_in.into(),
        paid_out.into(),
        recouped.into(),
        key_accounts.into(),
        head.ledger_root.as_bytes().into(),
        Value::Int(head.recovered_to.map(|batch| column(batch.get())).transpose()?),
        column(size)?.into(),
    ];
    if sql.execute(query, &values).await? == 1 {
        Ok(*batch)
    } else {
        Err(LedgerError::corrupt("row of log_head", "it changed while it was locked").into())
    }
}

async fn insert_bundles(sql: &mut dyn Executor, bundles: &[NewBundle]) -> Result<(), SqlError> {
    let query = format!(
        "INSERT INTO log_bundles (no, width, data) VALUES {}
        ON CONFLICT (no) DO UPDATE SET width = excluded.width, data = excluded.data",
        places(bundles.len(), 3)
    );
    let mut values = Vec::with_capacity(3 * bundles.len());
    for bundle in bundles {
        values.push(column(bundle.index)?.into());
        values.push(i64::from(bundle.width.get()).into());
        values.push(bundle.data[..].into());
    }
    sql.execute(&query, &values).await?;
    Ok(())
}

async fn insert_tiles(sql: &mut dyn Executor, tiles: &[NewTile]) -> Result<(), SqlError> {
    let query = format!(
        "INSERT INTO log_tiles (level, no, width, data) VALUES {}
        ON CONFLICT (level, no) DO UPDATE SET width = excluded.width, data = excluded.data",
        places(tiles.len(), 4)
    );
    let mut values = Vec::with_capacity(4 * tiles.len());
    for tile in tiles {
        values.push(i64::from(tile.id.level).into());
        values.push(column(tile.id.index)?.into());
        values.push(i64::from(tile.width.get()).into());
        values.push(tile.bytes[..].into());
    }
    sql.execute(&query, &values).await?;
    Ok(())
}

async fn save_key(sql: &mut dyn Executor, key: &LogKey) -> Result<(), SqlError> {
    let query = "INSERT INTO log_keys (key_no, issued, spent, batch, signing_closed, coins_closed)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (key_no) DO UPDATE SET issued = excluded.issued, spent = excluded.spent, batch = excluded.batch,
            signing_closed = excluded.signing_closed, coins_closed = excluded.coins_closed";
    let values = [
        i64::from(key.no.get()).into(),
        column(key.issued)?.into(),
        column(key.spent)?.into(),
        Value::Int(key.batch.map(column).transpose()?),
        key.signing_closed.into(),
        key.coins_closed.into(),
    ];
    sql.execute(query, &values).await?;
    Ok(())
}

async fn batch(sql: &mut dyn Executor, no: LogBatchNo) -> Result<Option<LogBatch>, SqlError> {
    let query = "SELECT no, first, count, root, time_s FROM log_batches WHERE no = $1";
    let batch = |row: &mut Row| {
        Ok(LogBatch {
            no: batch_no(row)?,
            first: number(row)?,
            count: number(row)?,
            root: hash(row)?,
            time_s: number(row)?,
        })
    };
    sql.optional(query, &[column(no.get())?.into()], batch).await
}

async fn bundle(sql: &mut dyn Executor, index: u64) -> Result<Option<TileOfLog>, SqlError> {
    let query = "SELECT data FROM log_bundles WHERE no = $1";
    sql.optional(query, &[column(index)?.into()], Row::take).await
}

async fn tile(sql: &mut dyn Executor, id: TileId) -> Result<Option<TileOfLog>, SqlError> {
    let query = "SELECT data FROM log_tiles WHERE level = $1 AND no = $2";
    let values = [i64::from(id.level).into(), column(id.index)?.into()];
    sql.optional(query, &values, Row::take).await
}

async fn take_lease(
    sql: &mut dyn Executor,
    holder: &[u8; LEASE_HOLDER_BYTES],
    now: LedgerTime,
    until: LedgerTime,
) -> Result<bool, SqlError> {
    let query = "INSERT INTO log_lease (id, holder, until) VALUES (1, $1, $2)
        ON CONFLICT (id) DO UPDATE SET holder = excluded.holder, until = excluded.until
        WHERE log_lease.holder = excluded.holder OR log_lease.until < $3";
    let values = [
        holder[..].into(),
        until.unix_micros().into(),
        now.unix_micros().into(),
    ];
    Ok(sql.execute(query, &values).await? == 1)
}

async fn keys_to_release(sql: &mut dyn Executor, size: u64) -> Result<Vec<MintKeyId>, SqlError> {
    let query = "SELECT mint_keys.id FROM mint_keys
            JOIN log_keys ON log_keys.key_no = mint_keys.no
            JOIN log_batches ON log_batches.no = log_keys.batch
        WHERE mint_keys.awaits_log AND mint_keys.stopped_reason IS NULL AND log_batches.first + log_batches.count <= $1
        ORDER BY mint_keys.no";
    let id = |row: &mut Row| {
        let id: Vec<u8> = row.take()?;
        let id = id
            .try_into()
            .map_err(|_| LedgerError::corrupt("mint key", "the id does not have 20 bytes"))?;
        Ok(MintKeyId::new(id))
    };
    sql.all(query, &[column(size)?.into()], id).await
}

async fn key_batches(sql: &mut dyn Executor) -> Result<Vec<(KeyNo, LogBatchNo)>, SqlError> {
    let query = "SELECT key_no, batch FROM log_keys WHERE batch IS NOT NULL ORDER BY key_no";
    let key = |row: &mut Row| {
        let no: i32 = row.take()?;
        Ok((MintKeyNo::new(no).key_no(), batch_no(row)?))
    };
    sql.all(query, &[], key).await
}

async fn key_counts(sql: &mut dyn Executor) -> Result<Option<LoggedCounts>, SqlError> {
    // One statement, so that size and counts are of the same batch.
    let query = "SELECT log_head.size, log_keys.key_no, log_keys.issued, log_keys.spent
        FROM log_head LEFT JOIN log_keys ON TRUE WHERE log_head.id = 1 ORDER BY log_keys.key_no";
    let row = |row: &mut Row| {
        let (size, no) = (number(row)?, row.take::<Option<i32>>()?);
        let Some(no) = no else {
            return Ok((size, None));
        };
        let counts = KeyCounts {
            key_no: MintKeyNo::new(no).key_no(),
            issued: number(row)?,
            spent: number(row)?,
        };
        Ok((size, Some(counts)))
    };
    let rows = sql.all(query, &[], row).await?;
    let size = rows.first().map(|(size, _)| *size);
    Ok(size.map(|size| LoggedCounts {
        size,
        keys: rows.into_iter().filter_map(|(_, counts)| counts).collect(),
    }))
}

async fn batch_of_spent(
    sql: &mut dyn Executor,
    mint_key: MintKeyNo,
    coin: SpentDigest,
) -> Result<Option<LogBatchNo>, SqlError> {
    let query = "SELECT log_batch FROM spent WHERE mint_key_no = $1 AND spent_digest = $2";
    let values = [i64::from(mint_key.get()).into(), coin.as_bytes().into()];
    let found = sql.optional(query, &values, Row::take::<Option<i32>>).await?;
    let batch = stored::log_batch(found.flatten());
    Ok(batch.map_err(|error| LedgerError::corrupt("spent coin", error))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_written_in_pieces_of_few_sizes() {
        let sizes: Vec<usize> = pieces(&[0; 150], ROWS_PER_STATEMENT_MAX)
            .map(<[_]>::len)
            .collect();
        assert_eq!(sizes, [64, 64, 16, 4, 1, 1]);
    }
}
