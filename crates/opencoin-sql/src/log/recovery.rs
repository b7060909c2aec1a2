//! Recovering a lost time from a copy of the log, and what was recovered.

use std::sync::{Arc, OnceLock};

use opencoin_ledger::RecoveredEntry;
use opencoin_ledger::log::{CopiedBatch, SealInput, SealingError, WaitingRow, seal_copied};
use opencoin_ledger::view::MintKeyNo;
use opencoin_ledger::{IssuedDigest, LedgerError, LedgerTime, LogBatchNo, LogTerms, SealOutcome};

use super::{
    PENDING, batch_no, edge, head, insert_pending, key_accounts, keys, numbered_pending, remove_pending,
    save, waiting_row,
};
use crate::{Executor, Row, SqlError};

pub(super) async fn waiting(sql: &mut dyn Executor) -> Result<Vec<WaitingRow>, SqlError> {
    let query = format!("SELECT at, {PENDING} FROM log_pending");
    sql.all(&query, &[], waiting_row).await
}

/// Seals a batch of a copy. If it does not fit the books, sets `broken` and fails, so that nothing changes.
pub(super) async fn seal_batch(
    sql: &mut dyn Executor,
    batch: &Arc<CopiedBatch>,
    terms: &LogTerms,
    broken: &OnceLock<SealingError>,
) -> Result<SealOutcome, SqlError> {
    let lock = sql.dialect().for_update;
    let Some(head) = head(sql, lock).await?.filter(|head| head.batch == batch.no) else {
        return Ok(SealOutcome::Moved);
    };
    if let Some(reason) = head.halted {
        return Ok(SealOutcome::Broken(SealingError::CopyDiffers(format!(
            "the log in the books is halted: {reason}"
        ))));
    }
    let size = head.size;
    let (keys, edge) = (keys(sql).await?, edge(sql, size).await?);
    let (numbers, waiting) = numbered_pending(sql).await?;
    let input = SealInput {
        head,
        keys,
        edge,
        key_accounts: key_accounts::before(sql, &waiting).await?,
        waiting,
        terms: terms.clone(),
        closings: None,
        at: LedgerTime::from_unix_micros(0),
    };
    let sealed = match seal_copied(input, batch) {
        Ok(sealed) => sealed,
        Err(differs) => {
            let failed = LedgerError::corrupt("copy of the log", &differs);
            let _first = broken.set(differs);
            return Err(failed.into());
        }
    };
    remove_pending(sql, &numbers).await?;
    for row in &sealed.left {
        insert_pending(sql, row).await?;
    }
    save(sql, size, &sealed).await.map(SealOutcome::Sealed)
}

pub(super) async fn batches_of(
    sql: &mut dyn Executor,
    mint_key: MintKeyNo,
    blind: IssuedDigest,
) -> Result<Vec<LogBatchNo>, SqlError> {
    let query = "SELECT log_batch FROM recovered_blinds
            JOIN mint_keys ON mint_keys.no = recovered_blinds.mint_key_no
        WHERE mint_key_no = $1 AND issued_digest = $2 AND NOT mint_keys.pruned ORDER BY log_batch";
    let values = [i64::from(mint_key.get()).into(), blind.as_bytes().into()];
    sql.all(query, &values, batch_no).await
}

pub(super) async fn entries(sql: &mut dyn Executor) -> Result<Vec<RecoveredEntry>, SqlError> {
    let query = "SELECT kind, debit_account, credit_account, amount, issued, applied_at FROM transactions
        WHERE debit_account = -2 OR credit_account = -2 ORDER BY id";
    let entry = |row: &mut Row| {
        let (kind, accounts) = (row.take()?, [row.take()?, row.take()?]);
        let (amount, issued): (_, Option<Vec<u8>>) = (row.take()?, row.take()?);
        Ok(RecoveredEntry::from_columns(
            kind,
            accounts,
            amount,
            issued.as_deref(),
            row.take()?,
        )?)
    };
    sql.all(query, &[], entry).await
}
