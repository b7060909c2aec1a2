//! Renewing: coins of others become own ones, own ones become others of the same value.

use opencoin_schema::{BigInt, Coin, RequestRenew, text};

use super::blinding::{blinds, random_number};
use super::{DOUBLE_SPEND, ITEMS_MAX, Wallet};
use crate::client::ExchangeError;
use crate::error::WalletError;
use crate::secret::Secret;
use crate::state::{Event, Fate, Given, Held, Kind, Operation, OperationId, Past, Send};
use crate::tokenizing::{Counts, complete_set, exchange, is_complete, number, select, total};

impl Wallet {
    /// Renews `foreign` coins worth `value`, together with own coins where that makes the wallet's set of coins better.
    pub(super) async fn renew(&mut self, id: &BigInt, kind: Kind, foreign: Vec<Coin>, value: u64) -> Result<(), WalletError> {
        let denominations = self.currency(id)?.cddc.cdd().denominations.clone();
        let have = self.fresh(id)?;
        let stale = self.stale(id)?;
        let stale_value: u64 = stale.iter().map(|held| held.value).sum();
        let mut gives: Vec<(Coin, bool)> = foreign.into_iter().map(|coin| (coin, false)).collect();
        let fits = |give: &Counts, get: &Counts| {
            number(give) as usize + stale.len() + gives.len() <= ITEMS_MAX && number(get) as usize <= ITEMS_MAX
        };
        let (give, get) = match exchange(&have, value + stale_value, &denominations) {
            Ok((give, get)) if fits(&give, &get) => (give, get),
            Ok(_) | Err(_) => (Counts::new(), complete_set(value + stale_value, &denominations)?),
        };
        if number(&get) == 0 {
            return Ok(());
        }
        let own_coins = self.take(id, &give)?.into_iter().chain(stale.into_iter().map(|held| held.coin));
        gives.extend(own_coins.map(|coin| (coin, true)));
        let blinded = self.blind(id, &get, &mut |_| {}).await?;
        let reference = random_number(&mut self.rng);
        let request = RequestRenew {
            blinds: blinds(&blinded),
            coins: gives.iter().map(|(coin, _)| coin.clone()).collect(),
            message_reference: 0,
            transaction_reference: reference.clone(),
        };
        let gives = gives.iter().map(|(coin, is_own)| Given { serial: coin.payload.serial.clone(), is_own: *is_own });
        let operation = Operation {
            id: self.state.next_id(),
            currency: id.clone(),
            amount: if matches!(kind, Kind::Change) { total(&get) } else { value },
            kind,
            request: Secret::new(text::compact(&request)),
            token: None,
            reference: Some(reference),
            blinded: blinded.into_iter().map(|(blinded, _)| blinded).collect(),
            gives: gives.collect(),
            at: (self.clock)(),
        };
        self.begin_and_run(operation).await
    }

    /// Exchanges own coins so that every amount can be paid again, and coins that expire soon; nothing if all is well.
    pub(super) async fn change(&mut self, id: &BigInt) -> Result<(), WalletError> {
        let denominations = &self.currency(id)?.cddc.cdd().denominations;
        let is_well = is_complete(&self.fresh(id)?, denominations) && self.stale(id)?.is_empty();
        if is_well { Ok(()) } else { self.renew(id, Kind::Change, Vec::new(), 0).await }
    }

    pub(super) async fn reclaim_send(&mut self, send: &Send) -> Result<u64, WalletError> {
        // Whoever received the stack may have spent some of its coins: each refusal leaves fewer.
        loop {
            let currency = self.currency(&send.currency)?;
            let out: Vec<Held> = send.serials.iter().filter_map(|serial| currency.coins.get(serial)).cloned().collect();
            if out.is_empty() {
                self.record(Event::Taken { send: send.id, at: (self.clock)() })?;
                return Ok(0);
            }
            let value = out.iter().map(|held| held.value).sum();
            let coins: Vec<Coin> = out.into_iter().map(|held| held.coin).collect();
            let before = coins.len();
            match self.renew(&send.currency, Kind::Reclaim { send: send.id }, coins, value).await {
                Ok(()) => return Ok(value),
                Err(WalletError::Exchange(ExchangeError::Refused { word, description })) => {
                    let currency = self.currency(&send.currency)?;
                    let left = send.serials.iter().filter(|serial| currency.coins.contains_key(serial)).count();
                    if word != DOUBLE_SPEND || left == before {
                        return Err(ExchangeError::Refused { word, description }.into());
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
        let balance = total(&currency.here());
        if balance < amount {
            return Err(WalletError::InsufficientFunds { balance, needed: amount });
        }
        let chosen = match select(&currency.here(), amount, &denominations) {
            Some(chosen) => chosen,
            None => {
                complete_set(amount, &denominations)?;
                self.change(id).await?;
                let here = self.currency(id)?.here();
                select(&here, amount, &denominations).ok_or(WalletError::NoExactCoins(amount))?
            }
        };
        self.take(id, &chosen)
    }

    pub(super) fn is_being_reclaimed(&self, send: OperationId) -> bool {
        let reclaims = |past: &Past<Operation>| past.fate == Fate::Pending && past.what.kind == Kind::Reclaim { send };
        self.state.operations.values().any(reclaims)
    }
}
