//! The interface [`Accounts`], for every store: account data other than balances.
//!
//! Each method runs a function of another module as a read or a transaction of the [`Runner`].

use async_trait::async_trait;
use opencoin_ledger::{
    AccountEntry, AccountId, AccountName, Accounts, Action, Backlog, Bearer, DueMint, EntryPage,
    FailedLogins, IdempotencyKey, KeyAccountStatus, LedgerError, LedgerTime, NewService, NewSession,
    PasswordHash, PasswordSetter, Payout, PayoutFilter, PayoutNo, Profile, ProfileFilter, Service, ServiceId,
    ServiceRefusal, Start, StartCodeHash, TokenHash, TransactionReference, WaitingMint,
};
use opencoin_log::key_account::AccountKey;

use crate::Runner;
use crate::{access, entries, profiles, services, waiting};

/// Implements [`Accounts`] on the reads and transactions of a store.
#[derive(Debug, Clone)]
pub struct SqlAccounts<R>(pub R);

#[async_trait]
impl<R: Runner> Accounts for SqlAccounts<R> {
    async fn bearer(&self, token: &TokenHash, now: LedgerTime) -> Result<Option<Bearer>, LedgerError> {
        let read = self
            .0
            .read("bearer of a token", (*token, now), |sql, (token, now)| {
                Box::pin(access::bearer(sql, token, *now))
            });
        read.await
    }

    async fn profile(&self, name: &AccountName) -> Result<Option<Profile>, LedgerError> {
        let read = self.0.read("profile", name.clone(), |sql, name| {
            Box::pin(profiles::by_name(sql, name))
        });
        read.await
    }

    async fn profile_by_id(&self, account: AccountId) -> Result<Option<Profile>, LedgerError> {
        let read = self.0.read("profile by number", account, |sql, account| {
            Box::pin(profiles::by_id(sql, *account))
        });
        read.await
    }

    async fn key_account(&self, key: &AccountKey) -> Result<Option<KeyAccountStatus>, LedgerError> {
        let read = self.0.read("account of a key", *key, |sql, key| {
            Box::pin(profiles::key_account(sql, key))
        });
        read.await
    }

    async fn profiles(
        &self,
        filter: ProfileFilter,
        after: Option<&AccountName>,
        limit: u32,
    ) -> Result<Vec<Profile>, LedgerError> {
        let arguments = (filter, after.cloned(), limit);
        let read = self.0.read("profiles", arguments, |sql, (filter, after, limit)| {
            Box::pin(profiles::page(sql, *filter, after.as_ref(), *limit))
        });
        read.await
    }

    async fn set_token(
        &self,
        account: AccountId,
        token: &TokenHash,
        action: &Action,
    ) -> Result<bool, LedgerError> {
        let arguments = (account, *token, action.clone());
        let change = self
            .0
            .change("set a token", arguments, |sql, (account, token, action)| {
                Box::pin(access::set_token(sql, *account, token, action))
            });
        change.await
    }

    async fn set_listed(&self, account: AccountId, listed: bool) -> Result<(), LedgerError> {
        let change = self
            .0
            .change("list an account", (account, listed), |sql, (account, listed)| {
                Box::pin(profiles::set_listed(sql, *account, *listed))
            });
        change.await
    }

    async fn set_password(
        &self,
        account: AccountId,
        password: &PasswordHash,
        setter: PasswordSetter,
    ) -> Result<bool, LedgerError> {
        let arguments = (account, password.clone(), setter);
        let change = self
            .0
            .change("set a password", arguments, |sql, (account, password, setter)| {
                Box::pin(access::set_password(sql, *account, password, setter))
            });
        change.await
    }

    async fn failed_logins(&self, name: &AccountName) -> Result<FailedLogins, LedgerError> {
        let read = self.0.read("failed logins", name.clone(), |sql, name| {
            Box::pin(access::failed_logins(sql, name))
        });
        read.await
    }

    async fn count_login(&self, name: &AccountName, now: LedgerTime) -> Result<FailedLogins, LedgerError> {
        let change = self
            .0
            .change("count a login", (name.clone(), now), |sql, (name, now)| {
                Box::pin(access::count_login(sql, name, *now))
            });
        change.await
    }

    async fn clear_failed_logins(&self, name: &AccountName) -> Result<(), LedgerError> {
        let change = self.0.change("clear failed logins", name.clone(), |sql, name| {
            Box::pin(access::clear_failed_logins(sql, name))
        });
        change.await
    }

    async fn open_session(&self, session: &NewSession) -> Result<bool, LedgerError> {
        let change = self.0.change("open a session", session.clone(), |sql, session| {
            Box::pin(access::open_session(sql, session))
        });
        change.await
    }

    async fn end_session(&self, token: &TokenHash) -> Result<bool, LedgerError> {
        let change = self.0.change("end a session", *token, |sql, token| {
            Box::pin(access::end_session(sql, token))
        });
        change.await
    }

    async fn end_password_sessions(&self, account: AccountId) -> Result<(), LedgerError> {
        let change = self.0.change("end sessions", account, |sql, account| {
            Box::pin(access::end_password_sessions(sql, *account))
        });
        change.await
    }

    async fn declare_service(&self, service: &NewService) -> Result<Result<(), ServiceRefusal>, LedgerError> {
        let change = self
            .0
            .change("declare a service", service.clone(), |sql, service| {
                Box::pin(services::declare(sql, service))
            });
        change.await
    }

    async fn service(&self, id: &ServiceId) -> Result<Option<Service>, LedgerError> {
        let read = self.0.read("service", id.clone(), |sql, id| {
            Box::pin(services::by_id(sql, id))
        });
        read.await
    }

    async fn services(&self, account: AccountId) -> Result<Vec<Service>, LedgerError> {
        let read = self.0.read("services", account, |sql, account| {
            Box::pin(services::of(sql, *account))
        });
        read.await
    }

    async fn replace_service_key(
        &self,
        id: &ServiceId,
        before: &TokenHash,
        key: &TokenHash,
        now: LedgerTime,
    ) -> Result<bool, LedgerError> {
        let arguments = (id.clone(), *before, *key, now);
        let change = self.0.change(
            "replace a service key",
            arguments,
            |sql, (id, before, key, now)| Box::pin(services::replace_key(sql, id, [before, key], *now)),
        );
        change.await
    }

    async fn rotate_service(
        &self,
        account: AccountId,
        id: &ServiceId,
        (key, by): (&TokenHash, &TokenHash),
        now: LedgerTime,
    ) -> Result<bool, LedgerError> {
        let arguments = (account, id.clone(), (*key, *by), now);
        let change = self.0.change(
            "rotate a service",
            arguments,
            |sql, (account, id, (key, by), now)| {
                Box::pin(services::rotate(sql, *account, id, (key, by), *now))
            },
        );
        change.await
    }

    async fn remove_service(
        &self,
        account: AccountId,
        id: &ServiceId,
        action: Option<&Action>,
    ) -> Result<bool, LedgerError> {
        let arguments = (account, id.clone(), action.cloned());
        let change = self
            .0
            .change("remove a service", arguments, |sql, (account, id, action)| {
                Box::pin(services::remove(sql, *account, id, action.as_ref()))
            });
        change.await
    }

    async fn set_start_code(
        &self,
        account: AccountId,
        code: &StartCodeHash,
        expires: LedgerTime,
        action: &Action,
    ) -> Result<bool, LedgerError> {
        let arguments = (account, code.clone(), expires, action.clone());
        let change = self.0.change(
            "set a start code",
            arguments,
            |sql, (account, code, expires, action)| {
                Box::pin(access::set_start_code(sql, *account, code, *expires, action))
            },
        );
        change.await
    }

    async fn start_code(
        &self,
        account: AccountId,
        now: LedgerTime,
    ) -> Result<Option<StartCodeHash>, LedgerError> {
        let read = self.0.read("start code", (account, now), |sql, (account, now)| {
            Box::pin(access::start_code(sql, *account, *now))
        });
        read.await
    }

    async fn start(&self, start: &Start) -> Result<bool, LedgerError> {
        let change = self.0.change("start an account", start.clone(), |sql, start| {
            Box::pin(access::start(sql, start))
        });
        change.await
    }

    async fn saw_service(&self, id: &ServiceId, now: LedgerTime) -> Result<(), LedgerError> {
        let change = self
            .0
            .change("note a service", (id.clone(), now), |sql, (id, now)| {
                Box::pin(services::saw(sql, id, *now))
            });
        change.await
    }

    async fn entries(
        &self,
        account: AccountId,
        page: EntryPage,
        limit: u32,
    ) -> Result<Vec<AccountEntry>, LedgerError> {
        let read = self.0.read(
            "entries",
            (account, page, limit),
            |sql, (account, page, limit)| Box::pin(entries::page(sql, *account, *page, *limit)),
        );
        read.await
    }

    async fn entry_of(
        &self,
        account: AccountId,
        key: &IdempotencyKey,
    ) -> Result<Option<AccountEntry>, LedgerError> {
        let read = self
            .0
            .read("entry by key", (account, key.clone()), |sql, (account, key)| {
                Box::pin(entries::by_key(sql, *account, key))
            });
        read.await
    }

    async fn payouts(
        &self,
        filter: PayoutFilter,
        after: PayoutNo,
        limit: u32,
    ) -> Result<Vec<Payout>, LedgerError> {
        let read = self.0.read(
            "payouts",
            (filter, after, limit),
            |sql, (filter, after, limit)| Box::pin(entries::payouts(sql, *filter, *after, *limit)),
        );
        read.await
    }

    async fn newest_payouts(
        &self,
        filter: PayoutFilter,
        before: Option<PayoutNo>,
        limit: u32,
    ) -> Result<Vec<Payout>, LedgerError> {
        let read = self.0.read(
            "newest payouts",
            (filter, before, limit),
            |sql, (filter, before, limit)| Box::pin(entries::newest_payouts(sql, *filter, *before, *limit)),
        );
        read.await
    }

    async fn payout(&self, no: PayoutNo) -> Result<Option<Payout>, LedgerError> {
        let read = self
            .0
            .read("payout", no, |sql, no| Box::pin(entries::payout(sql, *no)));
        read.await
    }

    async fn payouts_with(&self, numbers: Vec<PayoutNo>) -> Result<Vec<Payout>, LedgerError> {
        let read = self.0.read("payouts with numbers", numbers, |sql, numbers| {
            Box::pin(entries::payouts_with(sql, numbers))
        });
        read.await
    }

    async fn payout_of(
        &self,
        account: AccountId,
        key: &IdempotencyKey,
    ) -> Result<Option<Payout>, LedgerError> {
        let read = self
            .0
            .read("payout by key", (account, key.clone()), |sql, (account, key)| {
                Box::pin(entries::payout_by_key(sql, *account, key))
            });
        read.await
    }

    async fn waiting(&self, reference: &TransactionReference) -> Result<Option<WaitingMint>, LedgerError> {
        let read = self.0.read("waiting mint", reference.clone(), |sql, reference| {
            Box::pin(waiting::by_reference(sql, reference))
        });
        read.await
    }

    async fn due(
        &self,
        now: LedgerTime,
        after: Option<&DueMint>,
        limit: u32,
    ) -> Result<Vec<DueMint>, LedgerError> {
        let arguments = (now, after.cloned(), limit);
        let read = self.0.read("due mints", arguments, |sql, (now, after, limit)| {
            Box::pin(waiting::due(sql, *now, after.as_ref(), *limit))
        });
        read.await
    }

    async fn backlog(&self) -> Result<Backlog, LedgerError> {
        let read = self
            .0
            .read("backlog", (), |sql, ()| Box::pin(waiting::backlog(sql)));
        read.await
    }

    async fn tidy(&self, now: LedgerTime) -> Result<(), LedgerError> {
        for over in access::over(now) {
            let portion = || {
                self.0.change("tidy", over, |sql, (query, time)| {
                    Box::pin(access::tidy(sql, query, *time))
                })
            };
            while portion().await? {}
        }
        Ok(())
    }
}
