//! The accounts of keys in the log, and their payments.

use std::collections::BTreeMap;

use opencoin_ledger::journal::ReferenceKey;
use opencoin_ledger::log::WaitingRow;
use opencoin_ledger::{LedgerError, LogBatchNo, LoggedKeyAccounts, stored};
use opencoin_log::key_account::AccountKey;
use opencoin_log::key_ledger::{KeyAccount, KeyLedger};

use super::{ROWS_PER_STATEMENT_MAX, batch_no, column};
use crate::pieces::pieces;
use crate::places::places;
use crate::{Executor, Row, SqlError};

type Account = (AccountKey, KeyAccount);

fn account(row: &mut Row) -> Result<Account, SqlError> {
    let key: Vec<u8> = row.take()?;
    Ok(stored::logged_key_account(
        key,
        row.take()?,
        row.take()?,
        row.take()?,
    )?)
}

/// All accounts, if statements about them wait.
pub(super) async fn before(
    sql: &mut dyn Executor,
    waiting: &[WaitingRow],
) -> Result<Option<KeyLedger>, SqlError> {
    if waiting.iter().all(|(_, row)| row.statements.is_empty()) {
        return Ok(None);
    }
    let query = "SELECT key, balance, seq, credits FROM log_key_accounts";
    let accounts = sql.all(query, &[], account).await?;
    Ok(Some(KeyLedger::new(accounts)))
}

pub(super) async fn save(
    sql: &mut dyn Executor,
    changed: &BTreeMap<AccountKey, KeyAccount>,
) -> Result<(), SqlError> {
    let changed: Vec<_> = changed.iter().collect();
    for accounts in pieces(&changed, ROWS_PER_STATEMENT_MAX) {
        let query = format!(
            "INSERT INTO log_key_accounts (key, balance, seq, credits) VALUES {}
            ON CONFLICT (key) DO UPDATE SET balance = excluded.balance, seq = excluded.seq, credits = excluded.credits",
            places(accounts.len(), 4)
        );
        let mut values = Vec::with_capacity(4 * accounts.len());
        for (key, account) in accounts {
            values.push(key.as_bytes().into());
            values.push(column(account.balance)?.into());
            values.push(column(account.seq)?.into());
            values.push(column(account.credits)?.into());
        }
        sql.execute(&query, &values).await?;
    }
    Ok(())
}

/// All accounts and the open batch, in one statement and so of one time.
pub(super) async fn snapshot(sql: &mut dyn Executor) -> Result<Option<LoggedKeyAccounts>, SqlError> {
    let query = "SELECT batch, key, balance, seq, credits FROM log_head LEFT JOIN log_key_accounts ON true";
    let mut open = None;
    let mut accounts = Vec::new();
    let mut take = |mut row: Row| {
        open = Some(batch_no(&mut row)?);
        // A log without accounts has one row without one.
        if let Some(key) = row.take::<Option<Vec<u8>>>()? {
            let columns = (row.take()?, row.take()?, row.take()?);
            accounts.push(stored::logged_key_account(key, columns.0, columns.1, columns.2)?);
        }
        Ok(())
    };
    sql.stream(query, &[], &mut take).await?;
    Ok(open.map(|open| LoggedKeyAccounts {
        open,
        ledger: KeyLedger::new(accounts),
    }))
}

/// The batch that was open when a payment was accepted.
pub(super) async fn batch_of_payment(
    sql: &mut dyn Executor,
    key: &AccountKey,
    seq: u64,
) -> Result<Option<LogBatchNo>, SqlError> {
    let query = "SELECT log_batch FROM transactions WHERE reference = $1";
    let reference = ReferenceKey::of_key_payment(key, seq);
    let values = [reference.as_bytes().into()];
    let mut found = sql.optional(query, &values, Row::take::<Option<i32>>).await?;
    if found.is_none() && sql.dialect().is_distributed {
        sql.wait_for_commits().await?;
        found = sql.optional(query, &values, Row::take::<Option<i32>>).await?;
    }
    let batch = stored::log_batch(found.flatten());
    Ok(batch.map_err(|error| LedgerError::corrupt("payment of a key", error))?)
}
