//! Who may act for an account: passwords and sessions.

use opencoin_ledger::stored::{self, StoredBearer};
use opencoin_ledger::{
    AccountId, AccountName, Bearer, FailedLogins, LedgerError, LedgerTime, Login, NewSession, PasswordHash,
    PasswordSetter, SESSIONS_MAX, TokenHash,
};
use sqlx::SqliteConnection;

use super::must_exist;
use crate::fault::{Fault, ledger_error};

/// The rows that are deleted in one transaction when tidying, so that others do not wait long for it.
const TIDIED_AT_A_TIME_MAX: i64 = 1000;

/// One look-up in each of two unique indexes: every request of a holder asks this.
pub(super) async fn bearer(
    connection: &mut SqliteConnection,
    token: &TokenHash,
    now: LedgerTime,
) -> Result<Option<Bearer>, LedgerError> {
    let sql = "SELECT id, 0, NULL, NULL, NULL FROM accounts WHERE token_hash = ?1
        UNION ALL
        SELECT sessions.account, 1, sessions.service_id, services.scopes, services.last_seen
        FROM sessions LEFT JOIN services ON services.id = sessions.service_id
        WHERE sessions.token_hash = ?1 AND sessions.expires_at > ?2";
    type Columns = (i64, bool, Option<String>, Option<i16>, Option<i64>);
    let query = sqlx::query_as(sql)
        .bind(&token.as_bytes()[..])
        .bind(now.unix_micros())
        .fetch_optional(&mut *connection)
        .await;
    let row: Option<Columns> = query.map_err(|error| ledger_error(&error))?;
    let bearer = |(account, is_session, service, scopes, last_seen)| {
        Bearer::try_from(StoredBearer {
            account,
            is_session,
            service,
            scopes,
            last_seen,
        })
    };
    row.map(bearer).transpose()
}

pub(super) async fn set_token(
    connection: &mut SqliteConnection,
    account: AccountId,
    token: &TokenHash,
) -> Result<(), Fault> {
    must_exist(connection, account).await?;
    let query = sqlx::query("UPDATE accounts SET token_hash = $1 WHERE id = $2")
        .bind(&token.as_bytes()[..])
        .bind(account.get());
    query.execute(connection).await?;
    Ok(())
}

pub(super) async fn set_password(
    connection: &mut SqliteConnection,
    account: AccountId,
    password: &PasswordHash,
    setter: PasswordSetter<'_>,
) -> Result<bool, Fault> {
    must_exist(connection, account).await?;
    let mut except = None;
    if let PasswordSetter::Holder { before, session } = setter {
        if !may_set(&mut *connection, account, before, session).await? {
            return Ok(false);
        }
        except = session;
    }
    let query = sqlx::query("UPDATE accounts SET password_hash = ?1 WHERE id = ?2")
        .bind(password.as_str())
        .bind(account.get());
    query.execute(&mut *connection).await?;
    let sql = "DELETE FROM sessions WHERE account = ?1 AND service_id IS NULL AND token_hash <> ?2";
    let except = except.map_or(&[][..], |token| &token.as_bytes()[..]);
    sqlx::query(sql)
        .bind(account.get())
        .bind(except)
        .execute(&mut *connection)
        .await?;
    Ok(true)
}

/// Whether the password is the one that was looked at, and the session is there still.
async fn may_set(
    connection: &mut SqliteConnection,
    account: AccountId,
    before: Option<&PasswordHash>,
    session: Option<&TokenHash>,
) -> Result<bool, Fault> {
    let sql = "SELECT count(*) FROM accounts WHERE id = ?1 AND password_hash IS ?2";
    let query = sqlx::query_scalar(sql)
        .bind(account.get())
        .bind(before.map(PasswordHash::as_str));
    let same: i64 = query.fetch_one(&mut *connection).await?;
    let Some(session) = session else {
        return Ok(same == 1);
    };
    let sql = "SELECT count(*) FROM sessions WHERE token_hash = ?1 AND account = ?2 AND service_id IS NULL";
    let open: i64 = sqlx::query_scalar(sql)
        .bind(&session.as_bytes()[..])
        .bind(account.get())
        .fetch_one(connection)
        .await?;
    Ok(same == 1 && open == 1)
}

pub(super) async fn failed_logins(
    connection: &mut SqliteConnection,
    name: &AccountName,
) -> Result<FailedLogins, LedgerError> {
    let query = sqlx::query_as("SELECT count, last_at FROM failed_logins WHERE name_hash = ?1");
    let row = query
        .bind(&stored::login_key(name)[..])
        .fetch_optional(&mut *connection)
        .await
        .map_err(|error| ledger_error(&error))?;
    row.map_or(Ok(FailedLogins::default()), |(count, last)| {
        stored::failed_logins(count, last)
    })
}

pub(super) async fn count_login(
    connection: &mut SqliteConnection,
    name: &AccountName,
    now: LedgerTime,
) -> Result<FailedLogins, Fault> {
    let sql = "INSERT INTO failed_logins (name_hash, count, last_at) VALUES (?1, 1, ?2)
        ON CONFLICT (name_hash) DO UPDATE SET last_at = excluded.last_at,
            count = CASE WHEN failed_logins.count < ?3 THEN failed_logins.count + 1 ELSE ?3 END
        RETURNING count, last_at";
    let name = stored::login_key(name);
    let query = sqlx::query_as(sql)
        .bind(&name[..])
        .bind(now.unix_micros())
        .bind(i32::MAX);
    let (count, last) = query.fetch_one(&mut *connection).await?;
    Ok(stored::failed_logins(count, last)?)
}

pub(super) async fn clear_failed_logins(
    connection: &mut SqliteConnection,
    name: &AccountName,
) -> Result<(), Fault> {
    let name = stored::login_key(name);
    let query = sqlx::query("DELETE FROM failed_logins WHERE name_hash = ?1").bind(&name[..]);
    query.execute(&mut *connection).await?;
    Ok(())
}

pub(super) async fn open_session(
    connection: &mut SqliteConnection,
    session: &NewSession,
) -> Result<bool, Fault> {
    must_exist(connection, session.account).await?;
    let counts = counts(&mut *connection, session).await?;
    if counts {
        let service = service_of(session);
        make_room(&mut *connection, session, service).await?;
        let sql = "INSERT INTO sessions (token_hash, account, service_id, opened_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (token_hash) DO NOTHING";
        let query = sqlx::query(sql)
            .bind(&session.token.as_bytes()[..])
            .bind(session.account.get())
            .bind(service)
            .bind(session.at.unix_micros())
            .bind(session.expires.unix_micros());
        query.execute(&mut *connection).await?;
    }
    Ok(counts)
}

fn service_of(session: &NewSession) -> Option<&str> {
    match &session.login {
        Login::Password(_) => None,
        Login::Service(service, _) => Some(service.as_str()),
    }
}

/// Whether what somebody logged in with is what counts now.
async fn counts(connection: &mut SqliteConnection, session: &NewSession) -> Result<bool, Fault> {
    let account = session.account.get();
    let query = match &session.login {
        Login::Password(password) => {
            let sql = "SELECT count(*) FROM accounts WHERE id = ?1 AND password_hash = ?2";
            sqlx::query_scalar(sql).bind(account).bind(password.as_str())
        }
        Login::Service(service, key) => {
            let sql = "SELECT count(*) FROM services WHERE account = ?1 AND id = ?2 AND key_hash = ?3";
            sqlx::query_scalar(sql)
                .bind(account)
                .bind(service.as_str())
                .bind(&key.as_bytes()[..])
        }
    };
    let rows: i64 = query.fetch_one(connection).await?;
    Ok(rows == 1)
}

/// Ends what has expired, and as many of the oldest as make room for one more.
async fn make_room(
    connection: &mut SqliteConnection,
    session: &NewSession,
    service: Option<&str>,
) -> Result<(), Fault> {
    let sql = "DELETE FROM sessions WHERE account = ?1 AND service_id IS ?2 AND expires_at <= ?3";
    let query = sqlx::query(sql)
        .bind(session.account.get())
        .bind(service)
        .bind(session.at.unix_micros());
    query.execute(&mut *connection).await?;
    let sql = "DELETE FROM sessions WHERE token_hash IN (
            SELECT token_hash FROM sessions WHERE account = ?1 AND service_id IS ?2
            ORDER BY opened_at DESC, token_hash DESC LIMIT -1 OFFSET ?3
        )";
    let kept = i64::try_from(SESSIONS_MAX - 1).expect("it is a small number");
    sqlx::query(sql)
        .bind(session.account.get())
        .bind(service)
        .bind(kept)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn end_session(connection: &mut SqliteConnection, token: &TokenHash) -> Result<bool, Fault> {
    let query = sqlx::query("DELETE FROM sessions WHERE token_hash = ?1").bind(&token.as_bytes()[..]);
    let ended = query.execute(&mut *connection).await?.rows_affected() == 1;
    Ok(ended)
}

/// What is over, and how it is found.
pub(super) fn over(now: LedgerTime, waited_before: LedgerTime) -> [(&'static str, LedgerTime); 3] {
    [
        (
            "DELETE FROM sessions WHERE token_hash IN (SELECT token_hash FROM sessions WHERE expires_at <= ?1 LIMIT ?2)",
            now,
        ),
        (
            "DELETE FROM failed_logins WHERE name_hash IN (SELECT name_hash FROM failed_logins WHERE last_at <= ?1 LIMIT ?2)",
            stored::failed_logins_over(now),
        ),
        (
            "DELETE FROM waiting_mints WHERE reference IN (SELECT reference FROM waiting_mints WHERE expires_at < ?1 LIMIT ?2)",
            waited_before,
        ),
    ]
}

/// Deletes one portion; whether there may be more.
pub(super) async fn tidy(
    connection: &mut SqliteConnection,
    sql: &str,
    time: LedgerTime,
) -> Result<bool, Fault> {
    let query = sqlx::query(sql)
        .bind(time.unix_micros())
        .bind(TIDIED_AT_A_TIME_MAX);
    let deleted = query.execute(&mut *connection).await?.rows_affected();
    Ok(deleted >= TIDIED_AT_A_TIME_MAX.unsigned_abs())
}
