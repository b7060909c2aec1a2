//! The wallet itself: mint, send, receive, redeem, reclaim, resume.
//!
//! A money operation is *begun* (its secrets and exact request are in the journal), then *run* (the request is sent, as often
//! as it takes), then *settled* (coins or a refusal go to the journal). A crash after the first step leaves a pending
//! operation, which [`Wallet::resume`] runs again; the issuer answers a repeated request as it did the first time.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_crypto::{Unblinder, VerifiedMintKey};
use opencoin_schema::{
    BigInt, Blind, BlindSignature, Coin, CoinStack, PROTOCOL_VERSION, Payload, RequestMint, RequestRedeem, RequestRenew,
    RequestResume, WeightedUrl, text,
};
use rand::RngCore;
use rand::rngs::OsRng;

use crate::amount::AmountDisplay;
use crate::client::{self, ExchangeError, Transport};
use crate::error::WalletError;
use crate::journal::Journal;
use crate::secret::Secret;
use crate::state::{Blinded, Currency, Event, Fate, Given, Held, Kind, Operation, OperationId, Place, Send, State};
use crate::tokenizing::{Counts, complete_set, count, exchange, is_complete, number, select, total};

/// The most blinds, and the most coins, of one request (the issuer's limit).
pub const ITEMS_MAX: usize = 1000;
/// How many coins of a large stack are renewed at a time: their new coins must fit one request, too.
const RECEIVE_COINS_MAX: usize = 500;
/// Coins that expire within this time are exchanged for new ones.
const EXPIRY_MARGIN: TimeDelta = TimeDelta::days(30);
/// Randomness of serials and transaction references.
const RANDOM_BYTES: usize = 16;
/// A word of the issuer that says which coins are gone.
const DOUBLE_SPEND: &str = "double-spend";
const NOT_FOUND: &str = "not-found";

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + std::marker::Send + Sync>;

/// Hears how many of how many coins are done.
pub type Progress<'hear> = &'hear mut dyn FnMut(usize, usize);

/// An open wallet.
pub struct Wallet {
    journal: Journal,
    state: State,
    transport: Arc<dyn Transport>,
    clock: Clock,
}

/// What the wallet holds of a currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// The currency's id.
    pub currency: String,
    /// Its name.
    pub name: String,
    /// How many of the smallest unit make one.
    pub divisor: u64,
    /// What can be paid with.
    pub balance: u64,
    /// What is in requests that are not finished.
    pub pending: u64,
    /// What was sent and not yet taken back; the receivers may have taken it.
    pub sent: u64,
}

/// One line of the wallet's past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Its number; `reclaim` takes that of a send.
    pub id: u64,
    /// When it was begun.
    pub at: DateTime<Utc>,
    /// `mint`, `receive`, `change`, `reclaim`, `redeem` or `send`.
    pub kind: &'static str,
    /// How much.
    pub amount: AmountDisplay,
    /// The subject of the coin stack, if there was one.
    pub subject: String,
    /// `done`, `pending`, `refused: ...`, and for a send: `sent`, `taken`, `reclaimed`.
    pub state: String,
}

/// Something that worked, with something afterwards that did not and can wait.
#[derive(Debug)]
pub struct Done<T> {
    /// What worked.
    pub value: T,
    /// What did not: the wallet could not change its coins, so some amounts need a renew first.
    pub warning: Option<WalletError>,
}

impl Wallet {
    /// Opens the wallet in this folder; an empty or missing folder is a new wallet.
    ///
    /// # Errors
    /// When another process uses it, or its journal is damaged.
    pub fn open(folder: &Path, transport: Arc<dyn Transport>, clock: Clock) -> Result<Self, WalletError> {
        let (journal, events) = Journal::open::<Event>(folder)?;
        let mut state = State::default();
        for event in events {
            state.apply(event).map_err(WalletError::Inconsistent)?;
        }
        Ok(Self { journal, state, transport, clock })
    }

    /// Adds the currency of the issuer at this URL, or brings its documents up to date. Its master key is trusted from then on.
    ///
    /// # Errors
    /// When the issuer does not answer or its documents do not verify.
    pub async fn add(&mut self, url: &str) -> Result<Balance, WalletError> {
        let services = [WeightedUrl(0, url.to_owned())];
        let cddc = client::fetch_cddc(self.transport.as_ref(), &services).await?;
        let mkcs = client::fetch_mkcs(self.transport.as_ref(), &services, Vec::new()).await?;
        let id = opencoin_crypto::verify_cddc(&cddc)?.master_key().id().clone();
        self.documents(url.to_owned(), cddc, mkcs)?;
        Ok(balance(&id, self.currency(&id)?))
    }

    /// What the wallet holds, by currency.
    #[must_use]
    pub fn balances(&self) -> Vec<Balance> {
        self.state.currencies.iter().map(|(id, currency)| balance(id, currency)).collect()
    }

    /// Everything that the wallet has done, in order.
    #[must_use]
    pub fn history(&self) -> Vec<HistoryEntry> {
        let operations = self.state.operations.values().map(|past| {
            let (kind, subject) = match &past.what.kind {
                Kind::Mint => ("mint", ""),
                Kind::Receive { subject } => ("receive", subject.as_str()),
                Kind::Change => ("change", ""),
                Kind::Reclaim { .. } => ("reclaim", ""),
                Kind::Redeem => ("redeem", ""),
            };
            let state = match past.fate {
                Fate::Pending => "pending".to_owned(),
                Fate::Done | Fate::Reclaimed => "done".to_owned(),
                Fate::Refused => format!("refused: {}", past.note),
            };
            let operation = &past.what;
            self.history_entry(operation.id, operation.at, kind, operation.amount, &operation.currency, subject, state)
        });
        let sends = self.state.sends.values().map(|past| {
            let state = match past.fate {
                Fate::Pending => "sent",
                Fate::Done | Fate::Refused => "taken",
                Fate::Reclaimed => "reclaimed",
            };
            let send = &past.what;
            self.history_entry(send.id, send.at, "send", send.amount, &send.currency, &send.subject, state.to_owned())
        });
        let mut entries: Vec<HistoryEntry> = operations.chain(sends).collect();
        entries.sort_by_key(|entry| entry.id);
        entries
    }

    /// Mints coins worth `amount`, paid for by the account of the token.
    ///
    /// # Errors
    /// When the amount cannot be made of coins, or the issuer refuses, delays or does not answer.
    pub async fn mint(
        &mut self,
        currency: Option<&str>,
        amount: u64,
        token: &Secret,
        progress: Progress<'_>,
    ) -> Result<(), WalletError> {
        let id = self.choose(currency)?;
        let currency = self.currency(&id)?;
        let denominations = currency.cddc.cdd().denominations.clone();
        let have = currency.here();
        total(&have).checked_add(amount).ok_or(WalletError::Overflow)?;
        let wanted = match exchange(&have, amount, &denominations) {
            Ok((give, get)) if give.is_empty() => get,
            Ok(_) | Err(_) => complete_set(amount, &denominations)?,
        };
        let (mut done, all) = (0, number(&wanted) as usize);
        for part in parts(&wanted, ITEMS_MAX) {
            let blinded = self.blind(&id, &part, &mut |made| progress(done + made, all)).await?;
            let reference = random_number();
            let request =
                RequestMint { blinds: blinds(&blinded), message_reference: 0, transaction_reference: reference.clone() };
            let operation = Operation {
                id: self.state.next_id(),
                currency: id.clone(),
                kind: Kind::Mint,
                amount: total(&part),
                request: Secret::new(text::compact(&request)),
                token: Some(token.clone()),
                reference: Some(reference),
                blinded: blinded.into_iter().map(|(blinded, _)| blinded).collect(),
                gives: Vec::new(),
                at: (self.clock)(),
            };
            self.begin_and_run(operation).await?;
            done += number(&part) as usize;
        }
        Ok(())
    }

    /// Takes coins worth `amount` out of the wallet, to be handed over. They can be taken back with [`Self::reclaim`] while
    /// the receiver has not renewed them.
    ///
    /// # Errors
    /// When there is not enough, or the coins at hand do not make the amount and cannot be changed.
    pub async fn send(&mut self, currency: Option<&str>, amount: u64, subject: &str) -> Result<Done<CoinStack>, WalletError> {
        let id = self.choose(currency)?;
        let coins = self.pick(&id, amount).await?;
        let serials = coins.iter().map(|coin| coin.payload.serial.clone()).collect();
        let send = Send {
            id: self.state.next_id(),
            currency: id.clone(),
            amount,
            subject: subject.to_owned(),
            serials,
            at: (self.clock)(),
        };
        self.record(Event::Sent { send: Box::new(send) })?;
        let value = CoinStack { coins, subject: subject.to_owned() };
        Ok(Done { value, warning: self.change(&id).await.err() })
    }

    /// Takes the coins of a stack: verifies them and renews them at once, so that nobody else can spend them. Gives what
    /// they are worth.
    ///
    /// # Errors
    /// When a coin is not valid (then nothing is done), or the issuer refuses, delays or does not answer.
    pub async fn receive(&mut self, stack: &CoinStack) -> Result<u64, WalletError> {
        let id = self.issuer_of(stack)?;
        self.learn_mint_keys(&id, stack).await?;
        let values = self.verify(&id, stack)?;
        let mut open: Vec<(Coin, u64)> = stack.coins.iter().cloned().zip(values).collect();
        open.retain(|(coin, _)| !self.was_received(&coin.payload.serial));
        if open.is_empty() {
            return Err(WalletError::ReceivedBefore);
        }
        let mut amount: u64 = 0;
        for part in open.chunks(RECEIVE_COINS_MAX) {
            let value: u64 = part.iter().map(|(_, value)| value).sum();
            let foreign = part.iter().map(|(coin, _)| coin.clone()).collect();
            self.renew(&id, Kind::Receive { subject: stack.subject.clone() }, foreign, value).await?;
            amount = amount.checked_add(value).ok_or(WalletError::Overflow)?;
        }
        Ok(amount)
    }

    /// Turns coins worth `amount` into money of the token's account.
    ///
    /// # Errors
    /// When there is not enough, or the issuer refuses or does not answer.
    pub async fn redeem(&mut self, currency: Option<&str>, amount: u64, token: &Secret) -> Result<Done<()>, WalletError> {
        let id = self.choose(currency)?;
        let coins = self.pick(&id, amount).await?;
        for part in coins.chunks(ITEMS_MAX) {
            let request = RequestRedeem { coins: part.to_vec(), message_reference: 0 };
            let values = part.iter().map(|coin| self.value(&id, coin));
            let operation = Operation {
                id: self.state.next_id(),
                currency: id.clone(),
                kind: Kind::Redeem,
                amount: values.sum(),
                request: Secret::new(text::compact(&request)),
                token: Some(token.clone()),
                reference: None,
                blinded: Vec::new(),
                gives: part.iter().map(|coin| own(&coin.payload.serial)).collect(),
                at: (self.clock)(),
            };
            self.begin_and_run(operation).await?;
        }
        Ok(Done { value: (), warning: self.change(&id).await.err() })
    }

    /// Takes back coins that were sent: all sends that nobody has taken, or the one with this number. Gives what came back.
    ///
    /// # Errors
    /// When the issuer delays or does not answer. Coins that their receiver has renewed do not come back: that is no error.
    pub async fn reclaim(&mut self, send: Option<u64>) -> Result<u64, WalletError> {
        let pending = |past: &&crate::state::Past<Send>| past.fate == Fate::Pending;
        let sends: Vec<Send> = self.state.sends.values().filter(pending).map(|past| past.what.clone()).collect();
        let mut amount = 0;
        for send in sends.into_iter().filter(|candidate| send.is_none_or(|id| id == candidate.id)) {
            if !self.is_being_reclaimed(send.id) {
                amount += self.reclaim_send(&send).await?;
            }
        }
        Ok(amount)
    }

    /// Finishes everything that was begun. Gives how many requests are finished, with the first error of those that are not.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn resume(&mut self) -> Result<Done<usize>, WalletError> {
        let pending = self.state.operations.values().filter(|past| past.fate == Fate::Pending);
        let pending: Vec<OperationId> = pending.map(|past| past.what.id).collect();
        let mut done = Done { value: 0, warning: None };
        for id in pending {
            match self.resume_operation(id).await {
                Ok(()) => done.value += 1,
                Err(error @ (WalletError::Journal(_) | WalletError::Inconsistent(_))) => return Err(error),
                // The receiver was faster: that is what a reclaim is there to find out.
                Err(WalletError::Exchange(ExchangeError::Refused { word, .. })) if word == DOUBLE_SPEND && self.reclaims(id) => {
                    done.value += 1;
                }
                Err(error) => done.warning = done.warning.or(Some(error)),
            }
        }
        let currencies: Vec<BigInt> = self.state.currencies.keys().cloned().collect();
        for id in currencies {
            if let Err(error) = self.change(&id).await {
                done.warning = done.warning.or(Some(error));
            }
        }
        Ok(done)
    }
}

/// Money operations, step by step.
impl Wallet {
    async fn begin_and_run(&mut self, operation: Operation) -> Result<(), WalletError> {
        let id = operation.id;
        self.record(Event::Begun { operation: Box::new(operation) })?;
        self.run(id).await
    }

    /// Sends the exact request and settles the operation with its answer.
    async fn run(&mut self, id: OperationId) -> Result<(), WalletError> {
        let operation = &self.state.operations[&id].what;
        let cdd = self.currency(&operation.currency)?.cddc.cdd();
        let (services, path) = match operation.kind {
            Kind::Mint => (&cdd.mint_service, "/mint"),
            Kind::Redeem => (&cdd.redeem_service, "/redeem"),
            Kind::Receive { .. } | Kind::Change | Kind::Reclaim { .. } => (&cdd.renew_service, "/renew"),
        };
        let (token, request) = (operation.token.as_ref(), operation.request.expose());
        let answer = client::post(self.transport.as_ref(), services, path, token, request).await;
        let answer = answer.and_then(|answer| match operation.kind {
            Kind::Redeem => client::redeemed(&answer).map(|()| Vec::new()),
            _ => client::signatures(&answer),
        });
        self.settle(id, answer)
    }

    /// Asks for the signatures of what was accepted; if nothing was, sends the request itself again.
    async fn resume_operation(&mut self, id: OperationId) -> Result<(), WalletError> {
        let operation = &self.state.operations[&id].what;
        let Some(reference) = &operation.reference else { return self.run(id).await };
        let cdd = self.currency(&operation.currency)?.cddc.cdd();
        let services = if operation.kind == Kind::Mint { &cdd.mint_service } else { &cdd.renew_service };
        let request = RequestResume { message_reference: 0, transaction_reference: reference.clone() };
        let answer = client::post(self.transport.as_ref(), services, "/resume", None, &text::compact(&request)).await;
        match answer.and_then(|answer| client::signatures(&answer)) {
            Err(ExchangeError::Refused { word, .. }) if word == NOT_FOUND => self.run(id).await,
            answer => self.settle(id, answer),
        }
    }

    fn settle(&mut self, id: OperationId, answer: Result<Vec<BlindSignature>, ExchangeError>) -> Result<(), WalletError> {
        let at = (self.clock)();
        match answer {
            Ok(signatures) => {
                let coins = self.unblind(&self.state.operations[&id].what, &signatures)?;
                self.record(Event::Finished { operation: id, coins, at })
            }
            Err(ExchangeError::Refused { word, description }) => {
                let gives = &self.state.operations[&id].what.gives;
                let spent = if word == DOUBLE_SPEND { spent_coins(&description, gives) } else { Vec::new() };
                self.record(Event::Refused { operation: id, description: description.clone(), spent, at })?;
                Err(ExchangeError::Refused { word, description }.into())
            }
            Err(unfinished @ (ExchangeError::Delayed | ExchangeError::Unknown(_))) => Err(unfinished.into()),
        }
    }

    /// Makes and verifies the coins of an operation, in the order of its blinds.
    fn unblind(&self, operation: &Operation, signatures: &[BlindSignature]) -> Result<Vec<Coin>, WalletError> {
        let currency = self.currency(&operation.currency)?;
        let finish = |blinded: &Blinded| {
            let signature = signatures.iter().find(|signature| signature.reference == blinded.reference);
            let signature = &signature.ok_or(WalletError::WrongSignature)?.blind_signature;
            let key = &currency.mint_keys[&blinded.payload.mint_key_id];
            let unblinder = Unblinder::from_secret_hex(blinded.unblinder.expose())
                .map_err(|error| WalletError::Blinding(error.to_string()))?;
            let suite = currency.cddc.cipher_suite();
            suite.finish(key.public_key(), &blinded.payload, signature, &unblinder).map_err(|_| WalletError::WrongSignature)
        };
        operation.blinded.iter().map(finish).collect()
    }

    /// Renews `foreign` coins worth `value`, together with own coins where that makes the wallet's set of coins better.
    async fn renew(&mut self, id: &BigInt, kind: Kind, foreign: Vec<Coin>, value: u64) -> Result<(), WalletError> {
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
        let reference = random_number();
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
    async fn change(&mut self, id: &BigInt) -> Result<(), WalletError> {
        let denominations = &self.currency(id)?.cddc.cdd().denominations;
        let is_well = is_complete(&self.fresh(id)?, denominations) && self.stale(id)?.is_empty();
        if is_well { Ok(()) } else { self.renew(id, Kind::Change, Vec::new(), 0).await }
    }

    async fn reclaim_send(&mut self, send: &Send) -> Result<u64, WalletError> {
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
    async fn pick(&mut self, id: &BigInt, amount: u64) -> Result<Vec<Coin>, WalletError> {
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

    /// Makes payloads of these denominations and blinds them for the keys that sign now.
    async fn blind(
        &mut self,
        id: &BigInt,
        wanted: &Counts,
        made: &mut dyn FnMut(usize),
    ) -> Result<Vec<(Blinded, Blind)>, WalletError> {
        let lacks_keys = |wallet: &Self| -> Result<bool, WalletError> {
            let currency = wallet.currency(id)?;
            Ok(wanted.keys().any(|value| signing_key(currency, *value, (wallet.clock)()).is_none()))
        };
        if lacks_keys(self)? {
            self.refresh(id).await?;
        }
        let now = (self.clock)();
        let currency = self.currency(id)?;
        let suite = currency.cddc.cipher_suite();
        let mut all = Vec::new();
        for value in wanted.iter().flat_map(|(value, coins)| std::iter::repeat_n(*value, *coins as usize)) {
            let key = signing_key(currency, value, now).ok_or(WalletError::NoMintKey(value))?;
            let payload = Payload {
                cdd_location: currency.cddc.cdd().cdd_location.clone(),
                denomination: value,
                issuer_id: id.clone(),
                mint_key_id: key.public_key().id().clone(),
                protocol_version: PROTOCOL_VERSION.to_owned(),
                serial: random_number(),
            };
            let (blinded_payload_hash, unblinder) =
                suite.blind(key.public_key(), &payload, &mut OsRng).map_err(|error| WalletError::Blinding(error.to_string()))?;
            let reference = all.len().to_string();
            let mint_key_id = payload.mint_key_id.clone();
            let blind = Blind { blinded_payload_hash, mint_key_id, reference: reference.clone() };
            let unblinder = Secret::new(unblinder.to_secret_hex().as_str());
            all.push((Blinded { reference, payload, unblinder }, blind));
            made(all.len());
        }
        Ok(all)
    }

    /// Own coins by value, without those that expire soon.
    fn fresh(&self, id: &BigInt) -> Result<Counts, WalletError> {
        let currency = self.currency(id)?;
        let here = currency.coins.values().filter(|held| held.place == Place::Here && !self.is_stale(currency, held));
        Ok(count(here.map(|held| held.value)))
    }

    /// Own coins that expire soon.
    fn stale(&self, id: &BigInt) -> Result<Vec<Held>, WalletError> {
        let currency = self.currency(id)?;
        let here = currency.coins.values().filter(|held| held.place == Place::Here && self.is_stale(currency, held));
        Ok(here.cloned().collect())
    }

    fn is_stale(&self, currency: &Currency, held: &Held) -> bool {
        let expiry = currency.mint_keys.get(&held.coin.payload.mint_key_id).map(|key| key.mint_key().coins_expiry_date.to_utc());
        // Coins that have expired already are past saving.
        expiry.is_some_and(|expiry| (expiry - EXPIRY_MARGIN..=expiry).contains(&(self.clock)()))
    }

    /// Own coins of these values; those that expire first are used first.
    fn take(&self, id: &BigInt, counts: &Counts) -> Result<Vec<Coin>, WalletError> {
        let currency = self.currency(id)?;
        let mut coins = Vec::new();
        for (&value, &wanted) in counts {
            let mut here: Vec<&Held> =
                currency.coins.values().filter(|held| held.place == Place::Here && held.value == value).collect();
            here.sort_by_key(|held| {
                currency.mint_keys.get(&held.coin.payload.mint_key_id).map(|key| key.mint_key().coins_expiry_date.unix_us())
            });
            coins.extend(here.into_iter().take(wanted as usize).map(|held| held.coin.clone()));
        }
        assert_eq!(coins.len() as u64, number(counts), "the counts were chosen from these coins");
        Ok(coins)
    }
}

/// Documents and checks.
impl Wallet {
    fn record(&mut self, event: Event) -> Result<(), WalletError> {
        self.journal.append(&event)?;
        self.state.apply(event).map_err(WalletError::Inconsistent)
    }

    fn currency(&self, id: &BigInt) -> Result<&Currency, WalletError> {
        self.state.currencies.get(id).ok_or(WalletError::NoCurrency)
    }

    /// The only currency, or the one with this id or name.
    fn choose(&self, wanted: Option<&str>) -> Result<BigInt, WalletError> {
        let named = |(id, currency): &(&BigInt, &Currency)| {
            wanted.is_none_or(|wanted| id.to_string() == wanted || currency.cddc.cdd().currency_name == wanted)
        };
        let found: Vec<(&BigInt, &Currency)> = self.state.currencies.iter().filter(named).collect();
        match found.as_slice() {
            [(id, _)] => Ok((*id).clone()),
            [] if self.state.currencies.is_empty() => Err(WalletError::NoCurrency),
            _ => {
                let describe = |(id, currency): (&BigInt, &Currency)| format!("{} ({id})", currency.cddc.cdd().currency_name);
                Err(WalletError::WhichCurrency(self.state.currencies.iter().map(describe).collect::<Vec<_>>().join(", ")))
            }
        }
    }

    /// Verifies documents and keeps them. A currency that is known keeps its master key for good.
    fn documents(
        &mut self,
        url: String,
        cddc: opencoin_schema::Cddc,
        mkcs: Vec<opencoin_schema::Mkc>,
    ) -> Result<(), WalletError> {
        let verified = opencoin_crypto::verify_cddc(&cddc)?;
        for mkc in &mkcs {
            opencoin_crypto::verify_mint_key_certificate(mkc, &verified)?;
        }
        let known = self.state.currencies.get(verified.master_key().id());
        if known.is_some_and(|known| known.cddc.master_key() != verified.master_key()) {
            return Err(WalletError::MasterKeyChanged(verified.master_key().id().to_string()));
        }
        let is_news = known.is_none_or(|known| {
            known.url != url
                || *known.cddc.cddc() != cddc
                || mkcs.iter().any(|mkc| !known.mint_keys.contains_key(&mkc.mint_key.id))
        });
        if is_news { self.record(Event::Documents { url, cddc: Box::new(cddc), mkcs }) } else { Ok(()) }
    }

    /// Fetches the current documents of a currency, which must still have the same master key.
    async fn refresh(&mut self, id: &BigInt) -> Result<(), WalletError> {
        let currency = self.currency(id)?;
        let services = info_services(currency);
        let url = currency.url.clone();
        let cddc = client::fetch_cddc(self.transport.as_ref(), &services).await?;
        let mkcs = client::fetch_mkcs(self.transport.as_ref(), &services, Vec::new()).await?;
        if cddc.cdd.issuer_public_master_key != *self.currency(id)?.cddc.master_key().document() {
            return Err(WalletError::MasterKeyChanged(cddc.cdd.id.to_string()));
        }
        self.documents(url, cddc, mkcs)
    }

    fn issuer_of(&self, stack: &CoinStack) -> Result<BigInt, WalletError> {
        let first = stack.coins.first().ok_or(WalletError::EmptyStack)?;
        let issuer = &first.payload.issuer_id;
        if !self.state.currencies.contains_key(issuer) {
            let hint = format!("the coins say {:?}", first.payload.cdd_location);
            return Err(WalletError::UnknownCurrency { issuer: issuer.to_string(), hint });
        }
        match stack.coins.iter().position(|coin| coin.payload.issuer_id != *issuer) {
            Some(index) => Err(WalletError::BadCoin(index)),
            None => Ok(issuer.clone()),
        }
    }

    /// Fetches certificates of mint keys that the stack names and the wallet has not seen.
    async fn learn_mint_keys(&mut self, id: &BigInt, stack: &CoinStack) -> Result<(), WalletError> {
        let currency = self.currency(id)?;
        let is_unknown = |id: &BigInt| !currency.mint_keys.contains_key(id);
        let named: BTreeSet<&BigInt> = stack.coins.iter().map(|coin| &coin.payload.mint_key_id).collect();
        let unknown: Vec<BigInt> = named.into_iter().filter(|id| is_unknown(id)).cloned().collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let (services, url, cddc) = (info_services(currency), currency.url.clone(), currency.cddc.cddc().clone());
        let mkcs = client::fetch_mkcs(self.transport.as_ref(), &services, unknown).await?;
        self.documents(url, cddc, mkcs)
    }

    /// What each coin is worth; every one must verify and be there once.
    fn verify(&self, id: &BigInt, stack: &CoinStack) -> Result<Vec<u64>, WalletError> {
        let currency = self.currency(id)?;
        let suite = currency.cddc.cipher_suite();
        let mut seen = BTreeSet::new();
        let mut values = Vec::with_capacity(stack.coins.len());
        for (index, coin) in stack.coins.iter().enumerate() {
            if !seen.insert((&coin.payload.mint_key_id, &coin.payload.serial)) {
                return Err(WalletError::RepeatedCoin(index));
            }
            let key = currency.mint_keys.get(&coin.payload.mint_key_id).ok_or(WalletError::UnknownMintKey(index))?;
            suite.verify_coin(key.public_key(), coin).map_err(|_| WalletError::BadCoin(index))?;
            values.push(key.mint_key().denomination);
        }
        let sum = values.iter().try_fold(0_u64, |sum, value| sum.checked_add(*value));
        sum.ok_or(WalletError::Overflow).map(|_| values)
    }

    fn was_received(&self, serial: &BigInt) -> bool {
        let took = |past: &crate::state::Past<Operation>| {
            matches!(past.what.kind, Kind::Receive { .. })
                && past.fate != Fate::Refused
                && past.what.gives.iter().any(|given| !given.is_own && given.serial == *serial)
        };
        self.state.operations.values().any(took)
    }

    fn reclaims(&self, id: OperationId) -> bool {
        matches!(self.state.operations[&id].what.kind, Kind::Reclaim { .. })
    }

    fn is_being_reclaimed(&self, send: OperationId) -> bool {
        let reclaims =
            |past: &crate::state::Past<Operation>| past.fate == Fate::Pending && past.what.kind == Kind::Reclaim { send };
        self.state.operations.values().any(reclaims)
    }

    fn value(&self, id: &BigInt, coin: &Coin) -> u64 {
        let held = self.state.currencies.get(id).and_then(|currency| currency.coins.get(&coin.payload.serial));
        held.map_or(0, |held| held.value)
    }

    #[expect(clippy::too_many_arguments, reason = "one for each column")]
    fn history_entry(
        &self,
        id: u64,
        at: DateTime<Utc>,
        kind: &'static str,
        amount: u64,
        currency: &BigInt,
        subject: &str,
        state: String,
    ) -> HistoryEntry {
        let cdd = self.state.currencies.get(currency).map(|currency| currency.cddc.cdd());
        let (divisor, name) = cdd.map_or((1, "?"), |cdd| (cdd.currency_divisor, cdd.currency_name.as_str()));
        let amount = AmountDisplay::new(amount, divisor, name);
        HistoryEntry { id, at, kind, amount, subject: subject.to_owned(), state }
    }
}

fn balance(id: &BigInt, currency: &Currency) -> Balance {
    let cdd = currency.cddc.cdd();
    Balance {
        currency: id.to_string(),
        name: cdd.currency_name.clone(),
        divisor: cdd.currency_divisor,
        balance: currency.value_at(Place::Here),
        pending: currency.value_at(Place::Given),
        sent: currency.value_at(Place::Sent),
    }
}

/// Where documents are asked for: the URL that the user named first.
fn info_services(currency: &Currency) -> Vec<WeightedUrl> {
    let mut services = vec![WeightedUrl(i64::MIN, currency.url.clone())];
    services.extend(currency.cddc.cdd().info_service.iter().cloned());
    services
}

/// The newest key of this denomination that signs now.
fn signing_key(currency: &Currency, value: u64, now: DateTime<Utc>) -> Option<&VerifiedMintKey> {
    let signs = |key: &&VerifiedMintKey| {
        let mint_key = key.mint_key();
        mint_key.denomination == value
            && (mint_key.sign_coins_not_before.to_utc()..=mint_key.sign_coins_not_after.to_utc()).contains(&now)
    };
    let keys = currency.mint_keys.values().filter(signs);
    keys.max_by_key(|key| key.mint_key().sign_coins_not_before.unix_us())
}

fn blinds(blinded: &[(Blinded, Blind)]) -> Vec<Blind> {
    blinded.iter().map(|(_, blind)| blind.clone()).collect()
}

fn own(serial: &BigInt) -> Given {
    Given { serial: serial.clone(), is_own: true }
}

/// Cuts coins into parts of at most `items_max`.
fn parts(counts: &Counts, items_max: usize) -> Vec<Counts> {
    let values: Vec<u64> = counts.iter().flat_map(|(value, coins)| std::iter::repeat_n(*value, *coins as usize)).collect();
    values.chunks(items_max).map(|part| count(part.iter().copied())).collect()
}

/// The indices in the issuer's description, as in `double-spend: coins were spent before: [0, 2]`. If it names none, the coins
/// that came from others are the suspects.
fn spent_coins(description: &str, gives: &[Given]) -> Vec<usize> {
    let list = description.rsplit_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(list, _)| list);
    let named: Option<Vec<usize>> = list.and_then(|list| list.split(',').map(|index| index.trim().parse().ok()).collect());
    match named {
        Some(indices) if indices.iter().all(|index| *index < gives.len()) => indices,
        Some(_) | None => (0..gives.len()).filter(|index| !gives[*index].is_own).collect(),
    }
}

fn random_number() -> BigInt {
    let mut bytes = [0; RANDOM_BYTES];
    OsRng.fill_bytes(&mut bytes);
    BigInt::from_be_bytes(&bytes)
}
