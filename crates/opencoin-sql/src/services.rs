//! Services: programs that may act for an account.

use opencoin_ledger::stored::StoredService;
use opencoin_ledger::{
    AccountId, Action, LedgerTime, NewService, SERVICES_PER_ACCOUNT_MAX, Scope, Service, ServiceId,
    ServiceRefusal, TokenHash,
};

use crate::access::is_holder;
use crate::actions::record;
use crate::lock::{Locked, lock};
use crate::{Executor, Row, SqlError};

const COLUMNS: &str = "id, account, name, scopes, key_hash, key_at, last_seen";

fn service(row: &mut Row) -> Result<Service, SqlError> {
    let row = StoredService {
        id: row.take()?,
        account: row.take()?,
        name: row.take()?,
        scopes: row.take()?,
        key: row.take()?,
        key_at: row.take()?,
        last_seen: row.take()?,
    };
    Ok(row.try_into()?)
}

pub(crate) async fn by_id(sql: &mut dyn Executor, id: &ServiceId) -> Result<Option<Service>, SqlError> {
    let query = format!("SELECT {COLUMNS} FROM services WHERE id = $1");
    sql.optional(&query, &[id.as_str().into()], service).await
}

pub(crate) async fn of(sql: &mut dyn Executor, account: AccountId) -> Result<Vec<Service>, SqlError> {
    let by_bytes = sql.dialect().by_bytes;
    let query = format!("SELECT {COLUMNS} FROM services WHERE account = $1 ORDER BY name {by_bytes}");
    sql.all(&query, &[account.get().into()], service).await
}

pub(crate) async fn declare(
    sql: &mut dyn Executor,
    service: &NewService,
) -> Result<Result<(), ServiceRefusal>, SqlError> {
    if lock(sql, service.account).await? == Locked::Closed {
        return Ok(Err(ServiceRefusal::Closed));
    }
    if !is_holder(sql, service.account, &service.by).await? {
        return Ok(Err(ServiceRefusal::NotHolder));
    }
    let query = "SELECT count(*), count(*) FILTER (WHERE name = $2) FROM services WHERE account = $1";
    let values = [service.account.get().into(), service.name.as_str().into()];
    let counts = |row: &mut Row| Ok((row.take()?, row.take()?));
    let (all, of_this_name): (i64, i64) = sql.one(query, &values, counts).await?;
    if of_this_name > 0 {
        return Ok(Err(ServiceRefusal::Exists));
    }
    if usize::try_from(all).is_ok_and(|all| all >= SERVICES_PER_ACCOUNT_MAX) {
        return Ok(Err(ServiceRefusal::TooMany));
    }
    let query =
        "INSERT INTO services (id, account, name, scopes, key_hash, key_at) VALUES ($1, $2, $3, $4, $5, $6)";
    let values = [
        service.id.as_str().into(),
        service.account.get().into(),
        service.name.as_str().into(),
        i64::from(Scope::bits(&service.scopes)).into(),
        service.key.as_bytes().into(),
        service.at.unix_micros().into(),
    ];
    sql.execute(query, &values).await?;
    Ok(Ok(()))
}

pub(crate) async fn rotate(
    sql: &mut dyn Executor,
    account: AccountId,
    id: &ServiceId,
    (key, by): (&TokenHash, &TokenHash),
    now: LedgerTime,
) -> Result<bool, SqlError> {
    lock(sql, account).await?;
    if !is_holder(sql, account, by).await? {
        return Ok(false);
    }
    let query = "UPDATE services SET key_hash = $1, key_at = $2 WHERE account = $3 AND id = $4";
    let values = [
        key.as_bytes().into(),
        now.unix_micros().into(),
        account.get().into(),
        id.as_str().into(),
    ];
    let is_found = sql.execute(query, &values).await? == 1;
    end_sessions(sql, account, id, is_found).await
}

pub(crate) async fn replace_key(
    sql: &mut dyn Executor,
    id: &ServiceId,
    [before, key]: [&TokenHash; 2],
    now: LedgerTime,
) -> Result<bool, SqlError> {
    let Some(account) = by_id(sql, id).await?.map(|service| service.account) else {
        return Ok(false);
    };
    lock(sql, account).await?;
    let query = "UPDATE services SET key_hash = $1, key_at = $2 WHERE id = $3 AND key_hash = $4";
    let values = [
        key.as_bytes().into(),
        now.unix_micros().into(),
        id.as_str().into(),
        before.as_bytes().into(),
    ];
    if sql.execute(query, &values).await? == 1 {
        return end_sessions(sql, account, id, true).await;
    }
    Ok(by_id(sql, id).await?.is_some_and(|service| service.key == *key))
}

pub(crate) async fn remove(
    sql: &mut dyn Executor,
    account: AccountId,
    id: &ServiceId,
    action: Option<&Action>,
) -> Result<bool, SqlError> {
    lock(sql, account).await?;
    let query = "DELETE FROM services WHERE account = $1 AND id = $2";
    let values = [account.get().into(), id.as_str().into()];
    let is_found = sql.execute(query, &values).await? == 1;
    if let (true, Some(action)) = (is_found, action) {
        record(sql, action).await?;
    }
    end_sessions(sql, account, id, is_found).await
}

async fn end_sessions(
    sql: &mut dyn Executor,
    account: AccountId,
    id: &ServiceId,
    is_found: bool,
) -> Result<bool, SqlError> {
    if is_found {
        let query = "DELETE FROM sessions WHERE account = $1 AND service_id = $2";
        sql.execute(query, &[account.get().into(), id.as_str().into()])
            .await?;
    }
    Ok(is_found)
}

/// `coalesce` is needed because the greatest of `NULL` and a number is `NULL` in SQLite.
pub(crate) async fn saw(sql: &mut dyn Executor, id: &ServiceId, now: LedgerTime) -> Result<(), SqlError> {
    let greatest = sql.dialect().greatest;
    let query =
        format!("UPDATE services SET last_seen = {greatest}(coalesce(last_seen, $1), $1) WHERE id = $2");
    sql.execute(&query, &[now.unix_micros().into(), id.as_str().into()])
        .await?;
    Ok(())
}
