//! Reading outside a batch, and the columns of rows that are read in several places.

use opencoin_ledger::journal::ReferenceKey;
use opencoin_ledger::stored::{self, StoredAccount, StoredMintKey, StoredPayout, StoredWaiting};
use opencoin_ledger::view::{AccountState, MintKeyState};
use opencoin_ledger::{
    Account, AccountName, LedgerError, LedgerTime, MintKeyStatus, Moments, TokenHash, Transaction,
    TransactionReference,
};
use sqlx::PgConnection;

use crate::fault::ledger_error;

pub(crate) const ACCOUNT_COLUMNS: &str = "id, name, token_hash, balance";
pub(crate) type AccountColumns = (i64, String, Vec<u8>, i64);

pub(crate) const MINT_KEY_COLUMNS: &str = "no, id, denomination, sign_not_before, sign_not_after, coins_expiry, issued, returned, recouped, stopped_reason, retired, pruned";
pub(crate) type MintKeyColumns = (
    i32,
    Vec<u8>,
    i64,
    i64,
    i64,
    i64,
    i64,
    i64,
    i64,
    Option<String>,
    bool,
    bool,
);

pub(crate) const PAYOUT_COLUMNS: &str =
    "no, account, amount, destination, reference, requested_at, paid, settlement, settled_at";
pub(crate) type PayoutColumns = (
    i64,
    i64,
    i64,
    String,
    Vec<u8>,
    i64,
    Option<bool>,
    Option<String>,
    Option<i64>,
);

pub(crate) const WAITING_COLUMNS: &str = "reference, account, content, amount, asked_at, expires_at";
pub(crate) type WaitingColumns = (Vec<u8>, i64, Vec<u8>, i64, i64, i64);

pub(crate) fn waiting(row: WaitingColumns) -> StoredWaiting {
    let (reference, account, content, amount, asked_at, expires_at) = row;
    StoredWaiting {
        reference,
        account,
        content,
        amount,
        asked_at,
        expires_at,
    }
}

pub(crate) fn payout(row: PayoutColumns) -> StoredPayout {
    let (no, account, amount, destination, reference, requested_at, paid, settlement, settled_at) = row;
    StoredPayout {
        no,
        account,
        amount,
        destination,
        reference,
        requested_at,
        settled: (paid, settlement, settled_at),
    }
}

pub(crate) fn account((id, name, token_hash, balance): AccountColumns) -> StoredAccount {
    StoredAccount {
        id,
        name,
        token_hash,
        balance,
    }
}

pub(crate) fn mint_key(row: MintKeyColumns) -> StoredMintKey {
    let (
        no,
        id,
        denomination,
        not_before,
        not_after,
        expiry,
        issued,
        returned,
        recouped,
        stopped_reason,
        retired,
        pruned,
    ) = row;
    let dates = [not_before, not_after, expiry];
    StoredMintKey {
        no,
        id,
        denomination,
        dates,
        issued,
        returned,
        recouped,
        stopped_reason,
        retired,
        pruned,
    }
}

pub(crate) async fn transaction(
    connection: &mut PgConnection,
    reference: &TransactionReference,
) -> Result<Option<Transaction>, LedgerError> {
    type Columns = (i64, i16, i64, Option<Vec<u8>>, bool, Vec<Vec<u8>>);
    let key = ReferenceKey::of_transaction(reference);
    let sql = "SELECT id, kind, applied_at, blinds, (SELECT paused FROM signing WHERE id = 1),
            ARRAY(SELECT id FROM mint_keys WHERE stopped_reason IS NOT NULL)
        FROM transactions WHERE reference = $1";
    let query = sqlx::query_as(sql)
        .bind(key.as_bytes())
        .fetch_optional(connection)
        .await;
    let row: Option<Columns> = query.map_err(|error| ledger_error(&error))?;
    row.map(|(id, kind, at, blinds, paused, stopped)| {
        stored::transaction(id, kind, at, blinds.as_deref(), paused, &stopped)
    })
    .transpose()
}

pub(crate) async fn account_by_token(
    connection: &mut PgConnection,
    token_hash: &TokenHash,
) -> Result<Option<Account>, LedgerError> {
    let sql = format!("SELECT {ACCOUNT_COLUMNS} FROM accounts WHERE token_hash = $1");
    found(
        sqlx::query_as(&sql)
            .bind(&token_hash.as_bytes()[..])
            .fetch_optional(connection)
            .await,
    )
}

pub(crate) async fn account_by_name(
    connection: &mut PgConnection,
    name: &AccountName,
) -> Result<Option<Account>, LedgerError> {
    let sql = format!("SELECT {ACCOUNT_COLUMNS} FROM accounts WHERE name = $1");
    found(
        sqlx::query_as(&sql)
            .bind(name.as_str())
            .fetch_optional(connection)
            .await,
    )
}

pub(crate) async fn mint_keys(connection: &mut PgConnection) -> Result<Vec<MintKeyStatus>, LedgerError> {
    let sql = format!("SELECT {MINT_KEY_COLUMNS} FROM mint_keys ORDER BY no");
    let rows: Vec<MintKeyColumns> = sqlx::query_as(&sql)
        .fetch_all(connection)
        .await
        .map_err(|error| ledger_error(&error))?;
    rows.into_iter()
        .map(|row| MintKeyState::try_from(mint_key(row)).map(MintKeyStatus::from))
        .collect()
}

pub(crate) async fn moments(connection: &mut PgConnection) -> Result<Moments, LedgerError> {
    let sql = "SELECT (SELECT applied_at FROM transactions ORDER BY id DESC LIMIT 1),
            (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::int8";
    let (last, now): (Option<i64>, i64) = sqlx::query_as(sql)
        .fetch_one(connection)
        .await
        .map_err(|error| ledger_error(&error))?;
    let time = LedgerTime::from_unix_micros;
    Ok(Moments {
        last_applied: last.map(time),
        database_now: Some(time(now)),
    })
}

pub(crate) async fn signing_paused(connection: &mut PgConnection) -> Result<bool, LedgerError> {
    let query = sqlx::query_scalar("SELECT paused FROM signing WHERE id = 1");
    query
        .fetch_one(connection)
        .await
        .map_err(|error| ledger_error(&error))
}

/// Whether batches can be written: a standby, or a server that is read only because its disk is full, answers every
/// question and takes none.
pub(crate) async fn ready(connection: &mut PgConnection) -> Result<(), LedgerError> {
    let query =
        sqlx::query_scalar("SELECT current_setting('transaction_read_only') FROM signing WHERE id = 1");
    let read_only: String = query
        .fetch_one(connection)
        .await
        .map_err(|error| ledger_error(&error))?;
    if read_only == "off" {
        Ok(())
    } else {
        Err(LedgerError::Unavailable("it is read only".to_owned()))
    }
}

fn found(row: Result<Option<AccountColumns>, sqlx::Error>) -> Result<Option<Account>, LedgerError> {
    let row = row.map_err(|error| ledger_error(&error))?;
    row.map(|row| AccountState::try_from(account(row)).map(Account::from))
        .transpose()
}
