//! Accounts of the in-memory ledger: profiles, sessions, services, entries, payouts and waiting mints.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use opencoin_log::key_account::AccountKey;

use super::{MemoryLedger, State, number};
use crate::journal::{Record, ReferenceKey};
use crate::stored::{self, StoredEntry, StoredWaiting};
use crate::view::{AccountState, Opened, PayoutState, WaitingState};
use crate::{
    Account, AccountEntry, AccountId, AccountName, AccountStatus, Accounts, Action, Backlog, Bearer,
    Credential, DueMint, EntryNo, EntryPage, FailedLogins, HasAccounts, IdempotencyKey, KeyAccountStatus,
    LedgerError, LedgerTime, Login, NewService, NewSession, PasswordHash, PasswordSetter, Payout,
    PayoutFilter, PayoutNo, Profile, ProfileFilter, SERVICES_PER_ACCOUNT_MAX, SESSIONS_MAX, Service,
    ServiceId, ServiceRefusal, Settlement, Start, StartCodeHash, TokenHash, TransactionReference,
    WaitingMint,
};

/// Profiles, sessions and services, which are not in the books.
#[derive(Debug, Default)]
pub(super) struct Holders {
    choices: HashMap<AccountId, Choices>,
    sessions: HashMap<TokenHash, Session>,
    services: BTreeMap<ServiceId, Service>,
    failed_logins: HashMap<[u8; 32], FailedLogins>,
    /// Start codes, and when each expires.
    start_codes: BTreeMap<AccountId, (StartCodeHash, LedgerTime)>,
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

    /// Removes every way into an account.
    pub(super) fn close(&mut self, account: AccountId) {
        let choices = Choices {
            password: None,
            listed: false,
        };
        self.choices.insert(account, choices);
        self.sessions.retain(|_, session| session.account != account);
        self.services.retain(|_, service| service.account != account);
        self.start_codes.remove(&account);
    }

    /// Accounts with a password, session, service or start code.
    pub(super) fn accessible(&self) -> BTreeSet<AccountId> {
        let passwords = self
            .choices
            .iter()
            .filter(|(_, choices)| choices.password.is_some());
        passwords
            .map(|(account, _)| *account)
            .chain(self.sessions.values().map(|session| session.account))
            .chain(self.services.values().map(|service| service.account))
            .chain(self.start_codes.keys().copied())
            .collect()
    }

    fn end_password_sessions(&mut self, account: AccountId, except: Option<&TokenHash>) {
        self.sessions.retain(|token, session| {
            session.account != account || session.service.is_some() || Some(token) == except
        });
    }

    fn choices(&mut self, account: AccountId) -> Result<&mut Choices, LedgerError> {
        stored::require_holder(account)?;
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

    /// Removes expired sessions of this account or service, and the oldest ones, so that one more fits.
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

impl State {
    fn is_closed(&self, account: AccountId) -> Result<bool, LedgerError> {
        stored::require_holder(account)?;
        let state = self.view.account(account);
        let state = state.ok_or_else(|| stored::missing_account(account))?;
        Ok(state.status == AccountStatus::Closed)
    }

    /// Whether this is the token of the account, or of a session of it that a password has opened.
    fn is_holder(&self, account: AccountId, token: &TokenHash) -> bool {
        let own = self.view.account_by_token(token);
        let session = self.holders.sessions.get(token);
        own.is_some_and(|own| own.id == account)
            || session.is_some_and(|session| session.account == account && session.service.is_none())
    }

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
            no: entry_no(entry, account).map(EntryNo::get),
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

    /// The payouts that a filter admits, in no order.
    fn payouts(&self, filter: PayoutFilter) -> impl Iterator<Item = &PayoutState> {
        let is_wanted = move |payout: &&PayoutState| match filter {
            PayoutFilter::All => true,
            PayoutFilter::Of(account) => payout.account == account,
            PayoutFilter::Requested => payout.settled.is_none(),
            PayoutFilter::Paid => matches!(payout.settled, Some((Settlement::Paid(_), _))),
            PayoutFilter::Failed => matches!(payout.settled, Some((Settlement::Failed(_), _))),
        };
        self.view.payouts().filter(is_wanted)
    }

    fn payout(&self, payout: &PayoutState) -> Payout {
        let account = self
            .view
            .account(payout.account)
            .expect("the account of a payout exists");
        payout.clone().of_account(account.name.clone(), account.status)
    }
}

/// The number of a record among the entries of this account; `None` if it is not one of them.
fn entry_no(record: &Record, account: AccountId) -> Option<EntryNo> {
    if record.debit == Some(account) {
        record.debit_entry
    } else if record.credit == Some(account) {
        record.credit_entry
    } else {
        None
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
        let state = self.state();
        if let Some(account) = state.view.account_by_token(token) {
            return Ok(Some(Bearer {
                account: account.id,
                credential: Credential::AccountToken,
            }));
        }
        let session = state
            .holders
            .sessions
            .get(token)
            .filter(|session| session.expires > now);
        Ok(session.map(|session| Bearer {
            account: session.account,
            credential: match &session.service {
                None => Credential::PasswordSession,
                Some(id) => {
                    let Service {
                        scopes, last_seen, ..
                    } = state.holders.services[id].clone();
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
        let state = self.state();
        Ok(state
            .view
            .account_by_name(name)
            .map(|account| state.holders.profile(account)))
    }

    async fn profile_by_id(&self, account: AccountId) -> Result<Option<Profile>, LedgerError> {
        let state = self.state();
        Ok(state
            .view
            .account(account)
            .map(|account| state.holders.profile(account)))
    }

    async fn key_account(&self, key: &AccountKey) -> Result<Option<KeyAccountStatus>, LedgerError> {
        let state = self.state();
        let account = state.view.account_by_name(&AccountName::of_key(*key));
        Ok(account.and_then(stored::key_account))
    }

    async fn profiles(
        &self,
        filter: ProfileFilter,
        after: Option<&AccountName>,
        limit: u32,
    ) -> Result<Vec<Profile>, LedgerError> {
        let state = self.state();
        let mut profiles: Vec<_> = state
            .view
            .accounts()
            .filter(|account| account.id.is_custodial())
            .map(|account| state.holders.profile(account))
            .collect();
        profiles.retain(|profile| {
            let is_wanted = match filter {
                ProfileFilter::All => true,
                ProfileFilter::Listed => profile.listed,
                ProfileFilter::Frozen => profile.account.status == AccountStatus::Frozen,
            };
            is_wanted && after.is_none_or(|after| profile.account.name > *after)
        });
        profiles.sort_unstable_by(|one, other| one.account.name.cmp(&other.account.name));
        profiles.truncate(limit as usize);
        Ok(profiles)
    }

    async fn set_token(
        &self,
        account: AccountId,
        token: &TokenHash,
        action: &Action,
    ) -> Result<bool, LedgerError> {
        let mut state = self.state();
        if state.is_closed(account)? {
            return Ok(false);
        }
        state
            .view
            .replace_token(account, *token)
            .ok_or_else(|| stored::missing_account(account))?;
        state.holders.start_codes.remove(&account);
        state.actions.push(action.clone());
        Ok(true)
    }

    async fn set_listed(&self, account: AccountId, listed: bool) -> Result<(), LedgerError> {
        let mut state = self.state();
        if !state.is_closed(account)? {
            state.holders.choices(account)?.listed = listed;
        }
        Ok(())
    }

    async fn set_password(
        &self,
        account: AccountId,
        password: &PasswordHash,
        setter: PasswordSetter,
    ) -> Result<bool, LedgerError> {
        let mut state = self.state();
        if state.is_closed(account)? {
            return Ok(false);
        }
        let mut except = None;
        state.holders.choices(account)?;
        match setter {
            PasswordSetter::Operator(action) => state.actions.push(action),
            PasswordSetter::Holder { before, by } => {
                if !state.is_holder(account, &by) || state.holders.choices(account)?.password != before {
                    return Ok(false);
                }
                except = Some(by);
            }
        }
        let holders = &mut state.holders;
        holders.choices(account)?.password = Some(password.clone());
        holders.end_password_sessions(account, except.as_ref());
        holders.start_codes.remove(&account);
        Ok(true)
    }

    async fn failed_logins(&self, name: &AccountName) -> Result<FailedLogins, LedgerError> {
        Ok(self
            .state()
            .holders
            .failed_logins
            .get(&stored::login_key(name))
            .copied()
            .unwrap_or_default())
    }

    async fn count_login(&self, name: &AccountName, now: LedgerTime) -> Result<FailedLogins, LedgerError> {
        let mut state = self.state();
        let failed = state
            .holders
            .failed_logins
            .entry(stored::login_key(name))
            .or_default();
        failed.count = failed.count.saturating_add(1);
        failed.last = Some(now);
        Ok(*failed)
    }

    async fn clear_failed_logins(&self, name: &AccountName) -> Result<(), LedgerError> {
        self.state()
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
        let mut state = self.state();
        let holders = &mut state.holders;
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
        Ok(self.state().holders.sessions.remove(token).is_some())
    }

    async fn end_password_sessions(&self, account: AccountId) -> Result<(), LedgerError> {
        let sessions = &mut self.state().holders.sessions;
        sessions.retain(|_, session| session.account != account || session.service.is_some());
        Ok(())
    }

    async fn declare_service(&self, service: &NewService) -> Result<Result<(), ServiceRefusal>, LedgerError> {
        let mut state = self.state();
        if state.is_closed(service.account)? {
            return Ok(Err(ServiceRefusal::Closed));
        }
        if !state.is_holder(service.account, &service.by) {
            return Ok(Err(ServiceRefusal::NotHolder));
        }
        let holders = &mut state.holders;
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
            by: _,
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
        Ok(self.state().holders.services.get(id).cloned())
    }

    async fn services(&self, account: AccountId) -> Result<Vec<Service>, LedgerError> {
        let state = self.state();
        let mut own: Vec<_> = state
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
        (key, by): (&TokenHash, &TokenHash),
        now: LedgerTime,
    ) -> Result<bool, LedgerError> {
        let mut state = self.state();
        if !state.is_holder(account, by) {
            return Ok(false);
        }
        let holders = &mut state.holders;
        let Some(service) = holders.own_service(account, id) else {
            return Ok(false);
        };
        (service.key, service.key_at) = (*key, now);
        holders.end_sessions_of(id);
        Ok(true)
    }

    async fn replace_service_key(
        &self,
        id: &ServiceId,
        before: &TokenHash,
        key: &TokenHash,
        now: LedgerTime,
    ) -> Result<bool, LedgerError> {
        let mut state = self.state();
        let holders = &mut state.holders;
        let service = holders.services.get_mut(id);
        let Some(service) = service.filter(|service| [before, key].contains(&&service.key)) else {
            return Ok(false);
        };
        if service.key == *before {
            (service.key, service.key_at) = (*key, now);
            holders.end_sessions_of(id);
        }
        Ok(true)
    }

    async fn remove_service(
        &self,
        account: AccountId,
        id: &ServiceId,
        action: Option<&Action>,
    ) -> Result<bool, LedgerError> {
        let mut state = self.state();
        let holders = &mut state.holders;
        if holders.own_service(account, id).is_none() {
            return Ok(false);
        }
        holders.services.remove(id);
        holders.end_sessions_of(id);
        state.actions.extend(action.cloned());
        Ok(true)
    }

    async fn set_start_code(
        &self,
        account: AccountId,
        code: &StartCodeHash,
        expires: LedgerTime,
        action: &Action,
    ) -> Result<bool, LedgerError> {
        let mut state = self.state();
        if state.is_closed(account)? {
            return Ok(false);
        }
        state.holders.start_codes.insert(account, (code.clone(), expires));
        state.actions.push(action.clone());
        Ok(true)
    }

    async fn start_code(
        &self,
        account: AccountId,
        now: LedgerTime,
    ) -> Result<Option<StartCodeHash>, LedgerError> {
        let state = self.state();
        let found = state.holders.start_codes.get(&account);
        Ok(found
            .filter(|(_, expires)| *expires > now)
            .map(|(code, _)| code.clone()))
    }

    async fn start(&self, start: &Start) -> Result<bool, LedgerError> {
        let mut state = self.state();
        let holders = &mut state.holders;
        let found = holders.start_codes.get(&start.account);
        if !found.is_some_and(|(code, expires)| *code == start.code && *expires > start.at) {
            return Ok(false);
        }
        holders.start_codes.remove(&start.account);
        holders.choices(start.account)?.password = Some(start.password.clone());
        holders.end_password_sessions(start.account, None);
        holders.sessions.insert(
            start.token,
            Session {
                account: start.account,
                service: None,
                at: start.at,
                expires: start.expires,
            },
        );
        Ok(true)
    }

    async fn saw_service(&self, id: &ServiceId, now: LedgerTime) -> Result<(), LedgerError> {
        if let Some(service) = self.state().holders.services.get_mut(id) {
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
        let state = self.state();
        let mut entries: Vec<(EntryNo, usize)> = (0..state.journal.len())
            .filter_map(|index| Some((entry_no(&state.journal[index], account)?, index)))
            .collect();
        entries.sort_unstable();
        match page {
            EntryPage::After(after) => entries.retain(|(no, _)| *no > after),
            EntryPage::Before(before) => {
                entries.retain(|(no, _)| before.is_none_or(|before| *no < before));
                entries.reverse();
            }
        }
        entries
            .into_iter()
            .take(limit as usize)
            .map(|(_, index)| state.entry(account, index))
            .collect()
    }

    async fn entry_of(
        &self,
        account: AccountId,
        key: &IdempotencyKey,
    ) -> Result<Option<AccountEntry>, LedgerError> {
        let state = self.state();
        let index = state
            .journal_by_reference
            .get(&ReferenceKey::of_holder(account, key));
        index.map(|index| state.entry(account, *index)).transpose()
    }

    async fn payouts(
        &self,
        filter: PayoutFilter,
        after: PayoutNo,
        limit: u32,
    ) -> Result<Vec<Payout>, LedgerError> {
        let state = self.state();
        let payouts = state.payouts(filter).filter(|payout| payout.no > after);
        let mut payouts: Vec<_> = payouts.collect();
        payouts.sort_unstable_by_key(|payout| payout.no);
        let page = payouts.into_iter().take(limit as usize);
        Ok(page.map(|payout| state.payout(payout)).collect())
    }

    async fn newest_payouts(
        &self,
        filter: PayoutFilter,
        before: Option<PayoutNo>,
        limit: u32,
    ) -> Result<Vec<Payout>, LedgerError> {
        let state = self.state();
        let payouts = state.payouts(filter);
        let mut payouts: Vec<_> = payouts
            .filter(|payout| before.is_none_or(|before| payout.no < before))
            .collect();
        payouts.sort_unstable_by_key(|payout| Reverse(payout.no));
        let page = payouts.into_iter().take(limit as usize);
        Ok(page.map(|payout| state.payout(payout)).collect())
    }

    async fn payout(&self, no: PayoutNo) -> Result<Option<Payout>, LedgerError> {
        let state = self.state();
        Ok(state.view.payout(no).map(|payout| state.payout(payout)))
    }

    async fn payouts_with(&self, mut numbers: Vec<PayoutNo>) -> Result<Vec<Payout>, LedgerError> {
        numbers.sort_unstable();
        numbers.dedup();
        let state = self.state();
        let found = numbers.into_iter().filter_map(|no| state.view.payout(no));
        Ok(found.map(|payout| state.payout(payout)).collect())
    }

    async fn payout_of(
        &self,
        account: AccountId,
        key: &IdempotencyKey,
    ) -> Result<Option<Payout>, LedgerError> {
        let state = self.state();
        let request = ReferenceKey::of_holder(account, key);
        Ok(state
            .view
            .payouts()
            .find(|payout| payout.request == request)
            .map(|payout| state.payout(payout)))
    }

    async fn waiting(&self, reference: &TransactionReference) -> Result<Option<WaitingMint>, LedgerError> {
        let state = self.state();
        let key = ReferenceKey::of_transaction(reference);
        let waiting = state.view.waiting(&key);
        waiting
            .map(|waiting| stored_waiting(waiting).mint(&state.waiting_blinds[&key]))
            .transpose()
    }

    async fn due(
        &self,
        now: LedgerTime,
        after: Option<&DueMint>,
        limit: u32,
    ) -> Result<Vec<DueMint>, LedgerError> {
        let state = self.state();
        let is_due = |mint: &&WaitingState| {
            let can_pay = |account: &AccountState| {
                account.status == AccountStatus::Open && account.balance >= mint.amount
            };
            mint.expires <= now || state.view.account(mint.account).is_some_and(can_pay)
        };
        let due = state.view.all_waiting().filter(is_due);
        let due = due.map(|mint| stored::due_mint(mint.reference.as_bytes(), mint.asked.unix_micros()));
        let mut due = due.collect::<Result<Vec<_>, _>>()?;
        due.retain(|mint| after.is_none_or(|after| mint > after));
        due.sort_unstable();
        due.truncate(limit as usize);
        Ok(due)
    }

    async fn backlog(&self) -> Result<Backlog, LedgerError> {
        let state = self.state();
        let requested = state.view.payouts().filter(|payout| payout.settled.is_none());
        let oldest = requested.clone().min_by_key(|payout| payout.no);
        Ok(Backlog {
            waiting_mints: state.view.all_waiting().count() as u64,
            payouts_requested: requested.count() as u64,
            oldest_payout: oldest.map(|payout| payout.requested),
            frozen_accounts: state
                .view
                .accounts()
                .filter(|account| account.status == AccountStatus::Frozen)
                .count() as u64,
        })
    }

    async fn tidy(&self, now: LedgerTime) -> Result<(), LedgerError> {
        let mut state = self.state();
        let holders = &mut state.holders;
        holders.sessions.retain(|_, session| session.expires > now);
        holders.start_codes.retain(|_, (_, expires)| *expires > now);
        let over = stored::failed_logins_over(now);
        holders.failed_logins.retain(|_, failed| failed.last > Some(over));
        Ok(())
    }
}

pub(super) fn stored_waiting(waiting: &WaitingState) -> StoredWaiting {
    StoredWaiting {
        reference: waiting.reference.as_bytes().to_vec(),
        account: waiting.account.get(),
        content: waiting.content.as_bytes().to_vec(),
        amount: waiting.amount.as_i64(),
        asked_at: waiting.asked.unix_micros(),
        expires_at: waiting.expires.unix_micros(),
    }
}
