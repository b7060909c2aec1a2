//! Accounts with what their holders have chosen.

use opencoin_ledger::stored;
use opencoin_ledger::view::AccountState;
use opencoin_ledger::{AccountId, AccountName, LedgerError, Profile, ProfileFilter};
use sqlx::SqliteConnection;

use super::must_exist;
use crate::fault::{Fault, ledger_error};
use crate::read::{ACCOUNT_COLUMNS, account};

type Columns = (i64, String, Vec<u8>, i64, Option<String>, bool);

fn profile((id, name, token_hash, balance, password, listed): Columns) -> Result<Profile, LedgerError> {
    let account = AccountState::try_from(account((id, name, token_hash, balance)))?;
    Ok(stored::profile(account, password, listed))
}

pub(super) async fn by_name(
    connection: &mut SqliteConnection,
    name: &AccountName,
) -> Result<Option<Profile>, LedgerError> {
    let sql = format!("SELECT {ACCOUNT_COLUMNS}, password_hash, listed FROM accounts WHERE name = ?1");
    let row = sqlx::query_as(&sql)
        .bind(name.as_str())
        .fetch_optional(&mut *connection)
        .await
        .map_err(|error| ledger_error(&error))?;
    row.map(profile).transpose()
}

pub(super) async fn by_id(
    connection: &mut SqliteConnection,
    id: AccountId,
) -> Result<Option<Profile>, LedgerError> {
    let sql = format!("SELECT {ACCOUNT_COLUMNS}, password_hash, listed FROM accounts WHERE id = ?1");
    let row = sqlx::query_as(&sql)
        .bind(id.get())
        .fetch_optional(&mut *connection)
        .await
        .map_err(|error| ledger_error(&error))?;
    row.map(profile).transpose()
}

/// In the order of bytes, as SQLite compares texts.
pub(super) async fn page(
    connection: &mut SqliteConnection,
    filter: ProfileFilter,
    after: Option<&AccountName>,
    limit: u32,
) -> Result<Vec<Profile>, LedgerError> {
    let wanted = match filter {
        ProfileFilter::All => "1",
        ProfileFilter::Listed => "listed = 1",
    };
    let sql = format!(
        "SELECT {ACCOUNT_COLUMNS}, password_hash, listed FROM accounts
        WHERE name > ?1 AND {wanted} ORDER BY name LIMIT ?2"
    );
    let query = sqlx::query_as(&sql)
        .bind(after.map_or("", |name| name.as_str()))
        .bind(i64::from(limit));
    let rows = query
        .fetch_all(&mut *connection)
        .await
        .map_err(|error| ledger_error(&error))?;
    rows.into_iter().map(profile).collect()
}

pub(super) async fn set_listed(
    connection: &mut SqliteConnection,
    account: AccountId,
    listed: bool,
) -> Result<(), Fault> {
    must_exist(connection, account).await?;
    let query = sqlx::query("UPDATE accounts SET listed = ?1 WHERE id = ?2")
        .bind(listed)
        .bind(account.get());
    query.execute(&mut *connection).await?;
    Ok(())
}
