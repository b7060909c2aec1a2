//! What happened on accounts: entries, and payouts with what came of them.

use opencoin_ledger::journal::ReferenceKey;
use opencoin_ledger::stored::{self, StoredEntry};
use opencoin_ledger::{
    AccountEntry, AccountId, EntryPage, IdempotencyKey, LedgerError, Payout, PayoutFilter, PayoutNo,
};
use sqlx::PgConnection;

use crate::fault::ledger_error;
use crate::read;

const COLUMNS: &str = "id, kind, reference, debit_account, credit_account, amount, applied_at, label";
type Columns = (
    i64,
    i16,
    Vec<u8>,
    Option<i64>,
    i64,
    i64,
    Option<String>,
    Option<String>,
);

fn entry(account: AccountId, row: Columns) -> Result<AccountEntry, LedgerError> {
    let (id, kind, reference, debit, amount, at, label, counterparty) = row;
    StoredEntry {
        id,
        kind,
        reference,
        debit,
        amount,
        at,
        label,
        counterparty,
    }
    .of(account)
}

/// Two walks along an index, one for each side. The partial indexes are found only where their condition is
/// written out.
pub(super) async fn page(
    connection: &mut PgConnection,
    account: AccountId,
    page: EntryPage,
    limit: u32,
) -> Result<Vec<AccountEntry>, LedgerError> {
    let (begins, order, from) = match page {
        EntryPage::After(no) => ("id > $2", "ASC", no.get()),
        EntryPage::Before(no) => ("id < $2", "DESC", no.map_or(i64::MAX, |no| no.get())),
    };
    let side = |side: &str| {
        format!(
            "(SELECT {COLUMNS} FROM transactions WHERE {side} = $1 AND {side} >= 3 AND {begins} ORDER BY id {order} LIMIT $3)"
        )
    };
    let sql = format!(
        "SELECT found.id, kind, reference, debit_account, amount, applied_at, label, other.name
        FROM ({} UNION ALL {}) AS found
        LEFT JOIN accounts AS other ON other.id = CASE debit_account WHEN $1 THEN credit_account ELSE debit_account END
        ORDER BY found.id {order} LIMIT $3",
        side("debit_account"),
        side("credit_account")
    );
    let query = sqlx::query_as(&sql)
        .bind(account.get())
        .bind(from)
        .bind(i64::from(limit));
    let rows = query
        .fetch_all(connection)
        .await
        .map_err(|error| ledger_error(&error))?;
    rows.into_iter().map(|row| entry(account, row)).collect()
}

pub(super) async fn by_key(
    connection: &mut PgConnection,
    account: AccountId,
    key: &IdempotencyKey,
) -> Result<Option<AccountEntry>, LedgerError> {
    let sql = "SELECT found.id, kind, reference, debit_account, amount, applied_at, label, other.name
        FROM transactions AS found LEFT JOIN accounts AS other ON other.id = credit_account
        WHERE reference = $1";
    let reference = ReferenceKey::of_holder(account, key);
    let query = sqlx::query_as(sql)
        .bind(reference.as_bytes())
        .fetch_optional(connection)
        .await;
    query
        .map_err(|error| ledger_error(&error))?
        .map(|row| entry(account, row))
        .transpose()
}

type PayoutRow = (
    i64,
    i64,
    i64,
    String,
    Vec<u8>,
    i64,
    Option<bool>,
    Option<String>,
    Option<i64>,
    String,
);

const PAYOUTS: &str =
    "SELECT no, account, amount, destination, reference, requested_at, paid, settlement, settled_at, name
    FROM payouts JOIN accounts ON accounts.id = payouts.account";

fn payout_of(row: PayoutRow) -> Result<Payout, LedgerError> {
    let (no, account, amount, destination, reference, requested_at, paid, settlement, settled_at, name) = row;
    let columns = (
        no,
        account,
        amount,
        destination,
        reference,
        requested_at,
        paid,
        settlement,
        settled_at,
    );
    stored::payout(read::payout(columns), &name)
}

pub(super) async fn payouts(
    connection: &mut PgConnection,
    filter: PayoutFilter,
    after: PayoutNo,
    limit: u32,
) -> Result<Vec<Payout>, LedgerError> {
    // All have the same parameters; an account is a number, whatever of.
    let (wanted, account) = match filter {
        PayoutFilter::All => ("$2 = 0", 0),
        PayoutFilter::Of(account) => ("account = $2", account.get()),
        PayoutFilter::Requested => ("paid IS NULL AND $2 = 0", 0),
    };
    let sql = format!("{PAYOUTS} WHERE no > $1 AND {wanted} ORDER BY no LIMIT $3");
    let query = sqlx::query_as(&sql)
        .bind(after.get())
        .bind(account)
        .bind(i64::from(limit));
    let rows = query
        .fetch_all(connection)
        .await
        .map_err(|error| ledger_error(&error))?;
    rows.into_iter().map(payout_of).collect()
}

pub(super) async fn payout(
    connection: &mut PgConnection,
    no: PayoutNo,
) -> Result<Option<Payout>, LedgerError> {
    let sql = format!("{PAYOUTS} WHERE no = $1");
    let row = sqlx::query_as(&sql)
        .bind(no.get())
        .fetch_optional(connection)
        .await
        .map_err(|error| ledger_error(&error))?;
    row.map(payout_of).transpose()
}

pub(super) async fn payout_by_key(
    connection: &mut PgConnection,
    account: AccountId,
    key: &IdempotencyKey,
) -> Result<Option<Payout>, LedgerError> {
    let sql = format!("{PAYOUTS} WHERE reference = $1");
    let reference = ReferenceKey::of_holder(account, key);
    let query = sqlx::query_as(&sql)
        .bind(reference.as_bytes())
        .fetch_optional(connection)
        .await;
    query
        .map_err(|error| ledger_error(&error))?
        .map(payout_of)
        .transpose()
}
