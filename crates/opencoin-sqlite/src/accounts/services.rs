//! Services: programs that may act for an account.

use opencoin_ledger::stored::StoredService;
use opencoin_ledger::{
    AccountId, LedgerError, LedgerTime, NewService, SERVICES_PER_ACCOUNT_MAX, Scope, Service, ServiceId,
    ServiceRefusal, TokenHash,
};
use sqlx::SqliteConnection;

use super::must_exist;
use crate::fault::{Fault, ledger_error};

const COLUMNS: &str = "id, account, name, scopes, key_hash, key_at, last_seen";
type Columns = (String, i64, String, i16, Vec<u8>, i64, Option<i64>);

fn service((id, account, name, scopes, key, key_at, last_seen): Columns) -> Result<Service, LedgerError> {
    Service::try_from(StoredService {
        id,
        account,
        name,
        scopes,
        key,
        key_at,
        last_seen,
    })
}

pub(super) async fn by_id(
    connection: &mut SqliteConnection,
    id: &ServiceId,
) -> Result<Option<Service>, LedgerError> {
    let sql = format!("SELECT {COLUMNS} FROM services WHERE id = ?1");
    let row = sqlx::query_as(&sql)
        .bind(id.as_str())
        .fetch_optional(&mut *connection)
        .await
        .map_err(|error| ledger_error(&error))?;
    row.map(service).transpose()
}

pub(super) async fn of(
    connection: &mut SqliteConnection,
    account: AccountId,
) -> Result<Vec<Service>, LedgerError> {
    let sql = format!("SELECT {COLUMNS} FROM services WHERE account = ?1 ORDER BY name");
    let rows = sqlx::query_as(&sql)
        .bind(account.get())
        .fetch_all(&mut *connection)
        .await
        .map_err(|error| ledger_error(&error))?;
    rows.into_iter().map(service).collect()
}

pub(super) async fn declare(
    connection: &mut SqliteConnection,
    service: &NewService,
) -> Result<Result<(), ServiceRefusal>, Fault> {
    must_exist(connection, service.account).await?;
    let sql = "SELECT count(*), count(*) FILTER (WHERE name = ?2) FROM services WHERE account = ?1";
    let query = sqlx::query_as(sql)
        .bind(service.account.get())
        .bind(service.name.as_str());
    let (all, of_this_name): (i64, i64) = query.fetch_one(&mut *connection).await?;
    let answer = if of_this_name > 0 {
        Err(ServiceRefusal::Exists)
    } else if usize::try_from(all).is_ok_and(|all| all >= SERVICES_PER_ACCOUNT_MAX) {
        Err(ServiceRefusal::TooMany)
    } else {
        insert(&mut *connection, service).await?;
        Ok(())
    };
    Ok(answer)
}

async fn insert(connection: &mut SqliteConnection, service: &NewService) -> Result<(), Fault> {
    let sql =
        "INSERT INTO services (id, account, name, scopes, key_hash, key_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let query = sqlx::query(sql)
        .bind(service.id.as_str())
        .bind(service.account.get())
        .bind(service.name.as_str())
        .bind(Scope::bits(&service.scopes))
        .bind(&service.key.as_bytes()[..])
        .bind(service.at.unix_micros());
    query.execute(connection).await?;
    Ok(())
}

pub(super) async fn rotate(
    connection: &mut SqliteConnection,
    account: AccountId,
    id: &ServiceId,
    key: &TokenHash,
    now: LedgerTime,
) -> Result<bool, Fault> {
    must_exist(connection, account).await?;
    let query = sqlx::query("UPDATE services SET key_hash = ?1, key_at = ?2 WHERE account = ?3 AND id = ?4")
        .bind(&key.as_bytes()[..])
        .bind(now.unix_micros())
        .bind(account.get())
        .bind(id.as_str());
    let found = query.execute(&mut *connection).await?.rows_affected() == 1;
    end_sessions(connection, account, id, found).await
}

pub(super) async fn remove(
    connection: &mut SqliteConnection,
    account: AccountId,
    id: &ServiceId,
) -> Result<bool, Fault> {
    must_exist(connection, account).await?;
    let query = sqlx::query("DELETE FROM services WHERE account = ?1 AND id = ?2")
        .bind(account.get())
        .bind(id.as_str());
    let found = query.execute(&mut *connection).await?.rows_affected() == 1;
    end_sessions(connection, account, id, found).await
}

async fn end_sessions(
    connection: &mut SqliteConnection,
    account: AccountId,
    id: &ServiceId,
    found: bool,
) -> Result<bool, Fault> {
    if found {
        let query = sqlx::query("DELETE FROM sessions WHERE account = ?1 AND service_id = ?2");
        query
            .bind(account.get())
            .bind(id.as_str())
            .execute(&mut *connection)
            .await?;
    }
    Ok(found)
}

pub(super) async fn saw(
    connection: &mut SqliteConnection,
    id: &ServiceId,
    now: LedgerTime,
) -> Result<(), Fault> {
    let sql = "UPDATE services SET last_seen = max(coalesce(last_seen, ?1), ?1) WHERE id = ?2";
    sqlx::query(sql)
        .bind(now.unix_micros())
        .bind(id.as_str())
        .execute(&mut *connection)
        .await?;
    Ok(())
}
