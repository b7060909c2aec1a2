//! Mints that wait for money. Nothing is taken here: who settles one sends it as any mint.

use opencoin_ledger::stored::{self, StoredWaiting};
use opencoin_ledger::{
    Backlog, LedgerTime, TransactionReference, WAITING_MINTS_PER_ACCOUNT_MAX, WaitRefusal, WaitingMint,
    encode_blinds,
};

use crate::lock::lock;
use crate::{Executor, Row, SqlError};

const COLUMNS: &str = "reference, account, blinds, amount, asked_at, expires_at";

fn waiting_mint(row: &mut Row) -> Result<WaitingMint, SqlError> {
    let row = StoredWaiting {
        reference: row.take()?,
        account: row.take()?,
        blinds: row.take()?,
        amount: row.take()?,
        asked_at: row.take()?,
        expires_at: row.take()?,
    };
    Ok(row.try_into()?)
}

pub(crate) async fn by_reference(
    sql: &mut dyn Executor,
    reference: &TransactionReference,
) -> Result<Option<WaitingMint>, SqlError> {
    let query = format!("SELECT {COLUMNS} FROM waiting_mints WHERE reference = $1");
    sql.optional(&query, &[reference.as_bytes().into()], waiting_mint)
        .await
}

/// Without the blinds, of which there may be many.
pub(crate) async fn payable(
    sql: &mut dyn Executor,
    now: LedgerTime,
    limit: u32,
) -> Result<Vec<TransactionReference>, SqlError> {
    let query = "SELECT reference FROM waiting_mints JOIN accounts ON accounts.id = waiting_mints.account
        WHERE expires_at > $1 AND accounts.balance >= waiting_mints.amount ORDER BY asked_at, reference LIMIT $2";
    let reference = |row: &mut Row| Ok(stored::waiting_reference(row.take()?)?);
    let values = [now.unix_micros().into(), i64::from(limit).into()];
    sql.all(query, &values, reference).await
}

/// One statement, each part over an index of what waits alone.
pub(crate) async fn backlog(sql: &mut dyn Executor, now: LedgerTime) -> Result<Backlog, SqlError> {
    let query = "SELECT (SELECT count(*) FROM waiting_mints WHERE expires_at > $1),
        (SELECT count(*) FROM payouts WHERE paid IS NULL),
        (SELECT requested_at FROM payouts WHERE paid IS NULL ORDER BY no LIMIT 1)";
    let backlog = |row: &mut Row| {
        let counts: [i64; 2] = [row.take()?, row.take()?];
        let [waiting_mints, payouts_requested] =
            counts.map(|count| u64::try_from(count).expect("a count is not below zero"));
        let oldest: Option<i64> = row.take()?;
        Ok(Backlog {
            waiting_mints,
            payouts_requested,
            oldest_payout: oldest.map(LedgerTime::from_unix_micros),
        })
    };
    sql.one(query, &[now.unix_micros().into()], backlog).await
}

/// Mints of one account take their turns, so that they are counted. One that another account inserts under
/// the same reference at the same moment violates the primary key, and is found in the next attempt.
pub(crate) async fn wait(
    sql: &mut dyn Executor,
    mint: &WaitingMint,
    now: LedgerTime,
) -> Result<Result<(), WaitRefusal>, SqlError> {
    lock(sql, mint.account).await?;
    let for_update = sql.dialect().for_update;
    let query = format!("SELECT {COLUMNS} FROM waiting_mints WHERE reference = $1 {for_update}");
    let reference = mint.transaction_reference.as_bytes().into();
    let before = sql.optional(&query, &[reference], waiting_mint).await?;
    let is_there = before.is_some();
    let row = match stored::wait(before, mint, now) {
        Ok(row) => row,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let query =
        "SELECT count(*) FROM waiting_mints WHERE account = $1 AND expires_at > $2 AND reference <> $3";
    let values = [mint.account.get().into(), now.unix_micros().into(), reference];
    let others = sql.count(query, &values).await?;
    if usize::try_from(others).is_ok_and(|others| others >= WAITING_MINTS_PER_ACCOUNT_MAX) {
        return Ok(Err(WaitRefusal::TooMany));
    }
    write(sql, &row, is_there).await?;
    Ok(Ok(()))
}

async fn write(sql: &mut dyn Executor, mint: &WaitingMint, is_there: bool) -> Result<(), SqlError> {
    let insert = "INSERT INTO waiting_mints (reference, account, blinds, amount, asked_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6)";
    let update =
        "UPDATE waiting_mints SET account = $2, blinds = $3, amount = $4, asked_at = $5, expires_at = $6
        WHERE reference = $1";
    let blinds = encode_blinds(&mint.blinds);
    let values = [
        mint.transaction_reference.as_bytes().into(),
        mint.account.get().into(),
        blinds.as_slice().into(),
        mint.amount.as_i64().into(),
        mint.asked.unix_micros().into(),
        mint.expires.unix_micros().into(),
    ];
    sql.execute(if is_there { update } else { insert }, &values)
        .await?;
    Ok(())
}

pub(crate) async fn stop(sql: &mut dyn Executor, reference: &TransactionReference) -> Result<(), SqlError> {
    let query = "DELETE FROM waiting_mints WHERE reference = $1";
    sql.execute(query, &[reference.as_bytes().into()]).await?;
    Ok(())
}
