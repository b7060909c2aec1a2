//! What the store knows of accounts beside their money.
//!
//! Changes take their turns with batches at the connection that writes; SQLite has one write lock.

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

use crate::{SqliteLedger, until_free};

#[async_trait]
impl Accounts for SqliteLedger {
    async fn bearer(&self, token: &TokenHash, now: LedgerTime) -> Result<Option<Bearer>, LedgerError> {
        access::bearer(&self.readers, token, now).await
    }

    async fn profile(&self, name: &AccountName) -> Result<Option<Profile>, LedgerError> {
        profiles::by_name(&self.readers, name).await
    }

    async fn profile_by_id(&self, account: AccountId) -> Result<Option<Profile>, LedgerError> {
        profiles::by_id(&self.readers, account).await
    }

    async fn profiles(
        &self,
        filter: ProfileFilter,
        after: Option<&AccountName>,
        limit: u32,
    ) -> Result<Vec<Profile>, LedgerError> {
        profiles::page(&self.readers, filter, after, limit).await
    }

    async fn set_listed(&self, account: AccountId, listed: bool) -> Result<(), LedgerError> {
        until_free(|| profiles::set_listed(&self.writer, account, listed)).await
    }

    async fn set_password(
        &self,
        account: AccountId,
        password: &PasswordHash,
        setter: PasswordSetter<'_>,
    ) -> Result<bool, LedgerError> {
        until_free(|| access::set_password(&self.writer, account, password, setter)).await
    }

    async fn failed_logins(&self, name: &AccountName) -> Result<FailedLogins, LedgerError> {
        access::failed_logins(&self.readers, name).await
    }

    async fn count_login(&self, name: &AccountName, now: LedgerTime) -> Result<FailedLogins, LedgerError> {
        until_free(|| access::count_login(&self.writer, name, now)).await
    }

    async fn clear_failed_logins(&self, name: &AccountName) -> Result<(), LedgerError> {
        until_free(|| access::clear_failed_logins(&self.writer, name)).await
    }

    async fn open_session(&self, session: &NewSession) -> Result<bool, LedgerError> {
        until_free(|| access::open_session(&self.writer, session)).await
    }

    async fn end_session(&self, token: &TokenHash) -> Result<bool, LedgerError> {
        until_free(|| access::end_session(&self.writer, token)).await
    }

    async fn declare_service(&self, service: &NewService) -> Result<Result<(), ServiceRefusal>, LedgerError> {
        until_free(|| services::declare(&self.writer, service)).await
    }

    async fn service(&self, id: &ServiceId) -> Result<Option<Service>, LedgerError> {
        services::by_id(&self.readers, id).await
    }

    async fn services(&self, account: AccountId) -> Result<Vec<Service>, LedgerError> {
        services::of(&self.readers, account).await
    }

    async fn rotate_service(
        &self,
        account: AccountId,
        id: &ServiceId,
        key: &TokenHash,
        now: LedgerTime,
    ) -> Result<bool, LedgerError> {
        until_free(|| services::rotate(&self.writer, account, id, key, now)).await
    }

    async fn remove_service(&self, account: AccountId, id: &ServiceId) -> Result<bool, LedgerError> {
        until_free(|| services::remove(&self.writer, account, id)).await
    }

    async fn saw_service(&self, id: &ServiceId, now: LedgerTime) -> Result<(), LedgerError> {
        until_free(|| services::saw(&self.writer, id, now)).await
    }

    async fn entries(
        &self,
        account: AccountId,
        page: EntryPage,
        limit: u32,
    ) -> Result<Vec<AccountEntry>, LedgerError> {
        entries::page(&self.readers, account, page, limit).await
    }

    async fn entry_of(
        &self,
        account: AccountId,
        key: &IdempotencyKey,
    ) -> Result<Option<AccountEntry>, LedgerError> {
        entries::by_key(&self.readers, account, key).await
    }

    async fn payouts(
        &self,
        filter: PayoutFilter,
        after: PayoutNo,
        limit: u32,
    ) -> Result<Vec<Payout>, LedgerError> {
        entries::payouts(&self.readers, filter, after, limit).await
    }

    async fn payout(&self, no: PayoutNo) -> Result<Option<Payout>, LedgerError> {
        entries::payout(&self.readers, no).await
    }

    async fn payout_of(
        &self,
        account: AccountId,
        key: &IdempotencyKey,
    ) -> Result<Option<Payout>, LedgerError> {
        entries::payout_by_key(&self.readers, account, key).await
    }

    async fn waiting(&self, reference: &TransactionReference) -> Result<Option<WaitingMint>, LedgerError> {
        waiting::by_reference(&self.readers, reference).await
    }

    async fn due(
        &self,
        now: LedgerTime,
        after: Option<&DueMint>,
        limit: u32,
    ) -> Result<Vec<DueMint>, LedgerError> {
        waiting::due(&self.readers, now, after, limit).await
    }

    async fn backlog(&self) -> Result<Backlog, LedgerError> {
        waiting::backlog(&self.readers).await
    }

    async fn tidy(&self, now: LedgerTime) -> Result<(), LedgerError> {
        for (sql, time) in access::over(now) {
            while until_free(|| access::tidy(&self.writer, sql, time)).await? {}
        }
        Ok(())
    }
}
