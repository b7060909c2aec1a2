//! Who acts, and whether he may.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use opencoin_ledger::{AccountId, Bearer, Credential, LedgerTime, Scope, ServiceId, TokenHash};

use super::{AccountService, Token};
use crate::refusal::{Reason, Refusal, unavailable};

/// How long an account's own token is taken after it was replaced through another process.
pub const TOKEN_REMEMBERED_SECONDS_MAX: i64 = 10;
/// How many accounts are remembered: a megabyte at most. Beyond that the memory begins anew.
const ACCOUNTS_REMEMBERED_MAX: usize = 10_000;
/// How many services may wait to be noted as seen. Of more nothing is noted.
const SERVICES_NOTED_MAX: usize = 10_000;
/// A service that is heard of again within this time is not noted again.
const SEEN_AGAIN_MICROS: i64 = 60_000_000;

/// Somebody with a token that is good.
#[derive(Debug, Clone)]
pub struct Caller {
    /// For which account he acts.
    pub account: AccountId,
    /// The hash of his token.
    pub token: TokenHash,
    /// With what he acts.
    pub means: Credential,
}

/// What somebody wants to do for an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Make coins of its money.
    Mint,
    /// Make coins its money.
    Redeem,
    /// Read it.
    Read,
    /// All the rest: pay, be paid out, choose, manage services. The holder's own.
    Own,
    /// End the session that asks.
    Leave,
}

impl Caller {
    fn check(self, right: Right) -> Result<Self, Refusal> {
        let may = match &self.means {
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

/// Whose token is whose, and when that was looked up. An account seldom gets another token, so the ledger is
/// asked now and then. Sessions end at once in every process, so they are looked up each time.
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
        if accounts.len() >= ACCOUNTS_REMEMBERED_MAX {
            accounts.clear();
        }
        accounts.insert(token, (account, now));
    }
}

/// When services were last seen, until the background work writes it down: no request waits for that.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<HashMap<ServiceId, LedgerTime>>);

impl Seen {
    fn note(&self, service: &ServiceId, last_seen: Option<LedgerTime>, now: LedgerTime) {
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
    /// Who acts with this token, if he may do that.
    ///
    /// # Errors
    /// Without a token that is good now, or when a service may not do it.
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
                "nobody has this token, or its session has ended",
            )
        };
        let token = token.ok_or_else(missing)?.hash();
        let now = self.now();
        if let Some(account) = self.holders.find(&token, now) {
            return Ok(Caller {
                account,
                token,
                means: Credential::AccountToken,
            });
        }
        let Bearer { account, means } = self
            .accounts
            .bearer(&token, now)
            .await
            .map_err(unavailable)?
            .ok_or_else(unknown)?;
        match &means {
            Credential::AccountToken => self.holders.remember(token, account, now),
            Credential::PasswordSession => {}
            Credential::ServiceSession {
                service, last_seen, ..
            } => self.seen.note(service, *last_seen, now),
        }
        Caller {
            account,
            token,
            means,
        }
        .check(right)
    }

    /// Whether a token that was good is so still.
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

    /// Writes down when services were last seen. What cannot be written now is lost: the next request notes it
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
                return; // the others would fail as well, and the log says why
            }
        }
    }
}
