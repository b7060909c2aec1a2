//! The operator's work with accounts, from the command line or over HTTP: open them, set passwords, credit and debit
//! them, settle payouts.

mod payments;

use std::sync::Arc;

use chrono::Duration;
use opencoin_keys::{Clock, Randomness, ledger_time};
use opencoin_ledger::{
    AccountEntry, AccountId, AccountName, AccountStatus, Action, ActionDetail, ActionFilter, ActionKind,
    ActionNo, ActionSubject, Applied, Command, Consent, EntryPage, LedgerError, LedgerTime, OperatorCommand,
    OperatorName, PasswordHash, PasswordSetter, Payout, PayoutFilter, PayoutNo, Profile, ProfileFilter,
    RecordedAction, Reference, Refusal, ServiceId, TokenHash,
};
use thiserror::Error;

use crate::SecondPersonLimit;
use crate::accounts::{
    NewPassword, Passwords, Random, START_CODE_DAYS, ServiceStatus, StartCode, Token, TokenKind,
};
use crate::refusal::{Reason, Refusal as RequestRefusal, unavailable};
use crate::store::Books;

/// Reads accounts for operators. [`Cashier::acting`] changes them.
pub struct Cashier {
    books: Books,
    clock: Arc<dyn Clock>,
    random: Arc<Random>,
    passwords: Arc<Passwords>,
    second_person: SecondPersonLimit,
}

/// Changes accounts for an operator. Each change is recorded with who made it.
pub struct ActingCashier<'a> {
    cashier: &'a Cashier,
    operator: &'a OperatorName,
}

/// Why an operator's change of an account failed.
#[derive(Debug, Error)]
pub enum CashierError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Too many passwords are being set.
    #[error("too many passwords are being set at the same time; try again later")]
    Busy,
    /// No account has this name.
    #[error("there is no account {0}")]
    UnknownAccount(AccountName),
    /// The reference is that of a line of a bank statement.
    #[error(
        "reference: this one belongs to a line of a bank statement, which is credited by booking the statement or assigning the line; \
         choose another reference"
    )]
    ReferenceOfLine,
    /// Recovered money is assigned, but none was recovered.
    #[error("nothing was recovered from the public log of this currency, so there is no recovered money")]
    NothingRecovered,
    /// A token or password is set for the account of a key.
    #[error("the account belongs to a key: its holder signs, and needs no token and no password")]
    NoHolder,
    /// The account is closed, so nobody is let in any more.
    #[error("the account {0} is closed for good")]
    Closed(AccountName),
    /// The account has no such service.
    #[error("the account {0} has no such service")]
    UnknownService(AccountName),
    /// The payout is settled already, with another result.
    #[error("payout {} is settled already, with another result", .0.get())]
    Settled(PayoutNo),
}

impl From<CashierError> for RequestRefusal {
    fn from(error: CashierError) -> Self {
        let text = error.to_string();
        match error {
            CashierError::Ledger(error) => unavailable(error),
            CashierError::Refused(Refusal::AccountClosed) => Self::new(Reason::Invalid, text),
            CashierError::Refused(refusal) => refusal.into(),
            CashierError::Busy => Self::new(Reason::Unavailable, text),
            CashierError::UnknownAccount(_) | CashierError::UnknownService(_) => {
                Self::new(Reason::NotFound, text)
            }
            CashierError::ReferenceOfLine
            | CashierError::NothingRecovered
            | CashierError::NoHolder
            | CashierError::Closed(_) => Self::new(Reason::Invalid, text),
            CashierError::Settled(_) => Self::new(Reason::ReferenceConflict, text),
        }
    }
}

impl Cashier {
    /// The accounts of these books. Tokens and salts come from `rng`. Payments above the limit need a second operator.
    pub fn new(
        books: impl Into<Books>,
        clock: Arc<dyn Clock>,
        rng: Box<dyn Randomness>,
        second_person: SecondPersonLimit,
    ) -> Self {
        let random = Arc::new(Random::new(rng));
        Self::sharing(books.into(), clock, random, Arc::default(), second_person)
    }

    pub(crate) fn sharing(
        books: Books,
        clock: Arc<dyn Clock>,
        random: Arc<Random>,
        passwords: Arc<Passwords>,
        second_person: SecondPersonLimit,
    ) -> Self {
        Self {
            books,
            clock,
            random,
            passwords,
            second_person,
        }
    }

    /// Changes accounts for the operator with this name.
    #[must_use]
    pub fn acting<'a>(&'a self, operator: &'a OperatorName) -> ActingCashier<'a> {
        ActingCashier {
            cashier: self,
            operator,
        }
    }

    /// The account of this name.
    ///
    /// # Errors
    /// When there is none, or the ledger fails.
    pub async fn account(&self, name: &AccountName) -> Result<Profile, CashierError> {
        let unknown = || CashierError::UnknownAccount(name.clone());
        self.books.accounts.profile(name).await?.ok_or_else(unknown)
    }

    /// The account of the holder with this name. The account of a key has neither token nor password.
    async fn holder(&self, name: &AccountName) -> Result<AccountId, CashierError> {
        let account = self.account(name).await?.account.id;
        if account.is_key_account() {
            return Err(CashierError::NoHolder);
        }
        Ok(account)
    }

    /// Entries of the account with this name, in the order in which its balance changed or the reverse.
    ///
    /// # Errors
    /// When there is no such account, or the ledger fails.
    pub async fn entries(
        &self,
        name: &AccountName,
        page: EntryPage,
        limit: u32,
    ) -> Result<Vec<AccountEntry>, CashierError> {
        let account = self.account(name).await?.account.id;
        Ok(self.books.accounts.entries(account, page, limit).await?)
    }

    /// The services of the account with this name, in the order of their names.
    ///
    /// # Errors
    /// When there is no such account, or the ledger fails.
    pub async fn services(&self, name: &AccountName) -> Result<Vec<ServiceStatus>, CashierError> {
        let account = self.account(name).await?.account.id;
        let (services, now) = (self.books.accounts.services(account).await?, self.now());
        Ok(services
            .into_iter()
            .map(|service| ServiceStatus::at(service, now))
            .collect())
    }

    /// Accounts of holders in the order of their names, starting after this name.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn accounts(
        &self,
        filter: ProfileFilter,
        after: Option<&AccountName>,
        limit: u32,
    ) -> Result<Vec<Profile>, CashierError> {
        Ok(self.books.accounts.profiles(filter, after, limit).await?)
    }

    /// Payouts with numbers above `after`, ascending.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn payouts(
        &self,
        filter: PayoutFilter,
        after: PayoutNo,
        limit: u32,
    ) -> Result<Vec<Payout>, CashierError> {
        Ok(self.books.accounts.payouts(filter, after, limit).await?)
    }

    /// The newest payouts with numbers below `before`, or all, descending.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn newest_payouts(
        &self,
        filter: PayoutFilter,
        before: Option<PayoutNo>,
        limit: u32,
    ) -> Result<Vec<Payout>, CashierError> {
        let accounts = &self.books.accounts;
        Ok(accounts.newest_payouts(filter, before, limit).await?)
    }

    /// The payout with this number.
    ///
    /// # Errors
    /// When there is none, or the ledger fails.
    pub async fn payout(&self, no: PayoutNo) -> Result<Payout, CashierError> {
        let payout = self.books.accounts.payout(no).await?;
        payout.ok_or(CashierError::Refused(Refusal::UnknownPayout))
    }

    /// What operators have done, the newest first: up to `limit` actions with numbers below `before`, or all.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn actions(
        &self,
        filter: ActionFilter,
        before: Option<ActionNo>,
        limit: u32,
    ) -> Result<Vec<RecordedAction>, CashierError> {
        Ok(self.books.operators.actions(filter, before, limit).await?)
    }

    async fn hash(&self, password: NewPassword) -> Result<PasswordHash, CashierError> {
        self.passwords
            .hash(password, self.random.bytes())
            .await
            .map_err(|_| CashierError::Busy)
    }

    fn now(&self) -> LedgerTime {
        ledger_time(self.clock.now())
    }
}

impl ActingCashier<'_> {
    /// Opens an account and returns its token, which is stored as a hash only.
    ///
    /// # Errors
    /// When the name is taken or the ledger fails.
    pub async fn open_account(
        &self,
        name: &AccountName,
        password: Option<NewPassword>,
    ) -> Result<Token, CashierError> {
        let token = self.cashier.random.token(TokenKind::Account);
        self.open(name, Some(token.hash()), password).await?;
        Ok(token)
    }

    /// Opens an account without a token, and issues a start code for its holder.
    ///
    /// # Errors
    /// When the name is taken or the ledger fails. If the account was opened and no code was issued, issue one.
    pub async fn open_account_to_start(
        &self,
        name: &AccountName,
        password: Option<NewPassword>,
    ) -> Result<(StartCode, LedgerTime), CashierError> {
        self.open(name, None, password).await?;
        self.issue_start_code(name).await
    }

    async fn open(
        &self,
        name: &AccountName,
        token_hash: Option<TokenHash>,
        password: Option<NewPassword>,
    ) -> Result<(), CashierError> {
        let password = match password {
            Some(password) => Some(self.cashier.hash(password).await?),
            None => None,
        };
        let action = self.action(ActionKind::OpenAccount, name.as_str());
        let open = Command::OpenAccount {
            name: name.clone(),
            token_hash,
            password,
            at: action.at,
        };
        self.apply(open, action).await?;
        Ok(())
    }

    /// Issues a code with which the holder sets a password, once. The code before it ends. Returns also when it expires.
    ///
    /// # Errors
    /// When there is no such account, it is closed, or the ledger fails. Then either code may be valid; call again.
    pub async fn issue_start_code(
        &self,
        name: &AccountName,
    ) -> Result<(StartCode, LedgerTime), CashierError> {
        let account = self.cashier.holder(name).await?;
        let code = StartCode::generate(&self.cashier.random);
        let hash = self.cashier.hash(code.as_password()).await?;
        let expires = ledger_time(self.cashier.clock.now() + Duration::days(START_CODE_DAYS));
        let action = self.action(ActionKind::IssueStartCode, name.as_str());
        let accounts = &self.cashier.books.accounts;
        if !accounts.set_start_code(account, &hash, expires, &action).await? {
            return Err(CashierError::Closed(name.clone()));
        }
        Ok((code, expires))
    }

    /// Freezes an account, opens a frozen one again, or closes it for good. Idempotent; returns the account.
    ///
    /// # Errors
    /// When there is no such account, it belongs to a key or is closed, it is to be closed and is not empty, or the ledger
    /// fails.
    pub async fn set_status(
        &self,
        name: &AccountName,
        status: AccountStatus,
        reason: &Reference,
    ) -> Result<Profile, CashierError> {
        let account = self.cashier.holder(name).await?;
        let kind = match status {
            AccountStatus::Open => ActionKind::ThawAccount,
            AccountStatus::Frozen => ActionKind::FreezeAccount,
            AccountStatus::Closed => ActionKind::CloseAccount,
        };
        let action = Action {
            detail: Some(ActionDetail::new(reason.as_str())),
            ..self.action(kind, name.as_str())
        };
        let at = action.at;
        let set = Command::SetAccountStatus { account, status, at };
        self.apply(set, action).await?;
        self.cashier.account(name).await
    }

    /// Removes a service of an account, whose sessions end at once.
    ///
    /// # Errors
    /// When there is no such account or service, or the ledger fails.
    pub async fn remove_service(&self, name: &AccountName, id: &str) -> Result<(), CashierError> {
        let unknown = || CashierError::UnknownService(name.clone());
        let account = self.cashier.holder(name).await?;
        let id = ServiceId::new(id).map_err(|_| unknown())?;
        let accounts = &self.cashier.books.accounts;
        let service = accounts.service(&id).await?;
        let service = service
            .filter(|service| service.account == account)
            .ok_or_else(unknown)?;
        let detail = format!("{} ({})", service.name, id.as_str());
        let action = Action {
            detail: Some(ActionDetail::new(&detail)),
            ..self.action(ActionKind::RemoveService, name.as_str())
        };
        if accounts.remove_service(account, &id, Some(&action)).await? {
            Ok(())
        } else {
            Err(unknown())
        }
    }

    /// Replaces the token of an account, for example if it was lost or the opening of the account was not confirmed.
    /// From now on the old token neither pays nor changes the account, and a start code has ended. For another
    /// [`TOKEN_REMEMBERED_SECONDS_MAX`](crate::accounts::TOKEN_REMEMBERED_SECONDS_MAX) it may read, mint and redeem.
    ///
    /// # Errors
    /// When there is no such account, or the ledger fails. Then either token may be valid; call again.
    pub async fn replace_token(&self, name: &AccountName) -> Result<Token, CashierError> {
        let account = self.cashier.holder(name).await?;
        let token = self.cashier.random.token(TokenKind::Account);
        let action = self.action(ActionKind::ReplaceToken, name.as_str());
        let accounts = &self.cashier.books.accounts;
        if !accounts.set_token(account, &token.hash(), &action).await? {
            return Err(CashierError::Closed(name.clone()));
        }
        Ok(token)
    }

    /// Sets the password of an account, ends all sessions that a password has opened, and resets the count of wrong
    /// passwords.
    ///
    /// # Errors
    /// When there is no such account, or the ledger fails.
    pub async fn set_password(&self, name: &AccountName, password: NewPassword) -> Result<(), CashierError> {
        let account = self.cashier.holder(name).await?;
        let password = self.cashier.hash(password).await?;
        let setter = PasswordSetter::Operator(self.action(ActionKind::SetPassword, name.as_str()));
        let accounts = &self.cashier.books.accounts;
        if !accounts.set_password(account, &password, setter).await? {
            return Err(CashierError::Closed(name.clone()));
        }
        Ok(accounts.clear_failed_logins(name).await?)
    }

    fn action(&self, kind: ActionKind, subject: &str) -> Action {
        Action {
            operator: self.operator.clone(),
            kind,
            subject: ActionSubject::new(subject),
            amount: None,
            detail: None,
            at: self.cashier.now(),
        }
    }

    async fn apply(&self, command: Command, action: Action) -> Result<Applied, CashierError> {
        self.apply_with(command, action, Consent::NotNeeded).await
    }

    async fn apply_with(
        &self,
        command: Command,
        action: Action,
        consent: Consent,
    ) -> Result<Applied, CashierError> {
        let command = OperatorCommand {
            command,
            action,
            consent,
        };
        let outcomes = self.cashier.books.ledger.apply_for_operator(&[command]).await?;
        Ok(outcomes
            .into_iter()
            .next()
            .expect("the ledger answers every command")?)
    }
}
