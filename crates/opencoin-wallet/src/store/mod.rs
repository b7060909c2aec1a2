//! The wallet's rows: the state in memory, written to a [`Storage`] after each event and read again when the wallet is
//! opened.
//!
//! An event changes the state in memory first. Its rows are durable before anything is done that relies on it; if they
//! cannot be written, the wallet does nothing more until it is opened again. What has ended leaves only a line of the
//! history, which has no secrets, and the numbers of the coins that were received. So a wallet opens as quickly after
//! ten years as after a day.

mod rows;
mod seal;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use opencoin_schema::BigInt;
use rand::RngCore;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use self::rows::{CurrencyRow, Header, LogRow, PromiseRow, Settings, from_json, to_json};
use self::seal::{KeyDerivation, Seal};
use crate::coins::{CoinSecret, Coins, Held};
use crate::currency::RequestNumbers;
use crate::event::{CoinId, Kind, Operation, OperationId, Send};
use crate::key_account::KeyPaymentState;
use crate::key_account::records::KeyPayment;
use crate::key_account::seed::KeySeed;
use crate::state::{IntroductionLine, State, Status, Tracked, Transfer};
use crate::storage::{Change, Storage, StorageError, Table};
use opencoin_api::Secret;

pub(crate) use rows::HistoryRow;

/// The format of the rows that this version writes.
const FORMAT: u64 = 1;
/// The number of the only row of a table.
const ONLY: u64 = 0;
const ROW_KEY_BYTES: usize = 16;
/// The entropy of a new backup phrase: twelve words.
pub(crate) const ENTROPY_BYTES: usize = 16;

/// The rows of an open wallet.
pub(crate) struct Store {
    storage: Box<dyn Storage>,
    seal: Seal,
    header: Header,
    settings: Settings,
    /// Whether the header is to be written.
    is_new: bool,
    are_settings_changed: bool,
    /// The operations that have a row.
    stored: BTreeSet<OperationId>,
    /// Whether a change may be in memory only.
    is_broken: bool,
}

impl Store {
    /// Reads all rows that the wallet needs in memory. A new wallet is encrypted if there is a passphrase, and its
    /// backup phrase has this entropy.
    pub(crate) fn open(
        storage: Box<dyn Storage>,
        passphrase: Option<&Secret>,
        entropy: Option<Secret>,
        rng: &mut dyn RngCore,
    ) -> Result<(Self, State), StorageError> {
        let mut header: Option<Header> = None;
        storage.read(&[Table::Header], &mut |table, no, body| {
            header = Some(read_json(table, no, body)?);
            Ok(())
        })?;
        let Some(header) = header else {
            let store = Self::new(storage, passphrase, entropy, rng)?;
            let state = State {
                phrase: store.settings.phrase,
                ..State::default()
            };
            return Ok((store, state));
        };
        if header.format > FORMAT {
            return Err(StorageError::NewerFormat(header.format));
        }
        let seal = match (&header.encryption, passphrase) {
            (None, _) => Seal::Checksum,
            (Some(_), None) => return Err(StorageError::NeedsPassphrase),
            (Some(derivation), Some(passphrase)) => Seal::of(derivation, passphrase)?,
        };
        let sealed = storage
            .get(Table::Settings, ONLY)?
            .ok_or_else(|| damaged(Table::Settings, ONLY, "it is missing"))?;
        let settings =
            seal.open(Table::Settings, ONLY, &sealed)
                .map_err(|error| match &header.encryption {
                    Some(_) => StorageError::WrongPassphrase,
                    None => error,
                })?;
        let mut store = Self {
            settings: read_json(Table::Settings, ONLY, &settings)?,
            storage,
            seal,
            header,
            is_new: false,
            are_settings_changed: false,
            stored: BTreeSet::new(),
            is_broken: false,
        };
        let state = store.load()?;
        Ok((store, state))
    }

    fn new(
        storage: Box<dyn Storage>,
        passphrase: Option<&Secret>,
        entropy: Option<Secret>,
        rng: &mut dyn RngCore,
    ) -> Result<Self, StorageError> {
        let encryption = passphrase.map(|_| KeyDerivation::new(rng));
        let seal = match (&encryption, passphrase) {
            (Some(derivation), Some(passphrase)) => Seal::of(derivation, passphrase)?,
            _ => Seal::Checksum,
        };
        Ok(Self {
            storage,
            seal,
            header: Header {
                format: FORMAT,
                encryption,
            },
            settings: Settings {
                last_id: 0,
                row_key: random(rng, ROW_KEY_BYTES),
                phrase: u8::from(entropy.is_some()),
                entropy,
                is_restored: false,
                journal: None,
                numbers: BTreeMap::new(),
            },
            is_new: true,
            are_settings_changed: true,
            stored: BTreeSet::new(),
            is_broken: false,
        })
    }

    fn load(&mut self) -> Result<State, StorageError> {
        const LOADED: [Table; 9] = [
            Table::Currencies,
            Table::Coins,
            Table::Operations,
            Table::Sends,
            Table::Logs,
            Table::Promises,
            Table::Transfers,
            Table::Keys,
            Table::KeyPayments,
        ];
        let mut state = State {
            last_id: self.settings.last_id,
            phrase: self.settings.phrase,
            ..State::default()
        };
        let mut names: BTreeMap<u64, BigInt> = BTreeMap::new();
        let (seal, numbers, stored) = (&self.seal, &self.settings.numbers, &mut self.stored);
        self.storage.read(&LOADED, &mut |table, no, body| {
            let body = seal.open(table, no, body)?;
            let wrong = |reason: String| damaged(table, no, &reason);
            let name = |no: u64| {
                names
                    .get(&no)
                    .cloned()
                    .ok_or_else(|| damaged(table, no, "its currency is missing"))
            };
            match table {
                Table::Currencies => {
                    let row: CurrencyRow = read_json(table, no, &body)?;
                    let mut currency = row.into_currency(no).map_err(wrong)?;
                    currency.numbers = numbers.get(&no).cloned().unwrap_or_default();
                    let id = currency.cddc.master_key().id().clone();
                    names.insert(no, id.clone());
                    state.currencies.insert(id, currency);
                }
                Table::Coins => {
                    let (place, phrase, id, mint_key) =
                        rows::read_head(&body).ok_or_else(|| damaged(table, no, "it is not a coin"))?;
                    let currency = state.currencies.get_mut(&name(Coins::currency_no(no))?);
                    let currency = currency.expect("each name is the id of a currency");
                    let held = currency.held(no, mint_key, place).map_err(wrong)?;
                    let held = Held { phrase, ..held };
                    currency.coins.load(id, held);
                }
                Table::Operations => {
                    stored.insert(no);
                    state.operations.insert(no, read_json(table, no, &body)?);
                }
                Table::Sends => drop(state.sends.insert(no, read_json(table, no, &body)?)),
                Table::Logs => {
                    let row: LogRow = read_json(table, no, &body)?;
                    state.logs.insert(name(no)?, row.into_memory().map_err(wrong)?);
                }
                Table::Promises => {
                    let row: PromiseRow = read_json(table, no, &body)?;
                    let memory = state.logs.entry(row.currency.clone()).or_default();
                    memory.promises.insert(no, row.into_open().map_err(wrong)?);
                }
                Table::Transfers => {
                    let (id, transfer): (String, Transfer) = read_json(table, no, &body)?;
                    state.transfers.insert(id, transfer);
                }
                Table::Keys => drop(state.keys.insert(no, read_json(table, no, &body)?)),
                Table::KeyPayments => drop(state.key_payments.insert(no, read_json(table, no, &body)?)),
                Table::Header
                | Table::Settings
                | Table::CoinSecrets
                | Table::History
                | Table::Received
                | Table::Receipts
                | Table::KeySeeds
                | Table::KeyPaymentsOver => {}
            }
            Ok(())
        })?;
        Ok(state)
    }

    /// Writes what has changed in the state. All of it is durable when this returns, or the wallet is of no more use.
    pub(crate) fn commit(&mut self, state: &mut State, rng: &mut dyn RngCore) -> Result<(), StorageError> {
        if self.is_broken {
            return Err(StorageError::Broken);
        }
        // Until the rows are written, they differ from the state.
        self.is_broken = true;
        let mut changes = Changes {
            seal: &self.seal,
            rng,
            all: Vec::new(),
        };
        for currency in state.currencies.values_mut() {
            let coins = currency.coins.take_changes();
            for no in coins.removed {
                changes.remove(Table::Coins, no);
                changes.remove(Table::CoinSecrets, no);
            }
            for (id, held, secret) in coins.put {
                changes.put(Table::Coins, held.no, rows::head(&id, &held));
                if let Some(secret) = secret {
                    changes.put(Table::CoinSecrets, held.no, rows::secret(&secret));
                }
            }
        }
        let changed = std::mem::take(&mut state.changed);
        for id in &changed.currencies {
            let currency = &state.currencies[id];
            changes.put(
                Table::Currencies,
                currency.no,
                to_json(&CurrencyRow::of(currency)),
            );
        }
        for id in &changed.sends {
            // The send of a transfer that ended before the wallet was opened is only in the history.
            let Some(tracked) = state.sends.get(id) else {
                continue;
            };
            changes.put(Table::History, *id, to_json(&sent(tracked)));
            match state.is_send_open(tracked) {
                true => changes.put(Table::Sends, *id, to_json(tracked)),
                false => changes.remove(Table::Sends, *id),
            }
        }
        for id in &changed.operations {
            let tracked = &state.operations[id];
            changes.put(Table::History, *id, to_json(&done(tracked)));
            for (coin, transfer) in newly_received(tracked) {
                let no = row_of(&self.settings.row_key, coin.as_be_bytes());
                changes.put(Table::Received, no, transfer.as_bytes().to_vec());
            }
            if state.is_open(tracked) {
                changes.put(Table::Operations, *id, to_json(tracked));
                self.stored.insert(*id);
            }
        }
        // An operation can end with another one, which spends its coins.
        self.stored.retain(|id| {
            let is_open = state.is_open(&state.operations[id]);
            if !is_open {
                changes.remove(Table::Operations, *id);
            }
            is_open
        });
        for id in &changed.logs {
            let row = LogRow::of(&state.logs[id], |operation| self.stored.contains(operation));
            changes.put(Table::Logs, state.currencies[id].no, to_json(&row));
        }
        for id in &changed.transfers {
            let transfer = &state.transfers[id];
            let (no, row) = (
                row_of(&self.settings.row_key, id.as_bytes()),
                to_json(&(id, transfer)),
            );
            if transfer.is_over {
                changes.remove(Table::Transfers, no);
                changes.put(Table::Receipts, no, row);
                state.transfers.remove(id);
            } else {
                changes.put(Table::Transfers, no, row);
            }
        }
        for no in &changed.keys {
            changes.put(Table::Keys, *no, to_json(&state.keys[no]));
        }
        for (no, seed) in &changed.key_seeds {
            changes.put(Table::KeySeeds, *no, seed.expose().to_vec());
        }
        for line in &changed.introductions {
            changes.put(Table::History, line.id, to_json(&introduced(line)));
        }
        for id in &changed.key_payments {
            let payment = &state.key_payments[id];
            changes.put(Table::History, *id, to_json(&paid_by_key(payment)));
            if State::is_payment_open(payment) {
                changes.put(Table::KeyPayments, *id, to_json(payment));
            } else {
                changes.remove(Table::KeyPayments, *id);
                changes.put(Table::KeyPaymentsOver, *id, to_json(payment));
                state.key_payments.remove(id);
            }
        }
        for (currency, id) in &changed.promises {
            match state.logs[currency].promises.get(id) {
                Some(open) => changes.put(Table::Promises, *id, to_json(&PromiseRow::of(currency, open))),
                None => changes.remove(Table::Promises, *id),
            }
        }
        let numbers = state.currencies.values();
        let numbers: BTreeMap<u64, RequestNumbers> = numbers
            .map(|currency| (currency.no, currency.numbers.clone()))
            .collect();
        if self.are_settings_changed
            || self.settings.last_id != state.last_id
            || self.settings.numbers != numbers
        {
            self.settings.last_id = state.last_id;
            self.settings.numbers = numbers;
            changes.put(Table::Settings, ONLY, to_json(&self.settings));
        }
        let mut all = changes.all;
        if self.is_new {
            all.push(header_row(&self.header));
        }
        if !all.is_empty() {
            self.storage.commit(&all)?;
        }
        (self.is_new, self.are_settings_changed, self.is_broken) = (false, false, false);
        Ok(())
    }

    /// After an event that could not be applied, the state is of no use.
    pub(crate) fn break_off(&mut self) {
        self.is_broken = true;
    }

    /// Returns the coin with this number.
    pub(crate) fn coin(&self, no: u64) -> Result<CoinSecret, StorageError> {
        let missing = || damaged(Table::CoinSecrets, no, "it is missing");
        let body = self.storage.get(Table::CoinSecrets, no)?.ok_or_else(missing)?;
        let body = self.seal.open(Table::CoinSecrets, no, &body)?;
        rows::read_secret(&body).ok_or_else(|| damaged(Table::CoinSecrets, no, "it is not a coin"))
    }

    /// Whether this coin was received from somebody else, and renewed: if so, the id of the transfer that had brought it,
    /// empty for others.
    pub(crate) fn received_by(&self, coin: &CoinId) -> Result<Option<String>, StorageError> {
        let no = row_of(&self.settings.row_key, coin.as_be_bytes());
        let Some(body) = self.storage.get(Table::Received, no)? else {
            return Ok(None);
        };
        let body = self.seal.open(Table::Received, no, &body)?;
        String::from_utf8(body.to_vec())
            .map(Some)
            .map_err(|_| damaged(Table::Received, no, "it is not a text"))
    }

    /// Returns all operations and sends, in the order of their numbers.
    pub(crate) fn history(&self) -> Result<Vec<(OperationId, HistoryRow)>, StorageError> {
        let mut all = Vec::new();
        self.storage.read(&[Table::History], &mut |table, no, body| {
            let body = self.seal.open(table, no, body)?;
            all.push((no, read_json(table, no, &body)?));
            Ok(())
        })?;
        Ok(all)
    }

    /// Returns the transfers that are over.
    pub(crate) fn ended_transfers(&self) -> Result<Vec<(String, Transfer)>, StorageError> {
        let mut all = Vec::new();
        self.storage.read(&[Table::Receipts], &mut |table, no, body| {
            let body = self.seal.open(table, no, body)?;
            all.push(read_json(table, no, &body)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// Returns the seed of a key account.
    pub(crate) fn key_seed(&self, no: u64) -> Result<KeySeed, StorageError> {
        let missing = || damaged(Table::KeySeeds, no, "it is missing");
        let body = self.storage.get(Table::KeySeeds, no)?.ok_or_else(missing)?;
        let body = self.seal.open(Table::KeySeeds, no, &body)?;
        KeySeed::of_stored(&body).ok_or_else(|| damaged(Table::KeySeeds, no, "it is not a seed"))
    }

    /// Returns a payment by key that is over.
    pub(crate) fn key_payment_over(&self, id: OperationId) -> Result<Option<KeyPayment>, StorageError> {
        let Some(body) = self.storage.get(Table::KeyPaymentsOver, id)? else {
            return Ok(None);
        };
        let body = self.seal.open(Table::KeyPaymentsOver, id, &body)?;
        read_json(Table::KeyPaymentsOver, id, &body).map(Some)
    }

    /// Returns the payments by key that are over, in the order of their numbers.
    pub(crate) fn key_payments_over(&self) -> Result<Vec<KeyPayment>, StorageError> {
        let mut all = Vec::new();
        self.storage
            .read(&[Table::KeyPaymentsOver], &mut |table, no, body| {
                let body = self.seal.open(table, no, body)?;
                all.push(read_json(table, no, &body)?);
                Ok(())
            })?;
        Ok(all)
    }

    /// Returns a line of the history.
    pub(crate) fn history_of(&self, id: OperationId) -> Result<Option<HistoryRow>, StorageError> {
        let Some(body) = self.storage.get(Table::History, id)? else {
            return Ok(None);
        };
        let body = self.seal.open(Table::History, id, &body)?;
        read_json(Table::History, id, &body).map(Some)
    }

    pub(crate) fn exposed(&self) -> Option<PathBuf> {
        self.storage.exposed()
    }

    /// Whether the rows are encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.header.encryption.is_some()
    }

    /// Whether nothing was written yet.
    pub(crate) fn is_new(&self) -> bool {
        self.is_new
    }

    /// Chooses the backup phrase of a wallet of which nothing was written.
    pub(crate) fn choose_entropy(&mut self, entropy: Secret) {
        assert!(self.is_new, "the coins of a wallet depend on its phrase");
        self.settings.entropy = Some(entropy);
        self.settings.is_restored = true;
    }

    /// Whether the phrase is that of a lost wallet.
    pub(crate) fn is_restored(&self) -> bool {
        self.settings.is_restored
    }

    /// Notes the journal whose state is written with the next commit; its SHA-256 in hex.
    pub(crate) fn set_journal(&mut self, digest: String) {
        self.settings.journal = Some(digest);
        self.are_settings_changed = true;
    }

    /// Returns the SHA-256 of the journal that was moved here, in hex.
    pub(crate) fn journal(&self) -> Option<&str> {
        self.settings.journal.as_deref()
    }

    /// Returns the entropy of the backup phrase, in hex.
    pub(crate) fn entropy(&self) -> Option<&Secret> {
        self.settings.entropy.as_ref()
    }

    /// Replaces the backup phrase. Requests from now on are derived from the new one, from the first number.
    pub(crate) fn set_entropy(
        &mut self,
        entropy: Secret,
        state: &mut State,
        rng: &mut dyn RngCore,
    ) -> Result<(), StorageError> {
        let phrase = self.settings.phrase.checked_add(1);
        self.settings.phrase = phrase.ok_or_else(|| StorageError::Failed {
            place: "the wallet".to_owned(),
            reason: "it has had 255 backup phrases".to_owned(),
        })?;
        state.phrase = self.settings.phrase;
        self.settings.entropy = Some(entropy);
        self.settings.is_restored = false;
        state
            .currencies
            .values_mut()
            .for_each(|currency| currency.numbers = RequestNumbers::default());
        self.are_settings_changed = true;
        self.commit(state, rng)
    }

    /// Encrypts all rows with a passphrase, or decrypts them, in one commit.
    pub(crate) fn set_passphrase(
        &mut self,
        passphrase: Option<&Secret>,
        rng: &mut dyn RngCore,
    ) -> Result<(), StorageError> {
        if self.is_broken {
            return Err(StorageError::Broken);
        }
        let encryption = passphrase.map(|_| KeyDerivation::new(rng));
        let seal = match (&encryption, passphrase) {
            (Some(derivation), Some(passphrase)) => Seal::of(derivation, passphrase)?,
            _ => Seal::Checksum,
        };
        let header = Header {
            encryption,
            ..self.header.clone()
        };
        if self.is_new {
            // Nothing is written yet.
            (self.seal, self.header) = (seal, header);
            return Ok(());
        }
        let mut changes = Changes {
            seal: &seal,
            rng,
            all: vec![header_row(&header)],
        };
        self.storage.read(&Table::ALL[1..], &mut |table, no, body| {
            let body: Zeroizing<Vec<u8>> = self.seal.open(table, no, body)?;
            changes.put(table, no, body.to_vec());
            Ok(())
        })?;
        let all = changes.all;
        self.is_broken = true;
        self.storage.commit(&all)?;
        self.is_broken = false;
        (self.seal, self.header) = (seal, header);
        Ok(())
    }
}

/// Rows that are to be written, sealed.
struct Changes<'a> {
    seal: &'a Seal,
    rng: &'a mut dyn RngCore,
    all: Vec<Change>,
}

impl Changes<'_> {
    fn put(&mut self, table: Table, no: u64, body: Vec<u8>) {
        let body = Some(self.seal.seal(table, no, body, self.rng));
        self.all.push(Change { table, no, body });
    }

    fn remove(&mut self, table: Table, no: u64) {
        let body = None;
        self.all.push(Change { table, no, body });
    }
}

fn header_row(header: &Header) -> Change {
    Change {
        table: Table::Header,
        no: ONLY,
        body: Some(to_json(header)),
    }
}

/// Returns random bytes in hex.
pub(crate) fn random(rng: &mut dyn RngCore, length_bytes: usize) -> Secret {
    let mut bytes = Zeroizing::new(vec![0; length_bytes]);
    rng.fill_bytes(&mut bytes);
    Secret::new(const_hex::encode(&*bytes))
}

/// Returns the number of the row of something with this id. Who mints a coin can choose its id, but not this number.
fn row_of(row_key: &Secret, id: &[u8]) -> u64 {
    let digest = Sha256::new()
        .chain_update(row_key.expose())
        .chain_update(id)
        .finalize();
    let number = digest[..8]
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte));
    number >> 1
}

/// Returns the coins of others that this operation has exchanged for own ones, with the transfer that has brought them.
fn newly_received(tracked: &Tracked<Operation>) -> Vec<(&CoinId, &str)> {
    let transfer = match &tracked.item.kind {
        Kind::Receive { transfer, .. } if [Status::Done, Status::AwaitsRecoup].contains(&tracked.status) => {
            transfer.as_deref().unwrap_or_default()
        }
        _ => return Vec::new(),
    };
    let foreign = tracked.item.gives.iter().filter(|given| !given.is_own);
    foreign.map(|given| (&given.coin, transfer)).collect()
}

fn done(tracked: &Tracked<Operation>) -> HistoryRow {
    let operation = &tracked.item;
    let subject = match &operation.kind {
        Kind::Receive { subject, .. } => subject.as_str(),
        Kind::Mint | Kind::Change | Kind::Reclaim { .. } | Kind::Redeem | Kind::Recoup => "",
    };
    HistoryRow {
        at: operation.at,
        kind: operation.kind.name().to_owned(),
        amount: operation.amount,
        currency: operation.currency.clone(),
        subject: subject.to_owned(),
        status: tracked.status,
        note: tracked.note.clone(),
    }
}

fn sent(tracked: &Tracked<Send>) -> HistoryRow {
    let send = &tracked.item;
    HistoryRow {
        at: send.at,
        kind: SEND.to_owned(),
        amount: send.amount,
        currency: send.currency.clone(),
        subject: send.subject.clone(),
        status: tracked.status,
        note: tracked.note.clone(),
    }
}

fn introduced(line: &IntroductionLine) -> HistoryRow {
    HistoryRow {
        at: line.at,
        kind: INTRODUCTION.to_owned(),
        amount: 0,
        currency: line.currency.clone(),
        subject: line.key.clone(),
        status: line.status,
        note: line.note.clone(),
    }
}

fn paid_by_key(payment: &KeyPayment) -> HistoryRow {
    HistoryRow {
        at: payment.at,
        kind: KEY_PAYMENT.to_owned(),
        amount: payment.payment.order.amount,
        currency: payment.currency.clone(),
        subject: payment.payment.order.memo.clone(),
        status: match payment.state {
            KeyPaymentState::Signed => Status::Pending,
            KeyPaymentState::Accepted | KeyPaymentState::Published | KeyPaymentState::Final => Status::Done,
            KeyPaymentState::Refused => Status::Refused,
        },
        note: payment.note.clone(),
    }
}

/// The name of the introduction of a key in the history.
const INTRODUCTION: &str = "introduce";
/// The name of a payment by key in the history.
const KEY_PAYMENT: &str = "pay-by-key";

/// The name of a send in the history.
pub(crate) const SEND: &str = "send";

fn read_json<T: serde::de::DeserializeOwned>(table: Table, no: u64, body: &[u8]) -> Result<T, StorageError> {
    from_json(body).map_err(|reason| damaged(table, no, &reason))
}

fn damaged(table: Table, no: u64, reason: &str) -> StorageError {
    StorageError::Damaged {
        place: format!("row {no} of the table {table:?}"),
        reason: reason.to_owned(),
    }
}
