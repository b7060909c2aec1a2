//! The wallet: mint, send, receive, redeem, reclaim, recoup, resume.
//!
//! A money operation has three steps. *Begin* writes its secrets and exact request to the disk, *run*
//! sends the request, and *settle* writes the coins or the refusal to the disk. A crash after the first
//! step leaves a pending operation, which [`Wallet::resume`] runs again; the issuer answers a repeated
//! request as it did the first time.

mod answer;
mod backup;
mod blinding;
mod code;
mod described;
mod documents;
mod exchange;
mod history;
mod holdings;
mod key_accounts;
mod log;
mod maintain;
mod operations;
mod receive;
mod recoup;
mod resume;
mod stack_check;
mod transfer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use opencoin_schema::{BigInt, Coin, CoinStack, RequestMint, RequestRedeem, text};
use rand::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use crate::account::StoredSession;
use crate::bearer::Bearer;
use crate::client;
use crate::clock::{CLOCK_DIFFERENCE_MAX, Clock};
use crate::coins::Held;
use crate::error::WalletError;
use crate::event::{CoinId, Event, Given, Kind, Operation, OperationId, Send};
use crate::old_journal;
use crate::state::{State, Status, Tracked};
use crate::storage::{MemoryStorage, SqliteStorage, Storage, StorageError};
use crate::store::{ENTROPY_BYTES, SEND, Store, random};
use crate::tokenizing::{Counts, complete_set, count, number, total, values};
use crate::transport::{ClockedTransport, NoTransport, Transport};
use documents::Refresh;
use opencoin_api::Secret;

pub use backup::{RestoreProgress, Restored};
pub use code::SentCode;
pub use described::Described;
pub use history::{Balance, HistoryEntry};
pub use key_accounts::{
    EntryKind, FollowedKey, FoundKeyPayment, KeyBalance, KeyEntry, KeyInfo, KeyPayee, KeyPaymentOrder,
    OnAttempts, PaidByKey, PendingPayments, RestoredKeys, ShownKeyPayment,
};
pub use log::{LogStatus, SeenLog, ShownFault};
pub use maintain::Maintained;
pub use receive::Received;
pub use recoup::Recouped;
pub use resume::Abandoned;
pub use stack_check::StackProgress;
pub use transfer::{Reclaimed, StoredTransfer};

/// The most blinds, and the most coins, of one request (the issuer's limit).
pub const ITEMS_MAX: usize = 1000;
/// The most coins of one mint operation.
const MINT_COINS_MAX: u64 = 50_000;
/// The most received coins in one renew. Their new coins must fit into the request too.
const RECEIVE_COINS_MAX: usize = 500;

/// The source of serials, transaction references and blinding secrets. It must be a cryptographic generator
/// seeded by the operating system: an attacker who guesses its numbers can spend the wallet's coins.
pub trait Randomness: RngCore + CryptoRng + std::marker::Send + Sync {}

impl<R: RngCore + CryptoRng + std::marker::Send + Sync> Randomness for R {}

/// Called with the number of finished coins and the number of all coins.
pub type OnProgress<'call> = &'call mut (dyn FnMut(usize, usize) + std::marker::Send);

/// An open wallet.
pub struct Wallet {
    store: Store,
    state: State,
    /// The last refresh of each currency by this process.
    asked: BTreeMap<BigInt, Refresh>,
    transport: ClockedTransport,
    clock: Clock,
    /// The time when the current operation began. The operation uses it throughout.
    now: DateTime<Utc>,
    rng: Box<dyn Randomness>,
    /// The seed of the backup phrase, once it was needed.
    derivation_seed: Option<Arc<Zeroizing<[u8; 64]>>>,
    /// The session whose token replaces the expired tokens of pending requests.
    session: Option<StoredSession>,
    /// The token for pending requests that have none and no session.
    token: Option<Secret>,
    /// Whether mint keys are looked for in the public log before they are used.
    is_log_checked: bool,
}

/// A result with the first error that did not stop the operation.
#[derive(Debug)]
pub struct Done<T> {
    /// The result.
    pub value: T,
    /// The first error.
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
    /// Opens the wallet in this folder. If there is none, the first [`Wallet::add`] that succeeds makes it, encrypted if
    /// there is a passphrase; until then nothing is written. A wallet of an earlier version is moved to a new file.
    ///
    /// # Errors
    /// Another process uses the wallet, it is encrypted and the passphrase is missing or wrong, or it is damaged.
    pub fn create(
        folder: &Path,
        passphrase: Option<&Secret>,
        transport: Arc<dyn Transport>,
        clock: Clock,
        rng: Box<dyn Randomness>,
    ) -> Result<Self, WalletError> {
        let storage = SqliteStorage::open(folder)?;
        if !SqliteStorage::is_in(folder) && old_journal::is_in(folder) {
            storage.lock()?;
            let wallet = Self::of_journal(folder, Box::new(storage), transport, clock, rng)?;
            old_journal::remove(folder)?;
            return Ok(wallet);
        }
        let wallet = Self::open(Box::new(storage), passphrase, transport, clock, rng)?;
        if old_journal::is_in(folder) {
            if wallet.store.journal() != Some(old_journal::digest(folder)?.as_str()) {
                return Err(StorageError::TwoWallets(folder.to_owned()).into());
            }
            // The program ended between the last two steps of the move.
            old_journal::remove(folder)?;
        }
        Ok(wallet)
    }

    /// Opens the wallet in this folder to read it. This takes no lock and writes nothing; operations that
    /// change the wallet fail.
    ///
    /// # Errors
    /// There is no wallet, it is encrypted and the passphrase is missing or wrong, or it is damaged.
    pub fn open_to_read(
        folder: &Path,
        passphrase: Option<&Secret>,
        clock: Clock,
        rng: Box<dyn Randomness>,
    ) -> Result<Self, WalletError> {
        let transport = Arc::new(NoTransport);
        if !SqliteStorage::is_in(folder) && old_journal::is_in(folder) {
            let storage = Box::new(MemoryStorage::default());
            return Self::of_journal(folder, storage, transport, clock, rng);
        }
        let storage = Box::new(SqliteStorage::open_to_read(folder)?);
        Self::open(storage, passphrase, transport, clock, rng)
    }

    /// Opens the wallet with these rows. Without rows it is a new wallet, which is encrypted if there is a passphrase.
    ///
    /// # Errors
    /// The wallet is encrypted and the passphrase is missing or wrong, or it is damaged.
    pub fn open(
        storage: Box<dyn Storage>,
        passphrase: Option<&Secret>,
        transport: Arc<dyn Transport>,
        clock: Clock,
        mut rng: Box<dyn Randomness>,
    ) -> Result<Self, WalletError> {
        let entropy = Some(random(&mut rng, ENTROPY_BYTES));
        let (store, state) = Store::open(storage, passphrase, entropy, &mut rng)?;
        Ok(Self::of_state(store, state, transport, clock, rng))
    }

    /// Moves the journal in this folder to the storage. The wallet has no backup phrase, because its coins are not
    /// derived from one.
    fn of_journal(
        folder: &Path,
        storage: Box<dyn Storage>,
        transport: Arc<dyn Transport>,
        clock: Clock,
        mut rng: Box<dyn Randomness>,
    ) -> Result<Self, WalletError> {
        let (mut store, mut state) = Store::open(storage, None, None, &mut rng)?;
        for event in old_journal::read(folder)? {
            state.apply(event).map_err(WalletError::Inconsistent)?;
        }
        store.set_journal(old_journal::digest(folder)?);
        store.commit(&mut state, &mut rng)?;
        Ok(Self::of_state(store, state, transport, clock, rng))
    }

    fn of_state(
        store: Store,
        state: State,
        transport: Arc<dyn Transport>,
        clock: Clock,
        rng: Box<dyn Randomness>,
    ) -> Self {
        Self {
            store,
            state,
            asked: BTreeMap::new(),
            transport: ClockedTransport::new(transport, Arc::clone(&clock)),
            now: clock(),
            clock,
            rng,
            derivation_seed: None,
            session: None,
            token: None,
            is_log_checked: true,
        }
    }

    /// Returns the wallet's file if users other than its owner can read or write it.
    #[must_use]
    pub fn exposed_file(&self) -> Option<PathBuf> {
        self.store.exposed()
    }

    /// Whether there is a wallet in this folder.
    #[must_use]
    pub fn is_in(folder: &Path) -> bool {
        SqliteStorage::is_in(folder) || old_journal::is_in(folder)
    }

    /// Whether the wallet is encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.store.is_encrypted()
    }

    /// Encrypts the wallet with this passphrase from now on, or with `None` no longer.
    ///
    /// # Errors
    /// The wallet cannot be written. Then it is encrypted as before.
    pub fn set_passphrase(&mut self, passphrase: Option<&Secret>) -> Result<(), WalletError> {
        Ok(self.store.set_passphrase(passphrase, &mut self.rng)?)
    }

    /// Adds the currency of the issuer at this URL and trusts its master key from then on. Updates the
    /// documents of a known currency.
    ///
    /// # Errors
    /// The issuer does not answer, or its documents do not verify.
    pub async fn add(&mut self, url: &str) -> Result<Balance, WalletError> {
        self.read_clock();
        let id = self.fetch_currency(url).await?;
        Ok(self.balance(&id, self.currency(&id)?, self.now))
    }

    /// Returns the issuer's URL as the user gave it.
    ///
    /// # Errors
    /// The wallet has no such currency, or several.
    pub fn currency_url(&self, currency: Option<&str>) -> Result<&str, WalletError> {
        Ok(&self.currency(&self.choose(currency)?)?.url)
    }

    /// Returns the URLs of all issuers, as the user gave them.
    #[must_use]
    pub fn currency_urls(&self) -> Vec<&str> {
        let currencies = self.state.currencies.values();
        currencies.map(|currency| currency.url.as_str()).collect()
    }

    /// Mints coins worth `amount`, paid for by the bearer's account. Returns the number of the first request.
    ///
    /// A mint of several requests fails at once if the account's balance is too low. A single request is sent
    /// in any case, because the issuer may let it wait for money.
    ///
    /// # Errors
    /// Coins cannot make the amount, or the issuer refuses, delays or does not answer.
    pub async fn mint(
        &mut self,
        currency: Option<&str>,
        amount: u64,
        bearer: impl Into<Bearer>,
        progress: OnProgress<'_>,
    ) -> Result<u64, WalletError> {
        self.read_clock();
        let (id, bearer) = (self.choose(currency)?, bearer.into());
        self.refresh_if_old(&id).await?;
        self.check_sum(&id, amount)?;
        let currency = self.currency(&id)?;
        let denominations = currency.denominations(self.now);
        // The same coins whatever the wallet holds: those that it lacks would show the issuer what this account has paid.
        let wanted = complete_set(amount, &denominations)?;
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
            let secrets = self.next_secrets(&id)?;
            let (blinded, blinds) = self
                .blind(&id, &part, &secrets, &mut |made| progress(done + made, all))
                .await?;
            let request_number = secrets.number();
            let reference = secrets.reference;
            let request = RequestMint {
                blinds,
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
                blinded,
                gives: Vec::new(),
                replaces: None,
                phrase: secrets.phrase,
                number: request_number,
                key_order: None,
                at: self.now,
            });
            done += number(&part) as usize;
        }
        self.begin_and_run(operations).await?;
        Ok(first)
    }

    /// Takes coins worth `amount` out of the wallet, to be handed over. [`Self::reclaim`] takes them back
    /// until the receiver has renewed them. This asks the issuer only if the wallet's coins do not make the
    /// amount. Call [`Self::tidy`] when the stack is stored safely.
    ///
    /// # Errors
    /// The balance is too low, or the coins do not make the amount and cannot be changed.
    pub async fn send(
        &mut self,
        currency: Option<&str>,
        amount: u64,
        subject: &str,
    ) -> Result<Sent, WalletError> {
        self.read_clock();
        let id = self.choose(currency)?;
        let coins = self.pick(&id, amount).await?;
        let currency = self.currency(&id)?;
        let send = Send {
            id: self.state.next_id(),
            currency: id.clone(),
            amount,
            subject: subject.to_owned(),
            coins: coins.iter().map(|coin| currency.coin_id(&coin.payload)).collect(),
            transfer: None,
            returned: 0,
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

    /// Redeems coins worth `amount` to the bearer's account. Returns the number of the first request.
    ///
    /// # Errors
    /// The balance is too low, or the issuer refuses or does not answer.
    pub async fn redeem(
        &mut self,
        currency: Option<&str>,
        amount: u64,
        bearer: impl Into<Bearer>,
    ) -> Result<u64, WalletError> {
        self.read_clock();
        let (id, bearer) = (self.choose(currency)?, bearer.into());
        let coins = self.pick(&id, amount).await?;
        let keys = coins
            .iter()
            .map(|coin| coin.payload.mint_key_id.clone())
            .collect();
        self.require_logged_keys(&id, keys).await?;
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
                phrase: 0,
                number: None,
                key_order: None,
                at: self.now,
            });
        }
        let first = self.state.next_id();
        self.begin_and_run(operations).await?;
        Ok(first)
    }

    /// Takes back sent coins: those of the send with this number, or of all pending sends. Returns the value
    /// of the coins that came back. It is no error if the receiver has renewed coins.
    ///
    /// # Errors
    /// There is no such send, or the issuer delays or does not answer.
    pub async fn reclaim(&mut self, send: Option<u64>) -> Result<u64, WalletError> {
        self.read_clock();
        if let Some(id) = send
            && !self.state.sends.contains_key(&id)
            && self.store.history_of(id)?.is_none_or(|entry| entry.kind != SEND)
        {
            return Err(WalletError::UnknownSend(id));
        }
        let is_wanted = |tracked: &&Tracked<Send>| {
            // The coins of a transfer belong to its conversation.
            tracked.status == Status::Pending
                && tracked.item.transfer.is_none()
                && send.is_none_or(|id| id == tracked.item.id)
        };
        let sends = self.state.sends.values().filter(is_wanted);
        let sends: Vec<Send> = sends.map(|tracked| tracked.item.clone()).collect();
        let (mut amount, mut failed) = (0, None);
        for send in sends {
            match self.reclaim_send(&send, &mut amount).await {
                Ok(()) => {}
                // The other sends are tried too.
                Err(error @ WalletError::Exchange(_)) => failed = failed.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        failed.map_or(Ok(amount), Err)
    }

    /// Renews received coins and coins that expire soon, and changes coins so that every amount can be paid.
    /// Call it after an operation whose result is stored safely. It asks the issuer only if there is
    /// something to do.
    ///
    /// # Errors
    /// The first error, after all currencies were tried: the issuer refuses, delays or does not answer.
    pub async fn tidy(&mut self) -> Result<(), WalletError> {
        self.tidy_all(false).await
    }

    /// Does as much of [`Self::tidy`] as is needed to lose no coins. Call it after a mint or a redeem: a
    /// renew soon after one of them tells the issuer which account the coins belong to.
    ///
    /// # Errors
    /// See [`Self::tidy`].
    pub async fn renew_expiring(&mut self) -> Result<(), WalletError> {
        self.tidy_all(true).await
    }

    async fn tidy_all(&mut self, urgent_only: bool) -> Result<(), WalletError> {
        self.read_clock();
        let mut failed = None;
        for id in self.state.currencies.keys().cloned().collect::<Vec<_>>() {
            match self.tidy_currency(&id, urgent_only).await {
                Ok(()) => {}
                Err(error @ WalletError::Storage(_)) => return Err(error),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

impl Wallet {
    /// Reads the clock. Every operation calls this once, when it begins.
    fn read_clock(&mut self) {
        self.now = (self.clock)();
    }

    /// Returns an error if the wallet's clock differs from the issuer's by more than
    /// [`CLOCK_DIFFERENCE_MAX`].
    fn wrong_clock(&self) -> Option<WalletError> {
        let difference = self.transport.difference()?;
        (difference.abs() > CLOCK_DIFFERENCE_MAX).then(|| WalletError::WrongClock {
            ours: self.now,
            issuers: self.now + difference,
        })
    }

    /// Changes the wallet. The change is durable when this returns.
    fn record(&mut self, event: Event) -> Result<(), WalletError> {
        if let Err(reason) = self.state.apply(event) {
            self.store.break_off();
            return Err(WalletError::Inconsistent(reason));
        }
        Ok(self.store.commit(&mut self.state, &mut self.rng)?)
    }

    /// Returns a coin of the wallet, with its secrets.
    fn coin(&self, held: &Held) -> Result<Coin, WalletError> {
        Ok(self.store.coin(held.no)?.coin)
    }
}

/// Splits coins into parts of at most `items_max`.
fn parts(counts: &Counts, items_max: usize) -> Vec<Counts> {
    let values: Vec<u64> = values(counts).collect();
    values
        .chunks(items_max)
        .map(|part| count(part.iter().copied()))
        .collect()
}
