//! Finishing what was begun, or giving it up.
//!
//! Every request ends. Its answer ends it; where none can be had, its owner abandons it. A request that gives
//! coins is abandoned by another request that renews the same coins: whichever of the two the issuer carries
//! out, it does not carry out both. The blinds of an abandoned request are kept, and the issuer is asked about
//! them until their mint keys have stopped to sign: what it has signed is not lost.

use opencoin_schema::BigInt;

use super::exchange::Given;
use super::operations::{NOT_FOUND, has_waited_in_vain};
use super::{Done, Wallet};
use crate::account::StoredSession;
use crate::client::ExchangeError;
use crate::currency::{Currency, Place};
use crate::error::WalletError;
use crate::event::{Event, Kind, Operation, OperationId};
use crate::secret::Secret;
use crate::state::Fate;
use crate::tokenizing::sum;

/// What came of abandoning a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abandoned {
    /// The request had been carried out; now it is finished, and nothing was abandoned.
    pub is_finished: bool,
    /// What came back, in fresh coins.
    pub returned: u64,
    /// What had been spent before: by this request, or by somebody else.
    pub spent: u64,
}

impl Wallet {
    /// Requests that were begun in an earlier session of the same holder with the same issuer are finished in
    /// this one.
    pub fn use_session(&mut self, session: StoredSession) {
        self.session = Some(session);
    }

    /// Requests that are pending now and are of no session are finished with this token.
    pub fn use_token(&mut self, token: Secret) {
        for past in self.state.operations.values_mut() {
            past.what.token = None;
        }
        self.token = Some(token);
    }

    /// Whether a request, or a received coin, waits for [`Self::resume`].
    #[must_use]
    pub fn has_unfinished(&self) -> bool {
        let now = (self.clock)();
        let is_received = |currency: &Currency| {
            let mut coins = currency.coins.values();
            coins.any(|held| {
                held.place == Place::Received
                    && now <= held.expiry
                    && !currency.is_revoked(&held.coin.payload)
            })
        };
        self.state
            .operations
            .values()
            .any(|past| past.fate == Fate::Pending)
            || self.state.currencies.values().any(is_received)
    }

    /// Finishes everything that was begun. Gives how many requests are finished, with the first error of
    /// those that are not.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn resume(&mut self) -> Result<Done<usize>, WalletError> {
        let mut done = Done {
            value: 0,
            warning: None,
        };
        for id in self.operations_with(Fate::Pending) {
            self.tick();
            match self.resume_one(id).await {
                Ok(()) => done.value += 1,
                Err(error @ (WalletError::Journal(_) | WalletError::Inconsistent(_))) => return Err(error),
                Err(error) => done.warning = done.warning.or(Some(error)),
            }
        }
        for id in self.operations_with(Fate::Abandoned) {
            self.tick();
            if let Err(error @ (WalletError::Journal(_) | WalletError::Inconsistent(_))) =
                self.ask_about_abandoned(id).await
            {
                return Err(error);
            }
        }
        if let Err(error) = self.tidy().await {
            done.warning = done.warning.or(Some(error));
        }
        Ok(done)
    }

    fn operations_with(&self, fate: Fate) -> Vec<OperationId> {
        let found = self.state.operations.values().filter(|past| past.fate == fate);
        found.map(|past| past.what.id).collect()
    }

    async fn resume_one(&mut self, id: OperationId) -> Result<(), WalletError> {
        let kind = self.state.operations[&id].what.kind.clone();
        match (self.resume_operation(id).await, kind) {
            // The receiver was faster: that is what a reclaim is there to find out.
            (Err(WalletError::Exchange(refused)), Kind::Reclaim { .. }) if refused.is_double_spend() => {
                Ok(())
            }
            // With the keys that sign now it may succeed.
            (Err(WalletError::Exchange(refused)), Kind::Reclaim { send }) if refused.is_about_a_key() => {
                match self.state.sends.get(&send).map(|past| past.what.clone()) {
                    Some(send) => self.reclaim_send(&send, &mut 0).await,
                    None => Ok(()),
                }
            }
            // The coins are held, and are renewed when all requests were looked at.
            (Err(WalletError::Exchange(refused)), Kind::Receive { .. } | Kind::Change)
                if refused.is_about_a_key() =>
            {
                Ok(())
            }
            (resumed, _) => resumed,
        }
    }

    /// Asks whether an abandoned request was carried out all the same.
    async fn ask_about_abandoned(&mut self, id: OperationId) -> Result<(), WalletError> {
        let operation = &self.state.operations[&id].what;
        if operation.reference.is_none() || operation.blinded.is_empty() {
            return Ok(());
        }
        let may_come = self.can_be_signed(operation);
        match self.ask_resume(id).await {
            Err(ended @ ExchangeError::Refused { .. }) if !may_come && was_not_done(&ended) => {
                self.record(Event::Refused {
                    operation: id,
                    description: "abandoned, and never carried out".to_owned(),
                    spent: Vec::new(),
                    at: self.now,
                })
            }
            answer @ (Ok(_) | Err(ExchangeError::Recoup)) => self.settle_accepted(id, answer).await,
            Err(_) => Ok(()),
        }
    }

    /// Whether an issuer could still accept an operation: all its mint keys sign.
    fn can_be_signed(&self, operation: &Operation) -> bool {
        let Some(currency) = self.state.currencies.get(&operation.currency) else {
            return false;
        };
        operation.blinded.iter().all(|blinded| {
            let key = currency.mint_keys.get(&blinded.payload.mint_key_id);
            key.is_some_and(|key| self.now <= key.mint_key().sign_coins_not_after.to_utc())
        })
    }

    /// Gives up a request that is not finished. Coins that it was to give are renewed; then whoever has the
    /// old ones, the issuer among them, cannot spend them.
    ///
    /// # Errors
    /// When there is no such request, or the issuer does not answer. Nothing is given up then, or the renew
    /// is kept for [`Self::resume`].
    pub async fn abandon(&mut self, id: u64) -> Result<Abandoned, WalletError> {
        self.tick();
        let past = self
            .state
            .operations
            .get(&id)
            .ok_or(WalletError::UnknownOperation(id))?;
        if past.fate != Fate::Pending {
            return Err(WalletError::NotPending(id));
        }
        let (currency, kind) = (past.what.currency.clone(), past.what.kind.clone());
        if past.what.reference.is_some() && self.finish_if_accepted(id).await? {
            return Ok(Abandoned {
                is_finished: true,
                returned: 0,
                spent: 0,
            });
        }
        let kind = match kind {
            Kind::Mint | Kind::Recoup => {
                self.record(Event::Abandoned {
                    operation: id,
                    at: self.now,
                })?;
                return Ok(Abandoned {
                    is_finished: false,
                    returned: 0,
                    spent: 0,
                });
            }
            Kind::Redeem => Kind::Change,
            kind @ (Kind::Change | Kind::Receive { .. } | Kind::Reclaim { .. }) => kind,
        };
        self.freshen_for_sure(&currency).await?;
        let gives = self.coins_bound_by(id, &currency)?;
        let value = sum(gives.iter().map(|given| given.value));
        let get = self.set_like(&currency, gives.iter().map(|given| given.value).collect())?;
        let Some(renew) = self
            .begin_exchange(&currency, kind, gives, &get, Some(id))
            .await?
        else {
            // All of them have expired.
            self.record(Event::Abandoned {
                operation: id,
                at: self.now,
            })?;
            return Ok(Abandoned {
                is_finished: false,
                returned: 0,
                spent: 0,
            });
        };
        let left = match self.run(renew).await {
            Ok(()) => value,
            Err(WalletError::SpentElsewhere(spent)) => value - spent.min(value),
            Err(WalletError::Exchange(refused)) if refused.is_double_spend() => {
                let left = self.coins_of(renew, &currency)?;
                let left = sum(left.iter().map(|given| given.value));
                if left == value {
                    // The issuer does not say which.
                    return Err(refused.into());
                }
                left
            }
            Err(error) => return Err(error),
        };
        // If it was carried out a moment ago, its coins are the wallet's.
        if left < value {
            self.ask_about_abandoned(id).await?;
        }
        Ok(Abandoned {
            is_finished: self.state.operations[&id].fate == Fate::Done,
            returned: left,
            spent: value - left,
        })
    }

    /// Whether the issuer had accepted a request; then it is finished now.
    async fn finish_if_accepted(&mut self, id: OperationId) -> Result<bool, WalletError> {
        match self.ask_resume(id).await {
            answer @ (Ok(_) | Err(ExchangeError::Recoup)) => match self.settle_accepted(id, answer).await {
                Ok(()) | Err(WalletError::Exchange(ExchangeError::Recoup)) => Ok(true),
                // No coins come of it; that can be given up.
                Err(WalletError::WrongSignature) => Ok(false),
                Err(error) => Err(error),
            },
            Err(ExchangeError::Refused { .. } | ExchangeError::Delayed { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The coins that a request holds and that have not expired.
    fn coins_bound_by(&self, id: OperationId, currency: &BigInt) -> Result<Vec<Given>, WalletError> {
        let mut coins = self.coins_of(id, currency)?;
        let currency = self.currency(currency)?;
        let is_alive = |given: &Given| {
            let held = currency.coins.get(&currency.coin_id(&given.coin.payload));
            held.is_some_and(|held| self.now <= held.expiry)
        };
        coins.retain(is_alive);
        Ok(coins)
    }

    /// The coins of a request that the wallet still has.
    fn coins_of(&self, id: OperationId, currency: &BigInt) -> Result<Vec<Given>, WalletError> {
        let currency = self.currency(currency)?;
        let gives = self.state.operations[&id].what.gives.iter();
        let held = gives.filter_map(|given| {
            let held = currency.coins.get(&given.coin)?;
            Some(Given {
                coin: held.coin.clone(),
                value: held.value,
                is_own: given.is_own,
            })
        });
        Ok(held.collect())
    }
}

/// Whether the answer to a resume says that the issuer has accepted nothing.
fn was_not_done(refused: &ExchangeError) -> bool {
    let is_unknown = matches!(refused, ExchangeError::Refused { word, .. } if word == NOT_FOUND);
    is_unknown || has_waited_in_vain(refused)
}
