//! Resuming and abandoning pending requests.
//!
//! An answer ends a request. If the issuer does not answer it, the user can abandon it. A request that spends
//! coins is abandoned by another request that renews the same coins; the issuer carries out only one of the
//! two. The blinds of an abandoned request are kept, and the issuer is asked about them until their mint keys
//! no longer sign, so that no signed coins are lost.

use opencoin_schema::BigInt;

use super::exchange::SpentCoin;
use super::operations::brings_no_coins;
use super::{Done, Wallet};
use crate::account::StoredSession;
use crate::client::ExchangeError;
use crate::currency::Currency;
use crate::error::WalletError;
use crate::event::{Event, Kind, Operation, OperationId};
use crate::refusal::word::NOT_FOUND;
use crate::state::Status;
use crate::store::SEND;
use crate::tokenizing::sum;
use opencoin_api::Secret;

/// The result of abandoning a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Abandoned {
    /// The issuer had carried out the request. It is finished now and was not abandoned.
    pub is_finished: bool,
    /// The value of the coins that came back.
    pub returned: u64,
    /// The value of the coins that were spent before, by this request or by somebody else.
    pub spent: u64,
}

impl Wallet {
    /// Sets the session for pending requests that began in an earlier session of the same holder and issuer.
    pub fn use_session(&mut self, session: StoredSession) {
        self.session = Some(session);
    }

    /// Sets the token for pending requests that belong to no session.
    pub fn use_token(&mut self, token: Secret) {
        for tracked in self.state.operations.values_mut() {
            tracked.item.token = None;
        }
        self.token = Some(token);
    }

    /// Whether a request or a received coin waits for [`Self::resume`].
    #[must_use]
    pub fn has_unfinished(&self) -> bool {
        let now = (self.clock)();
        let has_received = |currency: &Currency| {
            currency
                .coins
                .values()
                .any(|held| currency.is_received(held, now))
        };
        self.state
            .operations
            .values()
            .any(|tracked| tracked.status == Status::Pending)
            || !self.undecided_by_key().is_empty()
            || self.state.currencies.values().any(has_received)
    }

    /// Finishes pending requests. Returns the number of finished ones and the first error of the others.
    ///
    /// # Errors
    /// The wallet cannot be written.
    pub async fn resume(&mut self) -> Result<Done<usize>, WalletError> {
        let mut done = Done {
            value: 0,
            warning: None,
        };
        for id in self.operations_with(Status::Pending) {
            self.read_clock();
            match self.resume_one(id).await {
                Ok(()) => done.value += 1,
                Err(error @ (WalletError::Storage(_) | WalletError::Inconsistent(_))) => return Err(error),
                Err(error) => done.warning = done.warning.or(Some(error)),
            }
        }
        for id in self.undecided_by_key() {
            self.read_clock();
            match self.resume_by_key(id).await {
                Ok(()) => done.value += 1,
                Err(error @ (WalletError::Storage(_) | WalletError::Inconsistent(_))) => return Err(error),
                Err(error) => done.warning = done.warning.or(Some(error)),
            }
        }
        for id in self.operations_with(Status::Abandoned) {
            self.read_clock();
            if let Err(error @ (WalletError::Storage(_) | WalletError::Inconsistent(_))) =
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

    fn operations_with(&self, status: Status) -> Vec<OperationId> {
        let found = self
            .state
            .operations
            .values()
            .filter(|tracked| tracked.status == status);
        found.map(|tracked| tracked.item.id).collect()
    }

    async fn resume_one(&mut self, id: OperationId) -> Result<(), WalletError> {
        let kind = self.state.operations[&id].item.kind.clone();
        match (self.resume_operation(id).await, kind) {
            // The receiver has taken the coins, which is a valid result of a reclaim.
            (Err(WalletError::Exchange(refused)), Kind::Reclaim { .. }) if refused.is_double_spend() => {
                Ok(())
            }
            // The current keys may succeed.
            (Err(WalletError::Exchange(refused)), Kind::Reclaim { send }) if refused.is_about_a_key() => {
                match self.state.sends.get(&send).map(|tracked| tracked.item.clone()) {
                    Some(send) => self.reclaim_send(&send, &mut 0).await,
                    None => Ok(()),
                }
            }
            // The wallet holds the coins, and `tidy` renews them at the end of `resume`.
            (Err(WalletError::Exchange(refused)), Kind::Receive { .. } | Kind::Change)
                if refused.is_about_a_key() =>
            {
                Ok(())
            }
            (resumed, _) => resumed,
        }
    }

    /// Asks whether an abandoned request was carried out nevertheless.
    async fn ask_about_abandoned(&mut self, id: OperationId) -> Result<(), WalletError> {
        let operation = &self.state.operations[&id].item;
        if operation.reference.is_none() || operation.blinded.is_empty() {
            return Ok(());
        }
        let may_come = self.can_be_signed(operation);
        let answer = self.ask_resume(id).await;
        match &answer.result {
            Err(refused) if !may_come && was_not_accepted(refused) => self.record(Event::Refused {
                operation: id,
                description: "abandoned, and never carried out".to_owned(),
                spent: Vec::new(),
                frees_number: true,
            }),
            Ok(_) | Err(ExchangeError::Recoup) => self.settle_accepted(id, answer).await,
            Err(_) => Ok(()),
        }
    }

    /// Whether the issuer could still accept an operation, because all its mint keys sign.
    fn can_be_signed(&self, operation: &Operation) -> bool {
        let Some(currency) = self.state.currencies.get(&operation.currency) else {
            return false;
        };
        operation.blinded.iter().all(|blinded| {
            let key = currency.mint_keys.get(&blinded.payload.mint_key_id);
            key.is_some_and(|key| self.now <= key.mint_key().sign_coins_not_after.to_utc())
        })
    }

    /// Abandons a pending request. Renews the coins that it was to spend, so that the request cannot be
    /// carried out later.
    ///
    /// # Errors
    /// There is no such request, or the issuer does not answer. Then the request is still pending, or
    /// [`Self::resume`] finishes the renew.
    pub async fn abandon(&mut self, id: u64) -> Result<Abandoned, WalletError> {
        self.read_clock();
        if let Some(until) = self.signed_payment_until(id) {
            return Err(WalletError::PaymentPending { number: id, until });
        }
        let Some(tracked) = self.state.operations.get(&id) else {
            let ended = self.store.history_of(id)?.filter(|entry| entry.kind != SEND);
            return Err(ended.map_or(WalletError::UnknownOperation(id), |_| WalletError::NotPending(id)));
        };
        if tracked.status != Status::Pending {
            return Err(WalletError::NotPending(id));
        }
        let (currency, kind) = (tracked.item.currency.clone(), tracked.item.kind.clone());
        if tracked.item.reference.is_some() && self.finish_if_accepted(id).await? {
            return Ok(Abandoned {
                is_finished: true,
                ..Abandoned::default()
            });
        }
        let kind = match kind {
            Kind::Mint | Kind::Recoup => {
                self.record(Event::Abandoned { operation: id })?;
                return Ok(Abandoned::default());
            }
            Kind::Redeem => Kind::Change,
            kind @ (Kind::Change | Kind::Receive { .. } | Kind::Reclaim { .. }) => kind,
        };
        self.require_recent(&currency).await?;
        let gives = self.coins_bound_by(id, &currency)?;
        let value = sum(gives.iter().map(|given| given.value));
        let get = self.set_like(&currency, gives.iter().map(|given| given.value).collect())?;
        let Some(renew) = self
            .begin_exchange(&currency, kind, gives, &get, Some(id))
            .await?
        else {
            // All coins have expired.
            self.record(Event::Abandoned { operation: id })?;
            return Ok(Abandoned::default());
        };
        let left = match self.run(renew).await {
            Ok(()) => value,
            Err(WalletError::SpentElsewhere(spent)) => value - spent.min(value),
            Err(WalletError::Exchange(refused)) if refused.is_double_spend() => {
                let left = self.coins_of(renew, &currency)?;
                let left = sum(left.iter().map(|given| given.value));
                if left == value {
                    // The issuer does not say which coins were spent.
                    return Err(refused.into());
                }
                left
            }
            Err(error) => return Err(error),
        };
        // If the issuer has just carried out the abandoned request, this fetches its coins.
        if left < value {
            self.ask_about_abandoned(id).await?;
        }
        Ok(Abandoned {
            is_finished: self.state.operations[&id].status == Status::Done,
            returned: left,
            spent: value - left,
        })
    }

    /// Finishes a request if the issuer has accepted it. Returns whether it has.
    async fn finish_if_accepted(&mut self, id: OperationId) -> Result<bool, WalletError> {
        let answer = self.ask_resume(id).await;
        match answer.result {
            Ok(_) | Err(ExchangeError::Recoup) => match self.settle_accepted(id, answer).await {
                Ok(()) | Err(WalletError::Exchange(ExchangeError::Recoup)) => Ok(true),
                // It brings no coins, so it can be abandoned.
                Err(WalletError::WrongSignature) => Ok(false),
                Err(error) => Err(error),
            },
            Err(ExchangeError::Refused { .. } | ExchangeError::Delayed { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the coins of a request that have not expired.
    fn coins_bound_by(&self, id: OperationId, currency: &BigInt) -> Result<Vec<SpentCoin>, WalletError> {
        let mut coins = self.coins_of(id, currency)?;
        let currency = self.currency(currency)?;
        let is_alive = |given: &SpentCoin| {
            let held = currency.coins.get(&currency.coin_id(&given.coin.payload));
            held.is_some_and(|held| self.now <= held.expiry)
        };
        coins.retain(is_alive);
        Ok(coins)
    }

    /// Returns the coins of a request that the wallet still holds.
    fn coins_of(&self, id: OperationId, currency: &BigInt) -> Result<Vec<SpentCoin>, WalletError> {
        let currency = self.currency(currency)?;
        let gives = self.state.operations[&id].item.gives.iter();
        let held = gives.filter_map(|given| Some((given, currency.coins.get(&given.coin)?)));
        held.map(|(given, held)| {
            Ok(SpentCoin {
                coin: self.coin(held)?,
                value: held.value,
                is_own: given.is_own,
            })
        })
        .collect()
    }
}

/// Whether the answer to a resume says that the issuer has not accepted the request.
fn was_not_accepted(error: &ExchangeError) -> bool {
    error.is_refused_with(&[NOT_FOUND]) || brings_no_coins(error)
}
