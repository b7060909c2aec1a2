//! Authentication by token, and authorization.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use opencoin_ledger::{AccountId, Bearer, Credential, LedgerTime, Scope, ServiceId, TokenHash};

use super::{AccountService, Token};
use crate::refusal::{Reason, Refusal, unavailable};

/// How long a process may accept an account's token after it was replaced, except for what needs [`Right::Own`].
pub const TOKEN_REMEMBERED_SECONDS_MAX: i64 = 10;
/// The most tokens in the cache, about a megabyte. A full cache is emptied.
const TOKENS_REMEMBERED_MAX: usize = 10_000;
/// The most services whose `last_seen` waits to be stored. Further ones are skipped.
const SERVICES_NOTED_MAX: usize = 10_000;
/// A service's `last_seen` is stored again only after this time.
const SEEN_AGAIN_MICROS: i64 = 60_000_000;

/// The bearer of a valid token.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The account of the token.
    pub account: AccountId,
    /// The hash of the token.
    pub token: TokenHash,
    /// The kind of the token.
    pub credential: Credential,
}

/// A right that a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// To exchange the account's money for coins.
    Mint,
    /// To credit coins to the account.
    Redeem,
    /// To read the account.
    Read,
    /// Everything else: transfers, payouts, settings, services. Only the holder has it.
    Own,
    /// To end the session itself.
    Leave,
}

impl Caller {
    fn check(self, right: Right) -> Result<Self, Refusal> {
        let may = match &self.credential {
            Credential::AccountToken | Credential::PasswordSession => true,
            Credential::ServiceSession { scopes, .. } => match right {
                Right::Mint => scopes.contains(&Scope::Mint),
                Right::Redeem => scopes.contains(&Scope::Redeem),
                Right::Read => scopes.contains(&Scope::Read),
                Right::Own => false,
                Right::Leave => true,
            },
        };
        if may {
            Ok(self)
        } else {
            Err(Refusal::new(
                Reason::Forbidden,
                "this is outside the scopes of the service",
            ))
        }
    }
}

/// The accounts of tokens, and when they were looked up. Accounts rarely get another token, so a look-up is valid for
/// a while. Sessions are not cached, because they must end at once in every process. What only the holder may do asks the
/// books each time, because it can make access that outlives the token.
#[derive(Debug, Default)]
pub(super) struct TokenCache(Mutex<HashMap<TokenHash, (AccountId, LedgerTime)>>);

impl TokenCache {
    fn find(&self, token: &TokenHash, now: LedgerTime) -> Option<AccountId> {
        let accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (account, found_at) = *accounts.get(token)?;
        let age = now.unix_micros().saturating_sub(found_at.unix_micros());
        (0..TOKEN_REMEMBERED_SECONDS_MAX * 1_000_000)
            .contains(&age)
            .then_some(account)
    }

    fn remember(&self, token: TokenHash, account: AccountId, now: LedgerTime) {
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() >= TOKENS_REMEMBERED_MAX {
            accounts.clear();
        }
        accounts.insert(token, (account, now));
    }
}

/// When services were last seen. A background task stores it, so that no request waits for the write.
#[derive(Debug, Default)]
pub(super) struct SeenServices(Mutex<HashMap<ServiceId, LedgerTime>>);

impl SeenServices {
    pub(super) fn note(&self, service: &ServiceId, last_seen: Option<LedgerTime>, now: LedgerTime) {
        let is_recent =
            |seen: LedgerTime| now.unix_micros().saturating_sub(seen.unix_micros()) < SEEN_AGAIN_MICROS;
        if last_seen.is_some_and(is_recent) {
            return;
        }
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < SERVICES_NOTED_MAX || seen.contains_key(service) {
            seen.insert(service.clone(), now);
        }
    }

    fn take(&self) -> HashMap<ServiceId, LedgerTime> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl AccountService {
    /// Authenticates the bearer of this token and checks this right.
    ///
    /// # Errors
    /// When the token is missing or not valid, or a service does not have the right.
    pub async fn caller(&self, token: Option<&Token>, right: Right) -> Result<Caller, Refusal> {
        let missing = || {
            Refusal::new(
                Reason::Unauthorized,
                "send a token as Authorization: Bearer TOKEN",
            )
        };
        let unknown = || {
            Refusal::new(
                Reason::Unauthorized,
                "the token is unknown, or its session has ended",
            )
        };
        let token = token.ok_or_else(missing)?.hash();
        let now = self.now();
        if right != Right::Own
            && let Some(account) = self.tokens.find(&token, now)
        {
            return Ok(Caller {
                account,
                token,
                credential: Credential::AccountToken,
            });
        }
        let Bearer { account, credential } = self
            .accounts
            .bearer(&token, now)
            .await
            .map_err(unavailable)?
            .ok_or_else(unknown)?;
        match &credential {
            Credential::AccountToken => self.tokens.remember(token, account, now),
            Credential::PasswordSession => {}
            Credential::ServiceSession {
                service, last_seen, ..
            } => self.seen.note(service, *last_seen, now),
        }
        Caller {
            account,
            token,
            credential,
        }
        .check(right)
    }

    /// Whether the caller's token is still valid.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn is_still_good(&self, caller: &Caller) -> Result<bool, Refusal> {
        Ok(self
            .accounts
            .bearer(&caller.token, self.now())
            .await
            .map_err(unavailable)?
            .is_some())
    }

    /// Stores when services were last seen. A failed write is not repeated: the next request of the service notes it
    /// again.
    pub(crate) async fn write_last_seen(&self) {
        for (service, at) in self.seen.take() {
            if self
                .accounts
                .saw_service(&service, at)
                .await
                .map_err(unavailable)
                .is_err()
            {
                return; // the others would fail as well; the error is in the log
            }
        }
    }
}
