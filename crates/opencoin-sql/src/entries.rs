//! Reads of accounts' entries and of payouts with their settlements.

use opencoin_ledger::journal::ReferenceKey;
use opencoin_ledger::stored::{self, StoredEntry};
use opencoin_ledger::{AccountEntry, AccountId, EntryPage, IdempotencyKey, Payout, PayoutFilter, PayoutNo};

use crate::places::list;
use crate::rows::{self, PAYOUT_COLUMNS};
use crate::{Executor, Row, SqlError, Value, pieces};

/// The most payouts that are looked up at a time.
const PAYOUTS_AT_A_TIME_MAX: usize = 256;

const COLUMNS: &str = "id, kind, reference, debit_account, credit_account, amount, applied_at, label";

fn entry(account: AccountId, row: &mut Row) -> Result<AccountEntry, SqlError> {
    let row = StoredEntry {
        id: row.take()?,
        no: row.take()?,
        kind: row.take()?,
        reference: row.take()?,
        debit: row.take()?,
        amount: row.take()?,
        at: row.take()?,
        label: row.take()?,
        counterparty: row.take()?,
    };
    Ok(row.of(account)?)
}

/// Scans two partial indexes, one for debits and one for credits. The planner uses a partial index only if
/// the statement repeats its condition (`>= 3`).
pub(crate) async fn page(
    sql: &mut dyn Executor,
    account: AccountId,
    page: EntryPage,
    limit: u32,
) -> Result<Vec<AccountEntry>, SqlError> {
    let newest = newest_visible(sql, account).await?;
    let visible = |side: &str| newest.map_or(String::new(), |_| format!("AND {side}_entry <= $4"));
    let (begins, order, from) = match page {
        EntryPage::After(no) => (">", "ASC", no.get()),
        EntryPage::Before(no) => ("<", "DESC", no.map_or(i64::MAX, |no| no.get())),
    };
    let side = |side: &str| {
        format!(
            "SELECT * FROM (SELECT {side}_entry AS entry, {COLUMNS} FROM transactions
            WHERE {side}_account = $1 AND {side}_account >= 3 AND {side}_entry {begins} $2 {}
            ORDER BY {side}_entry {order} LIMIT $3) AS {side}s",
            visible(side)
        )
    };
    let query = format!(
        "SELECT found.id, entry, kind, reference, debit_account, amount, applied_at, label, other.name
        FROM ({} UNION ALL {}) AS found
        LEFT JOIN accounts AS other ON other.id = CASE debit_account WHEN $1 THEN credit_account ELSE debit_account END
        ORDER BY entry {order} LIMIT $3",
        side("debit"),
        side("credit")
    );
    let mut values = vec![account.get().into(), from.into(), i64::from(limit).into()];
    values.extend(newest.map(Value::from));
    sql.all(&query, &values, |row| entry(account, row)).await
}

/// The number up to which a read sees all entries of the account; `None` if it sees all there are. A read of
/// distributed tables has no common snapshot: it may see an entry without the one before it. A client that reads on
/// from there would miss that one.
async fn newest_visible(sql: &mut dyn Executor, account: AccountId) -> Result<Option<i64>, SqlError> {
    if !sql.dialect().is_distributed {
        return Ok(None);
    }
    let query = "SELECT last_entry FROM accounts WHERE id = $1";
    let values = [account.get().into()];
    let newest = sql.optional(query, &values, Row::take::<i64>).await?;
    sql.wait_for_commits().await?;
    Ok(Some(newest.unwrap_or(0)))
}

pub(crate) async fn by_key(
    sql: &mut dyn Executor,
    account: AccountId,
    key: &IdempotencyKey,
) -> Result<Option<AccountEntry>, SqlError> {
    let query =
        "SELECT found.id, debit_entry, kind, reference, debit_account, amount, applied_at, label, other.name
        FROM transactions AS found LEFT JOIN accounts AS other ON other.id = credit_account
        WHERE reference = $1";
    let reference = ReferenceKey::of_holder(account, key);
    let values = [reference.as_bytes().into()];
    let found = sql.optional(query, &values, |row| entry(account, row)).await?;
    if found.is_some() || !sql.dialect().is_distributed {
        return Ok(found);
    }
    sql.wait_for_commits().await?;
    sql.optional(query, &values, |row| entry(account, row)).await
}

fn payout_row(row: &mut Row) -> Result<Payout, SqlError> {
    let payout = rows::payout(row)?;
    let (name, status): (String, i16) = (row.take()?, row.take()?);
    Ok(stored::payout(payout, &name, status)?)
}

fn select_payouts(condition: &str) -> String {
    format!(
        "SELECT {PAYOUT_COLUMNS}, name, status FROM payouts JOIN accounts ON accounts.id = payouts.account
        WHERE {condition}"
    )
}

pub(crate) async fn payouts(
    sql: &mut dyn Executor,
    filter: PayoutFilter,
    after: PayoutNo,
    limit: u32,
) -> Result<Vec<Payout>, SqlError> {
    let (wanted, account) = wanted_payouts(filter);
    let query = select_payouts(&format!("no > $1 AND {wanted} ORDER BY no LIMIT $3"));
    let values = [after.get().into(), account.into(), i64::from(limit).into()];
    sql.all(&query, &values, payout_row).await
}

pub(crate) async fn newest_payouts(
    sql: &mut dyn Executor,
    filter: PayoutFilter,
    before: Option<PayoutNo>,
    limit: u32,
) -> Result<Vec<Payout>, SqlError> {
    let (wanted, account) = wanted_payouts(filter);
    let query = select_payouts(&format!("no < $1 AND {wanted} ORDER BY no DESC LIMIT $3"));
    let before = before.map_or(i64::MAX, PayoutNo::get);
    let values = [before.into(), account.into(), i64::from(limit).into()];
    sql.all(&query, &values, payout_row).await
}

/// The condition of a filter, and its parameter `$2`. Filters that are not by account compare it with 0, so that every
/// query has the same parameters.
fn wanted_payouts(filter: PayoutFilter) -> (&'static str, i64) {
    match filter {
        PayoutFilter::All => ("$2 = 0", 0),
        PayoutFilter::Of(account) => ("account = $2", account.get()),
        PayoutFilter::Requested => ("paid IS NULL AND $2 = 0", 0),
        PayoutFilter::Paid => ("paid IS TRUE AND $2 = 0", 0),
        PayoutFilter::Failed => ("paid IS FALSE AND $2 = 0", 0),
    }
}

pub(crate) async fn payout(sql: &mut dyn Executor, no: PayoutNo) -> Result<Option<Payout>, SqlError> {
    sql.optional(&select_payouts("no = $1"), &[no.get().into()], payout_row)
        .await
}

pub(crate) async fn payouts_with(
    sql: &mut dyn Executor,
    wanted: &[PayoutNo],
) -> Result<Vec<Payout>, SqlError> {
    let mut found = Vec::with_capacity(wanted.len());
    for piece in pieces(wanted, PAYOUTS_AT_A_TIME_MAX) {
        let query = select_payouts(&format!("no IN ({})", list(piece.len())));
        let values: Vec<_> = piece.iter().map(|no| no.get().into()).collect();
        found.extend(sql.all(&query, &values, payout_row).await?);
    }
    found.sort_unstable_by_key(|payout| payout.no);
    found.dedup_by_key(|payout| payout.no);
    Ok(found)
}

pub(crate) async fn payout_by_key(
    sql: &mut dyn Executor,
    account: AccountId,
    key: &IdempotencyKey,
) -> Result<Option<Payout>, SqlError> {
    let reference = ReferenceKey::of_holder(account, key);
    let query = select_payouts("reference = $1");
    sql.optional(&query, &[reference.as_bytes().into()], payout_row)
        .await
}
