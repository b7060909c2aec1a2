//! The wallet itself: mint, send, receive, redeem, reclaim, recoup, resume.
//!
//! A money operation is *begun* (its secrets and exact request are in the journal), then *run* (the request
//! is sent, as often as it takes), then *settled* (coins or a refusal go to the journal). A crash after the
//! first step leaves a pending operation, which [`Wallet::resume`] runs again; the issuer answers a repeated
//! request as it did the first time.

mod blinding;
mod documents;
mod exchange;
mod history;
mod holdings;
mod operations;
mod receive;
mod recoup;
mod resume;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_schema::{BigInt, Coin, CoinStack, RequestMint, RequestRedeem, text};
use rand::{CryptoRng, RngCore};

use crate::account::StoredSession;
use crate::bearer::Bearer;
use crate::client;
use crate::error::WalletError;
use crate::event::{CoinId, Event, Given, Kind, Operation, OperationId, Send};
use crate::journal::{Journal, JournalError};
use crate::secret::Secret;
use crate::state::{Fate, Past, State};
use crate::tokenizing::{Counts, complete_set, count, exchange, number, total};
use crate::transport::{ClockedTransport, NoTransport, Transport};
use blinding::{blinds, random_number};
use documents::Asked;

pub use history::{Balance, CoinPlace, CoinShown, HistoryEntry};
pub use receive::{Preview, Received};
pub use recoup::Recouped;
pub use resume::Abandoned;

/// The most blinds, and the most coins, of one request (the issuer's limit).
pub const ITEMS_MAX: usize = 1000;
/// The most coins that are minted at a time.
const MINT_COINS_MAX: u64 = 50_000;
/// How many coins of a large stack are renewed at a time: their new coins must fit one request, too.
const RECEIVE_COINS_MAX: usize = 500;
/// A clock that is further from the issuer's is named as the reason why keys do not sign yet, or any more.
const CLOCK_DIFFERENCE_MAX: TimeDelta = TimeDelta::minutes(5);

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + std::marker::Send + Sync>;

/// Where serials, transaction references and blinding secrets come from. It must be a cryptographic generator
/// seeded by the operating system: whoever can guess its numbers can spend the wallet's coins.
pub trait Randomness: RngCore + CryptoRng + std::marker::Send + Sync {}

impl<R: RngCore + CryptoRng + std::marker::Send + Sync> Randomness for R {}

/// Hears how many of how many coins are done.
pub type Progress<'hear> = &'hear mut (dyn FnMut(usize, usize) + std::marker::Send);

/// An open wallet.
pub struct Wallet {
    journal: Journal,
    state: State,
    /// When each currency's documents were last asked for, by this process.
    asked: BTreeMap<BigInt, Asked>,
    transport: ClockedTransport,
    clock: Clock,
    /// The time at which the present operation has begun: one operation sees one time.
    now: DateTime<Utc>,
    rng: Box<dyn Randomness>,
    /// In place of the tokens that pending requests were begun with.
    session: Option<StoredSession>,
    /// The same, without a session.
    token: Option<Secret>,
}

/// Something that worked, with something else that did not and can wait.
#[derive(Debug)]
pub struct Done<T> {
    /// What worked.
    pub value: T,
    /// The first thing that did not.
    pub warning: Option<WalletError>,
}

/// Coins that were taken out of the wallet.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The number of the send, which [`Wallet::reclaim`] takes.
    pub id: u64,
    /// The coins.
    pub stack: CoinStack,
}

impl Wallet {
    /// Makes a wallet in this folder, or opens the one that is there.
    ///
    /// # Errors
    /// When another process uses it, or its journal is damaged.
    pub fn create(
        folder: &Path,
        transport: Arc<dyn Transport>,
        clock: Clock,
        rng: Box<dyn Randomness>,
    ) -> Result<Self, WalletError> {
        let opened = Journal::open::<Event>(folder)?;
        Self::of_events(opened, transport, clock, rng)
    }

    /// Opens the wallet in this folder.
    ///
    /// # Errors
    /// When there is none, another process uses it, or its journal is damaged.
    pub fn open(
        folder: &Path,
        transport: Arc<dyn Transport>,
        clock: Clock,
        rng: Box<dyn Randomness>,
    ) -> Result<Self, WalletError> {
        if !Journal::is_in(folder) {
            return Err(JournalError::NoWallet(folder.to_owned()).into());
        }
        Self::create(folder, transport, clock, rng)
    }

    /// Opens the wallet in this folder to look at it. This takes no lock and writes nothing; whatever would
    /// change the wallet fails.
    ///
    /// # Errors
    /// When there is none, or its journal is damaged.
    pub fn open_to_read(folder: &Path, clock: Clock, rng: Box<dyn Randomness>) -> Result<Self, WalletError> {
        let opened = Journal::read::<Event>(folder)?;
        Self::of_events(opened, Arc::new(NoTransport), clock, rng)
    }

    fn of_events(
        (journal, events): (Journal, Vec<Event>),
        transport: Arc<dyn Transport>,
        clock: Clock,
        rng: Box<dyn Randomness>,
    ) -> Result<Self, WalletError> {
        let mut state = State::default();
        for event in events {
            state.apply(event).map_err(WalletError::Inconsistent)?;
        }
        Ok(Self {
            journal,
            state,
            asked: BTreeMap::new(),
            transport: ClockedTransport::new(transport, Arc::clone(&clock)),
            now: clock(),
            clock,
            rng,
            session: None,
            token: None,
        })
    }

    /// The journal, when others than its owner may read or write it.
    #[must_use]
    pub fn exposed_file(&self) -> Option<&Path> {
        self.journal.exposed()
    }

    /// Whether there is a wallet in this folder.
    #[must_use]
    pub fn is_in(folder: &Path) -> bool {
        Journal::is_in(folder)
    }

    /// Adds the currency of the issuer at this URL, or brings its documents up to date. Its master key is
    /// trusted from then on.
    ///
    /// # Errors
    /// When the issuer does not answer or its documents do not verify.
    pub async fn add(&mut self, url: &str) -> Result<Balance, WalletError> {
        self.tick();
        let id = self.fetch_currency(url).await?;
        Ok(self.balance(&id, self.currency(&id)?, self.now))
    }

    /// Where the issuer of a currency is, as the user named it.
    ///
    /// # Errors
    /// When the wallet holds no such currency, or several.
    pub fn currency_url(&self, currency: Option<&str>) -> Result<&str, WalletError> {
        Ok(&self.currency(&self.choose(currency)?)?.url)
    }

    /// Mints coins worth `amount`, paid for by the account of the bearer. Gives the number of the request, of
    /// the first one where it takes several.
    ///
    /// A mint that takes more than one request is refused at once when the account holds too little. A smaller
    /// one is left to the issuer, which may let it wait for money.
    ///
    /// # Errors
    /// When the amount cannot be made of coins, or the issuer refuses, delays or does not answer.
    pub async fn mint(
        &mut self,
        currency: Option<&str>,
        amount: u64,
        bearer: impl Into<Bearer>,
        progress: Progress<'_>,
    ) -> Result<u64, WalletError> {
        self.tick();
        let (id, bearer) = (self.choose(currency)?, bearer.into());
        self.freshen(&id).await?;
        self.check_sum(&id, amount)?;
        let currency = self.currency(&id)?;
        let denominations = currency.denominations(self.now);
        let wanted = match exchange(&currency.here(self.now), amount, &denominations) {
            Ok((give, get)) if give.is_empty() => get,
            Ok(_) | Err(_) => complete_set(amount, &denominations)?,
        };
        let coins = number(&wanted);
        if coins > MINT_COINS_MAX {
            return Err(WalletError::TooManyCoins {
                coins,
                coins_max: MINT_COINS_MAX,
            });
        }
        let parts = parts(&wanted, ITEMS_MAX);
        if parts.len() > 1 {
            let services = &currency.cddc.cdd().mint_service;
            let held = client::fetch_account_balance(&self.transport, services, &bearer.token).await;
            if let Some(balance) = held.filter(|balance| *balance < amount) {
                return Err(WalletError::AccountTooLow {
                    balance,
                    needed: amount,
                });
            }
        }
        let first = self.state.next_id();
        let mut operations = Vec::new();
        let (mut done, all) = (0, coins as usize);
        for part in parts {
            let blinded = self
                .blind(&id, &part, &mut |made| progress(done + made, all))
                .await?;
            let reference = random_number(&mut self.rng);
            let request = RequestMint {
                blinds: blinds(&blinded),
                message_reference: 0,
                transaction_reference: reference.clone(),
            };
            operations.push(Operation {
                id: self.state.next_id() + operations.len() as OperationId,
                currency: id.clone(),
                kind: Kind::Mint,
                amount: total(&part),
                request: Secret::new(text::compact(&request)),
                token: Some(bearer.token.clone()),
                holder: bearer.holder.clone(),
                reference: Some(reference),
                blinded: blinded.into_iter().map(|(blinded, _)| blinded).collect(),
                gives: Vec::new(),
                replaces: None,
                at: self.now,
            });
            done += number(&part) as usize;
        }
        self.begin_and_run(operations).await?;
        Ok(first)
    }

    /// Takes coins worth `amount` out of the wallet, to be handed over. They can be taken back with
    /// [`Self::reclaim`] while the receiver has not renewed them. The issuer is asked only when the coins at
    /// hand do not make the amount; call [`Self::tidy`] when the stack is in a safe place.
    ///
    /// # Errors
    /// When there is not enough, or the coins at hand do not make the amount and cannot be changed.
    pub async fn send(
        &mut self,
        currency: Option<&str>,
        amount: u64,
        subject: &str,
    ) -> Result<Sent, WalletError> {
        self.tick();
        let id = self.choose(currency)?;
        let coins = self.pick(&id, amount).await?;
        let currency = self.currency(&id)?;
        let send = Send {
            id: self.state.next_id(),
            currency: id.clone(),
            amount,
            subject: subject.to_owned(),
            coins: coins.iter().map(|coin| currency.coin_id(&coin.payload)).collect(),
            at: self.now,
        };
        let send_id = send.id;
        self.record(Event::Sent { send: Box::new(send) })?;
        Ok(Sent {
            id: send_id,
            stack: CoinStack {
                coins,
                subject: subject.to_owned(),
            },
        })
    }

    /// The coins of a send once more, as long as they are not known to be taken.
    ///
    /// # Errors
    /// When there is no such send, or none of its coins is out any more.
    pub fn sent_stack(&self, send: u64) -> Result<CoinStack, WalletError> {
        let past = self
            .state
            .sends
            .get(&send)
            .ok_or(WalletError::UnknownSend(send))?;
        let currency = self.currency(&past.what.currency)?;
        let held = past.what.coins.iter().filter_map(|coin| currency.coins.get(coin));
        let coins: Vec<Coin> = held.map(|held| held.coin.clone()).collect();
        if coins.is_empty() || past.fate != Fate::Pending {
            return Err(WalletError::NotPending(send));
        }
        Ok(CoinStack {
            coins,
            subject: past.what.subject.clone(),
        })
    }

    /// Turns coins worth `amount` into money of the bearer's account. Gives the number of the request, of the
    /// first one where it takes several.
    ///
    /// # Errors
    /// When there is not enough, or the issuer refuses or does not answer.
    pub async fn redeem(
        &mut self,
        currency: Option<&str>,
        amount: u64,
        bearer: impl Into<Bearer>,
    ) -> Result<u64, WalletError> {
        self.tick();
        let (id, bearer) = (self.choose(currency)?, bearer.into());
        let coins = self.pick(&id, amount).await?;
        let currency = self.currency(&id)?;
        let mut operations = Vec::new();
        for part in coins.chunks(ITEMS_MAX) {
            let request = RequestRedeem {
                coins: part.to_vec(),
                message_reference: 0,
            };
            let ids: Vec<CoinId> = part.iter().map(|coin| currency.coin_id(&coin.payload)).collect();
            operations.push(Operation {
                id: self.state.next_id() + operations.len() as OperationId,
                currency: id.clone(),
                kind: Kind::Redeem,
                amount: ids.iter().map(|coin| currency.coins[coin].value).sum(),
                request: Secret::new(text::compact(&request)),
                token: Some(bearer.token.clone()),
                holder: bearer.holder.clone(),
                reference: None,
                blinded: Vec::new(),
                gives: ids.into_iter().map(|coin| Given { coin, is_own: true }).collect(),
                replaces: None,
                at: self.now,
            });
        }
        let first = self.state.next_id();
        self.begin_and_run(operations).await?;
        Ok(first)
    }

    /// Takes back coins that were sent: all sends that nobody has taken, or the one with this number. Gives
    /// what came back.
    ///
    /// # Errors
    /// When there is no such send, or the issuer delays or does not answer. Coins that their receiver has
    /// renewed do not come back: that is no error.
    pub async fn reclaim(&mut self, send: Option<u64>) -> Result<u64, WalletError> {
        self.tick();
        if let Some(id) = send
            && !self.state.sends.contains_key(&id)
        {
            return Err(WalletError::UnknownSend(id));
        }
        let pending = |past: &&Past<Send>| past.fate == Fate::Pending;
        let sends: Vec<Send> = self
            .state
            .sends
            .values()
            .filter(pending)
            .map(|past| past.what.clone())
            .collect();
        let (mut amount, mut failed) = (0, None);
        for send in sends
            .into_iter()
            .filter(|candidate| send.is_none_or(|id| id == candidate.id))
        {
            match self.reclaim_send(&send, &mut amount).await {
                Ok(()) => {}
                // One send that does not come back does not keep the others from it.
                Err(error @ WalletError::Exchange(_)) => failed = failed.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        failed.map_or(Ok(amount), Err)
    }

    /// Renews coins that were received and not renewed yet, and coins that expire soon, and changes coins so
    /// that every amount can be paid. Requests that are not finished do not keep it from that. To be called
    /// after an operation, when its result is safe; it asks the issuer only if there is something to do.
    ///
    /// # Errors
    /// When the issuer refuses, delays or does not answer: the first error. All currencies are tried.
    pub async fn tidy(&mut self) -> Result<(), WalletError> {
        self.tidy_all(false).await
    }

    /// As [`Self::tidy`], only for coins that would be lost otherwise. After a mint or a redeem: a renew soon
    /// after one of them tells the issuer which account the coins belong to.
    ///
    /// # Errors
    /// As for [`Self::tidy`].
    pub async fn renew_expiring(&mut self) -> Result<(), WalletError> {
        self.tidy_all(true).await
    }

    async fn tidy_all(&mut self, urgent_only: bool) -> Result<(), WalletError> {
        self.tick();
        let mut failed = None;
        for id in self.state.currencies.keys().cloned().collect::<Vec<_>>() {
            match self.tidy_currency(&id, urgent_only).await {
                Ok(()) => {}
                Err(error @ WalletError::Journal(_)) => return Err(error),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

impl Wallet {
    /// Reads the clock. Called once, when an operation begins.
    fn tick(&mut self) {
        self.now = (self.clock)();
    }

    /// Says how far this clock is from the issuer's, if that is far.
    fn wrong_clock(&self) -> Option<WalletError> {
        let difference = self.transport.difference()?;
        (difference.abs() > CLOCK_DIFFERENCE_MAX).then(|| WalletError::WrongClock {
            ours: self.now,
            issuers: self.now + difference,
        })
    }

    fn record(&mut self, event: Event) -> Result<(), WalletError> {
        self.journal.append(&event)?;
        self.state.apply(event).map_err(WalletError::Inconsistent)
    }
}

/// Cuts coins into parts of at most `items_max`.
fn parts(counts: &Counts, items_max: usize) -> Vec<Counts> {
    let values: Vec<u64> = counts
        .iter()
        .flat_map(|(value, coins)| std::iter::repeat_n(*value, *coins as usize))
        .collect();
    values
        .chunks(items_max)
        .map(|part| count(part.iter().copied()))
        .collect()
}
