//! The state of a wallet: the result of all events of its journal.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use opencoin_crypto::{CertificateError, verify_cddc};
use opencoin_schema::{BigInt, Cddc, Coin, Mkc, RequestRenew, from_json};

use crate::currency::{CoinPlace, Currency, Origin};
use crate::event::{CoinId, Event, Kind, Operation, OperationId, RevokedKey, Send};
use crate::public_log::memory::LogMemory;
use crate::secret::Secret;

/// The status of an operation or a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Pending,
    /// The issuer has accepted the operation. The mint keys of its remaining blinds were revoked, and a
    /// recoup brings their coins.
    AwaitsRecoup,
    /// The operation was carried out, or the coins of the send were taken.
    Done,
    Refused,
    /// Abandoned by the user. The issuer is asked about the blinds until their mint keys no longer sign.
    Abandoned,
    /// The coins of the send came back.
    Reclaimed,
}

/// An operation or a send with its status.
#[derive(Debug)]
pub(crate) struct Tracked<T> {
    pub(crate) item: T,
    pub(crate) status: Status,
    pub(crate) note: String,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) currencies: BTreeMap<BigInt, Currency>,
    pub(crate) operations: BTreeMap<OperationId, Tracked<Operation>>,
    pub(crate) sends: BTreeMap<OperationId, Tracked<Send>>,
    /// The public logs, by currency.
    pub(crate) logs: BTreeMap<BigInt, LogMemory>,
}

impl State {
    /// Returns the number of the next operation or send.
    pub(crate) fn next_id(&self) -> OperationId {
        let last = |ids: Option<&OperationId>| ids.copied().unwrap_or(0);
        1 + last(self.operations.keys().next_back()).max(last(self.sends.keys().next_back()))
    }

    /// Returns the operations of a currency with this status.
    pub(crate) fn operations_of<'a>(
        &'a self,
        currency: &'a BigInt,
        status: Status,
    ) -> impl Iterator<Item = &'a Operation> {
        let all = self
            .operations
            .values()
            .filter(move |tracked| tracked.status == status);
        all.map(|tracked| &tracked.item)
            .filter(move |operation| operation.currency == *currency)
    }

    /// Applies an event. It comes from the journal or was checked before it was written there.
    pub(crate) fn apply(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Documents {
                url,
                cddc,
                mkcs,
                older,
                current,
            } => self
                .documents(url, &cddc, &older, &mkcs, current)
                .map_err(|error| error.to_string()),
            Event::Revocations {
                currency, mint_keys, ..
            } => self.revocations(&currency, mint_keys),
            Event::Begun { operations } => operations
                .into_iter()
                .try_for_each(|operation| self.begin(operation)),
            Event::Finished { operation, coins, .. } => self.finish(operation, coins, Status::Done),
            Event::Unsigned { operation, coins, .. } => self.finish(operation, coins, Status::AwaitsRecoup),
            Event::Refused {
                operation,
                description,
                spent,
                ..
            } => self.refuse(operation, description, &spent),
            Event::Abandoned { operation, .. } => self.abandon(operation),
            Event::Sent { send } => self.send(*send),
            Event::Taken { send, .. } => self.taken(send),
            Event::Log { currency, log } => self.logs.entry(currency).or_default().apply(*log),
        }
    }

    fn documents(
        &mut self,
        url: String,
        cddc: &Cddc,
        older: &[Cddc],
        mkcs: &[Mkc],
        current: Option<BTreeSet<BigInt>>,
    ) -> Result<(), CertificateError> {
        let cddc = verify_cddc(cddc)?;
        let id = cddc.master_key().id().clone();
        let currency = self
            .currencies
            .entry(id)
            .or_insert_with(|| Currency::new(url.clone(), cddc.clone()));
        currency.url = url;
        currency.learn(cddc, older, mkcs, current)
    }

    fn revocations(&mut self, currency: &BigInt, mint_keys: Vec<RevokedKey>) -> Result<(), String> {
        self.currency_mut(currency)?.revoked =
            mint_keys.into_iter().map(|key| (key.id, key.reason)).collect();
        Ok(())
    }

    fn currency_mut(&mut self, id: &BigInt) -> Result<&mut Currency, String> {
        self.currencies
            .get_mut(id)
            .ok_or_else(|| format!("currency {id} is unknown"))
    }

    fn begin(&mut self, operation: Operation) -> Result<(), String> {
        if let Some(replaced) = operation.replaces {
            self.abandon(replaced)?;
        }
        let currency = self.currency_mut(&operation.currency)?;
        let mut stack = None;
        for (index, given) in operation.gives.iter().enumerate() {
            match currency.coins.get_mut(&given.coin) {
                // A sent coin counts as sent until it has come back.
                Some(held) if held.place == CoinPlace::Sent && !given.is_own => {}
                Some(held) => held.place = CoinPlace::Given,
                None if given.is_own => {
                    return Err("a request spends a coin that the wallet does not hold".to_owned());
                }
                // The coins of a received stack are only in the request.
                None if matches!(operation.kind, Kind::Receive { .. }) => {
                    let stack: &Vec<Coin> = match &mut stack {
                        Some(stack) => stack,
                        none => none.insert(coins_of(&operation)?),
                    };
                    let coin = stack.get(index).ok_or("a received coin is not in its request")?;
                    let held = currency.held(coin.clone(), CoinPlace::Given, None)?;
                    currency.coins.insert(given.coin.clone(), held);
                }
                // The coin of a blind that was never signed.
                None => {}
            }
        }
        let tracked = Tracked {
            item: operation,
            status: Status::Pending,
            note: String::new(),
        };
        self.operations.insert(tracked.item.id, tracked);
        Ok(())
    }

    /// Ends an operation without a result. Frees its coins and keeps its blinds.
    fn abandon(&mut self, id: OperationId) -> Result<(), String> {
        let operation = self.end(id, Status::Abandoned, String::new())?;
        let (currency, gives) = (operation.currency.clone(), operation.gives.clone());
        self.currency_mut(&currency)?.release(&gives);
        Ok(())
    }

    /// Ends an operation, forgets its secret request and token, and returns it.
    fn end(&mut self, id: OperationId, status: Status, note: String) -> Result<&mut Operation, String> {
        let tracked = self
            .operations
            .get_mut(&id)
            .ok_or_else(|| format!("operation {id} is unknown"))?;
        tracked.status = status;
        tracked.note = note;
        tracked.item.request = Secret::new("");
        tracked.item.token = None;
        Ok(&mut tracked.item)
    }

    /// Replaces the given coins by these. Blinds without a coin stay with an operation that awaits a recoup.
    fn finish(&mut self, id: OperationId, coins: Vec<Coin>, status: Status) -> Result<(), String> {
        let operation = self.end(id, status, String::new())?;
        let blinded = std::mem::take(&mut operation.blinded);
        let (currency_id, gives) = (operation.currency.clone(), operation.gives.clone());
        let reference = operation.reference.clone();
        let currency = self.currency_mut(&currency_id)?;
        gives
            .iter()
            .for_each(|given| drop(currency.coins.remove(&given.coin)));
        let mut unsigned = Vec::new();
        let mut blinded = blinded.into_iter();
        for coin in coins {
            // The coins are in the order of their blinds.
            let mut origin = None;
            for blinded in blinded.by_ref() {
                if blinded.payload == coin.payload {
                    origin = Origin::new(reference.as_ref(), &blinded);
                    break;
                }
                unsigned.push(blinded);
            }
            let held = currency.held(coin, CoinPlace::Here, origin)?;
            currency.coins.insert(currency.coin_id(&held.coin.payload), held);
        }
        unsigned.extend(blinded);
        if let Some(tracked) = self
            .operations
            .get_mut(&id)
            .filter(|tracked| tracked.status == Status::AwaitsRecoup)
        {
            tracked.item.blinded = unsigned;
        }
        let given: HashSet<&CoinId> = gives.iter().map(|given| &given.coin).collect();
        self.forget_blinds(&currency_id, &given, Status::Done, "");
        self.end_sends(&currency_id, &given);
        Ok(())
    }

    /// Ends sends whose last coins have come back.
    fn end_sends(&mut self, currency_id: &BigInt, given: &HashSet<&CoinId>) {
        let Some(currency) = self.currencies.get(currency_id) else {
            return;
        };
        let came_back = |send: &Send| send.coins.iter().any(|coin| given.contains(coin));
        let is_out = |send: &Send| send.coins.iter().any(|coin| currency.coins.contains_key(coin));
        for tracked in self
            .sends
            .values_mut()
            .filter(|tracked| tracked.status == Status::Pending && tracked.item.currency == *currency_id)
        {
            if came_back(&tracked.item) && !is_out(&tracked.item) {
                tracked.status = Status::Reclaimed;
            }
        }
    }

    /// Removes blinds that waited for a recoup. An operation without remaining blinds gets this status.
    fn forget_blinds(&mut self, currency_id: &BigInt, gone: &HashSet<&CoinId>, status: Status, note: &str) {
        let Some(currency) = self.currencies.get(currency_id) else {
            return;
        };
        let waits = |tracked: &&mut Tracked<Operation>| {
            tracked.status == Status::AwaitsRecoup && tracked.item.currency == *currency_id
        };
        for tracked in self.operations.values_mut().filter(waits) {
            tracked
                .item
                .blinded
                .retain(|blinded| !gone.contains(&currency.coin_id(&blinded.payload)));
            if tracked.item.blinded.is_empty() {
                tracked.status = status;
                tracked.note = note.to_owned();
            }
        }
    }

    fn refuse(&mut self, id: OperationId, description: String, spent: &[usize]) -> Result<(), String> {
        let operation = self.end(id, Status::Refused, description.clone())?;
        operation.blinded.clear();
        let (currency_id, gives) = (operation.currency.clone(), operation.gives.clone());
        let currency = self.currency_mut(&currency_id)?;
        let gone: HashSet<&CoinId> = spent
            .iter()
            .filter_map(|index| gives.get(*index))
            .map(|given| &given.coin)
            .collect();
        gone.iter().for_each(|coin| drop(currency.coins.remove(*coin)));
        currency.release(&gives);
        self.forget_blinds(&currency_id, &gone, Status::Refused, &description);
        Ok(())
    }

    fn send(&mut self, send: Send) -> Result<(), String> {
        let currency = self.currency_mut(&send.currency)?;
        for coin in &send.coins {
            currency
                .coins
                .get_mut(coin)
                .ok_or("a send has a coin that the wallet does not hold")?
                .place = CoinPlace::Sent;
        }
        let tracked = Tracked {
            item: send,
            status: Status::Pending,
            note: String::new(),
        };
        self.sends.insert(tracked.item.id, tracked);
        Ok(())
    }

    fn taken(&mut self, id: OperationId) -> Result<(), String> {
        let tracked = self
            .sends
            .get_mut(&id)
            .ok_or_else(|| format!("send {id} is unknown"))?;
        tracked.status = Status::Done;
        let (currency, coins) = (tracked.item.currency.clone(), tracked.item.coins.clone());
        let currency = self.currency_mut(&currency)?;
        coins.iter().for_each(|coin| drop(currency.coins.remove(coin)));
        Ok(())
    }
}

/// Reads the coins in the request of a renew.
fn coins_of(operation: &Operation) -> Result<Vec<Coin>, String> {
    let request: Result<RequestRenew, _> = from_json(operation.request.expose().as_bytes());
    request
        .map(|request| request.coins)
        .map_err(|_| format!("the request of operation {} cannot be read", operation.id))
}
