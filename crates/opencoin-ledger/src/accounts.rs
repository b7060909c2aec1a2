//! The data of accounts other than money: credentials, sessions, services, entries, payouts and waiting
//! mints.
//!
//! Nothing here moves money; only a [`Command`](crate::Command) does. Secrets are passed as hashes. Every
//! failure is a [`LedgerError`].

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use opencoin_log::key_account::AccountKey;

use crate::{
    Account, AccountId, AccountName, Action, Amount, Blind, EntryNo, IdempotencyKey, LedgerError, LedgerTime,
    PasswordHash, PayoutNo, Reference, Settlement, TokenHash, TransactionReference,
};

/// The maximum number of services of one account.
pub const SERVICES_PER_ACCOUNT_MAX: usize = 100;
/// The maximum number of open sessions of one account or service. One more ends the oldest.
pub const SESSIONS_MAX: usize = 100;
/// How many hours failed logins are kept after the last one.
pub const FAILED_LOGINS_KEPT_HOURS: i64 = 24;

/// The store of accounts. Unless stated otherwise, every method is one transaction. Any number of processes
/// may use one store. The account of a key has no token, password, session or service, and is in no directory.
///
/// Every method fails with a [`LedgerError`] if the store cannot be read or written.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// The owner of this token: an account, or a session that has not expired at `now`; `None` if there is
    /// none.
    async fn bearer(&self, token: &TokenHash, now: LedgerTime) -> Result<Option<Bearer>, LedgerError>;

    /// The profile of the account with this name, which may be that of a key.
    async fn profile(&self, name: &AccountName) -> Result<Option<Profile>, LedgerError>;

    /// The profile of the account with this number.
    async fn profile_by_id(&self, account: AccountId) -> Result<Option<Profile>, LedgerError>;

    /// The account of this key; `None` if it was not introduced.
    async fn key_account(&self, key: &AccountKey) -> Result<Option<KeyAccountStatus>, LedgerError>;

    /// The profiles of up to `limit` holders, in the order of their names, beginning after a name.
    async fn profiles(
        &self,
        filter: ProfileFilter,
        after: Option<&AccountName>,
        limit: u32,
    ) -> Result<Vec<Profile>, LedgerError>;

    /// Replaces the account token, for an operator. The old token is no longer accepted. Returns `false` and
    /// changes nothing if the account is closed.
    async fn set_token(
        &self,
        account: AccountId,
        token: &TokenHash,
        action: &Action,
    ) -> Result<bool, LedgerError>;

    /// Sets whether the account is listed in the directory. A closed account is not.
    async fn set_listed(&self, account: AccountId, listed: bool) -> Result<(), LedgerError>;

    /// Sets the password and ends every session of the account except the setter's and those of its services.
    /// Returns `false` and changes nothing if the password has changed meanwhile, the setter's token was replaced or their
    /// session has ended, or the account is closed.
    async fn set_password(
        &self,
        account: AccountId,
        password: &PasswordHash,
        setter: PasswordSetter,
    ) -> Result<bool, LedgerError>;

    /// The failed logins with this name since the last successful one. The account need not exist.
    async fn failed_logins(&self, name: &AccountName) -> Result<FailedLogins, LedgerError>;

    /// Counts a failed login *before* the password is checked, so that simultaneous guesses are counted too.
    /// Returns the count including this one.
    async fn count_login(&self, name: &AccountName, now: LedgerTime) -> Result<FailedLogins, LedgerError>;

    /// Forgets the failed logins with this name, after a successful one.
    async fn clear_failed_logins(&self, name: &AccountName) -> Result<(), LedgerError>;

    /// Opens a session. Removes expired sessions of the same account or service, and the oldest if there
    /// would be more than [`SESSIONS_MAX`]. Returns `false` and opens nothing if the password or service key
    /// has changed meanwhile.
    async fn open_session(&self, session: &NewSession) -> Result<bool, LedgerError>;

    /// Ends a session. Returns whether there was one, even if it had expired.
    async fn end_session(&self, token: &TokenHash) -> Result<bool, LedgerError>;

    /// Ends every session of the account that a password has opened.
    async fn end_password_sessions(&self, account: AccountId) -> Result<(), LedgerError>;

    /// Adds a service to an account.
    async fn declare_service(&self, service: &NewService) -> Result<Result<(), ServiceRefusal>, LedgerError>;

    /// The service with this id. The caller checks which account it belongs to.
    async fn service(&self, id: &ServiceId) -> Result<Option<Service>, LedgerError>;

    /// The services of an account, in the order of their names.
    async fn services(&self, account: AccountId) -> Result<Vec<Service>, LedgerError>;

    /// Replaces the key of a service of this account and ends its sessions. `by` is the token of its holder, as in
    /// [`NewService`]. Returns `false` if the account has no such service, or the token was replaced or its session has ended.
    async fn rotate_service(
        &self,
        account: AccountId,
        id: &ServiceId,
        (key, by): (&TokenHash, &TokenHash),
        now: LedgerTime,
    ) -> Result<bool, LedgerError>;

    /// Replaces the key `before` of a service by `key` and ends its sessions. Returns whether `key` is its key now, also
    /// when it was before.
    async fn replace_service_key(
        &self,
        id: &ServiceId,
        before: &TokenHash,
        key: &TokenHash,
        now: LedgerTime,
    ) -> Result<bool, LedgerError>;

    /// Removes a service of this account and its sessions. Returns `false` if the account has no such
    /// service. If an operator removes it, the action is recorded.
    async fn remove_service(
        &self,
        account: AccountId,
        id: &ServiceId,
        action: Option<&Action>,
    ) -> Result<bool, LedgerError>;

    /// Gives a holder's account another start code, for an operator; the one before ends. Returns `false` and
    /// changes nothing if the account is closed.
    async fn set_start_code(
        &self,
        account: AccountId,
        code: &StartCodeHash,
        expires: LedgerTime,
        action: &Action,
    ) -> Result<bool, LedgerError>;

    /// The hash of the start code of an account that has not expired at `now`; `None` if there is none.
    async fn start_code(
        &self,
        account: AccountId,
        now: LedgerTime,
    ) -> Result<Option<StartCodeHash>, LedgerError>;

    /// Uses up a start code: sets the password, ends every session that a password has opened, and opens one.
    /// Returns `false` and changes nothing if the code was used, replaced or has expired meanwhile.
    async fn start(&self, start: &Start) -> Result<bool, LedgerError>;

    /// Records that a service made a request at this time.
    async fn saw_service(&self, id: &ServiceId, now: LedgerTime) -> Result<(), LedgerError>;

    /// Up to `limit` entries of an account, in the order in which its balance changed or the reverse.
    async fn entries(
        &self,
        account: AccountId,
        page: EntryPage,
        limit: u32,
    ) -> Result<Vec<AccountEntry>, LedgerError>;

    /// The entry of the transfer or payout with this idempotency key.
    async fn entry_of(
        &self,
        account: AccountId,
        key: &IdempotencyKey,
    ) -> Result<Option<AccountEntry>, LedgerError>;

    /// Up to `limit` payouts with numbers above `after`, ascending. A new payout never has a number below one
    /// that was returned.
    async fn payouts(
        &self,
        filter: PayoutFilter,
        after: PayoutNo,
        limit: u32,
    ) -> Result<Vec<Payout>, LedgerError>;

    /// Up to `limit` payouts with numbers below `before`, or all, descending.
    async fn newest_payouts(
        &self,
        filter: PayoutFilter,
        before: Option<PayoutNo>,
        limit: u32,
    ) -> Result<Vec<Payout>, LedgerError>;

    /// The payout with this number.
    async fn payout(&self, no: PayoutNo) -> Result<Option<Payout>, LedgerError>;

    /// The payouts with these numbers, ascending. Numbers of no payout are left out.
    async fn payouts_with(&self, numbers: Vec<PayoutNo>) -> Result<Vec<Payout>, LedgerError>;

    /// The payout that a holder requested with this idempotency key.
    async fn payout_of(
        &self,
        account: AccountId,
        key: &IdempotencyKey,
    ) -> Result<Option<Payout>, LedgerError>;

    /// The waiting mint with this reference.
    async fn waiting(&self, reference: &TransactionReference) -> Result<Option<WaitingMint>, LedgerError>;

    /// Up to `limit` waiting mints that must be decided again, because their account holds enough or they
    /// have expired: those after `after`, oldest first.
    async fn due(
        &self,
        now: LedgerTime,
        after: Option<&DueMint>,
        limit: u32,
    ) -> Result<Vec<DueMint>, LedgerError>;

    /// The numbers of waiting mints, of payouts that wait and of frozen accounts. The cost depends on these numbers and not on the length of
    /// the journal.
    async fn backlog(&self) -> Result<Backlog, LedgerError>;

    /// Deletes expired sessions and start codes, and failed logins of which the last is [`FAILED_LOGINS_KEPT_HOURS`] old.
    /// Each portion is a transaction of its own.
    async fn tidy(&self, now: LedgerTime) -> Result<(), LedgerError>;
}

/// A store of books that is also a store of accounts.
pub trait HasAccounts {
    /// The store of accounts.
    fn accounts(&self) -> Arc<dyn Accounts>;
}

/// The owner of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// The account for which the bearer acts.
    pub account: AccountId,
    /// The kind of the token.
    pub credential: Credential,
}

/// The kind of a token, with the rights of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// The account's own token.
    AccountToken,
    /// A holder's session, opened with the password.
    PasswordSession,
    /// A session of a service.
    ServiceSession {
        /// The id of the service.
        service: ServiceId,
        /// What the service may do.
        scopes: BTreeSet<Scope>,
        /// The time of its last recorded request, if any.
        last_seen: Option<LedgerTime>,
    },
}

/// A right of a service. The numbers are stored, as bits of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i16)]
pub enum Scope {
    /// Mint coins from the account.
    Mint = 1,
    /// Redeem coins into the account.
    Redeem = 2,
    /// Read the account and its entries.
    Read = 4,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::Mint, Self::Redeem, Self::Read];

    /// The stored number of a set.
    #[must_use]
    pub fn bits(scopes: &BTreeSet<Self>) -> i16 {
        scopes.iter().fold(0, |bits, scope| bits | *scope as i16)
    }

    /// The set with this stored number; `None` if a bit is unknown.
    #[must_use]
    pub fn from_bits(bits: i16) -> Option<BTreeSet<Self>> {
        let scopes: BTreeSet<Self> = Self::ALL
            .into_iter()
            .filter(|scope| bits & *scope as i16 != 0)
            .collect();
        (Self::bits(&scopes) == bits).then_some(scopes)
    }
}

/// The account of a key, as it is in the books now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyAccountStatus {
    /// Its number.
    pub id: AccountId,
    /// In the smallest unit.
    pub balance: Amount,
    /// The number of its payments. The next one has the number after it.
    pub seq: u64,
    /// The number of its credits.
    pub credits: u64,
}

/// An account and its holder's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Number, name and balance.
    pub account: Account,
    /// The hash of the password; `None` if none was set.
    pub password: Option<PasswordHash>,
    /// Whether the holder chose to be listed in the directory.
    pub listed: bool,
}

/// Which accounts [`Accounts::profiles`] returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileFilter {
    /// All accounts of holders.
    All,
    /// Accounts that are listed in the directory.
    Listed,
    /// Accounts that an operator has frozen.
    Frozen,
}

/// Failed logins with one name since the last successful one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FailedLogins {
    /// The number of failed logins.
    pub count: u32,
    /// The time of the last one; `None` if there is none.
    pub last: Option<LedgerTime>,
}

/// A session to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// The account that logged in, or the account of the service.
    pub account: AccountId,
    /// The credential that was checked.
    pub login: Login,
    /// The hash of the session's token.
    pub token: TokenHash,
    /// The time of the login.
    pub at: LedgerTime,
    /// The time from which the token is no longer accepted.
    pub expires: LedgerTime,
}

/// The credential of a login. Checking a password takes time. If the credential is changed meanwhile, no
/// session is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// The stored hash against which the password was checked.
    Password(PasswordHash),
    /// A service and the hash of its key.
    Service(ServiceId, TokenHash),
}

/// The hash of a start code, in the form of a password's hash.
pub type StartCodeHash = PasswordHash;

/// The first login of a holder, with a start code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The account.
    pub account: AccountId,
    /// The stored hash against which the code was checked.
    pub code: StartCodeHash,
    /// The password to set.
    pub password: PasswordHash,
    /// The hash of the token of the session to open.
    pub token: TokenHash,
    /// The time of the login.
    pub at: LedgerTime,
    /// The time from which the token is no longer accepted.
    pub expires: LedgerTime,
}

impl Start {
    /// The session to open.
    #[must_use]
    pub fn session(&self) -> NewSession {
        NewSession {
            account: self.account,
            login: Login::Password(self.password.clone()),
            token: self.token,
            at: self.at,
            expires: self.expires,
        }
    }
}

/// Who sets a password. Hashing takes time, so the store checks again what may have changed meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordSetter {
    /// The operator, who need not know the old password, with the action to record.
    Operator(Action),
    /// The holder, who has shown the old password if there was one.
    Holder {
        /// The stored hash against which the old password was checked.
        before: Option<PasswordHash>,
        /// The account's own token, or that of a session that a password has opened. Such a session stays open.
        by: TokenHash,
    },
}

/// The id of a service: 32 random hexadecimal digits, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId(String);

/// The text is not the id of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the id of a service has 32 digits of 0-9 and a-f")]
pub struct ServiceIdError;

impl ServiceId {
    /// The id with this text.
    ///
    /// # Errors
    /// The text does not have 32 digits of `0-9` and `a-f`.
    pub fn new(text: impl Into<String>) -> Result<Self, ServiceIdError> {
        let text = text.into();
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == 32 && text.bytes().all(is_digit) {
            Ok(Self(text))
        } else {
            Err(ServiceIdError)
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A service to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewService {
    /// Chosen at random by the issuer.
    pub id: ServiceId,
    /// The account for which the service may act.
    pub account: AccountId,
    /// Unique within the account, with the characters of an account name.
    pub name: AccountName,
    /// What the service may do.
    pub scopes: BTreeSet<Scope>,
    /// The hash of its key.
    pub key: TokenHash,
    /// The token of the holder who declares it: the account's own, or that of a session that a password has opened.
    pub by: TokenHash,
    /// The issuer's time.
    pub at: LedgerTime,
}

/// Why a service is not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ServiceRefusal {
    /// The account has a service with this name.
    #[error("the account has a service with this name already; choose another name")]
    Exists,
    /// The account has the maximum number of services.
    #[error("an account has at most {SERVICES_PER_ACCOUNT_MAX} services; remove one first")]
    TooMany,
    /// The account is closed.
    #[error("the account is closed")]
    Closed,
    /// The token of the holder was replaced, or their session has ended.
    #[error("the token was replaced, or its session has ended")]
    NotHolder,
}

/// A program that may act for an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Chosen at random by the issuer.
    pub id: ServiceId,
    /// The account for which the service may act.
    pub account: AccountId,
    /// Unique within the account; chosen by the holder.
    pub name: AccountName,
    /// What the service may do.
    pub scopes: BTreeSet<Scope>,
    /// The hash of its key.
    pub key: TokenHash,
    /// The time at which the key was created.
    pub key_at: LedgerTime,
    /// The time of its last recorded request, if any.
    pub last_seen: Option<LedgerTime>,
}

/// Which entries [`Accounts::entries`] returns, and in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryPage {
    /// Entries below this number, or all, the newest first.
    Before(Option<EntryNo>),
    /// Entries above this number, the oldest first.
    After(EntryNo),
}

/// A journal record as the holder of one account sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountEntry {
    /// Its number among the entries of the account.
    pub no: EntryNo,
    /// The issuer's time of the command.
    pub at: LedgerTime,
    /// The kind of the record.
    pub kind: crate::journal::Kind,
    /// The amount that moved, in the smallest unit.
    pub amount: Amount,
    /// Whether the account received the amount; otherwise it paid it.
    pub received: bool,
    /// The other account of a transfer.
    pub counterparty: Option<AccountName>,
    /// The label of a transfer, or the operator's reference of a credit or debit.
    pub label: Option<String>,
}

/// Which payouts [`Accounts::payouts`] returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayoutFilter {
    /// All payouts.
    All,
    /// The payouts of one account.
    Of(AccountId),
    /// The payouts that wait for the operator.
    Requested,
    /// The payouts that were paid.
    Paid,
    /// The payouts that failed.
    Failed,
}

/// A payout, waiting or settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payout {
    /// Assigned when it is requested.
    pub no: PayoutNo,
    /// The account that pays.
    pub account: AccountId,
    /// The name of the account.
    pub name: AccountName,
    /// Whether an operator has frozen the account now.
    pub is_frozen: bool,
    /// In the smallest unit.
    pub amount: Amount,
    /// Where the money goes, from the holder.
    pub destination: Reference,
    /// The time of the request.
    pub requested: LedgerTime,
    /// The operator's settlement and its time; `None` while the payout waits.
    pub settled: Option<(Settlement, LedgerTime)>,
}

/// A mint that waits until its account holds enough. Nothing is taken while it waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingMint {
    /// The account that will pay.
    pub account: AccountId,
    /// The wallet's reference.
    pub transaction_reference: TransactionReference,
    /// The blinds to sign.
    pub blinds: Vec<Blind>,
    /// The balance that the account needs.
    pub amount: Amount,
    /// The time of the first request.
    pub asked: LedgerTime,
    /// The time at which the mint is given up.
    pub expires: LedgerTime,
}

/// A waiting mint that must be decided again. Ordered by the time of the first request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DueMint {
    /// The time of the first request.
    pub asked: LedgerTime,
    /// The wallet's reference.
    pub reference: TransactionReference,
}

/// Mints that wait for money and payouts that wait for the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// The number of waiting mints.
    pub waiting_mints: u64,
    /// The number of payouts that are not settled.
    pub payouts_requested: u64,
    /// The time of the request of the payout with the lowest number among them; `None` if there are none.
    pub oldest_payout: Option<LedgerTime>,
    /// The number of frozen accounts of holders.
    pub frozen_accounts: u64,
}
