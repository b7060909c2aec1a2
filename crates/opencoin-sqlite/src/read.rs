//! Reading outside a batch, and the columns of rows that are read in several places.

use opencoin_ledger::journal::ReferenceKey;
use opencoin_ledger::stored::{self, StoredAccount, StoredMintKey, StoredPayout, StoredWaiting};
use opencoin_ledger::view::{AccountState, MintKeyState};
use opencoin_ledger::{
    Account, AccountName, LedgerError, LedgerTime, MintKeyStatus, Moments, TokenHash, Transaction,
    TransactionReference,
};
use sqlx::SqliteConnection;

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
    connection: &mut SqliteConnection,
    reference: &TransactionReference,
) -> Result<Option<Transaction>, LedgerError> {
    type Columns = (i64, i16, i64, Option<Vec<u8>>, bool);
    let key = ReferenceKey::of_transaction(reference);
    let sql = "SELECT id, kind, applied_at, blinds, (SELECT paused FROM signing WHERE id = 1)
        FROM transactions WHERE reference = ?";
    let query = sqlx::query_as(sql)
        .bind(key.as_bytes())
        .fetch_optional(&mut *connection)
        .await;
    let Some((id, kind, at, blinds, paused)): Option<Columns> =
        query.map_err(|error| ledger_error(&error))?
    else {
        return Ok(None);
    };
    // After it: a key that is stopped between the two is one that was stopped since.
    let query = sqlx::query_scalar("SELECT id FROM mint_keys WHERE stopped_reason IS NOT NULL")
        .fetch_all(&mut *connection)
        .await;
    let stopped: Vec<Vec<u8>> = query.map_err(|error| ledger_error(&error))?;
    stored::transaction(id, kind, at, blinds.as_deref(), paused, &stopped).map(Some)
}

pub(crate) async fn account_by_token(
    connection: &mut SqliteConnection,
    token_hash: &TokenHash,
) -> Result<Option<Account>, LedgerError> {
    let sql = format!("SELECT {ACCOUNT_COLUMNS} FROM accounts WHERE token_hash = ?");
    found(
        sqlx::query_as(&sql)
            .bind(&token_hash.as_bytes()[..])
            .fetch_optional(&mut *connection)
            .await,
    )
}

pub(crate) async fn account_by_name(
    connection: &mut SqliteConnection,
    name: &AccountName,
) -> Result<Option<Account>, LedgerError> {
    let sql = format!("SELECT {ACCOUNT_COLUMNS} FROM accounts WHERE name = ?");
    found(
        sqlx::query_as(&sql)
            .bind(name.as_str())
            .fetch_optional(&mut *connection)
            .await,
    )
}

pub(crate) async fn mint_keys(connection: &mut SqliteConnection) -> Result<Vec<MintKeyStatus>, LedgerError> {
    let sql = format!("SELECT {MINT_KEY_COLUMNS} FROM mint_keys ORDER BY no");
    let rows: Vec<MintKeyColumns> = sqlx::query_as(&sql)
        .fetch_all(&mut *connection)
        .await
        .map_err(|error| ledger_error(&error))?;
    rows.into_iter()
        .map(|row| MintKeyState::try_from(mint_key(row)).map(MintKeyStatus::from))
        .collect()
}

/// The database has no clock but this machine's.
pub(crate) async fn moments(connection: &mut SqliteConnection) -> Result<Moments, LedgerError> {
    let query = sqlx::query_scalar("SELECT applied_at FROM transactions ORDER BY id DESC LIMIT 1")
        .fetch_optional(&mut *connection)
        .await;
    let last: Option<i64> = query.map_err(|error| ledger_error(&error))?;
    Ok(Moments {
        last_applied: last.map(LedgerTime::from_unix_micros),
        database_now: None,
    })
}

pub(crate) async fn signing_paused(connection: &mut SqliteConnection) -> Result<bool, LedgerError> {
    let query = sqlx::query_scalar("SELECT paused FROM signing WHERE id = 1");
    query
        .fetch_one(&mut *connection)
        .await
        .map_err(|error| ledger_error(&error))
}

fn found(row: Result<Option<AccountColumns>, sqlx::Error>) -> Result<Option<Account>, LedgerError> {
    let row = row.map_err(|error| ledger_error(&error))?;
    row.map(|row| AccountState::try_from(account(row)).map(Account::from))
        .transpose()
}
