//! Renewing: coins of others become own ones, own ones become others of the same value.

use std::collections::BTreeSet;

use opencoin_schema::{BigInt, Coin, RequestRenew, text};
use rand::seq::SliceRandom;

use super::blinding::{blinds, random_number};
use super::holdings::Lasting;
use super::{ITEMS_MAX, RECEIVE_COINS_MAX, Wallet};
use crate::client::ExchangeError;
use crate::currency::{Held, Place};
use crate::error::WalletError;
use crate::event::{self, Event, Kind, Operation, OperationId, Send};
use crate::secret::Secret;
use crate::state::{Fate, Past};
use crate::tokenizing::{Counts, complete_set, count, exchange, is_complete, number, select, sum, total};

/// Coins that go to the issuer in a renew.
pub(super) struct Given {
    pub(super) coin: Coin,
    pub(super) value: u64,
    pub(super) is_own: bool,
}

/// Received coins and their values, and what they were received as.
type Part = (Kind, Vec<(Coin, u64)>);

impl Wallet {
    /// Renews `foreign` coins together with own coins where that makes the wallet's set of coins better.
    async fn renew(&mut self, id: &BigInt, kind: Kind, foreign: Vec<(Coin, u64)>) -> Result<(), WalletError> {
        match self.begin_renew(id, kind, foreign).await? {
            Some(operation) => self.run(operation).await,
            None => Ok(()),
        }
    }

    /// Puts a renew of `foreign` coins and their values into the journal, together with own coins where that
    /// makes the wallet's set of coins better. `None` when there is nothing to renew.
    pub(super) async fn begin_renew(
        &mut self,
        id: &BigInt,
        kind: Kind,
        foreign: Vec<(Coin, u64)>,
    ) -> Result<Option<OperationId>, WalletError> {
        self.freshen(id).await?;
        let stale = self.stale(id)?;
        let (get, give) = self.choose_renew(id, &foreign, &stale)?;
        let fresh = self.take(id, &give, Lasting::Shortest)?;
        let own = fresh
            .into_iter()
            .chain(stale.into_iter().map(|held| (held.coin, held.value)));
        let given = |is_own| move |(coin, value)| Given { coin, value, is_own };
        let gives = foreign
            .into_iter()
            .map(given(false))
            .chain(own.map(given(true)))
            .collect();
        self.begin_exchange(id, kind, gives, &get, None).await
    }

    /// Puts a renew of exactly these coins into the journal. `None` when there is nothing to get.
    pub(super) async fn begin_exchange(
        &mut self,
        id: &BigInt,
        kind: Kind,
        mut gives: Vec<Given>,
        get: &Counts,
        replaces: Option<OperationId>,
    ) -> Result<Option<OperationId>, WalletError> {
        if number(get) == 0 {
            return Ok(None);
        }
        // Their order must not tell which of them the wallet has from somebody else.
        gives.shuffle(&mut self.rng);
        let blinded = self.blind(id, get, &mut |_| {}).await?;
        let reference = random_number(&mut self.rng);
        let request = RequestRenew {
            blinds: blinds(&blinded),
            coins: gives.iter().map(|given| given.coin.clone()).collect(),
            message_reference: 0,
            transaction_reference: reference.clone(),
        };
        let foreign = gives.iter().filter(|given| !given.is_own);
        let foreign = sum(foreign.map(|given| given.value));
        let currency = self.currency(id)?;
        let given = |given: &Given| event::Given {
            coin: currency.coin_id(&given.coin.payload),
            is_own: given.is_own,
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
            blinded: blinded.into_iter().map(|(blinded, _)| blinded).collect(),
            gives: gives.iter().map(given).collect(),
            replaces,
            at: self.now,
        };
        let operation_id = operation.id;
        self.record(Event::Begun {
            operations: vec![operation],
        })?;
        Ok(Some(operation_id))
    }

    /// What to get in a renew, and which fresh own coins to give besides the others.
    pub(super) fn choose_renew(
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

    /// Fresh coins in place of coins of these values, as many as one request takes.
    pub(super) fn set_like(&self, id: &BigInt, values: Vec<u64>) -> Result<Counts, WalletError> {
        let denominations = &self.currency(id)?.denominations(self.now);
        match complete_set(sum(values.iter().copied()), denominations) {
            Ok(get) if number(&get) as usize <= ITEMS_MAX => Ok(get),
            // Coins like those that are given are possible, unless their denomination was dropped.
            Ok(_) | Err(_) => Ok(count(values)),
        }
    }

    /// Renews coins of a currency that were received and are not renewed yet, and coins that expire soon. If
    /// nothing is under way, coins are also exchanged so that every amount can be paid: before that it is too
    /// early to say what is missing.
    pub(super) async fn tidy_currency(&mut self, id: &BigInt, urgent_only: bool) -> Result<(), WalletError> {
        let received = match self.renew_received(id).await {
            Err(error @ (WalletError::Journal(_) | WalletError::Inconsistent(_))) => return Err(error),
            received => received,
        };
        let is_pending = |past: &Past<Operation>| past.fate == Fate::Pending && past.what.currency == *id;
        let must_wait = urgent_only || self.state.operations.values().any(is_pending);
        // Each round leaves fewer coins that expire soon.
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

    /// Exchanges own coins so that every amount can be paid again, and coins that expire soon; nothing if all
    /// is well. Begins nothing unless the issuer answers: coins of a request that cannot go out could not be
    /// paid with.
    pub(super) async fn change(&mut self, id: &BigInt) -> Result<(), WalletError> {
        self.freshen_for_sure(id).await?;
        if self.is_complete(id)? && self.stale(id)?.is_empty() {
            return Ok(());
        }
        self.renew(id, Kind::Change, Vec::new()).await
    }

    /// Renews coins of stacks that were received and refused for a reason that was not theirs, or that were
    /// never sent. Coins that turn out to be spent are dropped.
    pub(super) async fn renew_received(&mut self, id: &BigInt) -> Result<(), WalletError> {
        let mut parts = self.received_coins(id)?;
        if parts.is_empty() {
            return Ok(());
        }
        self.freshen_for_sure(id).await?;
        let (mut failed, mut is_refreshed) = (None, false);
        // Each part that comes back is smaller than before, or comes back once.
        while let Some((kind, coins)) = parts.pop() {
            let before = coins.len();
            let given = |(coin, value): &(Coin, u64)| Given {
                coin: coin.clone(),
                value: *value,
                is_own: false,
            };
            let gives = coins.iter().map(given).collect();
            let get = self.set_like(id, coins.iter().map(|(_, value)| *value).collect())?;
            let Some(operation) = self.begin_exchange(id, kind.clone(), gives, &get, None).await? else {
                continue;
            };
            let refused = match self.run(operation).await {
                Ok(()) => continue,
                Err(WalletError::Exchange(refused @ ExchangeError::Refused { .. })) => refused,
                Err(error @ WalletError::Exchange(ExchangeError::Delayed { .. } | ExchangeError::Recoup)) => {
                    failed = Some(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let currency = self.currency(id)?;
            let is_left = |(coin, _): &(Coin, u64)| {
                let held = currency.coins.get(&currency.coin_id(&coin.payload));
                held.is_some_and(|held| held.place == Place::Received && held.expiry >= self.now)
                    && !currency.is_revoked(&coin.payload)
            };
            let mut left: Vec<(Coin, u64)> = coins.into_iter().filter(is_left).collect();
            if left.is_empty() {
                failed = Some(refused.into());
            } else if left.len() < before {
                parts.push((kind, left));
            } else if refused.is_double_spend() && before > 1 {
                // The issuer does not say which.
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

    /// The coins that were received and are still to be renewed, by the stacks they came in, in parts that one
    /// request takes. Those of revoked keys are not taken by the issuer.
    pub(super) fn received_coins(&self, id: &BigInt) -> Result<Vec<Part>, WalletError> {
        let currency = self.currency(id)?;
        let mut seen = BTreeSet::new();
        let mut parts = Vec::new();
        for past in self.state.operations.values() {
            if !matches!(past.what.kind, Kind::Receive { .. }) || past.what.currency != *id {
                continue;
            }
            let held = past.what.gives.iter().filter_map(|given| {
                let held = currency.coins.get(&given.coin)?;
                let is_open = held.place == Place::Received
                    && held.expiry >= self.now
                    && !currency.is_revoked(&held.coin.payload);
                (is_open && seen.insert(&given.coin)).then(|| (held.coin.clone(), held.value))
            });
            let coins: Vec<(Coin, u64)> = held.collect();
            let chunks = coins.chunks(RECEIVE_COINS_MAX);
            parts.extend(chunks.map(|part| (past.what.kind.clone(), part.to_vec())));
        }
        Ok(parts)
    }

    /// Takes back what is left of a send and has not expired, and adds what came back to `amount`.
    pub(super) async fn reclaim_send(&mut self, send: &Send, amount: &mut u64) -> Result<(), WalletError> {
        if self.is_being_reclaimed(send.id) {
            return Ok(());
        }
        self.freshen(&send.currency).await?;
        // Each round leaves fewer coins: they come back, or whoever received the stack has spent them.
        loop {
            let (currency, now) = (self.currency(&send.currency)?, self.now);
            let left: Vec<&Held> = send
                .coins
                .iter()
                .filter_map(|coin| currency.coins.get(coin))
                .collect();
            // Those of revoked keys are left to a recoup, which reveals more and so has to be asked for.
            let is_taken = |held: &&&Held| now <= held.expiry && !currency.is_revoked(&held.coin.payload);
            let out = left.iter().filter(is_taken).take(RECEIVE_COINS_MAX);
            let out: Vec<(Coin, u64)> = out.map(|held| (held.coin.clone(), held.value)).collect();
            let is_over = left.is_empty();
            if out.is_empty() {
                // The last of them either came back, which has ended the send, or was taken.
                if is_over && self.state.sends[&send.id].fate == Fate::Pending {
                    self.record(Event::Taken {
                        send: send.id,
                        at: self.now,
                    })?;
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

    /// Chooses own coins worth `amount`, changing coins first if need be.
    pub(super) async fn pick(&mut self, id: &BigInt, amount: u64) -> Result<Vec<Coin>, WalletError> {
        let currency = self.currency(id)?;
        let denominations = currency.cddc.cdd().denominations.clone();
        let here = currency.here(self.now);
        let balance = total(&here);
        if balance < amount {
            return Err(WalletError::InsufficientFunds {
                balance,
                needed: amount,
            });
        }
        let chosen = match select(&here, amount, &denominations) {
            Some(chosen) => chosen,
            None => {
                complete_set(amount, &denominations)?;
                self.change(id).await?;
                let here = self.currency(id)?.here(self.now);
                select(&here, amount, &denominations).ok_or(WalletError::NoExactCoins(amount))?
            }
        };
        let taken = self.take(id, &chosen, Lasting::Longest)?;
        Ok(taken.into_iter().map(|(coin, _)| coin).collect())
    }

    pub(super) fn is_being_reclaimed(&self, send: OperationId) -> bool {
        let reclaims =
            |past: &Past<Operation>| past.fate == Fate::Pending && past.what.kind == Kind::Reclaim { send };
        self.state.operations.values().any(reclaims)
    }
}
