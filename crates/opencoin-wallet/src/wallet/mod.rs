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
mod recoup;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use opencoin_schema::{BigInt, Coin, CoinStack, RequestMint, RequestRedeem, text};
use rand::{CryptoRng, RngCore};

use crate::account::StoredSession;
use crate::bearer::Bearer;
use crate::client::{ExchangeError, Transport};
use crate::currency::Place;
use crate::error::WalletError;
use crate::event::{CoinId, Event, Given, Kind, Operation, OperationId, Send};
use crate::journal::Journal;
use crate::secret::Secret;
use crate::state::{Fate, Past, State};
use crate::tokenizing::{Counts, complete_set, count, exchange, number, total};
use blinding::{blinds, random_number};

pub use history::{Balance, HistoryEntry};
pub use recoup::Recouped;

/// The most blinds, and the most coins, of one request (the issuer's limit).
pub const ITEMS_MAX: usize = 1000;
/// The most coins that are minted at a time.
const MINT_COINS_MAX: u64 = 50_000;
/// How many coins of a large stack are renewed at a time: their new coins must fit one request, too.
const RECEIVE_COINS_MAX: usize = 500;
/// A word of the issuer that says which coins are gone.
const DOUBLE_SPEND: &str = "double-spend";

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + std::marker::Send + Sync>;

/// Where serials, transaction references and blinding secrets come from. It must be a cryptographic generator
/// seeded by the operating system: whoever can guess its numbers can spend the wallet's coins.
pub trait Randomness: RngCore + CryptoRng + std::marker::Send {}

impl<R: RngCore + CryptoRng + std::marker::Send> Randomness for R {}

/// Hears how many of how many coins are done.
pub type Progress<'hear> = &'hear mut dyn FnMut(usize, usize);

/// An open wallet.
pub struct Wallet {
    journal: Journal,
    state: State,
    /// When each currency's documents were last asked for, by this process.
    documents_at: BTreeMap<BigInt, DateTime<Utc>>,
    transport: Arc<dyn Transport>,
    clock: Clock,
    rng: Box<dyn Randomness>,
    /// In place of the tokens that pending requests were begun with.
    session: Option<StoredSession>,
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
    pub fn open(
        folder: &Path,
        transport: Arc<dyn Transport>,
        clock: Clock,
        rng: Box<dyn Randomness>,
    ) -> Result<Self, WalletError> {
        let (journal, events) = Journal::open::<Event>(folder)?;
        let mut state = State::default();
        for event in events {
            state.apply(event).map_err(WalletError::Inconsistent)?;
        }
        Ok(Self {
            journal,
            state,
            documents_at: BTreeMap::new(),
            transport,
            clock,
            rng,
            session: None,
        })
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
        let id = self.fetch_currency(url).await?;
        Ok(self.balance(&id, self.currency(&id)?))
    }

    /// Where the issuer of a currency is, as the user named it.
    ///
    /// # Errors
    /// When the wallet holds no such currency, or several.
    pub fn currency_url(&self, currency: Option<&str>) -> Result<&str, WalletError> {
        Ok(&self.currency(&self.choose(currency)?)?.url)
    }

    /// Requests that were begun in an earlier session of the same holder with the same issuer are finished in
    /// this one.
    pub fn use_session(&mut self, session: StoredSession) {
        self.session = Some(session);
    }

    /// Mints coins worth `amount`, paid for by the account of the bearer.
    ///
    /// # Errors
    /// When the amount cannot be made of coins, or the issuer refuses, delays or does not answer.
    pub async fn mint(
        &mut self,
        currency: Option<&str>,
        amount: u64,
        bearer: impl Into<Bearer>,
        progress: Progress<'_>,
    ) -> Result<(), WalletError> {
        let (id, bearer) = (self.choose(currency)?, bearer.into());
        self.freshen(&id).await?;
        let currency = self.currency(&id)?;
        let denominations = currency.denominations((self.clock)());
        let have = currency.here((self.clock)());
        total(&have).checked_add(amount).ok_or(WalletError::Overflow)?;
        let wanted = match exchange(&have, amount, &denominations) {
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
        let mut operations = Vec::new();
        let (mut done, all) = (0, coins as usize);
        for part in parts(&wanted, ITEMS_MAX) {
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
                at: (self.clock)(),
            });
            done += number(&part) as usize;
        }
        self.begin_and_run(operations).await
    }

    /// Takes coins worth `amount` out of the wallet, to be handed over. They can be taken back with
    /// [`Self::reclaim`] while the receiver has not renewed them.
    ///
    /// # Errors
    /// When there is not enough, or the coins at hand do not make the amount and cannot be changed.
    pub async fn send(
        &mut self,
        currency: Option<&str>,
        amount: u64,
        subject: &str,
    ) -> Result<Done<CoinStack>, WalletError> {
        let id = self.choose(currency)?;
        let coins = self.pick(&id, amount).await?;
        let currency = self.currency(&id)?;
        let send = Send {
            id: self.state.next_id(),
            currency: id.clone(),
            amount,
            subject: subject.to_owned(),
            coins: coins.iter().map(|coin| currency.coin_id(&coin.payload)).collect(),
            at: (self.clock)(),
        };
        self.record(Event::Sent { send: Box::new(send) })?;
        let value = CoinStack {
            coins,
            subject: subject.to_owned(),
        };
        Ok(Done {
            value,
            warning: self.tidy(&id).await.err(),
        })
    }

    /// Takes the coins of a stack: verifies them and renews them at once, so that nobody else can spend them.
    /// Gives what they are worth.
    ///
    /// # Errors
    /// When a coin is not valid (then nothing is done), or the issuer refuses, delays or does not answer.
    pub async fn receive(&mut self, stack: &CoinStack) -> Result<u64, WalletError> {
        let id = self.issuer_of(stack)?;
        self.learn_mint_keys(&id, stack).await?;
        let values = self.verify(&id, stack)?;
        self.freshen(&id).await?;
        self.check_not_revoked(&id, stack)?;
        let mut open: Vec<(Coin, u64)> = stack.coins.iter().cloned().zip(values).collect();
        let (currency, received) = (self.currency(&id)?, self.received());
        let is_own = |coin: &Coin| {
            currency
                .coins
                .get(&currency.coin_id(&coin.payload))
                .is_some_and(|held| held.place != Place::Sent)
        };
        open.retain(|(coin, _)| !received.contains(&currency.coin_id(&coin.payload)) && !is_own(coin));
        if open.is_empty() {
            return Err(WalletError::ReceivedBefore);
        }
        let amount = open.iter().map(|(_, value)| value).sum();
        let mut begun = Vec::new();
        for part in open.chunks(RECEIVE_COINS_MAX) {
            let kind = Kind::Receive {
                subject: stack.subject.clone(),
            };
            begun.extend(self.begin_renew(&id, kind, part.to_vec()).await?);
        }
        let is_large = begun.len() > 1;
        self.run_all(begun).await?;
        if is_large {
            // Each part was chosen without knowing the others. If this fails now, the next operation does it.
            self.tidy(&id).await.ok();
        }
        Ok(amount)
    }

    /// Turns coins worth `amount` into money of the bearer's account.
    ///
    /// # Errors
    /// When there is not enough, or the issuer refuses or does not answer.
    pub async fn redeem(
        &mut self,
        currency: Option<&str>,
        amount: u64,
        bearer: impl Into<Bearer>,
    ) -> Result<Done<()>, WalletError> {
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
                at: (self.clock)(),
            });
        }
        self.begin_and_run(operations).await?;
        Ok(Done {
            value: (),
            warning: self.tidy(&id).await.err(),
        })
    }

    /// Takes back coins that were sent: all sends that nobody has taken, or the one with this number. Gives
    /// what came back.
    ///
    /// # Errors
    /// When there is no such send, or the issuer delays or does not answer. Coins that their receiver has
    /// renewed do not come back: that is no error.
    pub async fn reclaim(&mut self, send: Option<u64>) -> Result<u64, WalletError> {
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

    /// Finishes everything that was begun. Gives how many requests are finished, with the first error of
    /// those that are not.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn resume(&mut self) -> Result<Done<usize>, WalletError> {
        let pending = self
            .state
            .operations
            .values()
            .filter(|past| past.fate == Fate::Pending);
        let pending: Vec<OperationId> = pending.map(|past| past.what.id).collect();
        let mut done = Done {
            value: 0,
            warning: None,
        };
        for id in pending {
            match self.resume_operation(id).await {
                Ok(()) => done.value += 1,
                Err(error @ (WalletError::Journal(_) | WalletError::Inconsistent(_))) => return Err(error),
                // The receiver was faster: that is what a reclaim is there to find out.
                Err(WalletError::Exchange(ExchangeError::Refused { word, .. }))
                    if word == DOUBLE_SPEND && self.reclaims(id) =>
                {
                    done.value += 1;
                }
                Err(error) => done.warning = done.warning.or(Some(error)),
            }
        }
        let currencies: Vec<BigInt> = self.state.currencies.keys().cloned().collect();
        for id in currencies {
            if let Err(error) = self.tidy(&id).await {
                done.warning = done.warning.or(Some(error));
            }
        }
        Ok(done)
    }
}

impl Wallet {
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
