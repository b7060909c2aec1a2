//! What the store knows of accounts beside their money.
//!
//! Reads go to the pool. Changes go one after another over a connection of their own (`change.rs`), so that neither batches wait for
//! them nor they for batches.

mod access;
mod change;
mod entries;
mod profiles;
mod services;
mod waiting;

use async_trait::async_trait;
use opencoin_ledger::{
    AccountEntry, AccountId, AccountName, Accounts, Backlog, Bearer, EntryPage, FailedLogins, IdempotencyKey, LedgerError,
    LedgerTime, NewService, NewSession, PasswordHash, Payout, PayoutFilter, PayoutNo, Profile, ProfileFilter, Service, ServiceId,
    ServiceRefusal, TokenHash, TransactionReference, WaitRefusal, WaitingMint,
};

use crate::fault::Fault;
use crate::{ATTEMPT_SECONDS_MAX, PostgresLedger, in_time, until_won};

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
        change(|| profiles::set_listed(&self.holders, account, listed)).await
    }

    async fn set_password(
        &self,
        account: AccountId,
        password: &PasswordHash,
        except: Option<&TokenHash>,
    ) -> Result<(), LedgerError> {
        change(|| access::set_password(&self.holders, account, password, except)).await
    }

    async fn failed_logins(&self, name: &AccountName) -> Result<FailedLogins, LedgerError> {
        access::failed_logins(&self.pool, name).await
    }

    async fn count_login(&self, name: &AccountName, now: LedgerTime) -> Result<FailedLogins, LedgerError> {
        change(|| access::count_login(&self.holders, name, now)).await
    }

    async fn clear_failed_logins(&self, name: &AccountName) -> Result<(), LedgerError> {
        change(|| access::clear_failed_logins(&self.holders, name)).await
    }

    async fn open_session(&self, session: &NewSession) -> Result<bool, LedgerError> {
        change(|| access::open_session(&self.holders, session)).await
    }

    async fn end_session(&self, token: &TokenHash) -> Result<bool, LedgerError> {
        change(|| access::end_session(&self.holders, token)).await
    }

    async fn declare_service(&self, service: &NewService) -> Result<Result<(), ServiceRefusal>, LedgerError> {
        change(|| services::declare(&self.holders, service)).await
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
        change(|| services::rotate(&self.holders, account, id, key, now)).await
    }

    async fn remove_service(&self, account: AccountId, id: &ServiceId) -> Result<bool, LedgerError> {
        change(|| services::remove(&self.holders, account, id)).await
    }

    async fn saw_service(&self, id: &ServiceId, now: LedgerTime) -> Result<(), LedgerError> {
        change(|| services::saw(&self.holders, id, now)).await
    }

    async fn entries(&self, account: AccountId, page: EntryPage, limit: u32) -> Result<Vec<AccountEntry>, LedgerError> {
        entries::page(&self.pool, account, page, limit).await
    }

    async fn entry_of(&self, account: AccountId, key: &IdempotencyKey) -> Result<Option<AccountEntry>, LedgerError> {
        entries::by_key(&self.pool, account, key).await
    }

    async fn payouts(&self, filter: PayoutFilter, after: PayoutNo, limit: u32) -> Result<Vec<Payout>, LedgerError> {
        entries::payouts(&self.pool, filter, after, limit).await
    }

    async fn payout(&self, no: PayoutNo) -> Result<Option<Payout>, LedgerError> {
        entries::payout(&self.pool, no).await
    }

    async fn payout_of(&self, account: AccountId, key: &IdempotencyKey) -> Result<Option<Payout>, LedgerError> {
        entries::payout_by_key(&self.pool, account, key).await
    }

    async fn wait(&self, mint: &WaitingMint, now: LedgerTime) -> Result<Result<(), WaitRefusal>, LedgerError> {
        change(|| waiting::wait(&self.holders, mint, now)).await
    }

    async fn waiting(&self, reference: &TransactionReference) -> Result<Option<WaitingMint>, LedgerError> {
        waiting::by_reference(&self.pool, reference).await
    }

    async fn payable(&self, now: LedgerTime, limit: u32) -> Result<Vec<WaitingMint>, LedgerError> {
        waiting::payable(&self.pool, now, limit).await
    }

    async fn stop_waiting(&self, reference: &TransactionReference) -> Result<(), LedgerError> {
        change(|| waiting::stop(&self.holders, reference)).await
    }

    async fn backlog(&self, now: LedgerTime) -> Result<Backlog, LedgerError> {
        waiting::backlog(&self.pool, now).await
    }

    async fn tidy(&self, now: LedgerTime, waited_before: LedgerTime) -> Result<(), LedgerError> {
        change(|| access::tidy(&self.holders, now, waited_before)).await
    }
}
