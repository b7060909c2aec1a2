//! Renewing: coins are exchanged at the issuer for new coins of the same value.

use std::collections::BTreeSet;

use opencoin_schema::{BigInt, Coin, RequestRenew, text};
use rand::seq::SliceRandom;

use super::blinding::RequestSecrets;
use super::holdings::ExpiryOrder;
use super::{ITEMS_MAX, RECEIVE_COINS_MAX, Wallet};
use crate::client::ExchangeError;
use crate::coins::Held;
use crate::error::WalletError;
use crate::event::{Event, Given, Kind, Operation, OperationId, Send};
use crate::public_log::LogError;
use crate::state::{Status, Tracked};
use crate::tokenizing::{
    Counts, complete_set, count, exchange, is_complete, number, select, sum, total, with_decoys,
};
use opencoin_api::Secret;

/// A coin that a renew spends.
pub(super) struct SpentCoin {
    pub(super) coin: Coin,
    pub(super) value: u64,
    pub(super) is_own: bool,
}

/// Received coins and their values, with the kind of the operation that received them.
type Part = (Kind, Vec<(Coin, u64)>);

impl Wallet {
    /// Does [`Self::begin_renew`] and sends the request.
    async fn renew(&mut self, id: &BigInt, kind: Kind, foreign: Vec<(Coin, u64)>) -> Result<(), WalletError> {
        match self.begin_renew(id, kind, foreign).await? {
            Some(operation) => self.run(operation).await,
            None => Ok(()),
        }
    }

    /// Begins a renew of `foreign` coins and their values, together with own coins that expire soon or whose
    /// exchange completes the wallet's set of coins. Returns `None` if there is nothing to renew.
    pub(super) async fn begin_renew(
        &mut self,
        id: &BigInt,
        kind: Kind,
        foreign: Vec<(Coin, u64)>,
    ) -> Result<Option<OperationId>, WalletError> {
        self.refresh_if_old(id).await?;
        let stale = self.stale(id)?;
        let (get, give) = self.choose_renew(id, &foreign, &stale)?;
        let given = number(&give) + (foreign.len() + stale.len()) as u64;
        let room = (ITEMS_MAX as u64).saturating_sub(given.max(number(&get)));
        let (have, denominations) = (self.fresh(id)?, self.currency(id)?.denominations(self.now));
        let (get, give) = with_decoys(&have, &denominations, (get, give), room, &mut self.rng);
        let fresh = self.take(id, &give, ExpiryOrder::SoonestFirst)?;
        let mut own = fresh;
        for held in stale {
            own.push((self.coin(&held)?, held.value));
        }
        let spent = |is_own| move |(coin, value)| SpentCoin { coin, value, is_own };
        let foreign = foreign.into_iter().map(spent(false));
        let gives = foreign.chain(own.into_iter().map(spent(true))).collect();
        self.begin_exchange(id, kind, gives, &get, None).await
    }

    /// Begins a renew of exactly these coins. Returns `None` if there is nothing to get.
    pub(super) async fn begin_exchange(
        &mut self,
        id: &BigInt,
        kind: Kind,
        gives: Vec<SpentCoin>,
        get: &Counts,
        replaces: Option<OperationId>,
    ) -> Result<Option<OperationId>, WalletError> {
        if number(get) == 0 {
            return Ok(None);
        }
        let secrets = self.next_secrets(id)?;
        let number = secrets.number();
        let begun = self.begin_derived(id, kind, gives, get, replaces, secrets).await;
        if begun.is_err()
            && let (Some(number), Some(currency)) = (number, self.state.currencies.get_mut(id))
        {
            // Nothing was sent under it.
            currency.numbers.free.insert(number);
        }
        begun.map(Some)
    }

    /// Begins a renew of exactly these coins, with these secrets.
    pub(super) async fn begin_derived(
        &mut self,
        id: &BigInt,
        kind: Kind,
        mut gives: Vec<SpentCoin>,
        get: &Counts,
        replaces: Option<OperationId>,
        secrets: RequestSecrets,
    ) -> Result<OperationId, WalletError> {
        // The promise of the issuer names the keys of the coins too.
        let keys = gives
            .iter()
            .map(|given| given.coin.payload.mint_key_id.clone())
            .collect();
        self.require_logged_keys(id, keys).await?;
        // The order must not tell the issuer which coins were received.
        gives.shuffle(&mut self.rng);
        let (blinded, blinds) = self.blind(id, get, &secrets, &mut |_| {}).await?;
        let request_number = secrets.number();
        let reference = secrets.reference;
        let request = RequestRenew {
            blinds,
            coins: gives.iter().map(|given| given.coin.clone()).collect(),
            message_reference: 0,
            transaction_reference: reference.clone(),
        };
        let foreign = gives.iter().filter(|spent| !spent.is_own);
        let foreign = sum(foreign.map(|spent| spent.value));
        let currency = self.currency(id)?;
        let given = |spent: &SpentCoin| Given {
            coin: currency.coin_id(&spent.coin.payload),
            is_own: spent.is_own,
        };
        let operation = Operation {
            id: self.state.next_id(),
            currency: id.clone(),
            amount: if matches!(kind, Kind::Change) {
                total(get)
            } else {
                foreign
            },
            kind,
            request: Secret::new(text::compact(&request)),
            token: None,
            holder: None,
            reference: Some(reference),
            blinded,
            gives: gives.iter().map(given).collect(),
            replaces,
            phrase: secrets.phrase,
            number: request_number,
            key_order: None,
            at: self.now,
        };
        let operation_id = operation.id;
        self.record(Event::Begun {
            operations: vec![operation],
        })?;
        Ok(operation_id)
    }

    /// Returns the coins to get in a renew, and the fresh own coins to give in addition.
    fn choose_renew(
        &self,
        id: &BigInt,
        foreign: &[(Coin, u64)],
        stale: &[Held],
    ) -> Result<(Counts, Counts), WalletError> {
        let denominations = &self.currency(id)?.denominations(self.now);
        let given: Vec<u64> = foreign
            .iter()
            .map(|(_, value)| *value)
            .chain(stale.iter().map(|held| held.value))
            .collect();
        let value = sum(given.iter().copied());
        let fits = |get: &Counts, give: &Counts| {
            number(get) as usize <= ITEMS_MAX && number(give) as usize + given.len() <= ITEMS_MAX
        };
        if let Ok((give, get)) = exchange(&self.fresh(id)?, value, denominations)
            && fits(&get, &give)
        {
            return Ok((get, give));
        }
        Ok((self.set_like(id, given)?, Counts::new()))
    }

    /// Returns the coins to get for coins of these values, at most as many as one request takes.
    pub(super) fn set_like(&self, id: &BigInt, values: Vec<u64>) -> Result<Counts, WalletError> {
        let denominations = &self.currency(id)?.denominations(self.now);
        match complete_set(sum(values.iter().copied()), denominations) {
            Ok(get) if number(&get) as usize <= ITEMS_MAX => Ok(get),
            // Coins of the same values are possible unless their denomination was dropped.
            Ok(_) | Err(_) => Ok(count(values)),
        }
    }

    /// Renews received coins and coins that expire soon. If no request is pending, also changes coins so that
    /// every amount can be paid; a pending request may still bring the missing coins.
    pub(super) async fn tidy_currency(&mut self, id: &BigInt, urgent_only: bool) -> Result<(), WalletError> {
        let received = match self.renew_received(id).await {
            Err(error @ (WalletError::Storage(_) | WalletError::Inconsistent(_))) => return Err(error),
            received => received,
        };
        let is_pending = self.state.operations_of(id, Status::Pending).next().is_some();
        let must_wait = urgent_only || is_pending;
        // Each round leaves fewer coins that expire soon, or ends the loop.
        while !self.stale(id)?.is_empty() || !must_wait && !self.is_complete(id)? {
            let before = self.stale(id)?.len();
            self.change(id).await?;
            if self.stale(id)?.len() >= before {
                break;
            }
        }
        received
    }

    fn is_complete(&self, id: &BigInt) -> Result<bool, WalletError> {
        let denominations = &self.currency(id)?.denominations(self.now);
        Ok(is_complete(&self.fresh(id)?, denominations))
    }

    /// Exchanges own coins so that every amount can be paid, and coins that expire soon, if there is need.
    /// Begins no request if the issuer does not answer, because it would lock the coins.
    pub(super) async fn change(&mut self, id: &BigInt) -> Result<(), WalletError> {
        self.require_recent(id).await?;
        if self.is_complete(id)? && self.stale(id)?.is_empty() {
            return Ok(());
        }
        self.renew(id, Kind::Change, Vec::new()).await
    }

    /// Renews received coins whose first renew was refused for another reason than the coins, or was never
    /// sent. Coins that were spent are removed.
    pub(super) async fn renew_received(&mut self, id: &BigInt) -> Result<(), WalletError> {
        let mut parts = self.received_coins(id)?;
        if parts.is_empty() {
            return Ok(());
        }
        self.require_recent(id).await?;
        let (mut failed, mut is_refreshed) = (None, false);
        // Each part that is tried again is smaller, except once after a refresh.
        while let Some((kind, coins)) = parts.pop() {
            let before = coins.len();
            let spent = |(coin, value): &(Coin, u64)| SpentCoin {
                coin: coin.clone(),
                value: *value,
                is_own: false,
            };
            let gives = coins.iter().map(spent).collect();
            let get = self.set_like(id, coins.iter().map(|(_, value)| *value).collect())?;
            let Some(operation) = self.begin_exchange(id, kind.clone(), gives, &get, None).await? else {
                continue;
            };
            let refused = match self.run(operation).await {
                Ok(()) => continue,
                Err(WalletError::Exchange(refused @ ExchangeError::Refused { .. })) => refused,
                Err(
                    error @ (WalletError::Exchange(ExchangeError::Delayed { .. } | ExchangeError::Recoup)
                    | WalletError::Log(LogError::NoPromise(_) | LogError::WrongPromise { .. })),
                ) => {
                    failed = Some(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let currency = self.currency(id)?;
            let is_left = |(coin, _): &(Coin, u64)| {
                let held = currency.coins.get(&currency.coin_id(&coin.payload));
                held.is_some_and(|held| currency.is_received(held, self.now))
            };
            let mut left: Vec<(Coin, u64)> = coins.into_iter().filter(is_left).collect();
            if left.is_empty() {
                failed = Some(refused.into());
            } else if left.len() < before {
                parts.push((kind, left));
            } else if refused.is_double_spend() && before > 1 {
                // The issuer does not say which coins were spent.
                let rest = left.split_off(before / 2);
                parts.extend([(kind.clone(), left), (kind, rest)]);
            } else if refused.is_about_a_key() && !is_refreshed {
                is_refreshed = true;
                self.learn_after_refusal(id).await?;
                parts.push((kind, left));
            } else {
                failed = Some(refused.into());
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Returns the received coins that are still to be renewed, by stack, in parts for one request. Coins of
    /// revoked keys are left out.
    pub(super) fn received_coins(&self, id: &BigInt) -> Result<Vec<Part>, WalletError> {
        let currency = self.currency(id)?;
        let mut seen = BTreeSet::new();
        let mut parts = Vec::new();
        for tracked in self.state.operations.values() {
            if !matches!(tracked.item.kind, Kind::Receive { .. }) || tracked.item.currency != *id {
                continue;
            }
            let mut coins = Vec::new();
            for given in &tracked.item.gives {
                if let Some(held) = currency.coins.get(&given.coin)
                    && currency.is_received(held, self.now)
                    && seen.insert(&given.coin)
                {
                    coins.push((self.coin(held)?, held.value));
                }
            }
            let chunks = coins.chunks(RECEIVE_COINS_MAX);
            parts.extend(chunks.map(|part| (tracked.item.kind.clone(), part.to_vec())));
        }
        Ok(parts)
    }

    /// Takes back the remaining coins of a send that have not expired, and adds their value to `amount`.
    pub(super) async fn reclaim_send(&mut self, send: &Send, amount: &mut u64) -> Result<(), WalletError> {
        if self.is_being_reclaimed(send.id) {
            return Ok(());
        }
        self.refresh_if_old(&send.currency).await?;
        // Each round leaves fewer coins: they come back, or the receiver has spent them.
        loop {
            let (currency, now) = (self.currency(&send.currency)?, self.now);
            let left: Vec<&Held> = send
                .coins
                .iter()
                .filter_map(|coin| currency.coins.get(coin))
                .collect();
            // Coins of revoked keys need a recoup, which the user must ask for because it reveals more.
            let is_taken = |held: &&&Held| now <= held.expiry && !currency.is_revoked(&held.mint_key);
            let out = left.iter().filter(is_taken).take(RECEIVE_COINS_MAX);
            let out: Vec<(Coin, u64)> = out
                .map(|held| Ok((self.coin(held)?, held.value)))
                .collect::<Result<_, WalletError>>()?;
            let is_over = left.is_empty();
            if out.is_empty() {
                // If the last coins came back, the send has ended. Otherwise they were taken.
                if is_over && self.state.sends[&send.id].status == Status::Pending {
                    self.record(Event::Taken { send: send.id })?;
                }
                return Ok(());
            }
            let (before, value) = (left.len(), sum(out.iter().map(|(_, value)| *value)));
            match self
                .renew(&send.currency, Kind::Reclaim { send: send.id }, out)
                .await
            {
                Ok(()) => *amount += value,
                Err(WalletError::Exchange(refused @ ExchangeError::Refused { .. })) => {
                    let currency = self.currency(&send.currency)?;
                    let left = send
                        .coins
                        .iter()
                        .filter(|coin| currency.coins.contains_key(coin))
                        .count();
                    if !refused.is_double_spend() || left == before {
                        return Err(refused.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Chooses own coins worth `amount`. Changes coins first if need be.
    pub(super) async fn pick(&mut self, id: &BigInt, amount: u64) -> Result<Vec<Coin>, WalletError> {
        let currency = self.currency(id)?;
        let denominations = currency.cddc.cdd().denominations.clone();
        let spendable = currency.spendable(self.now);
        let balance = total(&spendable);
        if balance < amount {
            return Err(WalletError::InsufficientFunds {
                balance,
                needed: amount,
            });
        }
        let chosen = match select(&spendable, amount, &denominations) {
            Some(chosen) => chosen,
            None => {
                complete_set(amount, &denominations)?;
                self.change(id).await?;
                let spendable = self.currency(id)?.spendable(self.now);
                select(&spendable, amount, &denominations).ok_or(WalletError::NoExactCoins(amount))?
            }
        };
        let taken = self.take(id, &chosen, ExpiryOrder::LatestFirst)?;
        Ok(taken.into_iter().map(|(coin, _)| coin).collect())
    }

    pub(super) fn is_being_reclaimed(&self, send: OperationId) -> bool {
        let reclaims = |tracked: &Tracked<Operation>| {
            tracked.status == Status::Pending && tracked.item.kind == Kind::Reclaim { send }
        };
        self.state.operations.values().any(reclaims)
    }
}
