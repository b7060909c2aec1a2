//! Accounts with the settings of their holders: password and listing.

use opencoin_ledger::stored;
use opencoin_ledger::view::AccountState;
use opencoin_ledger::{AccountId, AccountName, AccountStatus, KeyAccountStatus, Profile, ProfileFilter};
use opencoin_log::key_account::AccountKey;

use crate::lock::{Locked, lock};
use crate::rows::{ACCOUNT_COLUMNS, account};
use crate::{Executor, Row, SqlError};

fn profile(row: &mut Row) -> Result<Profile, SqlError> {
    let account = AccountState::try_from(account(row)?)?;
    Ok(stored::profile(account, row.take()?, row.take()?))
}

fn select(condition: &str) -> String {
    format!("SELECT {ACCOUNT_COLUMNS}, password_hash, listed FROM accounts WHERE {condition}")
}

pub(crate) async fn by_name(sql: &mut dyn Executor, name: &AccountName) -> Result<Option<Profile>, SqlError> {
    sql.optional(&select("name = $1"), &[name.as_str().into()], profile)
        .await
}

pub(crate) async fn by_id(sql: &mut dyn Executor, id: AccountId) -> Result<Option<Profile>, SqlError> {
    sql.optional(&select("id = $1"), &[id.get().into()], profile)
        .await
}

pub(crate) async fn key_account(
    sql: &mut dyn Executor,
    key: &AccountKey,
) -> Result<Option<KeyAccountStatus>, SqlError> {
    let query = format!("SELECT {ACCOUNT_COLUMNS} FROM accounts WHERE name = $1");
    let name = AccountName::of_key(*key);
    let found = sql.optional(&query, &[name.as_str().into()], account).await?;
    let state = found.map(AccountState::try_from).transpose()?;
    Ok(state.as_ref().and_then(stored::key_account))
}

/// Orders names by bytes, whatever the collation of the database is.
pub(crate) async fn page(
    sql: &mut dyn Executor,
    filter: ProfileFilter,
    after: Option<&AccountName>,
    limit: u32,
) -> Result<Vec<Profile>, SqlError> {
    let name = format!("name {}", sql.dialect().by_bytes);
    let wanted = match filter {
        ProfileFilter::All => "true".to_owned(),
        ProfileFilter::Listed => "listed".to_owned(),
        ProfileFilter::Frozen => format!("status = {}", AccountStatus::Frozen.code()),
    };
    let query = select(&format!(
        "{name} > $1 AND id < $2 AND {wanted} ORDER BY {name} LIMIT $3"
    ));
    let values = [
        after.map_or("", |name| name.as_str()).into(),
        AccountId::FIRST_KEY_ACCOUNT.get().into(),
        i64::from(limit).into(),
    ];
    sql.all(&query, &values, profile).await
}

pub(crate) async fn set_listed(
    sql: &mut dyn Executor,
    account: AccountId,
    listed: bool,
) -> Result<(), SqlError> {
    if lock(sql, account).await? == Locked::Closed {
        return Ok(());
    }
    let query = "UPDATE accounts SET listed = $1 WHERE id = $2";
    sql.execute(query, &[listed.into(), account.get().into()]).await?;
    Ok(())
}
