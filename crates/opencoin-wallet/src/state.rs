//! The state of a wallet in memory, and which of its rows an event has changed.

mod key_accounts;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

use chrono::{DateTime, Utc};
use opencoin_crypto::{CertificateError, verify_cddc};
use opencoin_schema::{BigInt, Cddc, Coin, Mkc, RequestRenew, from_json};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::coins::{CoinPlace, Coins, Held, Origin};
use crate::currency::Currency;
use crate::event::{
    CoinId, Event, Given, Kind, Operation, OperationId, RevokedKey, Send, TransferCoins, TransferEvent,
};
use crate::key_account::records::{KeyPayment, OwnKey};
use crate::key_account::seed::KeySeed;
use crate::public_log::memory::LogMemory;
use crate::tokenizing::sum;
use opencoin_api::Secret;

/// The status of an operation or a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tracked<T> {
    pub(crate) item: T,
    pub(crate) status: Status,
    pub(crate) note: String,
}

/// A line of the history about the introduction of a key.
#[derive(Debug)]
pub(crate) struct IntroductionLine {
    pub(crate) id: OperationId,
    pub(crate) at: DateTime<Utc>,
    pub(crate) currency: BigInt,
    pub(crate) key: String,
    pub(crate) status: Status,
    /// Why it was refused.
    pub(crate) note: String,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) currencies: BTreeMap<BigInt, Currency>,
    pub(crate) operations: BTreeMap<OperationId, Tracked<Operation>>,
    pub(crate) sends: BTreeMap<OperationId, Tracked<Send>>,
    /// The public logs, by currency.
    pub(crate) logs: BTreeMap<BigInt, LogMemory>,
    /// The transfers that are not over, by id.
    pub(crate) transfers: BTreeMap<String, Transfer>,
    /// The key accounts, by the numbers of their rows.
    pub(crate) keys: BTreeMap<u64, OwnKey>,
    /// The payments by key that are not over, or whose outcome was not shown.
    pub(crate) key_payments: BTreeMap<OperationId, KeyPayment>,
    /// The number of the last operation or send. Those that have ended are in memory only until the wallet is closed.
    pub(crate) last_id: OperationId,
    /// The number of the wallet's backup phrase; 0 if it has none.
    pub(crate) phrase: u8,
    pub(crate) changed: Changed,
}

/// A transfer, with the record of its conversation.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Transfer {
    pub(crate) record: Value,
    pub(crate) coins: TransferCoins,
    /// The send whose coins belong to it.
    pub(crate) send: Option<OperationId>,
    pub(crate) is_over: bool,
}

/// Hides the record, which has keys and perhaps coins.
impl fmt::Debug for Transfer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Transfer")
            .field("coins", &self.coins)
            .field("send", &self.send)
            .finish_non_exhaustive()
    }
}

/// The rows that are to be written, besides those of [`crate::coins::Coins`].
#[derive(Debug, Default)]
pub(crate) struct Changed {
    /// The currencies whose documents or revocations have changed.
    pub(crate) currencies: BTreeSet<BigInt>,
    pub(crate) operations: BTreeSet<OperationId>,
    pub(crate) sends: BTreeSet<OperationId>,
    /// The currencies whose memory of the log has changed.
    pub(crate) logs: BTreeSet<BigInt>,
    /// The requests whose promises have changed.
    pub(crate) promises: BTreeSet<(BigInt, OperationId)>,
    pub(crate) transfers: BTreeSet<String>,
    pub(crate) keys: BTreeSet<u64>,
    /// The seeds of new keys, by the numbers of their rows.
    pub(crate) key_seeds: Vec<(u64, KeySeed)>,
    pub(crate) key_payments: BTreeSet<OperationId>,
    pub(crate) introductions: Vec<IntroductionLine>,
}

impl State {
    /// Returns the number of the next operation or send.
    pub(crate) fn next_id(&self) -> OperationId {
        self.last_id + 1
    }

    /// Whether a coin can be restored from the backup phrase.
    pub(crate) fn is_covered(&self, held: &Held) -> bool {
        held.phrase > 0 && held.phrase == self.phrase
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

    /// Whether an operation must be known after the wallet was opened again: it is pending, its blinds may be signed, or
    /// it has received coins that are still to be renewed.
    pub(crate) fn is_open(&self, tracked: &Tracked<Operation>) -> bool {
        let operation = &tracked.item;
        let currency = self.currencies.get(&operation.currency);
        let is_held =
            |given: &Given| currency.is_some_and(|currency| currency.coins.contains_key(&given.coin));
        let holds_received =
            matches!(operation.kind, Kind::Receive { .. }) && operation.gives.iter().any(is_held);
        match tracked.status {
            Status::Pending | Status::AwaitsRecoup => true,
            Status::Abandoned => {
                operation.reference.is_some() && !operation.blinded.is_empty() || holds_received
            }
            Status::Refused => holds_received,
            Status::Done | Status::Reclaimed => false,
        }
    }

    /// Applies an event, and notes the rows that it changes. After an error the state is of no use.
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
            Event::Revocations { currency, mint_keys } => self.revocations(&currency, mint_keys),
            Event::Begun { operations } => operations
                .into_iter()
                .try_for_each(|operation| self.begin(operation)),
            Event::Finished { operation, coins } => self.finish(operation, coins, Status::Done),
            Event::Unsigned { operation, coins } => self.finish(operation, coins, Status::AwaitsRecoup),
            Event::Refused {
                operation,
                description,
                spent,
                frees_number,
            } => {
                if frees_number {
                    self.free_number(operation);
                }
                self.refuse(operation, description, &spent)
            }
            Event::Abandoned { operation } => self.abandon(operation),
            Event::Sent { send } => self.send(*send),
            Event::Taken { send } => self.taken(send),
            Event::Transfer { id, record, event } => self.transfer(id, record, event),
            Event::Key(event) => self.key_event(*event),
            Event::Log { currency, log } => {
                if let Some(operation) = log.operation() {
                    self.changed.promises.insert((currency.clone(), operation));
                }
                self.changed.logs.insert(currency.clone());
                self.logs.entry(currency).or_default().apply(*log)
            }
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
        let no = 1 + self.currencies.len() as u64;
        self.changed.currencies.insert(id.clone());
        let currency = self
            .currencies
            .entry(id)
            .or_insert_with(|| Currency::new(no, url.clone(), cddc.clone()));
        currency.url = url;
        currency.learn(cddc, older, mkcs, current)
    }

    fn revocations(&mut self, currency: &BigInt, mint_keys: Vec<RevokedKey>) -> Result<(), String> {
        self.changed.currencies.insert(currency.clone());
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
            match currency.coins.get(&given.coin).map(|held| held.place) {
                // A sent coin counts as sent until it has come back.
                Some(CoinPlace::Sent) if !given.is_own => {}
                Some(_) => currency.coins.set_place(&given.coin, CoinPlace::Given),
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
                    currency.put(coin.clone(), CoinPlace::Given, 0, None)?;
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
        self.last_id = self.last_id.max(tracked.item.id);
        self.changed.operations.insert(tracked.item.id);
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
        self.mint_by_key_ended(id, status)?;
        let tracked = self
            .operations
            .get_mut(&id)
            .ok_or_else(|| format!("operation {id} is unknown"))?;
        self.changed.operations.insert(id);
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
        let (reference, phrase) = (operation.reference.clone(), operation.phrase);
        self.count_returned(&currency_id, &gives);
        let currency = self.currency_mut(&currency_id)?;
        gives.iter().for_each(|given| currency.coins.remove(&given.coin));
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
            currency.put(coin, CoinPlace::Here, phrase, origin)?;
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

    /// Counts the coins of sends that have come back.
    fn count_returned(&mut self, currency_id: &BigInt, gives: &[Given]) {
        let Some(currency) = self.currencies.get(currency_id) else {
            return;
        };
        let sent = gives.iter().filter(|given| !given.is_own);
        let sent: BTreeMap<&CoinId, u64> = sent
            .filter_map(|given| Some((&given.coin, currency.coins.get(&given.coin)?.value)))
            .collect();
        if sent.is_empty() {
            return;
        }
        for tracked in self
            .sends
            .values_mut()
            .filter(|send| send.status == Status::Pending)
        {
            let returned = sum(tracked
                .item
                .coins
                .iter()
                .filter_map(|coin| sent.get(coin).copied()));
            if returned > 0 {
                tracked.item.returned += returned;
                self.changed.sends.insert(tracked.item.id);
            }
        }
    }

    /// Whether a send must be known after the wallet was opened again: it is pending, or its transfer does not know yet how
    /// it has ended.
    pub(crate) fn is_send_open(&self, tracked: &Tracked<Send>) -> bool {
        let transfer = tracked
            .item
            .transfer
            .as_ref()
            .and_then(|id| self.transfers.get(id));
        let is_awaited = transfer
            .is_some_and(|transfer| transfer.coins.are_out() && transfer.send == Some(tracked.item.id));
        tracked.status == Status::Pending || is_awaited
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
                self.changed.sends.insert(tracked.item.id);
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
            self.changed.operations.insert(tracked.item.id);
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
        gone.iter().for_each(|coin| currency.coins.remove(coin));
        currency.release(&gives);
        self.forget_blinds(&currency_id, &gone, Status::Refused, &description);
        Ok(())
    }

    /// Gives the number of a request that was not accepted to a later one. Otherwise a restore would find a gap.
    fn free_number(&mut self, id: OperationId) {
        let Some(operation) = self.operations.get(&id).map(|tracked| &tracked.item) else {
            return;
        };
        let number = operation.number.filter(|_| operation.phrase == self.phrase);
        if let (Some(number), Some(currency)) = (number, self.currencies.get_mut(&operation.currency)) {
            currency.numbers.free.insert(number);
        }
    }

    fn send(&mut self, send: Send) -> Result<(), String> {
        let currency = self.currency_mut(&send.currency)?;
        for coin in &send.coins {
            if !currency.coins.contains_key(coin) {
                return Err("a send has a coin that the wallet does not hold".to_owned());
            }
            currency.coins.set_place(coin, CoinPlace::Sent);
        }
        let tracked = Tracked {
            item: send,
            status: Status::Pending,
            note: String::new(),
        };
        self.last_id = self.last_id.max(tracked.item.id);
        self.changed.sends.insert(tracked.item.id);
        self.sends.insert(tracked.item.id, tracked);
        Ok(())
    }

    fn transfer(&mut self, id: String, record: Value, event: TransferEvent) -> Result<(), String> {
        let known = self.transfers.get(&id);
        let (mut coins, mut send) = match known {
            Some(known) => (known.coins, known.send),
            None => (TransferCoins::None, None),
        };
        let own = |send: Option<OperationId>| send.ok_or("a transfer has no coins");
        let mut is_over = false;
        match event {
            TransferEvent::Record { is_over: over } => is_over = over,
            TransferEvent::Reserve { send: reserved } => {
                (coins, send) = (TransferCoins::Reserved, Some(reserved.id));
                self.send(*reserved)?;
            }
            TransferEvent::Release => {
                coins = TransferCoins::Ended;
                self.release_send(own(send)?)?;
            }
            TransferEvent::Leave => coins = TransferCoins::InFlight,
            TransferEvent::Delivered => {
                coins = TransferCoins::Ended;
                self.taken(own(send)?)?;
            }
            TransferEvent::Reclaimed => coins = TransferCoins::Ended,
        }
        self.changed.transfers.insert(id.clone());
        self.changed.sends.extend(send);
        let transfer = Transfer {
            record,
            coins,
            send,
            is_over,
        };
        self.transfers.insert(id, transfer);
        Ok(())
    }

    /// Frees the coins of a send that did not leave the wallet.
    fn release_send(&mut self, id: OperationId) -> Result<(), String> {
        self.end_send(id, Status::Reclaimed, |coins, coin| {
            coins.set_place(coin, CoinPlace::Here)
        })
    }

    fn taken(&mut self, id: OperationId) -> Result<(), String> {
        self.end_send(id, Status::Done, Coins::remove)
    }

    /// Ends a pending send, and does `with` to each of its coins. A send that has ended stays as it is.
    fn end_send(
        &mut self,
        id: OperationId,
        status: Status,
        with: impl Fn(&mut Coins, &CoinId),
    ) -> Result<(), String> {
        let tracked = self
            .sends
            .get_mut(&id)
            .ok_or_else(|| format!("send {id} is unknown"))?;
        if tracked.status != Status::Pending {
            return Ok(());
        }
        tracked.status = status;
        self.changed.sends.insert(id);
        let (currency, coins) = (tracked.item.currency.clone(), tracked.item.coins.clone());
        let held = &mut self.currency_mut(&currency)?.coins;
        coins.iter().for_each(|coin| with(held, coin));
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
