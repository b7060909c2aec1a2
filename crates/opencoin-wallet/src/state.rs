//! What the wallet knows: the sum of its journal's events.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use opencoin_crypto::{CertificateError, verify_cddc};
use opencoin_schema::{BigInt, Cddc, Coin, Mkc, RequestRenew, from_json};

use crate::currency::{Currency, Origin, Place};
use crate::event::{Blinded, CoinId, Event, Given, Kind, Operation, OperationId, RevokedKey, Send};
use crate::secret::Secret;

/// What came of something in the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Pending,
    /// The issuer has accepted it, and a recoup honours the blinds that are left: their mint keys were
    /// revoked.
    AwaitsRecoup,
    Done,
    Refused,
    /// Given up by the owner. The issuer is asked about its blinds until their mint keys do not sign any more.
    Abandoned,
    Reclaimed,
}

/// One thing that was begun or sent, and its fate.
#[derive(Debug)]
pub(crate) struct Past<T> {
    pub(crate) what: T,
    pub(crate) fate: Fate,
    pub(crate) note: String,
}

/// The sum of all events.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) currencies: BTreeMap<BigInt, Currency>,
    pub(crate) operations: BTreeMap<OperationId, Past<Operation>>,
    pub(crate) sends: BTreeMap<OperationId, Past<Send>>,
}

impl State {
    /// The number for the next operation or send.
    pub(crate) fn next_id(&self) -> OperationId {
        let last = |ids: Option<&OperationId>| ids.copied().unwrap_or(0);
        1 + last(self.operations.keys().next_back()).max(last(self.sends.keys().next_back()))
    }

    /// Takes an event in. Events come from the journal, or were checked before they went there.
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
            Event::Finished { operation, coins, .. } => self.finish(operation, coins, Fate::Done),
            Event::Unsigned { operation, coins, .. } => self.finish(operation, coins, Fate::AwaitsRecoup),
            Event::Refused {
                operation,
                description,
                spent,
                ..
            } => self.refuse(operation, description, &spent),
            Event::Abandoned { operation, .. } => self.abandon(operation),
            Event::Sent { send } => self.send(*send),
            Event::Taken { send, .. } => self.taken(send),
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
                // What was sent counts as sent until it has come back.
                Some(held) if held.place == Place::Sent && !given.is_own => {}
                Some(held) => held.place = Place::Given,
                None if given.is_own => return Err("a coin that is given is not there".to_owned()),
                // The stack of a receive is nowhere but in the request.
                None if matches!(operation.kind, Kind::Receive { .. }) => {
                    let stack: &Vec<Coin> = match &mut stack {
                        Some(stack) => stack,
                        none => none.insert(coins_of(&operation)?),
                    };
                    let coin = stack.get(index).ok_or("a received coin is not in its request")?;
                    let held = currency.held(coin.clone(), Place::Given, None)?;
                    currency.coins.insert(given.coin.clone(), held);
                }
                // A blind that was never signed.
                None => {}
            }
        }
        let past = Past {
            what: operation,
            fate: Fate::Pending,
            note: String::new(),
        };
        self.operations.insert(past.what.id, past);
        Ok(())
    }

    /// Ends an operation without a result. Its coins are free, its blinds stay.
    fn abandon(&mut self, id: OperationId) -> Result<(), String> {
        let past = self
            .operations
            .get_mut(&id)
            .ok_or_else(|| format!("operation {id} is unknown"))?;
        past.fate = Fate::Abandoned;
        past.what.request = Secret::new("");
        past.what.token = None;
        let (currency, gives) = (past.what.currency.clone(), past.what.gives.clone());
        self.currency_mut(&currency)?.release(&gives);
        Ok(())
    }

    /// Marks an operation as ended and gives what is needed to settle it. Its secrets are not needed any
    /// more.
    fn end(&mut self, id: OperationId, fate: Fate, note: String) -> Result<Ended, String> {
        let past = self
            .operations
            .get_mut(&id)
            .ok_or_else(|| format!("operation {id} is unknown"))?;
        past.fate = fate;
        past.note = note;
        past.what.request = Secret::new("");
        past.what.token = None;
        Ok(Ended {
            currency: past.what.currency.clone(),
            gives: past.what.gives.clone(),
            reference: past.what.reference.clone(),
            blinded: std::mem::take(&mut past.what.blinded),
        })
    }

    /// The coins that are given are gone, and these are there. Blinds without a coin stay with an operation
    /// that awaits a recoup.
    fn finish(&mut self, id: OperationId, coins: Vec<Coin>, fate: Fate) -> Result<(), String> {
        let Ended {
            currency: currency_id,
            gives,
            reference,
            blinded,
        } = self.end(id, fate, String::new())?;
        let currency = self
            .currencies
            .get_mut(&currency_id)
            .ok_or("the currency of an operation is unknown")?;
        gives
            .iter()
            .for_each(|given| drop(currency.coins.remove(&given.coin)));
        let mut unsigned = Vec::new();
        let mut blinded = blinded.into_iter();
        for coin in coins {
            // Coins are in the order of their blinds.
            let mut origin = None;
            for blinded in blinded.by_ref() {
                if blinded.payload == coin.payload {
                    origin = Origin::new(reference.as_ref(), &blinded);
                    break;
                }
                unsigned.push(blinded);
            }
            let held = currency.held(coin, Place::Here, origin)?;
            currency.coins.insert(currency.coin_id(&held.coin.payload), held);
        }
        unsigned.extend(blinded);
        if let Some(past) = self
            .operations
            .get_mut(&id)
            .filter(|past| past.fate == Fate::AwaitsRecoup)
        {
            past.what.blinded = unsigned;
        }
        let given: HashSet<&CoinId> = gives.iter().map(|given| &given.coin).collect();
        self.forget_blinds(&currency_id, &given, Fate::Done, "");
        self.end_sends(&currency_id, &given);
        Ok(())
    }

    /// A send of which coins have come back is over when none of its coins is out any more.
    fn end_sends(&mut self, currency_id: &BigInt, given: &HashSet<&CoinId>) {
        let Some(currency) = self.currencies.get(currency_id) else {
            return;
        };
        let came_back = |send: &Send| send.coins.iter().any(|coin| given.contains(coin));
        let is_out = |send: &Send| send.coins.iter().any(|coin| currency.coins.contains_key(coin));
        for past in self
            .sends
            .values_mut()
            .filter(|past| past.fate == Fate::Pending && past.what.currency == *currency_id)
        {
            if came_back(&past.what) && !is_out(&past.what) {
                past.fate = Fate::Reclaimed;
            }
        }
    }

    /// Drops blinds that waited for a recoup; an operation with none left has this fate.
    fn forget_blinds(&mut self, currency_id: &BigInt, gone: &HashSet<&CoinId>, fate: Fate, note: &str) {
        let Some(currency) = self.currencies.get(currency_id) else {
            return;
        };
        let waits = |past: &&mut Past<Operation>| {
            past.fate == Fate::AwaitsRecoup && past.what.currency == *currency_id
        };
        for past in self.operations.values_mut().filter(waits) {
            past.what
                .blinded
                .retain(|blinded| !gone.contains(&currency.coin_id(&blinded.payload)));
            if past.what.blinded.is_empty() {
                past.fate = fate;
                past.note = note.to_owned();
            }
        }
    }

    fn refuse(&mut self, id: OperationId, description: String, spent: &[usize]) -> Result<(), String> {
        let Ended {
            currency: currency_id,
            gives,
            ..
        } = self.end(id, Fate::Refused, description.clone())?;
        let currency = self.currency_mut(&currency_id)?;
        let gone: HashSet<&CoinId> = spent
            .iter()
            .filter_map(|index| gives.get(*index))
            .map(|given| &given.coin)
            .collect();
        gone.iter().for_each(|coin| drop(currency.coins.remove(*coin)));
        currency.release(&gives);
        self.forget_blinds(&currency_id, &gone, Fate::Refused, &description);
        Ok(())
    }

    fn send(&mut self, send: Send) -> Result<(), String> {
        let currency = self.currency_mut(&send.currency)?;
        for coin in &send.coins {
            currency
                .coins
                .get_mut(coin)
                .ok_or("a coin that is sent is not there")?
                .place = Place::Sent;
        }
        let past = Past {
            what: send,
            fate: Fate::Pending,
            note: String::new(),
        };
        self.sends.insert(past.what.id, past);
        Ok(())
    }

    fn taken(&mut self, id: OperationId) -> Result<(), String> {
        let past = self
            .sends
            .get_mut(&id)
            .ok_or_else(|| format!("send {id} is unknown"))?;
        past.fate = Fate::Done;
        let (currency, coins) = (past.what.currency.clone(), past.what.coins.clone());
        let currency = self.currency_mut(&currency)?;
        coins.iter().for_each(|coin| drop(currency.coins.remove(coin)));
        Ok(())
    }
}

/// What is left of an operation when it has ended.
struct Ended {
    currency: BigInt,
    gives: Vec<Given>,
    reference: Option<BigInt>,
    blinded: Vec<Blinded>,
}

/// The coins in the request of a renew.
fn coins_of(operation: &Operation) -> Result<Vec<Coin>, String> {
    let request: Result<RequestRenew, _> = from_json(operation.request.expose().as_bytes());
    request
        .map(|request| request.coins)
        .map_err(|_| format!("the request of operation {} cannot be read", operation.id))
}
