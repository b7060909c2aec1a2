//! Mints that wait for money. Nothing is taken here: who settles one sends it as any mint.

use opencoin_ledger::stored::{self, StoredWaiting};
use opencoin_ledger::{
    Backlog, LedgerError, LedgerTime, TransactionReference, WAITING_MINTS_PER_ACCOUNT_MAX, WaitRefusal,
    WaitingMint, encode_blinds,
};
use sqlx::PgConnection;

use super::lock;
use crate::fault::{Fault, ledger_error};

const COLUMNS: &str = "reference, account, blinds, waiting_mints.amount, asked_at, expires_at";
type Columns = (Vec<u8>, i64, Vec<u8>, i64, i64, i64);

fn waiting_mint(
    (reference, account, blinds, amount, asked_at, expires_at): Columns,
) -> Result<WaitingMint, LedgerError> {
    WaitingMint::try_from(StoredWaiting {
        reference,
        account,
        blinds,
        amount,
        asked_at,
        expires_at,
    })
}

pub(super) async fn by_reference(
    connection: &mut PgConnection,
    reference: &TransactionReference,
) -> Result<Option<WaitingMint>, LedgerError> {
    let sql = format!("SELECT {COLUMNS} FROM waiting_mints WHERE reference = $1");
    let query = sqlx::query_as(&sql)
        .bind(reference.as_bytes())
        .fetch_optional(connection)
        .await;
    query
        .map_err(|error| ledger_error(&error))?
        .map(waiting_mint)
        .transpose()
}

/// Without the blinds, of which there may be many.
pub(super) async fn payable(
    connection: &mut PgConnection,
    now: LedgerTime,
    limit: u32,
) -> Result<Vec<TransactionReference>, LedgerError> {
    let sql = "SELECT reference FROM waiting_mints JOIN accounts ON accounts.id = waiting_mints.account
        WHERE expires_at > $1 AND accounts.balance >= waiting_mints.amount ORDER BY asked_at, reference LIMIT $2";
    let query = sqlx::query_scalar(sql)
        .bind(now.unix_micros())
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await;
    let rows: Vec<Vec<u8>> = query.map_err(|error| ledger_error(&error))?;
    rows.into_iter().map(stored::waiting_reference).collect()
}

/// One statement, each part over an index of what waits alone.
pub(super) async fn backlog(connection: &mut PgConnection, now: LedgerTime) -> Result<Backlog, LedgerError> {
    let sql = "SELECT (SELECT count(*) FROM waiting_mints WHERE expires_at > $1),
        (SELECT count(*) FROM payouts WHERE paid IS NULL),
        (SELECT requested_at FROM payouts WHERE paid IS NULL ORDER BY no LIMIT 1)";
    let query = sqlx::query_as(sql)
        .bind(now.unix_micros())
        .fetch_one(connection)
        .await;
    let (waiting, requested, oldest): (i64, i64, Option<i64>) =
        query.map_err(|error| ledger_error(&error))?;
    let [waiting_mints, payouts_requested] =
        [waiting, requested].map(|count| u64::try_from(count).expect("a count is not below zero"));
    Ok(Backlog {
        waiting_mints,
        payouts_requested,
        oldest_payout: oldest.map(LedgerTime::from_unix_micros),
    })
}

/// Mints of one account take their turns, so that they are counted. One that another account inserts under
/// the same reference at the same moment violates the primary key, and is found in the next attempt.
pub(super) async fn wait(
    connection: &mut PgConnection,
    mint: &WaitingMint,
    now: LedgerTime,
) -> Result<Result<(), WaitRefusal>, Fault> {
    lock(connection, mint.account).await?;
    let sql = format!("SELECT {COLUMNS} FROM waiting_mints WHERE reference = $1 FOR UPDATE");
    let query = sqlx::query_as(&sql).bind(mint.transaction_reference.as_bytes());
    let before: Option<Columns> = query.fetch_optional(&mut *connection).await?;
    let before = before.map(waiting_mint).transpose()?;
    let is_there = before.is_some();
    let answer = match stored::wait(before, mint, now) {
        Err(refusal) => Err(refusal),
        Ok(_) if others(&mut *connection, mint, now).await? >= WAITING_MINTS_PER_ACCOUNT_MAX => {
            Err(WaitRefusal::TooMany)
        }
        Ok(row) => {
            write(&mut *connection, &row, is_there).await?;
            Ok(())
        }
    };
    Ok(answer)
}

/// How many of the account wait under other references.
async fn others(connection: &mut PgConnection, mint: &WaitingMint, now: LedgerTime) -> Result<usize, Fault> {
    let sql = "SELECT count(*) FROM waiting_mints WHERE account = $1 AND expires_at > $2 AND reference <> $3";
    let query = sqlx::query_scalar(sql)
        .bind(mint.account.get())
        .bind(now.unix_micros());
    let count: i64 = query
        .bind(mint.transaction_reference.as_bytes())
        .fetch_one(connection)
        .await?;
    Ok(usize::try_from(count).expect("a count is not below zero"))
}

async fn write(connection: &mut PgConnection, mint: &WaitingMint, is_there: bool) -> Result<(), Fault> {
    let insert = "INSERT INTO waiting_mints (reference, account, blinds, amount, asked_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6)";
    let update =
        "UPDATE waiting_mints SET account = $2, blinds = $3, amount = $4, asked_at = $5, expires_at = $6
        WHERE reference = $1";
    let query = sqlx::query(if is_there { update } else { insert })
        .bind(mint.transaction_reference.as_bytes())
        .bind(mint.account.get())
        .bind(encode_blinds(&mint.blinds))
        .bind(mint.amount.as_i64())
        .bind(mint.asked.unix_micros())
        .bind(mint.expires.unix_micros());
    query.execute(connection).await?;
    Ok(())
}

pub(super) async fn stop(
    connection: &mut PgConnection,
    reference: &TransactionReference,
) -> Result<(), Fault> {
    let query = sqlx::query("DELETE FROM waiting_mints WHERE reference = $1").bind(reference.as_bytes());
    query.execute(&mut *connection).await?;
    Ok(())
}
