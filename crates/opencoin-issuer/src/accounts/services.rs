//! Services: programs that act for an account, each with its own key and scopes.

use std::collections::BTreeSet;

use opencoin_keys::ledger_time;
use opencoin_ledger::{
    AccountId, AccountName, LedgerTime, Login, NewService, NewSession, Scope, Service, ServiceId,
    ServiceRefusal,
};

use super::{AccountService, Caller, Token, TokenKind};
use crate::refusal::{Reason, Refusal, unavailable};

const ID_BYTES: usize = 16;
/// A service that was seen within this time is live.
const LIVE_MICROS: i64 = 5 * 60 * 1_000_000;

/// A new session of a service.
pub struct OpenedServiceSession {
    /// Its token, which is stored as a hash only.
    pub token: Token,
    /// When it expires.
    pub expires: LedgerTime,
    /// Its rights.
    pub scopes: BTreeSet<Scope>,
}

/// A service and when it was last seen.
pub struct ServiceStatus {
    /// The stored service.
    pub service: Service,
    /// Whether it was seen recently.
    pub age: ServiceAge,
}

/// Whether a service was seen recently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceAge {
    /// It was never seen.
    New,
    /// It was seen within the last five minutes.
    Live,
    /// It was last seen more than five minutes ago.
    Silent,
}

impl ServiceStatus {
    pub(crate) fn at(service: Service, now: LedgerTime) -> Self {
        Self {
            age: age(service.last_seen, now),
            service,
        }
    }
}

impl AccountService {
    /// Declares a service and returns its key, which is stored as a hash only.
    ///
    /// # Errors
    /// When the name or the scopes are invalid, the name is taken, or the account has too many services.
    pub async fn declare_service(
        &self,
        caller: &Caller,
        name: &str,
        scopes: BTreeSet<Scope>,
    ) -> Result<(ServiceId, AccountName, Token), Refusal> {
        let invalid = |text: String| Refusal::new(Reason::Invalid, text);
        let name: AccountName = name.parse().map_err(|error| invalid(format!("name: {error}")))?;
        if scopes.is_empty() {
            return Err(invalid("scopes: a service needs at least one".to_owned()));
        }
        let id = ServiceId::new(const_hex::encode(self.random.bytes::<ID_BYTES>()))
            .expect("16 bytes are 32 digits");
        let key = self.random.token(TokenKind::ServiceKey);
        let service = NewService {
            id: id.clone(),
            account: caller.account,
            name: name.clone(),
            scopes,
            key: key.hash(),
            by: caller.token,
            at: self.now(),
        };
        match self
            .accounts
            .declare_service(&service)
            .await
            .map_err(unavailable)?
        {
            Ok(()) => Ok((id, name, key)),
            Err(refusal @ ServiceRefusal::Exists) => Err(Refusal::new(Reason::Exists, refusal.to_string())),
            Err(refusal @ ServiceRefusal::TooMany) => Err(invalid(refusal.to_string())),
            Err(refusal @ ServiceRefusal::Closed) => {
                Err(Refusal::new(Reason::Forbidden, refusal.to_string()))
            }
            Err(refusal @ ServiceRefusal::NotHolder) => {
                Err(Refusal::new(Reason::Unauthorized, refusal.to_string()))
            }
        }
    }

    /// Replaces the key of a service. The old key and all sessions of the service end at once.
    ///
    /// # Errors
    /// When the account has no such service.
    pub async fn rotate_service(&self, caller: &Caller, id: &str) -> Result<Token, Refusal> {
        let id = ServiceId::new(id).map_err(|_| unknown_service())?;
        let key = self.random.token(TokenKind::ServiceKey);
        let was_there = self
            .accounts
            .rotate_service(caller.account, &id, (&key.hash(), &caller.token), self.now())
            .await
            .map_err(unavailable)?;
        if was_there {
            Ok(key)
        } else {
            Err(unknown_service())
        }
    }

    /// Replaces the key of a service by one that the service has made, and ends its sessions. A repetition with the same new key
    /// succeeds.
    ///
    /// # Errors
    /// When there is no such service, `key` is not its key, or the new key has not the form of one.
    pub async fn replace_service_key(&self, id: &str, key: &Token, new_key: &Token) -> Result<(), Refusal> {
        let wrong = || Refusal::new(Reason::Unauthorized, "no service has this id and this key");
        if !new_key.is_of(TokenKind::ServiceKey) {
            return Err(Refusal::new(
                Reason::Invalid,
                "new_key: not `ock_` and 64 hex digits, which must be random",
            ));
        }
        let id = ServiceId::new(id).map_err(|_| wrong())?;
        let replaced = self
            .accounts
            .replace_service_key(&id, &key.hash(), &new_key.hash(), self.now())
            .await;
        if replaced.map_err(unavailable)? {
            Ok(())
        } else {
            Err(wrong())
        }
    }

    /// Removes a service and ends its sessions.
    ///
    /// # Errors
    /// When the account has no such service.
    pub async fn remove_service(&self, account: AccountId, id: &str) -> Result<(), Refusal> {
        let id = ServiceId::new(id).map_err(|_| unknown_service())?;
        let was_there = self
            .accounts
            .remove_service(account, &id, None)
            .await
            .map_err(unavailable)?;
        if was_there { Ok(()) } else { Err(unknown_service()) }
    }

    /// The services of the account, ordered by name.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn services(&self, account: AccountId) -> Result<Vec<ServiceStatus>, Refusal> {
        let now = self.now();
        let services = self.accounts.services(account).await.map_err(unavailable)?;
        Ok(services
            .into_iter()
            .map(|service| ServiceStatus::at(service, now))
            .collect())
    }

    /// Opens a session with the key of a service.
    ///
    /// # Errors
    /// When there is no such service or the key is wrong.
    pub async fn service_log_in(&self, id: &str, key: &Token) -> Result<OpenedServiceSession, Refusal> {
        let wrong = || Refusal::new(Reason::Unauthorized, "no service has this id and this key");
        let id = ServiceId::new(id).map_err(|_| wrong())?;
        // The time of a comparison of hashes of random keys reveals nothing about a key.
        let hash = key.hash();
        let service = self
            .accounts
            .service(&id)
            .await
            .map_err(unavailable)?
            .filter(|service| service.key == hash);
        let Service { account, scopes, .. } = service.ok_or_else(wrong)?;
        let (token, now) = (self.random.token(TokenKind::Session), self.clock.now());
        let (at, expires) = (
            ledger_time(now),
            ledger_time(now + self.config.service_session_lifetime.get()),
        );
        let session = NewSession {
            account,
            login: Login::Service(id.clone(), hash),
            token: token.hash(),
            at,
            expires,
        };
        if !self.accounts.open_session(&session).await.map_err(unavailable)? {
            return Err(wrong()); // its key was replaced or it was removed a moment ago
        }
        self.seen.note(&id, None, at);
        Ok(OpenedServiceSession {
            token,
            expires,
            scopes,
        })
    }
}

fn unknown_service() -> Refusal {
    Refusal::new(Reason::NotFound, "the account has no such service")
}

fn age(last_seen: Option<LedgerTime>, now: LedgerTime) -> ServiceAge {
    match last_seen {
        None => ServiceAge::New,
        Some(seen) if now.unix_micros().saturating_sub(seen.unix_micros()) <= LIVE_MICROS => ServiceAge::Live,
        Some(_) => ServiceAge::Silent,
    }
}
