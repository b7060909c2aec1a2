//! What the store knows of accounts beside their money.
//!
//! Reads go to the pool. Changes go one after another over a connection of their own (`change.rs`), so that
//! neither batches wait for them nor they for batches.

mod access;
mod change;
mod entries;
mod profiles;
mod services;
mod waiting;

use async_trait::async_trait;
use opencoin_ledger::{
    AccountEntry, AccountId, AccountName, Accounts, Backlog, Bearer, DueMint, EntryPage, FailedLogins,
    IdempotencyKey, LedgerError, LedgerTime, NewService, NewSession, PasswordHash, PasswordSetter, Payout,
    PayoutFilter, PayoutNo, Profile, ProfileFilter, Service, ServiceId, ServiceRefusal, TokenHash,
    TransactionReference, WaitingMint,
};
use tokio::sync::Semaphore;

use crate::fault::Fault;
use crate::{ATTEMPT_SECONDS_MAX, PostgresLedger, in_time, until_won};

/// How many changes may be in hand or wait for the connection. More are turned away.
const CHANGES_MAX: usize = 1024;

static CHANGES: Semaphore = Semaphore::const_new(CHANGES_MAX);

/// Runs a change to completion even if the caller is dropped: a client that hangs up must not cost the
/// connection.
pub(crate) async fn finished<T: Send + 'static>(
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

/// One transaction, tried again where another process was faster.
async fn change<T, F: Future<Output = Result<T, Fault>>>(attempt: impl Fn() -> F) -> Result<T, LedgerError> {
    until_won(|| in_time(ATTEMPT_SECONDS_MAX, attempt())).await
}

#[async_trait]
impl Accounts for PostgresLedger {
    async fn bearer(&self, token: &TokenHash, now: LedgerTime) -> Result<Option<Bearer>, LedgerError> {
        access::bearer(&self.pool, token, now).await
    }

    async fn profile(&self, name: &AccountName) -> Result<Option<Profile>, LedgerError> {
        profiles::by_name(&self.pool, name).await
    }

    async fn profile_by_id(&self, account: AccountId) -> Result<Option<Profile>, LedgerError> {
        profiles::by_id(&self.pool, account).await
    }

    async fn profiles(
        &self,
        filter: ProfileFilter,
        after: Option<&AccountName>,
        limit: u32,
    ) -> Result<Vec<Profile>, LedgerError> {
        profiles::page(&self.pool, filter, after, limit).await
    }

    async fn set_listed(&self, account: AccountId, listed: bool) -> Result<(), LedgerError> {
        let holders = self.holders.clone();
        finished(async move { change(|| profiles::set_listed(&holders, account, listed)).await }).await
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
            change(|| access::set_password(&holders, account, &password, setter.borrowed())).await
        })
        .await
    }

    async fn failed_logins(&self, name: &AccountName) -> Result<FailedLogins, LedgerError> {
        access::failed_logins(&self.pool, name).await
    }

    async fn count_login(&self, name: &AccountName, now: LedgerTime) -> Result<FailedLogins, LedgerError> {
        let (holders, name) = (self.holders.clone(), name.clone());
        finished(async move { change(|| access::count_login(&holders, &name, now)).await }).await
    }

    async fn clear_failed_logins(&self, name: &AccountName) -> Result<(), LedgerError> {
        let (holders, name) = (self.holders.clone(), name.clone());
        finished(async move { change(|| access::clear_failed_logins(&holders, &name)).await }).await
    }

    async fn open_session(&self, session: &NewSession) -> Result<bool, LedgerError> {
        let (holders, session) = (self.holders.clone(), session.clone());
        finished(async move { change(|| access::open_session(&holders, &session)).await }).await
    }

    async fn end_session(&self, token: &TokenHash) -> Result<bool, LedgerError> {
        let (holders, token) = (self.holders.clone(), *token);
        finished(async move { change(|| access::end_session(&holders, &token)).await }).await
    }

    async fn declare_service(&self, service: &NewService) -> Result<Result<(), ServiceRefusal>, LedgerError> {
        let (holders, service) = (self.holders.clone(), service.clone());
        finished(async move { change(|| services::declare(&holders, &service)).await }).await
    }

    async fn service(&self, id: &ServiceId) -> Result<Option<Service>, LedgerError> {
        services::by_id(&self.pool, id).await
    }

    async fn services(&self, account: AccountId) -> Result<Vec<Service>, LedgerError> {
        services::of(&self.pool, account).await
    }

    async fn rotate_service(
        &self,
        account: AccountId,
        id: &ServiceId,
        key: &TokenHash,
        now: LedgerTime,
    ) -> Result<bool, LedgerError> {
        let (holders, id, key) = (self.holders.clone(), id.clone(), *key);
        finished(async move { change(|| services::rotate(&holders, account, &id, &key, now)).await }).await
    }

    async fn remove_service(&self, account: AccountId, id: &ServiceId) -> Result<bool, LedgerError> {
        let (holders, id) = (self.holders.clone(), id.clone());
        finished(async move { change(|| services::remove(&holders, account, &id)).await }).await
    }

    async fn saw_service(&self, id: &ServiceId, now: LedgerTime) -> Result<(), LedgerError> {
        let (holders, id) = (self.holders.clone(), id.clone());
        finished(async move { change(|| services::saw(&holders, &id, now)).await }).await
    }

    async fn entries(
        &self,
        account: AccountId,
        page: EntryPage,
        limit: u32,
    ) -> Result<Vec<AccountEntry>, LedgerError> {
        entries::page(&self.pool, account, page, limit).await
    }

    async fn entry_of(
        &self,
        account: AccountId,
        key: &IdempotencyKey,
    ) -> Result<Option<AccountEntry>, LedgerError> {
        entries::by_key(&self.pool, account, key).await
    }

    async fn payouts(
        &self,
        filter: PayoutFilter,
        after: PayoutNo,
        limit: u32,
    ) -> Result<Vec<Payout>, LedgerError> {
        entries::payouts(&self.pool, filter, after, limit).await
    }

    async fn payout(&self, no: PayoutNo) -> Result<Option<Payout>, LedgerError> {
        entries::payout(&self.pool, no).await
    }

    async fn payout_of(
        &self,
        account: AccountId,
        key: &IdempotencyKey,
    ) -> Result<Option<Payout>, LedgerError> {
        entries::payout_by_key(&self.pool, account, key).await
    }

    async fn waiting(&self, reference: &TransactionReference) -> Result<Option<WaitingMint>, LedgerError> {
        waiting::by_reference(&self.pool, reference).await
    }

    async fn due(
        &self,
        now: LedgerTime,
        after: Option<&DueMint>,
        limit: u32,
    ) -> Result<Vec<DueMint>, LedgerError> {
        waiting::due(&self.pool, now, after, limit).await
    }

    async fn backlog(&self) -> Result<Backlog, LedgerError> {
        waiting::backlog(&self.pool).await
    }

    async fn tidy(&self, now: LedgerTime) -> Result<(), LedgerError> {
        for (sql, time) in access::over(now) {
            while change(|| access::tidy(&self.holders, sql, time)).await? {}
        }
        Ok(())
    }
}
