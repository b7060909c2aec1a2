//! What an operator does to accounts, from the command line or over HTTP: open them, set passwords, pay in
//! and out, settle payouts.

use std::sync::Arc;

use opencoin_keys::{Clock, Randomness, ledger_time};
use opencoin_ledger::{
    AccountName, Amount, Applied, Command, LedgerError, LedgerTime, PasswordHash, PasswordSetter, Payout,
    PayoutFilter, PayoutNo, Profile, ProfileFilter, Reference, Refusal, Settlement,
};
use thiserror::Error;

use crate::accounts::{NewPassword, Passwords, Random, Token, TokenKind};
use crate::store::Books;

/// An operator at the accounts.
pub struct Cashier {
    books: Books,
    clock: Arc<dyn Clock>,
    random: Arc<Random>,
    passwords: Arc<Passwords>,
}

/// Why nothing was done.
#[derive(Debug, Error)]
pub enum CashierError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Too many passwords are being set.
    #[error("too many set passwords at once; try again later")]
    Busy,
    /// No account has this name.
    #[error("there is no account {0}")]
    UnknownAccount(AccountName),
    /// The payout was settled in another way before.
    #[error("payout {} was settled before, in another way", .0.get())]
    Settled(PayoutNo),
}

impl Cashier {
    /// An operator at these books. Tokens and salts come from `rng`.
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

    /// Opens an account and gives its token, which is stored nowhere.
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

    /// Gives an account another token of its own, for one that was lost, and for an account whose opening was not
    /// confirmed. The token before is refused from now on; other processes may take it for
    /// [`TOKEN_REMEMBERED_SECONDS_MAX`](crate::accounts::TOKEN_REMEMBERED_SECONDS_MAX) more.
    ///
    /// # Errors
    /// When there is no such account, or the ledger fails. After that either token may count: ask again.
    pub async fn replace_token(&self, name: &AccountName) -> Result<Token, CashierError> {
        let account = self.account(name).await?.account.id;
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

    /// Accounts in the order of their names, beginning after a name.
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

    /// Sets an account's password, ends every session that one has opened, and forgets wrong guesses.
    ///
    /// # Errors
    /// When there is no such account, or the ledger fails.
    pub async fn set_password(&self, name: &AccountName, password: NewPassword) -> Result<(), CashierError> {
        let account = self.account(name).await?.account.id;
        let password = self.hash(password).await?;
        let is_set = self
            .books
            .accounts
            .set_password(account, &password, PasswordSetter::Operator)
            .await?;
        assert!(is_set, "the operator may always");
        Ok(self.books.accounts.clear_failed_logins(name).await?)
    }

    /// Credits a payment in; the same reference counts once. The answer says whether it was counted before.
    ///
    /// # Errors
    /// When there is no such account, the reference stands for another payment, or the ledger fails.
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

    /// Takes a payment out; the same reference counts once. The answer says whether it was counted before.
    ///
    /// # Errors
    /// When there is no such account, it has too little, the reference stands for another payment, or the
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

    /// Says what came of a payout. The same again changes nothing.
    ///
    /// # Errors
    /// When there is no such payout, something else came of it before, or the ledger fails.
    pub async fn settle(&self, payout: PayoutNo, settlement: Settlement) -> Result<Payout, CashierError> {
        match self
            .apply(Command::SettlePayout {
                payout,
                settlement,
                at: self.now(),
            })
            .await
        {
            Ok(_applied) => {}
            Err(CashierError::Refused(Refusal::ReferenceConflict)) => {
                return Err(CashierError::Settled(payout));
            }
            Err(other) => return Err(other),
        }
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
