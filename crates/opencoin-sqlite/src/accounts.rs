//! What the store knows of accounts beside their money.
//!
//! Changes take their turns with batches at the connection that writes; SQLite has one write lock.

mod access;
mod entries;
mod profiles;
mod services;
mod waiting;

use async_trait::async_trait;
use opencoin_ledger::{
    AccountEntry, AccountId, AccountName, Accounts, Backlog, Bearer, EntryPage, FailedLogins, IdempotencyKey,
    LedgerError, LedgerTime, NewService, NewSession, PasswordHash, PasswordSetter, Payout, PayoutFilter,
    PayoutNo, Profile, ProfileFilter, Scoped, Service, ServiceId, ServiceRefusal, TokenHash,
    TransactionReference, WaitRefusal, WaitingMint, scoped, stored,
};
use sqlx::SqliteConnection;

use crate::SqliteLedger;
use crate::fault::Fault;
use crate::transaction::{Task, run};

/// Checks that an account exists. The transaction holds the write lock, so it stays so.
async fn must_exist(connection: &mut SqliteConnection, account: AccountId) -> Result<(), Fault> {
    let query = sqlx::query_scalar("SELECT count(*) FROM accounts WHERE id = ?").bind(account.get());
    let rows: i64 = query.fetch_one(connection).await?;
    if rows == 0 {
        return Err(stored::missing_account(account).into());
    }
    Ok(())
}

impl SqliteLedger {
    async fn change<'a, T>(
        &self,
        name: &'static str,
        work: impl for<'c> Fn(&'c mut SqliteConnection) -> Scoped<'a, 'c, Result<T, Fault>>,
    ) -> Result<T, LedgerError> {
        run(&self.writer, Task::transaction(name), work).await
    }
}

#[async_trait]
impl Accounts for SqliteLedger {
    async fn bearer(&self, token: &TokenHash, now: LedgerTime) -> Result<Option<Bearer>, LedgerError> {
        self.read("access: bearer", |connection| {
            scoped(access::bearer(connection, token, now))
        })
        .await
    }

    async fn profile(&self, name: &AccountName) -> Result<Option<Profile>, LedgerError> {
        self.read("profiles: by name", |connection| {
            scoped(profiles::by_name(connection, name))
        })
        .await
    }

    async fn profile_by_id(&self, account: AccountId) -> Result<Option<Profile>, LedgerError> {
        self.read("profiles: by id", |connection| {
            scoped(profiles::by_id(connection, account))
        })
        .await
    }

    async fn profiles(
        &self,
        filter: ProfileFilter,
        after: Option<&AccountName>,
        limit: u32,
    ) -> Result<Vec<Profile>, LedgerError> {
        self.read("profiles: page", |connection| {
            scoped(profiles::page(connection, filter, after, limit))
        })
        .await
    }

    async fn set_token(&self, account: AccountId, token: &TokenHash) -> Result<(), LedgerError> {
        self.change("access: set token", |connection| {
            scoped(access::set_token(connection, account, token))
        })
        .await
    }

    async fn set_listed(&self, account: AccountId, listed: bool) -> Result<(), LedgerError> {
        self.change("profiles: set listed", |connection| {
            scoped(profiles::set_listed(connection, account, listed))
        })
        .await
    }

    async fn set_password(
        &self,
        account: AccountId,
        password: &PasswordHash,
        setter: PasswordSetter<'_>,
    ) -> Result<bool, LedgerError> {
        self.change("access: set password", |connection| {
            scoped(access::set_password(connection, account, password, setter))
        })
        .await
    }

    async fn failed_logins(&self, name: &AccountName) -> Result<FailedLogins, LedgerError> {
        self.read("access: failed logins", |connection| {
            scoped(access::failed_logins(connection, name))
        })
        .await
    }

    async fn count_login(&self, name: &AccountName, now: LedgerTime) -> Result<FailedLogins, LedgerError> {
        self.change("access: count login", |connection| {
            scoped(access::count_login(connection, name, now))
        })
        .await
    }

    async fn clear_failed_logins(&self, name: &AccountName) -> Result<(), LedgerError> {
        self.change("access: clear failed logins", |connection| {
            scoped(access::clear_failed_logins(connection, name))
        })
        .await
    }

    async fn open_session(&self, session: &NewSession) -> Result<bool, LedgerError> {
        self.change("access: open session", |connection| {
            scoped(access::open_session(connection, session))
        })
        .await
    }

    async fn end_session(&self, token: &TokenHash) -> Result<bool, LedgerError> {
        self.change("access: end session", |connection| {
            scoped(access::end_session(connection, token))
        })
        .await
    }

    async fn declare_service(&self, service: &NewService) -> Result<Result<(), ServiceRefusal>, LedgerError> {
        self.change("services: declare", |connection| {
            scoped(services::declare(connection, service))
        })
        .await
    }

    async fn service(&self, id: &ServiceId) -> Result<Option<Service>, LedgerError> {
        self.read("services: by id", |connection| {
            scoped(services::by_id(connection, id))
        })
        .await
    }

    async fn services(&self, account: AccountId) -> Result<Vec<Service>, LedgerError> {
        self.read("services: of", |connection| {
            scoped(services::of(connection, account))
        })
        .await
    }

    async fn rotate_service(
        &self,
        account: AccountId,
        id: &ServiceId,
        key: &TokenHash,
        now: LedgerTime,
    ) -> Result<bool, LedgerError> {
        self.change("services: rotate", |connection| {
            scoped(services::rotate(connection, account, id, key, now))
        })
        .await
    }

    async fn remove_service(&self, account: AccountId, id: &ServiceId) -> Result<bool, LedgerError> {
        self.change("services: remove", |connection| {
            scoped(services::remove(connection, account, id))
        })
        .await
    }

    async fn saw_service(&self, id: &ServiceId, now: LedgerTime) -> Result<(), LedgerError> {
        self.change("services: saw", |connection| {
            scoped(services::saw(connection, id, now))
        })
        .await
    }

    async fn entries(
        &self,
        account: AccountId,
        page: EntryPage,
        limit: u32,
    ) -> Result<Vec<AccountEntry>, LedgerError> {
        self.read("entries: page", |connection| {
            scoped(entries::page(connection, account, page, limit))
        })
        .await
    }

    async fn entry_of(
        &self,
        account: AccountId,
        key: &IdempotencyKey,
    ) -> Result<Option<AccountEntry>, LedgerError> {
        self.read("entries: by key", |connection| {
            scoped(entries::by_key(connection, account, key))
        })
        .await
    }

    async fn payouts(
        &self,
        filter: PayoutFilter,
        after: PayoutNo,
        limit: u32,
    ) -> Result<Vec<Payout>, LedgerError> {
        self.read("entries: payouts", |connection| {
            scoped(entries::payouts(connection, filter, after, limit))
        })
        .await
    }

    async fn payout(&self, no: PayoutNo) -> Result<Option<Payout>, LedgerError> {
        self.read("entries: payout", |connection| {
            scoped(entries::payout(connection, no))
        })
        .await
    }

    async fn payout_of(
        &self,
        account: AccountId,
        key: &IdempotencyKey,
    ) -> Result<Option<Payout>, LedgerError> {
        self.read("entries: payout by key", |connection| {
            scoped(entries::payout_by_key(connection, account, key))
        })
        .await
    }

    async fn wait(
        &self,
        mint: &WaitingMint,
        now: LedgerTime,
    ) -> Result<Result<(), WaitRefusal>, LedgerError> {
        self.change("waiting: wait", |connection| {
            scoped(waiting::wait(connection, mint, now))
        })
        .await
    }

    async fn waiting(&self, reference: &TransactionReference) -> Result<Option<WaitingMint>, LedgerError> {
        self.read("waiting: by reference", |connection| {
            scoped(waiting::by_reference(connection, reference))
        })
        .await
    }

    async fn payable(&self, now: LedgerTime, limit: u32) -> Result<Vec<TransactionReference>, LedgerError> {
        self.read("waiting: payable", |connection| {
            scoped(waiting::payable(connection, now, limit))
        })
        .await
    }

    async fn stop_waiting(&self, reference: &TransactionReference) -> Result<(), LedgerError> {
        self.change("waiting: stop", |connection| {
            scoped(waiting::stop(connection, reference))
        })
        .await
    }

    async fn backlog(&self, now: LedgerTime) -> Result<Backlog, LedgerError> {
        self.read("waiting: backlog", |connection| {
            scoped(waiting::backlog(connection, now))
        })
        .await
    }

    async fn tidy(&self, now: LedgerTime, waited_before: LedgerTime) -> Result<(), LedgerError> {
        for (sql, time) in access::over(now, waited_before) {
            while self
                .change("access: tidy", |connection| {
                    scoped(access::tidy(connection, sql, time))
                })
                .await?
            {}
        }
        Ok(())
    }
}
