//! Renewing: coins of others become own ones, own ones become others of the same value.

use opencoin_schema::{BigInt, Coin, RequestRenew, text};

use super::blinding::{blinds, random_number};
use super::holdings::Lasting;
use super::{DOUBLE_SPEND, ITEMS_MAX, RECEIVE_COINS_MAX, Wallet};
use crate::client::ExchangeError;
use crate::currency::Held;
use crate::error::WalletError;
use crate::event::{Event, Given, Kind, Operation, OperationId, Send};
use crate::secret::Secret;
use crate::state::{Fate, Past};
use crate::tokenizing::{Counts, complete_set, count, exchange, is_complete, number, select, total};

impl Wallet {
    /// Renews `foreign` coins together with own coins where that makes the wallet's set of coins better.
    pub(super) async fn renew(
        &mut self,
        id: &BigInt,
        kind: Kind,
        foreign: Vec<(Coin, u64)>,
    ) -> Result<(), WalletError> {
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
        let value: u64 = foreign.iter().map(|(_, value)| value).sum();
        let stale = self.stale(id)?;
        let (get, give) = self.choose_renew(id, &foreign, &stale)?;
        if number(&get) == 0 {
            return Ok(None);
        }
        let own = self
            .take(id, &give, Lasting::Shortest)?
            .into_iter()
            .chain(stale.into_iter().map(|held| held.coin));
        let foreign = foreign.into_iter().map(|(coin, _)| (coin, false));
        let gives: Vec<(Coin, bool)> = foreign.chain(own.map(|coin| (coin, true))).collect();
        let blinded = self.blind(id, &get, &mut |_| {}).await?;
        let reference = random_number(&mut self.rng);
        let request = RequestRenew {
            blinds: blinds(&blinded),
            coins: gives.iter().map(|(coin, _)| coin.clone()).collect(),
            message_reference: 0,
            transaction_reference: reference.clone(),
        };
        let currency = self.currency(id)?;
        let given = |(coin, is_own): &(Coin, bool)| Given {
            coin: currency.coin_id(&coin.payload),
            is_own: *is_own,
        };
        let operation = Operation {
            id: self.state.next_id(),
            currency: id.clone(),
            amount: if matches!(kind, Kind::Change) {
                total(&get)
            } else {
                value
            },
            kind,
            request: Secret::new(text::compact(&request)),
            token: None,
            holder: None,
            reference: Some(reference),
            blinded: blinded.into_iter().map(|(blinded, _)| blinded).collect(),
            gives: gives.iter().map(given).collect(),
            at: (self.clock)(),
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
        let denominations = &self.currency(id)?.denominations((self.clock)());
        let given: Vec<u64> = foreign
            .iter()
            .map(|(_, value)| *value)
            .chain(stale.iter().map(|held| held.value))
            .collect();
        let value = given.iter().sum();
        let fits = |get: &Counts, give: &Counts| {
            number(get) as usize <= ITEMS_MAX && number(give) as usize + given.len() <= ITEMS_MAX
        };
        if let Ok((give, get)) = exchange(&self.fresh(id)?, value, denominations)
            && fits(&get, &give)
        {
            return Ok((get, give));
        }
        match complete_set(value, denominations) {
            Ok(get) if fits(&get, &Counts::new()) => Ok((get, Counts::new())),
            // Coins like those that are given are possible, unless their denomination was dropped.
            Ok(_) | Err(_) => Ok((count(given), Counts::new())),
        }
    }

    /// Changes coins if all is settled; while something is under way it is too early to say what is missing.
    pub(super) async fn tidy(&mut self, id: &BigInt) -> Result<(), WalletError> {
        let is_pending = |past: &Past<Operation>| past.fate == Fate::Pending && past.what.currency == *id;
        if self.state.operations.values().any(is_pending) {
            Ok(())
        } else {
            self.change(id).await
        }
    }

    /// Exchanges own coins so that every amount can be paid again, and coins that expire soon; nothing if all
    /// is well.
    pub(super) async fn change(&mut self, id: &BigInt) -> Result<(), WalletError> {
        self.freshen(id).await?;
        let denominations = &self.currency(id)?.denominations((self.clock)());
        let is_well = is_complete(&self.fresh(id)?, denominations) && self.stale(id)?.is_empty();
        if is_well {
            Ok(())
        } else {
            self.renew(id, Kind::Change, Vec::new()).await
        }
    }

    /// Takes back what is left of a send and has not expired, and adds what came back to `amount`.
    pub(super) async fn reclaim_send(&mut self, send: &Send, amount: &mut u64) -> Result<(), WalletError> {
        if self.is_being_reclaimed(send.id) {
            return Ok(());
        }
        self.freshen(&send.currency).await?;
        // Each round leaves fewer coins: they come back, or whoever received the stack has spent them.
        loop {
            let (currency, now) = (self.currency(&send.currency)?, (self.clock)());
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
                        at: (self.clock)(),
                    })?;
                }
                return Ok(());
            }
            let (before, value): (usize, u64) = (left.len(), out.iter().map(|(_, value)| value).sum());
            match self
                .renew(&send.currency, Kind::Reclaim { send: send.id }, out)
                .await
            {
                Ok(()) => *amount += value,
                Err(WalletError::Exchange(ExchangeError::Refused { word, description })) => {
                    let currency = self.currency(&send.currency)?;
                    let left = send
                        .coins
                        .iter()
                        .filter(|coin| currency.coins.contains_key(coin))
                        .count();
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
        let here = currency.here((self.clock)());
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
                let here = self.currency(id)?.here((self.clock)());
                select(&here, amount, &denominations).ok_or(WalletError::NoExactCoins(amount))?
            }
        };
        self.take(id, &chosen, Lasting::Longest)
    }

    pub(super) fn is_being_reclaimed(&self, send: OperationId) -> bool {
        let reclaims =
            |past: &Past<Operation>| past.fate == Fate::Pending && past.what.kind == Kind::Reclaim { send };
        self.state.operations.values().any(reclaims)
    }
}
