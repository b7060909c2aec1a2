//! What a store knows of accounts beside their money: who may act for them, what happened on them, what
//! waits.
//!
//! Nothing here moves money: that is what commands are for ([`Command`](crate::Command)). Secrets come in as
//! hashes.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    Account, AccountId, AccountName, Amount, Blind, IdempotencyKey, LedgerError, LedgerTime, PasswordHash,
    PayoutNo, Reference, Settlement, TokenHash, TransactionNo, TransactionReference,
};

/// The most services of one account.
pub const SERVICES_PER_ACCOUNT_MAX: usize = 100;
/// The most open sessions of one account or service; one more ends the oldest.
pub const SESSIONS_MAX: usize = 100;
/// How long wrong guesses at a password are remembered after the last one.
pub const FAILED_LOGINS_KEPT_HOURS: i64 = 24;

/// The store of accounts. Every method is one transaction, all or nothing; any number of processes may use
/// one store.
///
/// Every method fails with a [`LedgerError`] when the store cannot be read or written.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Who may act with this token now: the account's own, or that of a session that has not ended.
    async fn bearer(&self, token: &TokenHash, now: LedgerTime) -> Result<Option<Bearer>, LedgerError>;

    /// The account of this name with what its holder has chosen.
    async fn profile(&self, name: &AccountName) -> Result<Option<Profile>, LedgerError>;

    /// The account with this number with what its holder has chosen.
    async fn profile_by_id(&self, account: AccountId) -> Result<Option<Profile>, LedgerError>;

    /// Accounts in the order of their names, beginning after a name.
    async fn profiles(
        &self,
        filter: ProfileFilter,
        after: Option<&AccountName>,
        limit: u32,
    ) -> Result<Vec<Profile>, LedgerError>;

    /// Gives the account another token of its own. The one before ends.
    async fn set_token(&self, account: AccountId, token: &TokenHash) -> Result<(), LedgerError>;

    /// Chooses whether the account stands in the directory.
    async fn set_listed(&self, account: AccountId, listed: bool) -> Result<(), LedgerError>;

    /// Sets the password and ends every session of the account (not those of its services) but the one of who
    /// sets it. `false`, and nothing is changed, when who sets it may no more.
    async fn set_password(
        &self,
        account: AccountId,
        password: &PasswordHash,
        setter: PasswordSetter,
    ) -> Result<bool, LedgerError>;

    /// How often a password was guessed wrongly for this name since it was last right, whether or not there
    /// is such an account.
    async fn failed_logins(&self, name: &AccountName) -> Result<FailedLogins, LedgerError>;

    /// Counts a wrong guess, *before* the password is looked at, so that guesses at the same time count, too.
    /// Returns what was counted, this one included.
    async fn count_login(&self, name: &AccountName, now: LedgerTime) -> Result<FailedLogins, LedgerError>;

    /// Forgets the wrong guesses for this name.
    async fn clear_failed_logins(&self, name: &AccountName) -> Result<(), LedgerError>;

    /// Opens a session. Those of the same account or service that have expired go; one more than
    /// [`SESSIONS_MAX`] ends the oldest. `false`, and nothing is opened, when what it was opened with counts
    /// no more.
    async fn open_session(&self, session: &NewSession) -> Result<bool, LedgerError>;

    /// Ends a session; whether there was one, be it expired.
    async fn end_session(&self, token: &TokenHash) -> Result<bool, LedgerError>;

    /// Declares a service.
    async fn declare_service(&self, service: &NewService) -> Result<Result<(), ServiceRefusal>, LedgerError>;

    /// A service by its id; the caller checks whose it is.
    async fn service(&self, id: &ServiceId) -> Result<Option<Service>, LedgerError>;

    /// The services of an account, by name.
    async fn services(&self, account: AccountId) -> Result<Vec<Service>, LedgerError>;

    /// Gives a service of this account another key and ends its sessions; `false` when the account has no
    /// such service.
    async fn rotate_service(
        &self,
        account: AccountId,
        id: &ServiceId,
        key: &TokenHash,
        now: LedgerTime,
    ) -> Result<bool, LedgerError>;

    /// Removes a service of this account and its sessions; `false` when the account has no such service.
    async fn remove_service(&self, account: AccountId, id: &ServiceId) -> Result<bool, LedgerError>;

    /// Notes that a service was heard of.
    async fn saw_service(&self, id: &ServiceId, now: LedgerTime) -> Result<(), LedgerError>;

    /// Entries of an account: what moved its money, in the order in which its balance changed.
    async fn entries(
        &self,
        account: AccountId,
        page: EntryPage,
        limit: u32,
    ) -> Result<Vec<AccountEntry>, LedgerError>;

    /// The entry that a holder's transfer or payout made.
    async fn entry_of(
        &self,
        account: AccountId,
        key: &IdempotencyKey,
    ) -> Result<Option<AccountEntry>, LedgerError>;

    /// Payouts with numbers above `after`, ascending. None ever appears below one that was seen.
    async fn payouts(
        &self,
        filter: PayoutFilter,
        after: PayoutNo,
        limit: u32,
    ) -> Result<Vec<Payout>, LedgerError>;

    /// A payout by its number.
    async fn payout(&self, no: PayoutNo) -> Result<Option<Payout>, LedgerError>;

    /// The payout that a holder asked for under this key.
    async fn payout_of(
        &self,
        account: AccountId,
        key: &IdempotencyKey,
    ) -> Result<Option<Payout>, LedgerError>;

    /// The mint that waits for money under this reference.
    async fn waiting(&self, reference: &TransactionReference) -> Result<Option<WaitingMint>, LedgerError>;

    /// Waiting mints that are to be decided again, because their account now holds enough or their time is
    /// over: those that come after `after`, oldest first.
    async fn due(
        &self,
        now: LedgerTime,
        after: Option<&DueMint>,
        limit: u32,
    ) -> Result<Vec<DueMint>, LedgerError>;

    /// How much waits now. It costs no more than what waits, however long the journal is.
    async fn backlog(&self) -> Result<Backlog, LedgerError>;

    /// Deletes what is over, in portions that are a transaction each: sessions that have expired, and wrong
    /// guesses of which the last is [`FAILED_LOGINS_KEPT_HOURS`] old.
    async fn tidy(&self, now: LedgerTime) -> Result<(), LedgerError>;
}

/// A store of books that has accounts as well.
pub trait HasAccounts {
    /// Its accounts.
    fn accounts(&self) -> Arc<dyn Accounts>;
}

/// Who acts with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// For which account.
    pub account: AccountId,
    /// With what.
    pub means: Credential,
}

/// With what somebody acts for an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// The account's own token.
    AccountToken,
    /// A session that a password opened.
    PasswordSession,
    /// A session of a service.
    ServiceSession {
        /// Which.
        service: ServiceId,
        /// What it may do.
        scopes: BTreeSet<Scope>,
        /// When it was last heard of.
        last_seen: Option<LedgerTime>,
    },
}

/// What a service may do. The numbers are stored, as bits of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i16)]
pub enum Scope {
    /// Mint.
    Mint = 1,
    /// Redeem.
    Redeem = 2,
    /// Read the account.
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

    /// The set with this stored number; `None` where a bit stands for nothing.
    #[must_use]
    pub fn from_bits(bits: i16) -> Option<BTreeSet<Self>> {
        let scopes: BTreeSet<Self> = Self::ALL
            .into_iter()
            .filter(|scope| bits & *scope as i16 != 0)
            .collect();
        (Self::bits(&scopes) == bits).then_some(scopes)
    }
}

/// An account with what its holder has chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Number, name and balance.
    pub account: Account,
    /// Its password, if it has one.
    pub password: Option<PasswordHash>,
    /// Whether it stands in the directory.
    pub listed: bool,
}

/// Which accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileFilter {
    /// All.
    All,
    /// Those that chose to be listed.
    Listed,
}

/// Wrong guesses at a password since it was last right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FailedLogins {
    /// How many.
    pub count: u32,
    /// The last one.
    pub last: Option<LedgerTime>,
}

/// A session to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// For which account.
    pub account: AccountId,
    /// With what somebody logged in.
    pub login: Login,
    /// The hash of its token.
    pub token: TokenHash,
    /// When it was opened.
    pub at: LedgerTime,
    /// When it ends by itself: at this time it is over.
    pub expires: LedgerTime,
}

/// With what somebody logged in. Looking at a password takes a while; what was changed in that while opens no
/// session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// A password, and its hash that was looked at.
    Password(PasswordHash),
    /// A service and its key.
    Service(ServiceId, TokenHash),
}

/// Who sets a password. Hashes take a while; what was changed in that while counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordSetter {
    /// The operator, whatever the password was.
    Operator,
    /// The holder, who has shown the password before, where there was one.
    Holder {
        /// Its hash, that was looked at.
        before: Option<PasswordHash>,
        /// With which session, if not with the account's own token.
        session: Option<TokenHash>,
    },
}

/// The id of a service: 32 hexadecimal digits, made at random.
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
    /// It is not one.
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

/// A service to declare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewService {
    /// Its id.
    pub id: ServiceId,
    /// Whose.
    pub account: AccountId,
    /// Unique within the account; the characters of an account name.
    pub name: AccountName,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// The hash of its key.
    pub key: TokenHash,
    /// When.
    pub at: LedgerTime,
}

/// Why a service is not declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ServiceRefusal {
    /// The account has one of this name.
    #[error("the account has a service of this name already")]
    Exists,
    /// The account has as many as it may.
    #[error("an account has at most {SERVICES_PER_ACCOUNT_MAX} services")]
    TooMany,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its id.
    pub id: ServiceId,
    /// Whose.
    pub account: AccountId,
    /// Its name.
    pub name: AccountName,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// The hash of its key.
    pub key: TokenHash,
    /// When the key was made.
    pub key_at: LedgerTime,
    /// When it was last heard of.
    pub last_seen: Option<LedgerTime>,
}

/// Which entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryPage {
    /// The newest first, beginning below a number.
    Before(Option<TransactionNo>),
    /// The oldest first, beginning above a number.
    After(TransactionNo),
}

/// One entry of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountEntry {
    /// The transaction. Among those of one account the numbers ascend in the order in which its balance
    /// changed: they are given while the account's row is locked.
    pub no: TransactionNo,
    /// The issuer's time.
    pub at: LedgerTime,
    /// Of what kind of command.
    pub kind: crate::journal::Kind,
    /// How much.
    pub amount: Amount,
    /// Whether the account got it; otherwise it paid.
    pub received: bool,
    /// The other account of a transfer.
    pub counterparty: Option<AccountName>,
    /// The label of a transfer, or the operator's reference of a credit or debit.
    pub label: Option<String>,
}

/// Which payouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayoutFilter {
    /// All.
    All,
    /// Those of one account.
    Of(AccountId),
    /// Those that wait for the operator.
    Requested,
}

/// Money on its way out, or that has gone, or came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payout {
    /// Its number.
    pub no: PayoutNo,
    /// Who pays.
    pub account: AccountId,
    /// The name of the account.
    pub name: AccountName,
    /// How much.
    pub amount: Amount,
    /// Where to.
    pub destination: Reference,
    /// When it was asked for.
    pub requested: LedgerTime,
    /// What came of it, and when.
    pub settled: Option<(Settlement, LedgerTime)>,
}

/// A mint that was asked for without enough money. Nothing is taken while it waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingMint {
    /// Who is to pay.
    pub account: AccountId,
    /// The wallet's reference.
    pub transaction_reference: TransactionReference,
    /// What to sign.
    pub blinds: Vec<Blind>,
    /// What the account must hold.
    pub amount: Amount,
    /// When it was asked for.
    pub asked: LedgerTime,
    /// Until when it waits: at this time it is over.
    pub expires: LedgerTime,
}

/// A waiting mint that is to be decided again. The order is that in which they were asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DueMint {
    /// When it was asked for.
    pub asked: LedgerTime,
    /// Its reference.
    pub reference: TransactionReference,
}

/// What waits: mints for money, and payouts for the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Mints that wait for money.
    pub waiting_mints: u64,
    /// Payouts that are not settled.
    pub payouts_requested: u64,
    /// When the payout of the lowest number among them was asked for.
    pub oldest_payout: Option<LedgerTime>,
}
