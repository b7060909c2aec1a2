//! What the store knows of accounts beside their money.
//!
//! Reads go to the pool. Changes go one after another over a connection of their own, so that
//! neither batches wait for them nor they for batches.

mod access;
mod entries;
mod profiles;
mod services;
mod waiting;

use async_trait::async_trait;
use opencoin_ledger::{
    AccountEntry, AccountId, AccountName, Accounts, Backlog, Bearer, EntryPage, FailedLogins, IdempotencyKey,
    LedgerError, LedgerTime, NewService, NewSession, PasswordHash, PasswordSetter, Payout, PayoutFilter,
    PayoutNo, Profile, ProfileFilter, Service, ServiceId, ServiceRefusal, TokenHash, TransactionReference,
    WaitRefusal, WaitingMint, scoped, stored,
};
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use tokio::sync::Semaphore;

use crate::PostgresLedger;
use crate::fault::Fault;
use crate::transaction::{Task, run};

/// How many changes may be in hand or wait for the connection. More are turned away.
const CHANGES_MAX: usize = 1024;

static CHANGES: Semaphore = Semaphore::const_new(CHANGES_MAX);

/// Runs a change to completion even if the caller is dropped: a client that hangs up must not cost the
/// connection.
async fn finished<T: Send + 'static>(
    change: impl Future<Output = Result<T, LedgerError>> + Send + 'static,
) -> Result<T, LedgerError> {
    let unavailable = |text: &str| LedgerError::Unavailable(text.to_owned());
    let place = CHANGES
        .try_acquire()
        .map_err(|_| unavailable("too many changes of accounts wait"))?;
    let change = async move {
        let _place = place;
        change.await
    };
    tokio::spawn(change)
        .await
        .map_err(|_| unavailable("a change of an account came to no end"))?
}

/// Locks the row of an account, for changes that depend on others of this account: they take their turns.
async fn lock(connection: &mut PgConnection, account: AccountId) -> Result<(), Fault> {
    let query = sqlx::query("SELECT id FROM accounts WHERE id = $1 FOR UPDATE").bind(account.get());
    let row: Option<PgRow> = query.fetch_optional(connection).await?;
    row.map(|_| ())
        .ok_or_else(|| stored::missing_account(account).into())
}

#[async_trait]
impl Accounts for PostgresLedger {
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
        let (holders, token) = (self.holders.clone(), *token);
        finished(async move {
            run(&holders, Task::transaction("access: set token"), |connection| {
                scoped(access::set_token(connection, account, &token))
            })
            .await
        })
        .await
    }

    async fn set_listed(&self, account: AccountId, listed: bool) -> Result<(), LedgerError> {
        let holders = self.holders.clone();
        finished(async move {
            run(
                &holders,
                Task::transaction("profiles: set listed"),
                |connection| scoped(profiles::set_listed(connection, account, listed)),
            )
            .await
        })
        .await
    }

    async fn set_password(
        &self,
        account: AccountId,
        password: &PasswordHash,
        setter: PasswordSetter<'_>,
    ) -> Result<bool, LedgerError> {
        let (holders, password, setter) = (
            self.holders.clone(),
            password.clone(),
            access::OwnedSetter::from(setter),
        );
        finished(async move {
            run(
                &holders,
                Task::transaction("access: set password"),
                |connection| {
                    scoped(access::set_password(
                        connection,
                        account,
                        &password,
                        setter.borrowed(),
                    ))
                },
            )
            .await
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
        let (holders, name) = (self.holders.clone(), name.clone());
        finished(async move {
            run(&holders, Task::transaction("access: count login"), |connection| {
                scoped(access::count_login(connection, &name, now))
            })
            .await
        })
        .await
    }

    async fn clear_failed_logins(&self, name: &AccountName) -> Result<(), LedgerError> {
        let (holders, name) = (self.holders.clone(), name.clone());
        finished(async move {
            run(
                &holders,
                Task::transaction("access: clear failed logins"),
                |connection| scoped(access::clear_failed_logins(connection, &name)),
            )
            .await
        })
        .await
    }

    async fn open_session(&self, session: &NewSession) -> Result<bool, LedgerError> {
        let (holders, session) = (self.holders.clone(), session.clone());
        finished(async move {
            run(
                &holders,
                Task::transaction("access: open session"),
                |connection| scoped(access::open_session(connection, &session)),
            )
            .await
        })
        .await
    }

    async fn end_session(&self, token: &TokenHash) -> Result<bool, LedgerError> {
        let (holders, token) = (self.holders.clone(), *token);
        finished(async move {
            run(&holders, Task::transaction("access: end session"), |connection| {
                scoped(access::end_session(connection, &token))
            })
            .await
        })
        .await
    }

    async fn declare_service(&self, service: &NewService) -> Result<Result<(), ServiceRefusal>, LedgerError> {
        let (holders, service) = (self.holders.clone(), service.clone());
        finished(async move {
            run(&holders, Task::transaction("services: declare"), |connection| {
                scoped(services::declare(connection, &service))
            })
            .await
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
        let (holders, id, key) = (self.holders.clone(), id.clone(), *key);
        finished(async move {
            run(&holders, Task::transaction("services: rotate"), |connection| {
                scoped(services::rotate(connection, account, &id, &key, now))
            })
            .await
        })
        .await
    }

    async fn remove_service(&self, account: AccountId, id: &ServiceId) -> Result<bool, LedgerError> {
        let (holders, id) = (self.holders.clone(), id.clone());
        finished(async move {
            run(&holders, Task::transaction("services: remove"), |connection| {
                scoped(services::remove(connection, account, &id))
            })
            .await
        })
        .await
    }

    async fn saw_service(&self, id: &ServiceId, now: LedgerTime) -> Result<(), LedgerError> {
        let (holders, id) = (self.holders.clone(), id.clone());
        finished(async move {
            run(&holders, Task::transaction("services: saw"), |connection| {
                scoped(services::saw(connection, &id, now))
            })
            .await
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
        let (holders, mint) = (self.holders.clone(), mint.clone());
        finished(async move {
            run(&holders, Task::transaction("waiting: wait"), |connection| {
                scoped(waiting::wait(connection, &mint, now))
            })
            .await
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
        let (holders, reference) = (self.holders.clone(), reference.clone());
        finished(async move {
            run(&holders, Task::transaction("waiting: stop"), |connection| {
                scoped(waiting::stop(connection, &reference))
            })
            .await
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
            while run(&self.holders, Task::transaction("access: tidy"), |connection| {
                scoped(access::tidy(connection, sql, time))
            })
            .await?
            {}
        }
        Ok(())
    }
}
