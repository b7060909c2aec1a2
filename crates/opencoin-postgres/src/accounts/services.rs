//! Services: programs that may act for an account.

use opencoin_ledger::stored::StoredService;
use opencoin_ledger::{
    AccountId, LedgerError, LedgerTime, NewService, SERVICES_PER_ACCOUNT_MAX, Scope, Service, ServiceId,
    ServiceRefusal, TokenHash,
};
use sqlx::PgConnection;

use super::lock;
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
    connection: &mut PgConnection,
    id: &ServiceId,
) -> Result<Option<Service>, LedgerError> {
    let sql = format!("SELECT {COLUMNS} FROM services WHERE id = $1");
    let row = sqlx::query_as(&sql)
        .bind(id.as_str())
        .fetch_optional(connection)
        .await
        .map_err(|error| ledger_error(&error))?;
    row.map(service).transpose()
}

pub(super) async fn of(
    connection: &mut PgConnection,
    account: AccountId,
) -> Result<Vec<Service>, LedgerError> {
    let sql = format!("SELECT {COLUMNS} FROM services WHERE account = $1 ORDER BY name COLLATE \"C\"");
    let rows = sqlx::query_as(&sql)
        .bind(account.get())
        .fetch_all(connection)
        .await
        .map_err(|error| ledger_error(&error))?;
    rows.into_iter().map(service).collect()
}

pub(super) async fn declare(
    connection: &mut PgConnection,
    service: &NewService,
) -> Result<Result<(), ServiceRefusal>, Fault> {
    lock(connection, service.account).await?;
    let sql = "SELECT count(*), count(*) FILTER (WHERE name = $2) FROM services WHERE account = $1";
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

async fn insert(connection: &mut PgConnection, service: &NewService) -> Result<(), Fault> {
    let sql =
        "INSERT INTO services (id, account, name, scopes, key_hash, key_at) VALUES ($1, $2, $3, $4, $5, $6)";
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
    connection: &mut PgConnection,
    account: AccountId,
    id: &ServiceId,
    key: &TokenHash,
    now: LedgerTime,
) -> Result<bool, Fault> {
    lock(connection, account).await?;
    let query = sqlx::query("UPDATE services SET key_hash = $1, key_at = $2 WHERE account = $3 AND id = $4")
        .bind(&key.as_bytes()[..])
        .bind(now.unix_micros())
        .bind(account.get())
        .bind(id.as_str());
    let found = query.execute(&mut *connection).await?.rows_affected() == 1;
    end_sessions(connection, account, id, found).await
}

pub(super) async fn remove(
    connection: &mut PgConnection,
    account: AccountId,
    id: &ServiceId,
) -> Result<bool, Fault> {
    lock(connection, account).await?;
    let query = sqlx::query("DELETE FROM services WHERE account = $1 AND id = $2")
        .bind(account.get())
        .bind(id.as_str());
    let found = query.execute(&mut *connection).await?.rows_affected() == 1;
    end_sessions(connection, account, id, found).await
}

async fn end_sessions(
    connection: &mut PgConnection,
    account: AccountId,
    id: &ServiceId,
    found: bool,
) -> Result<bool, Fault> {
    if found {
        let query = sqlx::query("DELETE FROM sessions WHERE account = $1 AND service_id = $2");
        query
            .bind(account.get())
            .bind(id.as_str())
            .execute(&mut *connection)
            .await?;
    }
    Ok(found)
}

pub(super) async fn saw(connection: &mut PgConnection, id: &ServiceId, now: LedgerTime) -> Result<(), Fault> {
    let sql = "UPDATE services SET last_seen = GREATEST(last_seen, $1) WHERE id = $2";
    sqlx::query(sql)
        .bind(now.unix_micros())
        .bind(id.as_str())
        .execute(&mut *connection)
        .await?;
    Ok(())
}
