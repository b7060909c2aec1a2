//! The operator's work with accounts, from the command line or over HTTP: open them, set passwords, credit and debit
//! them, settle payouts.

use std::sync::Arc;

use opencoin_keys::{Clock, Randomness, ledger_time};
use opencoin_ledger::recovered::AssignmentWay;
use opencoin_ledger::{
    AccountId, AccountName, Amount, Applied, Command, LedgerError, LedgerTime, PasswordHash, PasswordSetter,
    Payout, PayoutFilter, PayoutNo, Profile, ProfileFilter, Reference, Refusal, Settlement,
};
use thiserror::Error;

use crate::accounts::{NewPassword, Passwords, Random, Token, TokenKind};
use crate::store::Books;

/// Changes accounts for the operator.
pub struct Cashier {
    books: Books,
    clock: Arc<dyn Clock>,
    random: Arc<Random>,
    passwords: Arc<Passwords>,
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
    /// Recovered money is assigned, but none was recovered.
    #[error("nothing was recovered from the public log of this currency, so there is no recovered money")]
    NothingRecovered,
    /// A token or password is set for the account of a key.
    #[error("the account belongs to a key: its holder signs, and needs no token and no password")]
    NoHolder,
    /// The payout is settled already, with another result.
    #[error("payout {} is settled already, with another result", .0.get())]
    Settled(PayoutNo),
}

impl Cashier {
    /// Changes the accounts of these books. Tokens and salts come from `rng`.
    pub fn new(books: impl Into<Books>, clock: Arc<dyn Clock>, rng: Box<dyn Randomness>) -> Self {
        Self::sharing(books.into(), clock, Arc::new(Random::new(rng)), Arc::default())
    }

    pub(crate) fn sharing(
        books: Books,
        clock: Arc<dyn Clock>,
        random: Arc<Random>,
        passwords: Arc<Passwords>,
    ) -> Self {
        Self {
            books,
            clock,
            random,
            passwords,
        }
    }

    /// Opens an account and returns its token, which is stored as a hash only.
    ///
    /// # Errors
    /// When the name is taken or the ledger fails.
    pub async fn open_account(
        &self,
        name: &AccountName,
        password: Option<NewPassword>,
    ) -> Result<Token, CashierError> {
        let password = match password {
            Some(password) => Some(self.hash(password).await?),
            None => None,
        };
        let (token, at) = (self.random.token(TokenKind::Account), self.now());
        self.apply(Command::OpenAccount {
            name: name.clone(),
            token_hash: token.hash(),
            password,
            at,
        })
        .await?;
        Ok(token)
    }

    /// Replaces the token of an account, for example if it was lost or the opening of the account was not confirmed.
    /// The old token is refused from now on; other processes may accept it for another
    /// [`TOKEN_REMEMBERED_SECONDS_MAX`](crate::accounts::TOKEN_REMEMBERED_SECONDS_MAX).
    ///
    /// # Errors
    /// When there is no such account, or the ledger fails. Then either token may be valid; call again.
    pub async fn replace_token(&self, name: &AccountName) -> Result<Token, CashierError> {
        let account = self.holder(name).await?;
        let token = self.random.token(TokenKind::Account);
        self.books.accounts.set_token(account, &token.hash()).await?;
        Ok(token)
    }

    async fn hash(&self, password: NewPassword) -> Result<PasswordHash, CashierError> {
        self.passwords
            .hash(password, self.random.bytes())
            .await
            .map_err(|_| CashierError::Busy)
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

    /// Accounts of holders in the order of their names, starting after this name.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn accounts(
        &self,
        after: Option<&AccountName>,
        limit: u32,
    ) -> Result<Vec<Profile>, CashierError> {
        Ok(self
            .books
            .accounts
            .profiles(ProfileFilter::All, after, limit)
            .await?)
    }

    /// Sets the password of an account, ends all sessions that a password has opened, and resets the count of wrong
    /// passwords.
    ///
    /// # Errors
    /// When there is no such account, or the ledger fails.
    pub async fn set_password(&self, name: &AccountName, password: NewPassword) -> Result<(), CashierError> {
        let account = self.holder(name).await?;
        let password = self.hash(password).await?;
        let is_set = self
            .books
            .accounts
            .set_password(account, &password, PasswordSetter::Operator)
            .await?;
        assert!(is_set, "the operator's change has no conditions");
        Ok(self.books.accounts.clear_failed_logins(name).await?)
    }

    /// Credits a deposit. Idempotent by reference; the result says whether it was repeated.
    ///
    /// # Errors
    /// When there is no such account, the reference was used for another payment, or the ledger fails.
    pub async fn credit(
        &self,
        name: &AccountName,
        amount: Amount,
        reference: Reference,
    ) -> Result<Applied, CashierError> {
        let (account, at) = (self.account(name).await?.account.id, self.now());
        self.apply(Command::Credit {
            account,
            amount,
            reference,
            at,
        })
        .await
    }

    /// Debits a withdrawal. Idempotent by reference; the result says whether it was repeated.
    ///
    /// # Errors
    /// When there is no such account, its balance is too low, the reference was used for another payment, or the
    /// ledger fails.
    pub async fn debit(
        &self,
        name: &AccountName,
        amount: Amount,
        reference: Reference,
    ) -> Result<Applied, CashierError> {
        let (account, at) = (self.account(name).await?.account.id, self.now());
        self.apply(Command::Debit {
            account,
            amount,
            reference,
            at,
        })
        .await
    }

    /// Assigns recovered money to an account, or takes what the account had paid in the lost time. Idempotent by reference,
    /// which credits and debits share; the result says whether it was repeated.
    ///
    /// # Errors
    /// When nothing was recovered, there is no such account, its balance is too low, the reference was used for another
    /// payment, or the ledger fails.
    pub async fn assign_recovered(
        &self,
        name: &AccountName,
        amount: Amount,
        way: AssignmentWay,
        reference: Reference,
    ) -> Result<Applied, CashierError> {
        let head = self.books.log.head().await?;
        if head.is_none_or(|head| head.recovered_to.is_none()) {
            return Err(CashierError::NothingRecovered);
        }
        let (account, at) = (self.account(name).await?.account.id, self.now());
        self.apply(Command::AssignRecovered {
            account,
            amount,
            way,
            reference,
            at,
        })
        .await
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

    /// Records whether a payout was paid or has failed. Idempotent.
    ///
    /// # Errors
    /// When there is no such payout, it was settled with another result, or the ledger fails.
    pub async fn settle(&self, payout: PayoutNo, settlement: Settlement) -> Result<Payout, CashierError> {
        let at = self.now();
        let settle = Command::SettlePayout {
            payout,
            settlement,
            at,
        };
        self.apply(settle).await.map_err(|error| match error {
            CashierError::Refused(Refusal::ReferenceConflict) => CashierError::Settled(payout),
            other => other,
        })?;
        let settled = self.books.accounts.payout(payout).await?;
        settled.ok_or(CashierError::Refused(Refusal::UnknownPayout))
    }

    fn now(&self) -> LedgerTime {
        ledger_time(self.clock.now())
    }

    async fn apply(&self, command: Command) -> Result<Applied, CashierError> {
        let outcomes = self.books.ledger.apply(&[command]).await?;
        Ok(outcomes
            .into_iter()
            .next()
            .expect("the ledger answers every command")?)
    }
}
