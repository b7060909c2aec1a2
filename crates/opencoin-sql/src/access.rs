//! Who may act for an account: tokens, passwords and sessions.

use opencoin_ledger::stored::{self, StoredBearer};
use opencoin_ledger::{
    AccountId, AccountName, Action, Bearer, FailedLogins, LedgerTime, Login, NewSession, PasswordHash,
    PasswordSetter, SESSIONS_MAX, Start, StartCodeHash, TokenHash,
};

use crate::actions::record;
use crate::lock::{Locked, lock};
use crate::{Executor, Row, SqlError};

/// The most rows that one transaction of [`tidy`] deletes, so that others do not wait long for it.
const TIDIED_AT_A_TIME_MAX: u32 = 1000;

/// Runs for every request of a holder: one round trip with a look-up in each of two unique indexes.
pub(crate) async fn bearer(
    sql: &mut dyn Executor,
    token: &TokenHash,
    now: LedgerTime,
) -> Result<Option<Bearer>, SqlError> {
    let query = "SELECT id, false, NULL, NULL, NULL FROM accounts WHERE token_hash = $1
        UNION ALL
        SELECT sessions.account, true, sessions.service_id, services.scopes, services.last_seen
        FROM sessions LEFT JOIN services ON services.id = sessions.service_id
        WHERE sessions.token_hash = $1 AND sessions.expires_at > $2";
    let bearer = |row: &mut Row| {
        let row = StoredBearer {
            account: row.take()?,
            is_session: row.take()?,
            service: row.take()?,
            scopes: row.take()?,
            last_seen: row.take()?,
        };
        Ok(Bearer::try_from(row)?)
    };
    let values = [token.as_bytes().into(), now.unix_micros().into()];
    sql.optional(query, &values, bearer).await
}

pub(crate) async fn set_token(
    sql: &mut dyn Executor,
    account: AccountId,
    token: &TokenHash,
    action: &Action,
) -> Result<bool, SqlError> {
    if lock(sql, account).await? == Locked::Closed {
        return Ok(false);
    }
    let query = "UPDATE accounts SET token_hash = $1 WHERE id = $2";
    sql.execute(query, &[token.as_bytes().into(), account.get().into()])
        .await?;
    end_start_code(sql, account).await?;
    record(sql, action).await?;
    Ok(true)
}

pub(crate) async fn set_password(
    sql: &mut dyn Executor,
    account: AccountId,
    password: &PasswordHash,
    setter: &PasswordSetter,
) -> Result<bool, SqlError> {
    if lock(sql, account).await? == Locked::Closed {
        return Ok(false);
    }
    let mut except: &[u8] = &[];
    if let PasswordSetter::Holder { before, by } = setter {
        if !is_holder(sql, account, by).await? || !has_password(sql, account, before.as_ref()).await? {
            return Ok(false);
        }
        except = by.as_bytes();
    }
    replace_password(sql, account, password, except).await?;
    // It would set another password.
    end_start_code(sql, account).await?;
    if let PasswordSetter::Operator(action) = setter {
        record(sql, action).await?;
    }
    Ok(true)
}

/// Sets the password. Ends the sessions that a password has opened, except one.
async fn replace_password(
    sql: &mut dyn Executor,
    account: AccountId,
    password: &PasswordHash,
    except: &[u8],
) -> Result<(), SqlError> {
    let query = "UPDATE accounts SET password_hash = $1 WHERE id = $2";
    sql.execute(query, &[password.as_str().into(), account.get().into()])
        .await?;
    let query = "DELETE FROM sessions WHERE account = $1 AND service_id IS NULL AND token_hash <> $2";
    sql.execute(query, &[account.get().into(), except.into()]).await?;
    Ok(())
}

async fn end_start_code(sql: &mut dyn Executor, account: AccountId) -> Result<(), SqlError> {
    let query = "DELETE FROM start_codes WHERE account = $1";
    sql.execute(query, &[account.get().into()]).await?;
    Ok(())
}

pub(crate) async fn set_start_code(
    sql: &mut dyn Executor,
    account: AccountId,
    code: &StartCodeHash,
    expires: LedgerTime,
    action: &Action,
) -> Result<bool, SqlError> {
    if lock(sql, account).await? == Locked::Closed {
        return Ok(false);
    }
    let query = "INSERT INTO start_codes (account, code_hash, expires_at) VALUES ($1, $2, $3)
        ON CONFLICT (account) DO UPDATE SET code_hash = excluded.code_hash, expires_at = excluded.expires_at";
    let values = [
        account.get().into(),
        code.as_str().into(),
        expires.unix_micros().into(),
    ];
    sql.execute(query, &values).await?;
    record(sql, action).await?;
    Ok(true)
}

pub(crate) async fn start_code(
    sql: &mut dyn Executor,
    account: AccountId,
    now: LedgerTime,
) -> Result<Option<StartCodeHash>, SqlError> {
    let query = "SELECT code_hash FROM start_codes WHERE account = $1 AND expires_at > $2";
    let values = [account.get().into(), now.unix_micros().into()];
    let found: Option<String> = sql.optional(query, &values, Row::take).await?;
    Ok(found.map(StartCodeHash::new))
}

/// The code is gone before the password is set, so that it is used once.
pub(crate) async fn start(sql: &mut dyn Executor, start: &Start) -> Result<bool, SqlError> {
    lock(sql, start.account).await?;
    let query = "DELETE FROM start_codes WHERE account = $1 AND code_hash = $2 AND expires_at > $3";
    let values = [
        start.account.get().into(),
        start.code.as_str().into(),
        start.at.unix_micros().into(),
    ];
    if sql.execute(query, &values).await? == 0 {
        return Ok(false);
    }
    replace_password(sql, start.account, &start.password, &[]).await?;
    open_session(sql, &start.session()).await
}

/// Whether the password is still the one that the caller checked.
async fn has_password(
    sql: &mut dyn Executor,
    account: AccountId,
    password: Option<&PasswordHash>,
) -> Result<bool, SqlError> {
    let query = "SELECT count(*) FROM accounts WHERE id = $1 AND password_hash IS NOT DISTINCT FROM $2";
    let values = [account.get().into(), password.map(PasswordHash::as_str).into()];
    Ok(sql.count(query, &values).await? == 1)
}

/// Whether this is still the token of the account, or of a session of it that a password has opened. Whatever makes access
/// that outlives a token asks this under the lock of the account.
pub(crate) async fn is_holder(
    sql: &mut dyn Executor,
    account: AccountId,
    token: &TokenHash,
) -> Result<bool, SqlError> {
    let values = [account.get().into(), token.as_bytes().into()];
    let query = "SELECT count(*) FROM accounts WHERE id = $1 AND token_hash = $2";
    if sql.count(query, &values).await? == 1 {
        return Ok(true);
    }
    let query = "SELECT count(*) FROM sessions WHERE account = $1 AND token_hash = $2 AND service_id IS NULL";
    Ok(sql.count(query, &values).await? == 1)
}

fn failed(row: &mut Row) -> Result<FailedLogins, SqlError> {
    Ok(stored::failed_logins(row.take()?, row.take()?)?)
}

pub(crate) async fn failed_logins(
    sql: &mut dyn Executor,
    name: &AccountName,
) -> Result<FailedLogins, SqlError> {
    let query = "SELECT count, last_at FROM failed_logins WHERE name_hash = $1";
    let key = stored::login_key(name);
    let found = sql.optional(query, &[(&key).into()], failed).await?;
    Ok(found.unwrap_or_default())
}

pub(crate) async fn count_login(
    sql: &mut dyn Executor,
    name: &AccountName,
    now: LedgerTime,
) -> Result<FailedLogins, SqlError> {
    let query = "INSERT INTO failed_logins (name_hash, count, last_at) VALUES ($1, 1, $2)
        ON CONFLICT (name_hash) DO UPDATE SET last_at = excluded.last_at,
            count = CASE WHEN failed_logins.count < $3 THEN failed_logins.count + 1 ELSE $3 END
        RETURNING count, last_at";
    let key = stored::login_key(name);
    let values = [
        (&key).into(),
        now.unix_micros().into(),
        i64::from(i32::MAX).into(),
    ];
    sql.one(query, &values, failed).await
}

pub(crate) async fn clear_failed_logins(sql: &mut dyn Executor, name: &AccountName) -> Result<(), SqlError> {
    let key = stored::login_key(name);
    sql.execute("DELETE FROM failed_logins WHERE name_hash = $1", &[(&key).into()])
        .await?;
    Ok(())
}

pub(crate) async fn open_session(sql: &mut dyn Executor, session: &NewSession) -> Result<bool, SqlError> {
    lock(sql, session.account).await?;
    if !is_valid(sql, session).await? {
        return Ok(false);
    }
    let service = match &session.login {
        Login::Password(_) => None,
        Login::Service(service, _) => Some(service.as_str()),
    };
    make_room(sql, session, service).await?;
    let query = "INSERT INTO sessions (token_hash, account, service_id, opened_at, expires_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (token_hash) DO NOTHING";
    let values = [
        session.token.as_bytes().into(),
        session.account.get().into(),
        service.into(),
        session.at.unix_micros().into(),
        session.expires.unix_micros().into(),
    ];
    sql.execute(query, &values).await?;
    Ok(true)
}

/// Whether the password or service key of this login is still valid. It changes only under the lock of the
/// account's row, which the caller holds.
async fn is_valid(sql: &mut dyn Executor, session: &NewSession) -> Result<bool, SqlError> {
    let account = session.account.get().into();
    let rows = match &session.login {
        Login::Password(password) => {
            let query = "SELECT count(*) FROM accounts WHERE id = $1 AND password_hash = $2";
            sql.count(query, &[account, password.as_str().into()]).await?
        }
        Login::Service(service, key) => {
            let query = "SELECT count(*) FROM services WHERE account = $1 AND id = $2 AND key_hash = $3";
            let values = [account, service.as_str().into(), key.as_bytes().into()];
            sql.count(query, &values).await?
        }
    };
    Ok(rows == 1)
}

/// Ends expired sessions, and the oldest ones until there is room for one more.
async fn make_room(
    sql: &mut dyn Executor,
    session: &NewSession,
    service: Option<&str>,
) -> Result<(), SqlError> {
    let (account, service) = (session.account.get().into(), service.into());
    let query =
        "DELETE FROM sessions WHERE account = $1 AND service_id IS NOT DISTINCT FROM $2 AND expires_at <= $3";
    sql.execute(query, &[account, service, session.at.unix_micros().into()])
        .await?;
    // SQLite requires a LIMIT before an OFFSET.
    let query = "DELETE FROM sessions WHERE token_hash IN (
            SELECT token_hash FROM sessions WHERE account = $1 AND service_id IS NOT DISTINCT FROM $2
            ORDER BY opened_at DESC, token_hash DESC LIMIT $3 OFFSET $4
        )";
    let kept = i64::try_from(SESSIONS_MAX - 1).expect("the limit is a small number");
    sql.execute(query, &[account, service, i64::MAX.into(), kept.into()])
        .await?;
    Ok(())
}

pub(crate) async fn end_session(sql: &mut dyn Executor, token: &TokenHash) -> Result<bool, SqlError> {
    let query = "DELETE FROM sessions WHERE token_hash = $1";
    Ok(sql.execute(query, &[token.as_bytes().into()]).await? == 1)
}

pub(crate) async fn end_password_sessions(
    sql: &mut dyn Executor,
    account: AccountId,
) -> Result<(), SqlError> {
    let query = "DELETE FROM sessions WHERE account = $1 AND service_id IS NULL";
    sql.execute(query, &[account.get().into()]).await?;
    Ok(())
}

/// The statements that delete expired sessions, failed logins and start codes, each with the time that it compares with.
pub(crate) fn over(now: LedgerTime) -> [(&'static str, LedgerTime); 3] {
    [
        (
            "DELETE FROM sessions WHERE token_hash IN
                (SELECT token_hash FROM sessions WHERE expires_at <= $1 LIMIT $2)",
            now,
        ),
        (
            "DELETE FROM failed_logins WHERE name_hash IN
                (SELECT name_hash FROM failed_logins WHERE last_at <= $1 LIMIT $2)",
            stored::failed_logins_over(now),
        ),
        (
            "DELETE FROM start_codes WHERE account IN
                (SELECT account FROM start_codes WHERE expires_at <= $1 LIMIT $2)",
            now,
        ),
    ]
}

/// Deletes one portion of rows and returns whether there may be more.
pub(crate) async fn tidy(sql: &mut dyn Executor, query: &str, time: LedgerTime) -> Result<bool, SqlError> {
    let values = [time.unix_micros().into(), i64::from(TIDIED_AT_A_TIME_MAX).into()];
    Ok(sql.execute(query, &values).await? >= u64::from(TIDIED_AT_A_TIME_MAX))
}
