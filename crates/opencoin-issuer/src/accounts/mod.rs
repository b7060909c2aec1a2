//! Accounts as their holders use them: access rights, sessions, services, transfers, payouts, entries.
//!
//! Only commands move money, through the committer like a mint. Everything else is read from and written to the store
//! of accounts directly.

mod caller;
mod entries;
mod money;
mod password;
mod random;
mod services;
mod sessions;
mod start_code;
pub(crate) mod throttle;
mod token;
mod waiting;

use std::sync::Arc;

use opencoin_config::AccountsConfig;
use opencoin_keys::{Clock, ledger_time};
use opencoin_ledger::{AccountId, AccountName, Accounts, Applied, Command, LedgerTime, Profile};

use crate::committer::Committer;
use crate::refusal::{Reason, Refusal, unavailable};

pub use caller::{Caller, Right, TOKEN_REMEMBERED_SECONDS_MAX};
pub use entries::{Page, page_length};
pub use money::{positive, text};
pub(crate) use password::Passwords;
pub use password::{NewPassword, NewPasswordError};
pub(crate) use random::Random;
pub use services::{ServiceAge, ServiceStatus};
pub use sessions::OpenedSession;
pub use start_code::{START_CODE_DAYS, StartCode};
pub use token::Token;
pub(crate) use token::TokenKind;
pub(crate) use waiting::given_up;

/// Serves holders and their services.
pub struct AccountService {
    accounts: Arc<dyn Accounts>,
    committer: Arc<Committer>,
    clock: Arc<dyn Clock>,
    config: AccountsConfig,
    random: Arc<Random>,
    passwords: Arc<Passwords>,
    tokens: caller::TokenCache,
    seen: caller::SeenServices,
    next_turn: waiting::NextTurn,
}

impl AccountService {
    pub(crate) fn new(
        accounts: Arc<dyn Accounts>,
        committer: Arc<Committer>,
        clock: Arc<dyn Clock>,
        config: AccountsConfig,
        random: Arc<Random>,
    ) -> Self {
        let (passwords, tokens, seen, next_turn) = Default::default();
        Self {
            accounts,
            committer,
            clock,
            config,
            random,
            passwords,
            tokens,
            seen,
            next_turn,
        }
    }

    pub(crate) fn passwords(&self) -> Arc<Passwords> {
        Arc::clone(&self.passwords)
    }

    pub(crate) fn random(&self) -> Arc<Random> {
        Arc::clone(&self.random)
    }

    /// The account and its settings.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn profile(&self, account: AccountId) -> Result<Profile, Refusal> {
        let profile = self.accounts.profile_by_id(account).await.map_err(unavailable)?;
        // Accounts are never removed, so this is a standby that lags behind.
        profile.ok_or_else(Refusal::unavailable)
    }

    /// Sets whether the account is listed in the directory.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn set_listed(&self, account: AccountId, listed: bool) -> Result<(), Refusal> {
        self.accounts
            .set_listed(account, listed)
            .await
            .map_err(unavailable)
    }

    fn now(&self) -> LedgerTime {
        ledger_time(self.clock.now())
    }

    async fn apply(&self, command: Command) -> Result<Applied, Refusal> {
        Ok(self
            .committer
            .apply(command)
            .await
            .map_err(|_| Refusal::unavailable())??)
    }
}

/// Parses the name of an account that must exist.
pub fn account_name(text: &str) -> Result<AccountName, Refusal> {
    text.parse()
        .map_err(|_| Refusal::new(Reason::NotFound, "there is no account of this name"))
}
