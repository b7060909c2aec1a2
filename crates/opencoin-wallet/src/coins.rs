//! The coins of a currency: what the wallet must know of each to choose among them.
//!
//! The coins themselves, which are ten times as long, are in [`crate::storage::Table::CoinSecrets`] and are read when
//! they are spent.

use std::collections::BTreeMap;
use std::ops::Index;

use chrono::{DateTime, Utc};
use opencoin_schema::{BigInt, Coin};

use crate::event::{Blinded, BlindingSecret, CoinId};
use opencoin_api::Secret;

/// The number of a row is the number of the currency, shifted by this many bits, plus a number in the currency.
const CURRENCY_SHIFT: u32 = 40;

/// Where a coin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CoinPlace {
    /// In the wallet.
    Here,
    /// Part of a pending request.
    Given,
    /// In a stack that was sent. The receiver may have taken it.
    Sent,
    /// Received and not renewed yet, so that the sender can still spend it.
    Received,
}

/// A coin of the wallet.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    /// The number of its rows.
    pub(crate) no: u64,
    pub(crate) mint_key: BigInt,
    pub(crate) value: u64,
    /// The issuer accepts the coin until this time.
    pub(crate) expiry: DateTime<Utc>,
    pub(crate) place: CoinPlace,
    /// The number of the backup phrase that it can be restored from; 0 if there is none.
    pub(crate) phrase: u8,
}

/// A coin, and the blind that it was made from.
#[derive(Debug, Clone)]
pub(crate) struct CoinSecret {
    pub(crate) coin: Coin,
    /// `None` for coins of others and of older wallets, which stored no seeds.
    pub(crate) origin: Option<Origin>,
}

/// The blind that a coin was made from, with its seed as proof.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) transaction_reference: BigInt,
    pub(crate) blind_reference: String,
    pub(crate) seed: Secret,
}

impl Origin {
    /// Returns `None` without a transaction reference or a seed.
    pub(crate) fn new(transaction_reference: Option<&BigInt>, blinded: &Blinded) -> Option<Self> {
        let BlindingSecret::Seed(seed) = &blinded.secret else {
            return None;
        };
        Some(Self {
            transaction_reference: transaction_reference?.clone(),
            blind_reference: blinded.reference.clone(),
            seed: seed.clone(),
        })
    }
}

/// The coins of a currency, and which of their rows are to be written.
#[derive(Debug, Default)]
pub(crate) struct Coins {
    held: BTreeMap<CoinId, Held>,
    last_no: u64,
    /// The coins whose rows are to be written; with the secret of a new one.
    changed: BTreeMap<CoinId, Option<CoinSecret>>,
    /// The numbers of the rows that are to be removed.
    removed: Vec<u64>,
}

/// The rows of coins that are to be written.
pub(crate) struct CoinChanges {
    /// With the secret of a new one.
    pub(crate) put: Vec<(CoinId, Held, Option<CoinSecret>)>,
    pub(crate) removed: Vec<u64>,
}

impl Coins {
    /// Makes the coins of the currency with this number.
    pub(crate) fn of_currency(currency_no: u64) -> Self {
        Self {
            last_no: currency_no << CURRENCY_SHIFT,
            ..Self::default()
        }
    }

    /// Returns the number of the currency of the coin with this number.
    pub(crate) fn currency_no(no: u64) -> u64 {
        no >> CURRENCY_SHIFT
    }

    pub(crate) fn get(&self, id: &CoinId) -> Option<&Held> {
        self.held.get(id)
    }

    pub(crate) fn contains_key(&self, id: &CoinId) -> bool {
        self.held.contains_key(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&CoinId, &Held)> {
        self.held.iter()
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Held> {
        self.held.values()
    }

    /// Adds a new coin. Its number is set here.
    pub(crate) fn insert(&mut self, id: CoinId, held: Held, secret: CoinSecret) {
        self.last_no += 1;
        let held = Held {
            no: self.last_no,
            ..held
        };
        if let Some(old) = self.held.insert(id.clone(), held) {
            self.removed.push(old.no);
        }
        self.changed.insert(id, Some(secret));
    }

    /// Adds a coin whose rows exist.
    pub(crate) fn load(&mut self, id: CoinId, held: Held) {
        self.last_no = self.last_no.max(held.no);
        self.held.insert(id, held);
    }

    pub(crate) fn set_place(&mut self, id: &CoinId, place: CoinPlace) {
        if let Some(held) = self.held.get_mut(id)
            && held.place != place
        {
            held.place = place;
            self.changed.entry(id.clone()).or_default();
        }
    }

    pub(crate) fn remove(&mut self, id: &CoinId) {
        if let Some(held) = self.held.remove(id) {
            self.changed.remove(id);
            self.removed.push(held.no);
        }
    }

    /// Returns the changes since the last call.
    pub(crate) fn take_changes(&mut self) -> CoinChanges {
        let changed = std::mem::take(&mut self.changed).into_iter();
        CoinChanges {
            put: changed
                .filter_map(|(id, secret)| {
                    let held = self.held.get(&id)?.clone();
                    Some((id, held, secret))
                })
                .collect(),
            removed: std::mem::take(&mut self.removed),
        }
    }
}

impl Index<&CoinId> for Coins {
    type Output = Held;

    fn index(&self, id: &CoinId) -> &Held {
        &self.held[id]
    }
}
