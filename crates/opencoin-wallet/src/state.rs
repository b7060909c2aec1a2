//! What the wallet knows: the sum of its journal's events.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use opencoin_crypto::{CertificateError, VerifiedCddc, VerifiedMintKey, verify_cddc, verify_mint_key_certificate};
use opencoin_schema::{BigInt, Cddc, Coin, Mkc, Payload};
use serde::{Deserialize, Serialize};

use crate::secret::Secret;
use crate::tokenizing::{Counts, count};

/// The number of an operation in its wallet.
pub(crate) type OperationId = u64;

/// What tells a coin from every other: its payload hash. The serial alone does not, since whoever makes a coin chooses it.
pub(crate) type CoinId = BigInt;

/// Everything that can happen to a wallet.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// A currency's documents were seen and verified.
    Documents { url: String, cddc: Box<Cddc>, mkcs: Vec<Mkc> },
    /// Requests are about to be sent: all that it takes to do what was asked.
    Begun { operations: Vec<Operation> },
    /// The answer came: these are its coins, those that were given are gone.
    Finished { operation: OperationId, coins: Vec<Coin>, at: DateTime<Utc> },
    /// The issuer refused: nothing was done. Of the coins that were to be given, those at `spent` are gone.
    Refused { operation: OperationId, description: String, spent: Vec<usize>, at: DateTime<Utc> },
    /// Coins are about to leave in a coin stack.
    Sent { send: Box<Send> },
    /// Somebody else has taken the coins of a send.
    Taken { send: OperationId, at: DateTime<Utc> },
}

/// A request and everything that is needed to finish it after a crash.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Operation {
    pub(crate) id: OperationId,
    pub(crate) currency: BigInt,
    pub(crate) kind: Kind,
    pub(crate) amount: u64,
    /// The exact text of the request.
    pub(crate) request: Secret,
    /// The account's token, where the request needs one.
    pub(crate) token: Option<Secret>,
    /// The transaction reference of a mint or renew.
    pub(crate) reference: Option<BigInt>,
    /// What its signatures will be made into coins with.
    pub(crate) blinded: Vec<Blinded>,
    /// The coins that it gives, in the order of the request.
    pub(crate) gives: Vec<Given>,
    pub(crate) at: DateTime<Utc>,
}

/// Why a request is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Kind {
    Mint,
    /// Coins of somebody else become the wallet's own.
    Receive {
        subject: String,
    },
    /// Own coins become others of the same value, so that every amount can be paid.
    Change,
    /// The coins of a send come back.
    Reclaim {
        send: OperationId,
    },
    Redeem,
}

/// The secrets of a blind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Blinded {
    pub(crate) reference: String,
    pub(crate) payload: Payload,
    pub(crate) unblinder: Secret,
}

/// A coin that an operation gives.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Given {
    pub(crate) coin: CoinId,
    /// From the wallet's own, rather than from a stack or a send.
    pub(crate) is_own: bool,
}

/// Coins that were handed over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Send {
    pub(crate) id: OperationId,
    pub(crate) currency: BigInt,
    pub(crate) amount: u64,
    pub(crate) subject: String,
    pub(crate) coins: Vec<CoinId>,
    pub(crate) at: DateTime<Utc>,
}

/// Where a coin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Can be paid with.
    Here,
    /// Given by a request that is not finished.
    Given,
    /// In a coin stack that somebody may have taken.
    Sent,
}

/// A coin of the wallet.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) coin: Coin,
    pub(crate) value: u64,
    /// The issuer takes it until then.
    pub(crate) expiry: DateTime<Utc>,
    pub(crate) place: Place,
}

impl Held {
    /// Whether it can be paid with.
    pub(crate) fn is_here(&self, now: DateTime<Utc>) -> bool {
        self.place == Place::Here && now <= self.expiry
    }
}

/// A currency whose documents were verified.
#[derive(Debug)]
pub(crate) struct Currency {
    pub(crate) url: String,
    pub(crate) cddc: VerifiedCddc,
    pub(crate) mint_keys: BTreeMap<BigInt, VerifiedMintKey>,
    pub(crate) coins: BTreeMap<CoinId, Held>,
}

impl Currency {
    /// The wallet's own coins that can be paid with, by value.
    pub(crate) fn here(&self, now: DateTime<Utc>) -> Counts {
        count(self.coins.values().filter(|held| held.is_here(now)).map(|held| held.value))
    }

    pub(crate) fn coin_id(&self, payload: &Payload) -> CoinId {
        BigInt::from_be_bytes(self.cddc.cipher_suite().payload_hash(payload).as_bytes())
    }

    pub(crate) fn value_at(&self, place: Place) -> u64 {
        self.coins.values().filter(|held| held.place == place).map(|held| held.value).sum()
    }
}

/// What came of something in the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Pending,
    Done,
    Refused,
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
            Event::Documents { url, cddc, mkcs } => self.documents(url, &cddc, &mkcs).map_err(|error| error.to_string()),
            Event::Begun { operations } => operations.into_iter().try_for_each(|operation| self.begin(operation)),
            Event::Finished { operation, coins, .. } => self.finish(operation, coins),
            Event::Refused { operation, description, spent, .. } => self.refuse(operation, description, &spent),
            Event::Sent { send } => self.send(*send),
            Event::Taken { send, .. } => self.taken(send),
        }
    }

    fn documents(&mut self, url: String, cddc: &Cddc, mkcs: &[Mkc]) -> Result<(), CertificateError> {
        let cddc = verify_cddc(cddc)?;
        let id = cddc.master_key().id().clone();
        let mut verified = Vec::new();
        for mkc in mkcs {
            verified.push(verify_mint_key_certificate(mkc, &cddc)?);
        }
        let currency = self.currencies.entry(id).or_insert_with(|| Currency {
            url: url.clone(),
            cddc: cddc.clone(),
            mint_keys: BTreeMap::new(),
            coins: BTreeMap::new(),
        });
        currency.url = url;
        currency.cddc = cddc;
        currency.mint_keys.extend(verified.into_iter().map(|key| (key.public_key().id().clone(), key)));
        Ok(())
    }

    fn currency_mut(&mut self, id: &BigInt) -> Result<&mut Currency, String> {
        self.currencies.get_mut(id).ok_or_else(|| format!("currency {id} is unknown"))
    }

    fn begin(&mut self, operation: Operation) -> Result<(), String> {
        let currency = self.currency_mut(&operation.currency)?;
        for given in operation.gives.iter().filter(|given| given.is_own) {
            let held = currency.coins.get_mut(&given.coin).ok_or("a coin that is given is not there")?;
            held.place = Place::Given;
        }
        let past = Past { what: operation, fate: Fate::Pending, note: String::new() };
        self.operations.insert(past.what.id, past);
        Ok(())
    }

    /// Marks an operation as ended and gives what is needed to settle it. Its secrets are not needed any more.
    fn end(&mut self, id: OperationId, fate: Fate, note: String) -> Result<(BigInt, Vec<Given>), String> {
        let past = self.operations.get_mut(&id).ok_or_else(|| format!("operation {id} is unknown"))?;
        past.fate = fate;
        past.note = note;
        past.what.request = Secret::new("");
        past.what.token = None;
        past.what.blinded.clear();
        Ok((past.what.currency.clone(), past.what.gives.clone()))
    }

    fn finish(&mut self, id: OperationId, coins: Vec<Coin>) -> Result<(), String> {
        let (currency_id, gives) = self.end(id, Fate::Done, String::new())?;
        let currency = self.currencies.get_mut(&currency_id).ok_or("the currency of an operation is unknown")?;
        gives.iter().for_each(|given| drop(currency.coins.remove(&given.coin)));
        for coin in coins {
            let key = currency.mint_keys.get(&coin.payload.mint_key_id).ok_or("the mint key of a coin is unknown")?;
            let (value, expiry) = (key.mint_key().denomination, key.mint_key().coins_expiry_date.to_utc());
            currency.coins.insert(currency.coin_id(&coin.payload), Held { coin, value, expiry, place: Place::Here });
        }
        // A send of which this has taken coins back is over when none of its coins is out any more.
        let given: BTreeSet<&CoinId> = gives.iter().map(|given| &given.coin).collect();
        let came_back = |send: &Send| send.coins.iter().any(|coin| given.contains(coin));
        let is_out = |send: &Send| send.coins.iter().any(|coin| currency.coins.contains_key(coin));
        for past in self.sends.values_mut().filter(|past| past.fate == Fate::Pending && past.what.currency == currency_id) {
            if came_back(&past.what) && !is_out(&past.what) {
                past.fate = Fate::Reclaimed;
            }
        }
        Ok(())
    }

    fn refuse(&mut self, id: OperationId, description: String, spent: &[usize]) -> Result<(), String> {
        let (currency, gives) = self.end(id, Fate::Refused, description)?;
        let currency = self.currency_mut(&currency)?;
        for (index, given) in gives.iter().enumerate() {
            if spent.contains(&index) {
                currency.coins.remove(&given.coin);
            } else if let Some(held) = currency.coins.get_mut(&given.coin)
                && given.is_own
            {
                held.place = Place::Here;
            }
        }
        Ok(())
    }

    fn send(&mut self, send: Send) -> Result<(), String> {
        let currency = self.currency_mut(&send.currency)?;
        for coin in &send.coins {
            currency.coins.get_mut(coin).ok_or("a coin that is sent is not there")?.place = Place::Sent;
        }
        let past = Past { what: send, fate: Fate::Pending, note: String::new() };
        self.sends.insert(past.what.id, past);
        Ok(())
    }

    fn taken(&mut self, id: OperationId) -> Result<(), String> {
        let past = self.sends.get_mut(&id).ok_or_else(|| format!("send {id} is unknown"))?;
        past.fate = Fate::Done;
        let (currency, coins) = (past.what.currency.clone(), past.what.coins.clone());
        let currency = self.currency_mut(&currency)?;
        coins.iter().for_each(|coin| drop(currency.coins.remove(coin)));
        Ok(())
    }
}
