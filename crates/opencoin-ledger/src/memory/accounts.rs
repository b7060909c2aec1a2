//! What the model knows of accounts beside their money.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;

use super::{Books, MemoryLedger, number};
use crate::journal::{Entry, ReferenceKey};
use crate::stored::{self, StoredEntry};
use crate::view::{AccountState, Opened, PayoutState};
use crate::{
    Account, AccountEntry, AccountId, AccountName, Accounts, Backlog, Bearer, Credential, EntryPage,
    FailedLogins, HasAccounts, IdempotencyKey, LedgerError, LedgerTime, Login, NewService, NewSession,
    PasswordHash, PasswordSetter, Payout, PayoutFilter, PayoutNo, Profile, ProfileFilter,
    SERVICES_PER_ACCOUNT_MAX, SESSIONS_MAX, Service, ServiceId, ServiceRefusal, TokenHash,
    TransactionReference, WAITING_MINTS_PER_ACCOUNT_MAX, WaitRefusal, WaitingMint,
};

/// Everything but the books.
#[derive(Debug, Default)]
pub(super) struct Holders {
    choices: HashMap<AccountId, Choices>,
    sessions: HashMap<TokenHash, Session>,
    services: BTreeMap<ServiceId, Service>,
    failed_logins: HashMap<[u8; 32], FailedLogins>,
    waiting: BTreeMap<TransactionReference, WaitingMint>,
}

#[derive(Debug)]
struct Choices {
    password: Option<PasswordHash>,
    listed: bool,
}

#[derive(Debug)]
struct Session {
    account: AccountId,
    service: Option<ServiceId>,
    at: LedgerTime,
    expires: LedgerTime,
}

impl Holders {
    pub(super) fn open(&mut self, opened: Opened) {
        let Opened { account, password } = opened;
        self.choices.insert(
            account.id,
            Choices {
                password,
                listed: false,
            },
        );
    }

    fn choices(&mut self, account: AccountId) -> Result<&mut Choices, LedgerError> {
        self.choices
            .get_mut(&account)
            .ok_or_else(|| stored::missing_account(account))
    }

    fn profile(&self, account: &AccountState) -> Profile {
        let choices = &self.choices[&account.id];
        Profile {
            account: Account::from(account.clone()),
            password: choices.password.clone(),
            listed: choices.listed,
        }
    }

    fn own_service(&mut self, account: AccountId, id: &ServiceId) -> Option<&mut Service> {
        self.services
            .get_mut(id)
            .filter(|service| service.account == account)
    }

    fn end_sessions_of(&mut self, service: &ServiceId) {
        self.sessions
            .retain(|_, session| session.service.as_ref() != Some(service));
    }

    /// Ends what has expired, and as many of the oldest as make room for one more.
    fn make_room(&mut self, account: AccountId, service: Option<&ServiceId>, now: LedgerTime) {
        let is_of = |session: &Session| session.account == account && session.service.as_ref() == service;
        self.sessions
            .retain(|_, session| !is_of(session) || session.expires > now);
        let of_it = self.sessions.iter().filter(|(_, session)| is_of(session));
        let mut by_age: Vec<_> = of_it.map(|(token, session)| (session.at, *token)).collect();
        by_age.sort_unstable();
        let too_many = by_age.len().saturating_sub(SESSIONS_MAX - 1);
        by_age[..too_many].iter().for_each(|(_, token)| {
            self.sessions.remove(token);
        });
    }
}

impl Books {
    fn entry(&self, account: AccountId, index: usize) -> Result<AccountEntry, LedgerError> {
        let entry = &self.journal[index];
        let others = [entry.debit, entry.credit]
            .into_iter()
            .flatten()
            .filter(|id| *id != account);
        let name = others
            .filter_map(|id| self.view.account(id))
            .map(|other| other.name.as_str().to_owned())
            .next();
        let row = StoredEntry {
            id: number(index),
            kind: entry.kind.code(),
            reference: entry.reference.as_bytes().to_vec(),
            debit: entry.debit.map(AccountId::get),
            amount: entry.amount.as_i64(),
            at: entry.at.unix_micros(),
            label: entry.label.as_ref().map(|label| label.as_str().to_owned()),
            counterparty: name,
        };
        row.of(account)
    }

    fn payout(&self, payout: &PayoutState) -> Payout {
        let account = self
            .view
            .account(payout.account)
            .expect("a payout is one of an account");
        payout.clone().named(account.name.clone())
    }
}

impl HasAccounts for MemoryLedger {
    fn accounts(&self) -> Arc<dyn Accounts> {
        Arc::new(self.clone())
    }
}

#[async_trait]
impl Accounts for MemoryLedger {
    async fn bearer(&self, token: &TokenHash, now: LedgerTime) -> Result<Option<Bearer>, LedgerError> {
        let books = self.books();
        if let Some(account) = books.view.account_by_token(token) {
            return Ok(Some(Bearer {
                account: account.id,
                means: Credential::AccountToken,
            }));
        }
        let session = books
            .holders
            .sessions
            .get(token)
            .filter(|session| session.expires > now);
        Ok(session.map(|session| Bearer {
            account: session.account,
            means: match &session.service {
                None => Credential::PasswordSession,
                Some(id) => {
                    let Service {
                        scopes, last_seen, ..
                    } = books.holders.services[id].clone();
                    Credential::ServiceSession {
                        service: id.clone(),
                        scopes,
                        last_seen,
                    }
                }
            },
        }))
    }

    async fn profile(&self, name: &AccountName) -> Result<Option<Profile>, LedgerError> {
        let books = self.books();
        Ok(books
            .view
            .account_by_name(name)
            .map(|account| books.holders.profile(account)))
    }

    async fn profile_by_id(&self, account: AccountId) -> Result<Option<Profile>, LedgerError> {
        let books = self.books();
        Ok(books
            .view
            .account(account)
            .map(|account| books.holders.profile(account)))
    }

    async fn profiles(
        &self,
        filter: ProfileFilter,
        after: Option<&AccountName>,
        limit: u32,
    ) -> Result<Vec<Profile>, LedgerError> {
        let books = self.books();
        let mut profiles: Vec<_> = books
            .view
            .accounts()
            .map(|account| books.holders.profile(account))
            .collect();
        profiles.retain(|profile| {
            (filter == ProfileFilter::All || profile.listed)
                && after.is_none_or(|after| profile.account.name > *after)
        });
        profiles.sort_unstable_by(|one, other| one.account.name.cmp(&other.account.name));
        profiles.truncate(limit as usize);
        Ok(profiles)
    }

    async fn set_token(&self, account: AccountId, token: &TokenHash) -> Result<(), LedgerError> {
        self.books()
            .view
            .replace_token(account, *token)
            .ok_or_else(|| stored::missing_account(account))
    }

    async fn set_listed(&self, account: AccountId, listed: bool) -> Result<(), LedgerError> {
        self.books().holders.choices(account)?.listed = listed;
        Ok(())
    }

    async fn set_password(
        &self,
        account: AccountId,
        password: &PasswordHash,
        setter: PasswordSetter,
    ) -> Result<bool, LedgerError> {
        let mut books = self.books();
        let holders = &mut books.holders;
        let mut except = None;
        if let PasswordSetter::Holder { before, session } = setter {
            let is_open = |token| {
                let session: Option<&Session> = holders.sessions.get(token);
                session.is_some_and(|session| session.account == account && session.service.is_none())
            };
            let is_open = session.as_ref().is_none_or(is_open);
            if !is_open || holders.choices(account)?.password != before {
                return Ok(false);
            }
            except = session;
        }
        holders.choices(account)?.password = Some(password.clone());
        let stays = |token: &TokenHash, session: &Session| {
            session.account != account || session.service.is_some() || Some(*token) == except
        };
        holders.sessions.retain(|token, session| stays(token, session));
        Ok(true)
    }

    async fn failed_logins(&self, name: &AccountName) -> Result<FailedLogins, LedgerError> {
        Ok(self
            .books()
            .holders
            .failed_logins
            .get(&stored::login_key(name))
            .copied()
            .unwrap_or_default())
    }

    async fn count_login(&self, name: &AccountName, now: LedgerTime) -> Result<FailedLogins, LedgerError> {
        let mut books = self.books();
        let failed = books
            .holders
            .failed_logins
            .entry(stored::login_key(name))
            .or_default();
        failed.count = failed.count.saturating_add(1);
        failed.last = Some(now);
        Ok(*failed)
    }

    async fn clear_failed_logins(&self, name: &AccountName) -> Result<(), LedgerError> {
        self.books()
            .holders
            .failed_logins
            .remove(&stored::login_key(name));
        Ok(())
    }

    async fn open_session(&self, session: &NewSession) -> Result<bool, LedgerError> {
        let NewSession {
            account,
            login,
            token,
            at,
            expires,
        } = session.clone();
        let mut books = self.books();
        let holders = &mut books.holders;
        let (counts, service) = match login {
            Login::Password(password) => (holders.choices(account)?.password == Some(password), None),
            Login::Service(id, key) => (
                holders
                    .own_service(account, &id)
                    .is_some_and(|service| service.key == key),
                Some(id),
            ),
        };
        if counts {
            holders.make_room(account, service.as_ref(), at);
            holders.sessions.entry(token).or_insert(Session {
                account,
                service,
                at,
                expires,
            });
        }
        Ok(counts)
    }

    async fn end_session(&self, token: &TokenHash) -> Result<bool, LedgerError> {
        Ok(self.books().holders.sessions.remove(token).is_some())
    }

    async fn declare_service(&self, service: &NewService) -> Result<Result<(), ServiceRefusal>, LedgerError> {
        let mut books = self.books();
        let holders = &mut books.holders;
        holders.choices(service.account)?;
        let own: Vec<_> = holders
            .services
            .values()
            .filter(|other| other.account == service.account)
            .collect();
        if own.iter().any(|other| other.name == service.name) {
            return Ok(Err(ServiceRefusal::Exists));
        }
        if own.len() >= SERVICES_PER_ACCOUNT_MAX {
            return Ok(Err(ServiceRefusal::TooMany));
        }
        let NewService {
            id,
            account,
            name,
            scopes,
            key,
            at,
        } = service.clone();
        let service = Service {
            id: id.clone(),
            account,
            name,
            scopes,
            key,
            key_at: at,
            last_seen: None,
        };
        holders.services.insert(id, service);
        Ok(Ok(()))
    }

    async fn service(&self, id: &ServiceId) -> Result<Option<Service>, LedgerError> {
        Ok(self.books().holders.services.get(id).cloned())
    }

    async fn services(&self, account: AccountId) -> Result<Vec<Service>, LedgerError> {
        let books = self.books();
        let mut own: Vec<_> = books
            .holders
            .services
            .values()
            .filter(|service| service.account == account)
            .cloned()
            .collect();
        own.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(own)
    }

    async fn rotate_service(
        &self,
        account: AccountId,
        id: &ServiceId,
        key: &TokenHash,
        now: LedgerTime,
    ) -> Result<bool, LedgerError> {
        let mut books = self.books();
        let holders = &mut books.holders;
        let Some(service) = holders.own_service(account, id) else {
            return Ok(false);
        };
        (service.key, service.key_at) = (*key, now);
        holders.end_sessions_of(id);
        Ok(true)
    }

    async fn remove_service(&self, account: AccountId, id: &ServiceId) -> Result<bool, LedgerError> {
        let mut books = self.books();
        let holders = &mut books.holders;
        if holders.own_service(account, id).is_none() {
            return Ok(false);
        }
        holders.services.remove(id);
        holders.end_sessions_of(id);
        Ok(true)
    }

    async fn saw_service(&self, id: &ServiceId, now: LedgerTime) -> Result<(), LedgerError> {
        if let Some(service) = self.books().holders.services.get_mut(id) {
            service.last_seen = service.last_seen.max(Some(now));
        }
        Ok(())
    }

    async fn entries(
        &self,
        account: AccountId,
        page: EntryPage,
        limit: u32,
    ) -> Result<Vec<AccountEntry>, LedgerError> {
        let books = self.books();
        let is_its = |entry: &Entry| entry.debit == Some(account) || entry.credit == Some(account);
        let mut indices: Vec<usize> = (0..books.journal.len())
            .filter(|index| is_its(&books.journal[*index]))
            .collect();
        match page {
            EntryPage::After(no) => indices.retain(|index| number(*index) > no.get()),
            EntryPage::Before(no) => {
                indices.retain(|index| no.is_none_or(|no| number(*index) < no.get()));
                indices.reverse();
            }
        }
        indices
            .into_iter()
            .take(limit as usize)
            .map(|index| books.entry(account, index))
            .collect()
    }

    async fn entry_of(
        &self,
        account: AccountId,
        key: &IdempotencyKey,
    ) -> Result<Option<AccountEntry>, LedgerError> {
        let books = self.books();
        let index = books
            .journal_by_reference
            .get(&ReferenceKey::of_holder(account, key));
        index.map(|index| books.entry(account, *index)).transpose()
    }

    async fn payouts(
        &self,
        filter: PayoutFilter,
        after: PayoutNo,
        limit: u32,
    ) -> Result<Vec<Payout>, LedgerError> {
        let books = self.books();
        let is_wanted = |payout: &&PayoutState| match filter {
            PayoutFilter::All => true,
            PayoutFilter::Of(account) => payout.account == account,
            PayoutFilter::Requested => payout.settled.is_none(),
        };
        let mut payouts: Vec<_> = books
            .view
            .payouts()
            .filter(|payout| payout.no > after)
            .filter(is_wanted)
            .collect();
        payouts.sort_unstable_by_key(|payout| payout.no);
        Ok(payouts
            .into_iter()
            .take(limit as usize)
            .map(|payout| books.payout(payout))
            .collect())
    }

    async fn payout(&self, no: PayoutNo) -> Result<Option<Payout>, LedgerError> {
        let books = self.books();
        Ok(books.view.payout(no).map(|payout| books.payout(payout)))
    }

    async fn payout_of(
        &self,
        account: AccountId,
        key: &IdempotencyKey,
    ) -> Result<Option<Payout>, LedgerError> {
        let books = self.books();
        let request = ReferenceKey::of_holder(account, key);
        Ok(books
            .view
            .payouts()
            .find(|payout| payout.request == request)
            .map(|payout| books.payout(payout)))
    }

    async fn wait(
        &self,
        mint: &WaitingMint,
        now: LedgerTime,
    ) -> Result<Result<(), WaitRefusal>, LedgerError> {
        let mut books = self.books();
        let holders = &mut books.holders;
        holders.choices(mint.account)?;
        let reference = &mint.transaction_reference;
        let row = match stored::wait(holders.waiting.get(reference).cloned(), mint, now) {
            Ok(row) => row,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let is_another =
            |other: &WaitingMint| other.transaction_reference != *reference && other.expires > now;
        let others = holders
            .waiting
            .values()
            .filter(|other| other.account == mint.account && is_another(other));
        if others.count() >= WAITING_MINTS_PER_ACCOUNT_MAX {
            return Ok(Err(WaitRefusal::TooMany));
        }
        holders.waiting.insert(reference.clone(), row);
        Ok(Ok(()))
    }

    async fn waiting(&self, reference: &TransactionReference) -> Result<Option<WaitingMint>, LedgerError> {
        Ok(self.books().holders.waiting.get(reference).cloned())
    }

    async fn payable(&self, now: LedgerTime, limit: u32) -> Result<Vec<TransactionReference>, LedgerError> {
        let books = self.books();
        let is_payable = |mint: &&WaitingMint| {
            let balance = books.view.account(mint.account).map(|account| account.balance);
            mint.expires > now && balance.is_some_and(|balance| balance >= mint.amount)
        };
        let mut payable: Vec<_> = books.holders.waiting.values().filter(is_payable).collect();
        payable.sort_by_key(|mint| mint.asked); // stable: by reference where times are the same
        Ok(payable
            .into_iter()
            .take(limit as usize)
            .map(|mint| mint.transaction_reference.clone())
            .collect())
    }

    async fn stop_waiting(&self, reference: &TransactionReference) -> Result<(), LedgerError> {
        self.books().holders.waiting.remove(reference);
        Ok(())
    }

    async fn backlog(&self, now: LedgerTime) -> Result<Backlog, LedgerError> {
        let books = self.books();
        let requested = books.view.payouts().filter(|payout| payout.settled.is_none());
        let oldest = requested.clone().min_by_key(|payout| payout.no);
        Ok(Backlog {
            waiting_mints: books
                .holders
                .waiting
                .values()
                .filter(|mint| mint.expires > now)
                .count() as u64,
            payouts_requested: requested.count() as u64,
            oldest_payout: oldest.map(|payout| payout.requested),
        })
    }

    async fn tidy(&self, now: LedgerTime, waited_before: LedgerTime) -> Result<(), LedgerError> {
        let mut books = self.books();
        let holders = &mut books.holders;
        holders.sessions.retain(|_, session| session.expires > now);
        let over = stored::failed_logins_over(now);
        holders.failed_logins.retain(|_, failed| failed.last > Some(over));
        holders.waiting.retain(|_, mint| mint.expires >= waited_before);
        Ok(())
    }
}
