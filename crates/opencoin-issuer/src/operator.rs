//! What an operator does to the books from the command line: accounts, payments in, the pause of signing, the audit.

use std::sync::Arc;

use opencoin_ledger::audit::{AuditReport, check};
use opencoin_ledger::{Account, AccountName, Amount, Applied, Command, Ledger, LedgerError, Outcome, Reference, Refusal};
use rand::{CryptoRng, RngCore};
use thiserror::Error;

use crate::accounts::Token;
use crate::clock::Clock;
use crate::currency::ledger_time;

/// An operator at the ledger.
pub struct Operator {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
}

/// Why nothing was done.
#[derive(Debug, Error)]
pub enum OperatorError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No account has this name.
    #[error("there is no account {0}; make it with `opencoin issuer account create {0} --dir ...`")]
    UnknownAccount(AccountName),
}

impl Operator {
    /// An operator at this ledger.
    #[must_use]
    pub fn new(ledger: Arc<dyn Ledger>, clock: Arc<dyn Clock>) -> Self {
        Self { ledger, clock }
    }

    /// Opens an account and gives its token, which is stored nowhere.
    ///
    /// # Errors
    /// When the name is taken or the ledger fails.
    pub async fn create_account(&self, name: &AccountName, rng: &mut (impl RngCore + CryptoRng)) -> Result<Token, OperatorError> {
        let token = Token::generate(rng);
        let at = ledger_time(self.clock.now());
        self.apply(Command::OpenAccount { name: name.clone(), token_hash: token.hash(), at }).await?;
        Ok(token)
    }

    /// Credits a payment in; the same reference credits once. The answer says whether it was credited before.
    ///
    /// # Errors
    /// When there is no such account, the reference stands for another payment, or the ledger fails.
    pub async fn credit(&self, name: &AccountName, amount: Amount, reference: Reference) -> Result<Applied, OperatorError> {
        let account = self.account(name).await?.id;
        let at = ledger_time(self.clock.now());
        self.apply(Command::Credit { account, amount, reference, at }).await
    }

    /// The account of this name.
    ///
    /// # Errors
    /// When there is none, or the ledger fails.
    pub async fn account(&self, name: &AccountName) -> Result<Account, OperatorError> {
        let unknown = || OperatorError::UnknownAccount(name.clone());
        self.ledger.account_by_name(name).await?.ok_or_else(unknown)
    }

    /// Pauses signing or takes it up again, for every process at this ledger. Says whether that changed anything.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn set_signing_paused(&self, paused: bool) -> Result<bool, OperatorError> {
        if self.ledger.signing_paused().await? == paused {
            return Ok(false);
        }
        let at = ledger_time(self.clock.now());
        self.apply(Command::SetSigningPaused { paused, at }).await?;
        Ok(true)
    }

    /// Computes every invariant of the books again, from one consistent view of them.
    ///
    /// # Errors
    /// When the ledger cannot be read. Books that do not hold are a report and not an error.
    pub async fn audit(&self) -> Result<AuditReport, OperatorError> {
        Ok(check(&self.ledger.audit_facts().await?))
    }

    async fn apply(&self, command: Command) -> Result<Applied, OperatorError> {
        let outcomes: Vec<Outcome> = self.ledger.apply(&[command]).await?;
        let outcome = outcomes.into_iter().next().expect("the ledger answers every command");
        Ok(outcome?)
    }
}
